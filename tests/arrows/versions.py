#!/usr/bin/env python3
"""The library's version is the same wherever it stands: meson.build has it, and each of the rest follows.

usage: versions.py SOURCE_ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
failures = []


def text_of(name):
    return (root / name).read_text()


def expect(name, pattern, wanted):
    """Each match of `pattern` in the file, one at least, has `wanted` in its groups."""
    found = re.findall(pattern, text_of(name), re.MULTILINE)
    if not found:
        failures.append(f"{name}: nothing matches {pattern}")
    for match in found:
        if match != wanted:
            failures.append(f"{name}: {match}, not {wanted}")


version = re.search(r"^  version: '([0-9]+\.[0-9]+\.[0-9]+)'", text_of("meson.build"), re.MULTILINE).group(1)
major, minor, patch = version.split(".")
series = f"{major}.{minor}"

expect("include/besom/version.h", r'^#define BESOM_VERSION "(.*)"$', version)
for part, number in (("MAJOR", major), ("MINOR", minor), ("PATCH", patch)):
    expect("include/besom/version.h", rf"^#define BESOM_VERSION_{part} (\d+)$", number)
expect("include/besom/besom.h", r'Version of the library in use: "(.*)"', version)

# What an embedder copies, and what the tests ask for as one.
for name in ["README.md", "docs/embedding.md"] + [
        f"tests/consumers/{kind}/CMakeLists.txt" for kind in ("both", "cmake", "cmake_c")]:
    expect(name, r"find_package\(besom ([0-9.]+)", series)
expect("tests/consumers/consumer.sh", r"'besom >= ([0-9.]+)'", series)
expect("tests/consumers/meson/meson.build", r"version: '>=([0-9.]+)'", series)

# The newest version comes first.
headings = re.findall(r"^## ([0-9.]+)", text_of("CHANGELOG.md"), re.MULTILINE)
if headings[:1] != [version]:
    failures.append(f"CHANGELOG.md begins with {headings[:1]}, not {version}")
# SECURITY.md names the series that gets fixes.
expect("SECURITY.md", r"^\| ([0-9.]+) \| yes \|$", series)

print("\n".join(failures))
sys.exit(1 if failures else 0)
