#!/usr/bin/env python3
"""embed.py OUTPUT FILE.scm...: writes the forms at top level of the files as C++ string literals.
A form begins with a parenthesis in the first column; its other lines are indented."""

import pathlib
import re
import sys

FORM = re.compile(r"^\(.*(?:\n(?: .*)?)*", re.MULTILINE)
COMMENT = re.compile(r"^;.*", re.MULTILINE)

output, *files = map(pathlib.Path, sys.argv[1:])
literals = []
for file in files:
    text = file.read_text(encoding="utf-8")
    if rest := COMMENT.sub("", FORM.sub("", text)).strip():
        sys.exit(f"{file}: no form, and no comment: {rest.splitlines()[0]}")
    literals += [f'R"scm({form.rstrip()})scm",\n' for form in FORM.findall(text)]
output.write_text("".join(literals), encoding="utf-8")
