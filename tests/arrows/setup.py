#!/usr/bin/env python3
"""scripts/setup has to install, for scripts/demo, each package that a build without tests requires.

usage: setup.py SOURCE_ROOT MESON...
"""
import json
import pathlib
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
scan = subprocess.run(sys.argv[2:] + ["introspect", "--scan-dependencies", str(root / "meson.build")],
                      check=True, capture_output=True, text=True).stdout
required = {entry["name"] for entry in json.loads(scan) if entry["required"] and not entry["conditional"]}
if "boost" not in required:
    sys.exit(f"Meson does not say that Besom requires Boost: {sorted(required)}")

for_demo = ""
for line in (root / "scripts/setup").read_text().splitlines():
    words = line.removeprefix("needs='").split()
    if len(words) == 4 and "demo" in words[0].split(","):
        for_demo += f" {words[2]} {words[3]}".lower()
missing = sorted(name for name in required if name.lower() not in for_demo)
for name in missing:
    print(f"scripts/setup demo does not install {name}")
sys.exit(1 if missing else 0)
