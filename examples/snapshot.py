#!/usr/bin/env python3
"""snapshot.py NAMES COMMAND...: runs COMMAND, in which FILE stands for the name of a new file, and
checks that it then is a heap snapshot in which each of NAMES, separated by commas, is the name of an
object that a root keeps alive. Where COMMAND says --stats=json it prints its statistics: what is alive
in the snapshot is most of what ever was, and there is little else."""

import json
import os
import subprocess
import sys
import tempfile

SYNTHETIC, ELEMENT, HIDDEN, WEAK = 9, 1, 4, 6


def main():
    names = sys.argv[1].split(",")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "test.heapsnapshot")
        command = [word.replace("FILE", file) for word in sys.argv[2:]]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        with open(file, encoding="utf-8") as stream:
            alive, bytes_alive, bytes_in_all = live_names(json.load(stream))
        assert os.listdir(folder) == ["test.heapsnapshot"], os.listdir(folder)
    missing = [name for name in names if name not in alive]
    assert not missing, f"not alive in the snapshot: {missing}"
    if "--stats=json" not in sys.argv:
        return
    most = json.loads(said)["live_bytes_max"]
    print(f"{bytes_alive} bytes alive of {bytes_in_all}; the most that ever lived: {most}")
    assert bytes_alive >= 0.6 * most, "not the heap at its fullest"
    assert bytes_alive >= 0.9 * bytes_in_all, "much of it is garbage"


def live_names(snapshot):
    """The names of the objects that are alive, their bytes, and those of all objects."""
    head = snapshot["snapshot"]
    meta = head["meta"]
    nodes, edges, strings = snapshot["nodes"], snapshot["edges"], snapshot["strings"]
    step = len(meta["node_fields"])
    assert (step, len(meta["edge_fields"])) == (7, 3)
    count = head["node_count"]
    assert len(nodes) == step * count and len(edges) == 3 * head["edge_count"]
    assert sum(nodes[4::step]) == head["edge_count"]
    assert len(set(nodes[2::step])) == count, "ids that are not unique"
    assert all(0 <= number < 1 << 32 for number in nodes)
    first_edge = [0]
    for edge_count in nodes[4::step]:
        first_edge.append(first_edge[-1] + 3 * edge_count)

    reached = {0}
    waiting = [0]
    while waiting:
        node = waiting.pop()
        for at in range(first_edge[node], first_edge[node + 1], 3):
            kind, name, target = edges[at : at + 3]
            assert target % step == 0 and target < len(nodes), target
            assert kind in (ELEMENT, HIDDEN) or name < len(strings), name
            if kind != WEAK and target // step not in reached:
                reached.add(target // step)
                waiting.append(target // step)
    objects = [node for node in range(count) if nodes[step * node] != SYNTHETIC]
    alive = reached.intersection(objects)
    print(f"{len(objects)} objects, {len(alive)} of them alive")
    bytes_of = nodes[3::step]
    return ({strings[nodes[step * node + 1]] for node in alive},
            sum(bytes_of[node] for node in alive), sum(bytes_of[node] for node in objects))


main()
