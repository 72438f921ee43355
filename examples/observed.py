#!/usr/bin/env python3
"""observed.py [--environment] COMMAND...: runs COMMAND, an example, with --trace, --record,
--allocation-profile, --snapshot-at-limit and --stats, or with BESOM_OPTIONS that say the same, and checks what the heap then
wrote of itself: docs/record-format.md and the trace format."""

import json
import os
import subprocess
import sys
import tempfile

PHASES = ["roots", "mark", "weak", "sweep"]
OPTIONS = ("trace", "record", "allocation_profile", "snapshot_at_limit")
WHOLE = ["full collection", "minor collection"]


def check_trace(events):
    """Slices that nest, spans of cycles around their stops, counters. Returns the names of stops."""
    slices = [event for event in events if event["ph"] == "X"]
    stops = [event for event in slices if event["name"] not in PHASES]
    at = 0
    for stop in stops:
        assert stop["ts"] >= at - 0.01, stop
        at = stop["ts"] + stop["dur"]
    for number, event in enumerate(slices):
        if event["name"] not in WHOLE:
            continue
        phases = slices[number + 1:number + 5]
        assert [phase["name"] for phase in phases] == PHASES
        at = event["ts"]
        for phase in phases:
            assert abs(phase["ts"] - at) < 0.01, phase
            at = phase["ts"] + phase["dur"]
        assert at <= event["ts"] + event["dur"] + 0.01, event
    cycles = [event for event in events if event["name"] == "cycle"]
    for begin, end in zip(cycles[::2], cycles[1::2]):
        assert (begin["ph"], end["ph"]) == ("b", "e") and begin["id"] == end["id"]
        assert begin["ts"] <= end["ts"]
    counters = [event for event in events if event["ph"] == "C"]
    assert counters == sorted(counters, key=lambda event: event["ts"])
    freed = [event["args"]["freed_bytes"] for event in events if "freed_bytes" in event.get("args", {})]
    assert len(counters) == 2 * len(freed)
    for before, after, bytes in zip(counters[::2], counters[1::2], freed):
        assert before["args"]["live"] - after["args"]["live"] == bytes
    return [stop["name"].split()[0] for stop in stops]


def rows_of(table):
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def check_moment(moment, types):
    assert sum(moment["strip"]) == moment["live_bytes"]
    assert len(moment["strip"]) == len(moment["strip_types"]) <= 256
    census = moment["census"]
    assert census == sorted(census, key=lambda row: -row[2])
    assert sum(row[1] for row in census) + moment["other_objects"] == moment["live_objects"]
    assert sum(row[2] for row in census) + moment["other_bytes"] == moment["live_bytes"]
    assert all(row[0] < len(types) for row in census)
    for cell, type in zip(moment["strip"], moment["strip_types"]):
        assert (cell == 0) == (type == 0) and cell <= moment["cell_bytes"]
    free = 0
    for size, (count, bytes) in enumerate(moment["holes"]):
        assert count << (size + 4) <= bytes < (count << (size + 5)) or count == bytes == 0
        free += bytes
    # Null's granule is neither; a capacity may have a piece of a granule.
    assert moment["capacity"] - 32 < moment["live_bytes"] + free < moment["capacity"]


def check_record(record, stops):
    assert record["besom_record"] == 1 and record["is_final"]
    kinds = record["stops"]["kinds"]
    for kind, stats in kinds.items():
        assert stats["count"] == sum(stats["lengths"]) == stops.count(kind), kind
    rows = rows_of(record["stops"])
    for kind, stats in kinds.items():
        assert sum(row[kind] for row in rows) == stats["count"]
    assert sum(row["stopped_ns"] for row in rows) == sum(stats["total_ns"] for stats in kinds.values())
    longest = max((row["ns"] for row in rows_of(record["stops"]["longest"])), default=0)
    assert longest == max(stats["longest_ns"] for stats in kinds.values())
    at = 0
    for row in rows:
        assert at <= row["begin_ns"] <= row["longest_begin_ns"] <= row["end_ns"] <= record["written_ns"]
        at = row["end_ns"]
    collections = rows_of(record["collections"])
    assert sum(row["full"] + row["minor"] + row["abandoned"] for row in collections) == record["stats"]["collections"]
    assert sum(row["freed"] for row in collections) == record["stats"]["freed_bytes"]
    for row in collections:
        assert row["live"] <= row["live_after"] <= row["used_before"] <= row["committed"]
    moments = record["moments"]
    assert moments[-1]["why"] == "end"
    for moment in moments:
        check_moment(moment, record["types"])


def check_sites(sites, profile):
    """The profile has sites of the record, and what their samples stand for. Returns functions."""
    rows = sites["rows"]
    assert sum(row["samples"] for row in rows) + sites["lost"] == sites["samples"]
    for row in rows:
        assert row["function"] and 0 < row["samples"] and row["live_samples"] <= row["samples"]
        assert max(row["live_bytes"], row["peak_bytes"]) <= row["allocated_bytes"]
    nodes = {}
    for site in profile["head"]["children"]:
        frame = site["callFrame"]
        assert any((row["function"], row["file"], row["line"]) ==
                   (frame["functionName"], frame["url"], frame["lineNumber"] + 1) for row in rows)
        for node in [site, *site["children"]]:
            assert node["id"] not in nodes
            nodes[node["id"]] = node["selfSize"]
    assert all(nodes[sample["nodeId"]] == sample["size"] for sample in profile["samples"])
    assert sum(nodes.values()) == sum(sample["size"] for sample in profile["samples"])
    return {row["function"] for row in rows}


def main():
    command = sys.argv[1:]
    by_environment = command[0] == "--environment"
    if by_environment:
        del command[0]
    with tempfile.TemporaryDirectory() as folder:
        names = {option: os.path.join(folder, f"a.{option}") for option in OPTIONS}
        environment = dict(os.environ)
        if by_environment:
            environment["BESOM_OPTIONS"] = ",".join([f"{option}={name}" for option, name in names.items()] + ["stats=exit"])
        else:
            command += [f"--{option.replace('_', '-')}={name}" for option, name in names.items()] + ["--stats"]
        run = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True, env=environment)
        assert "besom: collections" in run.stderr, run.stderr
        with open(names["trace"], encoding="utf-8") as stream:
            events = json.load(stream)
        with open(names["record"], encoding="utf-8") as stream:
            record = json.load(stream)
        with open(names["allocation_profile"], encoding="utf-8") as stream:
            profile = json.load(stream)
        has_snapshot = os.path.exists(names["snapshot_at_limit"])
        assert sorted(os.listdir(folder)) == sorted(os.path.basename(name) for name in names.values() if os.path.exists(name))
    stops = check_trace(events)
    assert stops
    check_record(record, stops)
    functions = check_sites(record["sites"], profile)
    if "scheme" in command[0]:
        assert "grow" in functions, functions
    assert has_snapshot == (record["refusals"] != 0)
    if "out_of_memory" in command[0]:
        assert has_snapshot and any(moment["why"] == "limit" for moment in record["moments"])
    print(f"{len(stops)} stops, {len(record['moments'])} moments")


main()
