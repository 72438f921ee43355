#!/usr/bin/env python3
"""report.py BESOM_REPORT EXAMPLE ARGUMENT...: runs an example with --report, and checks the page. With BESOM_SCREENSHOTS=FOLDER
screenshots are left there."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import browser
from page_parts import CHARTS, check_page


def main():
    besom_report, *command = sys.argv[1:]
    name = pathlib.Path(command[0]).name
    environment = dict(os.environ, BESOM_OPTIONS="sample_bytes=4K")
    with tempfile.TemporaryDirectory() as folder:
        page, record_file = os.path.join(folder, "page.html"), os.path.join(folder, "kept.json")
        subprocess.run([*command, f"--report={page}"], check=True, env=environment)
        # One for each heap, and no record left over.
        pages = ["page.2.html", "page.3.html", "page.html"] if name == "two_heaps" else ["page.html"]
        assert sorted(os.listdir(folder)) == pages, os.listdir(folder)
        for other in pages[:-1]:
            os.unlink(os.path.join(folder, other))
        subprocess.run([*command, f"--report={page}", f"--record={record_file}"], check=True, env=environment)
        assert "page.html" in os.listdir(folder) and "page.2.html" not in os.listdir(folder), os.listdir(folder)
        record = json.loads(pathlib.Path(record_file).read_text(encoding="utf-8"))
        text = pathlib.Path(page).read_text(encoding="utf-8")
        parts = check_page(text, record)
        assert parts.text_of("h1") == [name]
        assert CHARTS <= set(parts.identifiers), parts.identifiers
        cells = [cell.replace("\N{NO-BREAK SPACE}", "") for cell in parts.text_of("td")]
        fullest = max(record["moments"], key=lambda moment: moment["live_bytes"])
        for type, objects, _ in fullest["census"]:
            assert record["types"][type] in cells and str(objects) in cells, record["types"][type]
        for site in record["sites"]["rows"]:
            assert any(site["function"] in cell for cell in cells), site
        assert ("refused" in "".join(parts.text_of("p"))) == (record["refusals"] > 0)

        out = subprocess.run([besom_report, record_file, "--output", "-"], check=True, capture_output=True, encoding="utf-8").stdout
        assert out == text
        looks = browser.check_looks(page, CHARTS)
        if browser.CHROMIUM and "BESOM_SCREENSHOTS" in os.environ:
            browser.screenshots(page, os.environ["BESOM_SCREENSHOTS"], name)
    print(f"{len(text)} characters, {len(record['moments'])} moments, {looks} looks")


main()
