#!/usr/bin/env python3
"""trace.py COMMAND...: runs COMMAND, in which FILE stands for the name of a new file, and checks that
it then has trace events: slices that nest, and counters in the order of time."""

import json
import os
import subprocess
import sys
import tempfile


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "trace.json")
        subprocess.run([word.replace("FILE", file) for word in sys.argv[1:]], check=True)
        with open(file, encoding="utf-8") as stream:
            events = json.load(stream)["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    outer = [event for event in slices if event["name"].endswith(" collection")]
    assert outer, "no collection"
    assert len(slices) == 5 * len(outer)
    for collection, *phases in zip(*[iter(slices)] * 5):
        assert [phase["name"] for phase in phases] == ["roots", "mark", "weak", "sweep"]
        at = collection["ts"]
        for phase in phases:
            assert abs(phase["ts"] - at) < 0.01, phase
            at = phase["ts"] + phase["dur"]
        assert at <= collection["ts"] + collection["dur"] + 0.01, collection
    counters = [event for event in events if event["ph"] == "C"]
    assert len(counters) == 2 * len(outer)
    assert counters == sorted(counters, key=lambda event: event["ts"])
    for before, after, collection in zip(counters[::2], counters[1::2], outer):
        freed = before["args"]["live"] - after["args"]["live"]
        assert freed == collection["args"]["freed_bytes"], collection
    print(f"{len(outer)} collections")


main()
