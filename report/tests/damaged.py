#!/usr/bin/env python3
"""damaged.py BESOM_REPORT EXAMPLE ARGUMENT...: what besom-report makes of records that are damaged, from elsewhere, unfinished, or hostile."""

import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import browser
from page_parts import CHARTS, check_page

BESOM_REPORT, *COMMAND = sys.argv[1:]
HOSTILE = "</script><script>throw 'run'</script><img src=//x.example>\"'&@@RECORD@@"


class Folder:
    def __init__(self, path):
        self.record, self.page = path / "a.json", path / "a.html"

    def run(self, *arguments, program=BESOM_REPORT):
        return subprocess.run([program, *arguments], capture_output=True, text=True)

    def refused(self, code, words, text, *more, program=BESOM_REPORT):
        """A record of this text makes no page."""
        self.record.write_text(text, encoding="utf-8")
        run = self.run(self.record, *more, program=program)
        assert run.returncode == code and words in run.stderr, (words, run)
        assert "Traceback" not in run.stderr, run.stderr
        assert not self.page.exists() and self.record.read_text(encoding="utf-8") == text

    def accepted(self, record):
        self.record.write_text(json.dumps(record), encoding="utf-8")
        run = self.run(self.record)
        assert run.returncode == 0, run
        parts = check_page(self.page.read_text(encoding="utf-8"), record)
        self.page.unlink()
        return parts


def installed(folder, with_parts):
    """The program as it is installed, with its parts or without."""
    (folder / "bin").mkdir(exist_ok=True)
    if with_parts:
        shutil.copytree(pathlib.Path(BESOM_REPORT).parent, folder / "share" / "besom" / "report")
        (folder / "share" / "besom" / "report" / "besom-report").unlink()
    return shutil.copy(BESOM_REPORT, folder / "bin")


def paths_of(value, path=()):
    """Where anything stands in the record: of a list the first entry alone."""
    entries = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else []
    for key, inner in entries:
        yield path + (key,)
        yield from paths_of(inner, path + (key,))


def changed(record, path, value):
    copied = copy.deepcopy(record)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def check_every_place(record):
    """A value of another kind at any place is refused or harmless, and never a traceback. In one process, as there are many."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(BESOM_REPORT)))
    from record_check import Damaged, check
    from record_page import make_page
    refused = places = 0
    for path in paths_of(record):
        for value in (None, -1, 2**53, "text", []):
            places += 1
            other = changed(record, path, value)
            try:
                check(other)
            except Damaged:
                refused += 1
                continue
            make_page(other, pathlib.Path(BESOM_REPORT).resolve().parent)
    assert refused > places // 2, (refused, places)
    return places


def main():
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(pathlib.Path(path))
        subprocess.run(COMMAND, check=True, env=dict(os.environ, BESOM_OPTIONS=f"record={folder.record},sample_bytes=4K"))
        text = folder.record.read_text(encoding="utf-8")
        record = json.loads(text)

        folder.refused(65, "damaged, or no record", text[:len(text) // 2])
        folder.refused(65, "damaged, or no record", "")
        folder.refused(65, "damaged, or no record", text.replace('"written_ns":', '"written_ns":NaN,"x":'))
        folder.refused(65, "nested too deeply", "[" * 100000)
        folder.refused(65, "no key besom_record", "{}")
        folder.refused(65, "no key besom_record", "[1]")
        folder.refused(65, "version 2; this besom-report reads version 1", json.dumps(dict(record, besom_record=2)))
        folder.refused(65, "record has no moments", json.dumps({key: record[key] for key in record if key != "moments"}))
        folder.refused(64, "is the record", text, "-o", folder.record)
        folder.refused(73, "No such file", text, "-o", "/no/such/folder/page.html")
        folder.refused(64, "usage", text, "--unknown")
        assert folder.run("/no/such/record").returncode == 66
        assert folder.run("--help").returncode == 0

        folder.refused(66, "the page's parts are neither in", text, program=installed(pathlib.Path(path), False))
        assert folder.run(folder.record, program=installed(pathlib.Path(path), True)).returncode == 0
        folder.page.unlink()

        notes = "".join(folder.accepted(dict(record, is_final=False)).text_of("p"))
        assert "killed" in notes and "killed" not in "".join(folder.accepted(record).text_of("p"))
        bare = changed(changed(changed(record, ("moments",), []), ("sites",), None), ("collections", "rows"), [])
        parts = folder.accepted(bare)
        assert sum(text.startswith("Not recorded") for text in parts.text_of("p")) == 4, parts.text_of("p")
        assert CHARTS & set(parts.identifiers) >= {"chart-memory"} and "chart-strip" not in parts.identifiers

        hostile = changed(changed(record, ("program",), HOSTILE), ("types",), [HOSTILE] * len(record["types"]))
        hostile["sites"]["rows"][0]["function"] = HOSTILE
        parts = folder.accepted(hostile)
        assert parts.text_of("h1") == [HOSTILE] and HOSTILE in parts.text_of("td")
        assert "img" not in parts.tags
        for page in (hostile, bare):
            folder.record.write_text(json.dumps(page), encoding="utf-8")
            assert folder.run(folder.record).returncode == 0
            if browser.CHROMIUM:
                charts = CHARTS & set(check_page(folder.page.read_text(encoding="utf-8"), page).identifiers)
                browser.check_look(folder.page, "phone-dark", charts)
            folder.page.unlink()
        for table in (record["collections"], record["stops"], record["sites"]):
            del table["rows"][3:]
        places = check_every_place(dict(record, moments=record["moments"][-1:]))
    print(f"{places} changes of a record")


main()
