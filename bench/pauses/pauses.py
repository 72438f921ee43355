#!/usr/bin/env python3
"""Runs pauses.cpp over Besom and its peers, and the programs of the other languages, and prints how
long each collector keeps the program from its work. bench/README.md explains the columns."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

SOURCES = "@SOURCES@"
PROGRAMS = os.path.dirname(os.path.abspath(__file__))
WINDOWS_MS = (1, 5, 10, 50)
EVERY = (100, 10)

# Name, program, and what the environment has besides.
PEERS = (
    ("besom", "pauses-besom", {}),
    ("besom incremental", "pauses-besom", {"BESOM_OPTIONS": "incremental=on"}),
    ("besom generational", "pauses-besom", {"BESOM_OPTIONS": "generational=on"}),
    ("bdwgc", "pauses-bdwgc", {}),
    ("bdwgc incremental", "pauses-bdwgc", {"GC_ENABLE_INCREMENTAL": "1"}),
    ("lua", "pauses.lua", {}),
    ("ocaml", "pauses.ml", {}),
    ("go", "pauses.go", {}),
)


def command_of(program, work):
    """The command that runs it, compiled in the folder `work` where it has to be; or why there is none."""
    name, suffix = os.path.splitext(program)
    if suffix == "":
        built = os.path.join(PROGRAMS, program)
        return ([built], "") if os.path.exists(built) else (None, "its library was not there to build with")
    tool = {".lua": "lua5.4", ".ml": "ocamlopt", ".go": "go"}[suffix]
    if shutil.which(tool) is None:
        return None, f"there is no {tool}"
    source = os.path.join(SOURCES, program)
    if suffix == ".lua":
        return [tool, source], ""
    copy = shutil.copy(source, work)  # compilers leave files beside their sources
    binary = os.path.join(work, name + suffix + ".out")
    flags = {".ml": ["-unsafe", "-inline", "100"], ".go": ["build"]}[suffix]
    subprocess.run([tool, *flags, "-o", binary, copy], check=True, cwd=work)
    return [binary], ""


def run(command, environment, cpu):
    """The checksum, the CPU time of each batch in ms, that of the whole run in s, and its peak of memory
    in MiB."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu})) as process:
        words, *times = process.stdout.read().splitlines() or [""]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return words.split()[0], [float(time) / 1e6 for time in times], cpu_seconds, usage.ru_maxrss / 1024


def least_utilisation(times, undisturbed, window):
    """The least share that the program has in any stretch of batches that takes `window` ms or, as the
    first or last batch is long, more."""
    least = min(1.0, len(times) * undisturbed / sum(times))
    first, total = 0, 0.0
    for last, time in enumerate(times):
        total += time
        while total - times[first] >= window:
            total -= times[first]
            first += 1
        if total >= window:
            least = min(least, (last + 1 - first) * undisturbed / total)
    return least


def figures(times, cpu_seconds, rss_mib):
    """A line of the table, but for the name."""
    ordered = sorted(times)
    undisturbed = ordered[len(ordered) // 10]
    shares = [least_utilisation(times, undisturbed, window) for window in WINDOWS_MS]
    return [ordered[-1], ordered[int(len(ordered) * 0.999)], *shares, cpu_seconds, rss_mib]


def print_head(objects, steps, every):
    print(f"\n{objects} objects of four refs, {steps} steps, each {every}th replaces an object")
    print(f"{'':<19}{'longest':>10}{'99.9 %':>9}   utilisation in any{'':>15}{'CPU':>6}{'RSS':>8}")
    windows = "".join(f"{str(window) + ' ms':>8}" for window in WINDOWS_MS)
    print(f"{'':<19}{'batch, ms':>10}{'ms':>9} {windows}{'s':>9}{'MiB':>8}")


def print_line(name, values):
    longest, most, *shares, cpu_seconds, rss_mib = values
    windows = "".join(f"{share:>8.2f}" for share in shares)
    print(f"{name:<19}{longest:>10.2f}{most:>9.2f} {windows}{cpu_seconds:>9.2f}{rss_mib:>8.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="How long do collectors keep a program from its work?")
    parser.add_argument("--runs", type=int, help="of each program (3; 1 with --quick); shown are medians")
    parser.add_argument("--quick", action="store_true", help="does it work? seconds, small sizes")
    parser.add_argument("--only", action="append", metavar="PEER", choices=[name for name, _, _ in PEERS],
                        help="may be given several times")
    parser.add_argument("--objects", type=int, help="that live (2000000; 50000 with --quick)")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="to run on (the last)")
    options = parser.parse_args()
    objects, steps = (50_000, 500_000) if options.quick else (2_000_000, 20_000_000)
    objects = options.objects or objects
    runs = options.runs or (1 if options.quick else 3)

    with tempfile.TemporaryDirectory() as work:
        peers = []
        for name, program, environment in PEERS:
            if options.only and name not in options.only:
                continue
            command, reason = command_of(program, work)
            if command is None:
                print(f"{name}: skipped, {reason}")
            else:
                peers.append((name, command, environment))
        for every in EVERY:
            lines = {name: [] for name, _, _ in peers}
            checks = set()
            # In turns, so that what disturbs the machine for a while disturbs everybody.
            for _ in range(runs):
                for name, command, environment in peers:
                    arguments = [str(number) for number in (objects, steps, every)]
                    check, *measured = run(command + arguments, environment, options.cpu)
                    checks.add(check)
                    lines[name].append(figures(*measured))
            print_head(objects, steps, every)
            for name, line in lines.items():
                print_line(name, [statistics.median(column) for column in zip(*line)])
            if len(checks) > 1:
                sys.exit(f"the programs did not do the same: {', '.join(sorted(checks))}")


main()
