#!/usr/bin/env python3
"""gdb.py SCRIPT PROGRAM: the commands of scripts/gdb/besom.py say of a running program and of its
core file what the library says itself. Skipped, with the reason, where gdb cannot be used."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
LOOK = ["besom heap", "besom census", "print heap", "print in_array", "besom path deep",
        "besom path in_array", "besom path boxed", "besom path local", "besom path hidden", "up",
        "print chain", "print local", "print weak", "print created", "besom census heap"]


def gdb(*arguments, commands):
    words = ["gdb", "-nx", "-batch", *arguments]
    for command in commands:
        words += ["-ex", command]
    ran = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         timeout=120)
    return ran.stdout


def skip(why):
    print("skipped:", why)
    sys.exit(SKIPPED)


def after(text, mark):
    return text.split(mark, 1)[1] if mark in text else ""


def main():
    script, program = sys.argv[1:]
    if shutil.which("gdb") is None:
        skip("there is no gdb: scripts/setup test installs it")
    if "yes" not in gdb(commands=["python print('yes')"]):
        skip("this gdb has no Python")
    with tempfile.TemporaryDirectory() as folder:
        core = os.path.join(folder, "core")
        marked = ["source " + script, "echo --- look\\n", *LOOK, "echo --- end\\n"]
        live = gdb(program, commands=["set confirm off", "break look", "run", *marked,
                                      "generate-core-file " + core, "continue"])
        if re.search("(?i)ptrace|could not trace|operation not permitted", live):
            skip("no program can be traced here")
        looked = after(live, "--- look\n").split("--- end")[0]
        print(live)
        check(looked, after(live, "--- end\n"))
        dead = gdb(program, core, commands=marked)
        print(dead)
        from_core = after(dead, "--- look\n").split("--- end")[0]
        assert from_core == looked, "the core file says something else"


def check(looked, rest):
    # The census is the library's, row by row.
    row = re.compile(r"^ +(\d+) +(\d+)  (\w+)$", re.M)
    own = row.findall(rest)
    assert len(own) == 5, own
    seen = row.findall(looked)
    assert len(seen) == 2 * len(own), seen
    assert sorted(seen[:len(own)]) == sorted(own), (seen, own)
    assert "heap at 0x" in looked and "5 types" in looked

    paths = re.split(r"(?m)^(?=handle|range|words|local|newest|no path|#)", looked)
    steps = [path.count(" -> ") for path in paths if " -> " in path]
    # The same lengths as the library's own, but for what a callback traces.
    own_steps = [int(n) for n in re.findall(r"path of (\d+) steps", rest)]
    assert own_steps == [500, 2, 2, 1, 2], own_steps
    assert steps == own_steps[:4], steps  # the fifth leads through a callback
    assert re.search(r"handle 'chain' -> Node 0x\w+\n  \.right -> Node 0x\w+\n  \.left -> ", looked)
    assert re.search(r"range 'slots' -> RefArray 0x\w+\n  \[42\] -> Node 0x", looked)
    assert re.search(r"words 'words'\? -> Pair 0x\w+\n  \.second -> Pair 0x", looked)
    assert re.search(r"local -> Node 0x", looked)
    assert re.search(r"no path from a root .* to Node 0x\w+\n.*1 Traced, which a callback", looked)
    # Printers: the handle, the local, the weak handle.
    assert len(re.findall(r"(?m)^\$\d+ = Node 0x\w+$", looked)) == 3, looked


main()
