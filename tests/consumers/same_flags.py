#!/usr/bin/env python3
"""Checks that CMake and Meson compile the same files of the library with the same flags.
   same_flags.py SOURCE_ROOT CMAKE_DATABASE MESON_DATABASE

Warnings, paths and what belongs to other libraries are left to each."""
import json
import os
import pathlib
import re
import sys

root, cmake, meson = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
listed = {line.split()[0] for line in (root / "library.txt").read_text().splitlines()
          if not line.startswith("include/")}
KEPT = re.compile(r"-(O|std=|f(?!diagnostics|pch)|DBESOM|DNDEBUG)")


def flags(database):
    """Maps each of the library's sources to its flags."""
    found = {}
    for entry in json.loads(database.read_text()):
        path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        name = os.path.relpath(path, root)
        words = entry["command"].split()
        if name in listed and "-c" in words:
            found[name] = sorted(word for word in set(words) if KEPT.match(word))
    return found


by_cmake, by_meson = flags(cmake), flags(meson)
failed = False
for name in sorted(listed):
    if by_cmake.get(name) != by_meson.get(name) or name not in by_cmake:
        failed = True
        print(f"{name}: CMake {by_cmake.get(name)}, Meson {by_meson.get(name)}")
sys.exit(1 if failed else 0)
