#!/usr/bin/env python3
"""Holds each diff that a page of docs/ shows against the two files that it is of.
   diffs.py SOURCE_ROOT [--write]

A line `<!-- diff: BEFORE AFTER -->` stands before the block. With --write the pages are brought up to
date, otherwise a difference is printed and ends the program with 1."""
import difflib
import pathlib
import re
import sys

BLOCK = re.compile(r"(<!-- diff: (\S+) (\S+) -->\n```diff\n)(.*?)(^```$)", re.S | re.M)
root = pathlib.Path(sys.argv[1])
write = "--write" in sys.argv[2:]


def diff(before, after):
    lines = [(root / name).read_text(encoding="utf-8").splitlines() for name in (before, after)]
    body = list(difflib.unified_diff(*lines, lineterm="", n=2))[2:]
    return "".join(line + "\n" for line in body)


failed = False
blocks = 0
for page in sorted((root / "docs").glob("*.md")):
    text = page.read_text(encoding="utf-8")

    def renew(match):
        global blocks, failed
        blocks += 1
        now = diff(match[2], match[3])
        if not write and now != match[4]:
            failed = True
            print(f"{page.name}: not the difference of {match[2]} and {match[3]}:")
            sys.stdout.writelines(difflib.unified_diff(
                match[4].splitlines(True), now.splitlines(True), "the page", "the files"))
        return match[1] + now + match[5]

    new = BLOCK.sub(renew, text)
    if write and new != text:
        page.write_text(new, encoding="utf-8")
if blocks == 0:
    failed = True
    print("no page shows a diff")
sys.exit(failed)
