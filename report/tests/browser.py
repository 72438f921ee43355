"""Looks at a page in headless Chromium, where there is one."""

import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Name: width and height of the window, and the colours that are preferred (0 is dark for Blink).
LOOKS = {"desktop-light": (1200, 900, 1), "desktop-dark": (1200, 900, 0), "phone-light": (390, 844, 1), "phone-dark": (390, 844, 0)}
PROBE = """<script>setTimeout(() => {
  const painted = {};
  for (const chart of document.querySelectorAll('.chart')) {
    const canvas = chart.querySelector('canvas');
    const data = canvas ? canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data : [];
    painted[chart.id] = data.filter((value, i) => i % 4 === 3 && value > 0).length;
  }
  const root = document.documentElement;
  parent.postMessage(JSON.stringify({painted, width: innerWidth, needs: root.scrollWidth,
    dark: matchMedia('(prefers-color-scheme: dark)').matches, background: getComputedStyle(document.body).backgroundColor}), '*');
}, 500);</script>"""
# A window is never as narrow as a phone, but a frame in it is.
FRAME = """<!DOCTYPE html><meta name="color-scheme" content="light dark">
<iframe src="probed.html" style="width: {}px; height: {}px; border: 0"></iframe>
<script>onmessage = event => document.body.dataset.probe = event.data;</script>"""


def chromium(page, look, *more):
    width, height, scheme = LOOKS[look]
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
             f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--blink-settings=preferredColorScheme={scheme}",
             "--virtual-time-budget=3000", *more, "file://" + os.path.abspath(page)],
            check=True, timeout=60, capture_output=True, text=True)


def check_look(page, look, charts):
    """All charts are painted, nothing is wider than the window, and nothing is said on the console. Returns the background."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text = pathlib.Path(page).read_text(encoding="utf-8")
        (folder / "probed.html").write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        (folder / "frame.html").write_text(FRAME.format(*LOOKS[look]), encoding="utf-8")
        run = chromium(folder / "frame.html", look, "--dump-dom")
    assert "CONSOLE" not in run.stderr, run.stderr
    found = json.loads(html.unescape(re.search(r'data-probe="([^"]*)"', run.stdout)[1]))
    assert set(found["painted"]) == charts, (look, found)
    assert all(pixels > 500 for pixels in found["painted"].values()), (look, found)
    assert found["needs"] <= found["width"] == LOOKS[look][0], (look, found)
    assert found["dark"] == look.endswith("dark"), (look, found)
    return found["background"]


def check_looks(page, charts):
    """Returns how many looks were taken."""
    if not CHROMIUM:
        print("no Chromium: the page was not drawn")
        return 0
    backgrounds = {look: check_look(page, look, charts) for look in LOOKS}
    assert backgrounds["desktop-light"] == backgrounds["phone-light"] != backgrounds["desktop-dark"] == backgrounds["phone-dark"], backgrounds
    return len(LOOKS)


def screenshots(page, folder, name):
    for look in LOOKS:
        chromium(page, look, f"--screenshot={os.path.join(os.path.abspath(folder), f'{name}-{look}.png')}")
