#!/usr/bin/env python3
"""What the rooms and their components include of each other. Prints each arrow that runs backwards.
   components.py SOURCE_ROOT

A component is a header and the source of the same name. A source without a header beside it has
one in include/besom: then that belongs to the room of the source."""
import pathlib
import re
import sys

# Each room includes those before it.
ROOMS = ["include/besom", "freelist", "heap", "gc/roots", "gc/mark", "gc/weak", "gc/sweep", "gc",
         "inspect", "inspect/observe", "capi"]
# Of rooms after those, each includes what is before it and no other.
PROGRAMS = ["examples", "scheme", "tests", "bench", "fuzz"]

root = pathlib.Path(sys.argv[1])
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
SUFFIXES = {".hpp", ".cpp", ".h"}


def room_of(path):
    """The longest room that the path lies in."""
    rooms = [room for room in ROOMS + PROGRAMS if path.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None


def includes(path):
    """Yields line number and path, from the root, of the files of this tree that it includes."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        for folder in ("include", ""):
            target = pathlib.PurePosixPath(folder, match[1])
            if (root / target).is_file():
                yield number, str(target)
                break


def sources(room):
    return sorted(path for path in (root / room).rglob("*")
                  if path.suffix in SUFFIXES and room_of(str(path.relative_to(root))) == room)


def cycles(edges):
    """The strongly connected components of more than one node."""
    reached = {}
    for start in edges:
        reached[start] = set()
        todo = [start]
        while todo:
            for target in edges.get(todo.pop(), ()):
                if target not in reached[start]:
                    reached[start].add(target)
                    todo.append(target)
    found = []
    for node in edges:
        cycle = {other for other in reached[node] if node in reached.get(other, ())}
        if cycle and cycle not in found:
            found.append(cycle)
    return found


failures = []
for place, room in enumerate(ROOMS):
    stems = {path.stem for path in sources(room)}
    headless = stems - {path.stem for path in sources(room) if path.suffix != ".cpp"}

    def component(path):
        """The component of this room that the file is part of, or None."""
        stem = pathlib.PurePosixPath(path).stem
        if room_of(path) == room:
            return stem
        return stem if room_of(path) == "include/besom" and stem in headless else None

    edges = {stem: set() for stem in stems}
    files = [(path, path.stem) for path in sources(room)]
    files += [(path, path.stem) for path in sources("include/besom") if path.stem in headless]
    for path, stem in files:
        name = str(path.relative_to(root))
        for number, target in includes(path):
            if room_of(name) == room and room_of(target) not in ROOMS[:place + 1]:
                failures.append(f"{name}:{number}: {room} includes {target}")
            other = component(target)
            if other is not None and other != stem:
                edges[stem].add(other)
    for cycle in cycles(edges):
        failures.append("know each other: " + ", ".join(sorted(f"{room}/{stem}" for stem in cycle)))

print("\n".join(failures))
sys.exit(1 if failures else 0)
