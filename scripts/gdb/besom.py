"""Shows Besom's heaps and types in gdb: source scripts/gdb/besom.py

    besom heap [HEAP]     the heap that the other commands mean, and its figures
    besom census [HEAP]   objects and bytes of each type
    besom path REF        a shortest path from a root to an object

Read from memory alone: nothing of the program is called, so this works on core files too. The
library has to be compiled with -g.
"""

import gdb
import gdb.printing
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.modules.pop("besom_heap", None)  # when sourced again
import besom_heap  # noqa: E402

GRANULE_BYTES = 16
LINE_GRANULES = 64


def index_text(index):
    return "null" if index == 0 else "0x%x" % index


class RefPrinter:
    """besom::Ref<T> and besom::Member<T>: the byte index."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return index_text(int(self.value["index_"]))


class ValuePrinter:
    """besom::Value and besom::ValueMember: a ref or a 31-bit integer."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        bits = int(self.value["bits_"])
        if bits & 1:
            return "integer %d" % ((bits - (1 << 32) if bits >= 1 << 31 else bits) >> 1)
        return "ref %s" % index_text(bits)


class RunPrinter:
    """besom::Run: a half-open span of bytes."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        index = int(self.value["index"])
        size = int(self.value["size_bytes"])
        return "[0x%x, 0x%x) %d bytes" % (index, index + size, size)


class FreeListPrinter:
    """besom::FreeList: the figures, and as children its holes in address order."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        granules = int(self.value["free_granules_"])
        holes = int(self.value["hole_count_"])
        return "%d of %d bytes free in %d holes" % (
            granules * GRANULE_BYTES, int(self.value["capacity_"]), holes)

    def children(self):
        for number, (first, after) in enumerate(self.holes()):
            yield self.hole("hole %d" % number, first, after)

    @staticmethod
    def hole(name, begin, end):
        return name, "[0x%x, 0x%x) %d bytes" % (
            begin * GRANULE_BYTES, end * GRANULE_BYTES, (end - begin) * GRANULE_BYTES)

    def holes(self):
        """Pairs of granules: where a hole starts, and the next start behind it."""
        last = int(self.value["end_"])
        lines = self.value["map_"]["lines_"]["data_"]
        open_hole = None
        for number in range(last // LINE_GRANULES + 1):
            starts = int(lines[number]["starts"])
            holes = int(lines[number]["holes"])
            while starts:
                lowest = starts & -starts
                granule = number * LINE_GRANULES + lowest.bit_length() - 1
                if open_hole is not None:
                    yield open_hole, granule
                open_hole = granule if holes & lowest else None
                starts ^= lowest


class HeapPrinter:
    """besom::Heap: its figures."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return besom_heap.Heap(self.value).summary()


class OwnerPrinter:
    """besom::HeapPtr: the heap that it owns."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        heap = self.value["heap_"]
        return "no heap" if int(heap) == 0 else besom_heap.Heap(heap.dereference()).summary()


class HandlePrinter:
    """besom::Handle<T>, Weak<T> and Local<T>: the object's index and the name of its type."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        table = self.value["table_"]
        if int(table) == 0:
            return "empty"
        slot = besom_heap.slot_of(self.value)
        if slot is None or int(slot["serial"]) != int(self.value["serial_"]):
            return "stale"
        index = int(slot["ref"])
        heap = table["gate_"]["heap"]
        if index == 0 or int(heap) == 0:
            return index_text(index)
        return besom_heap.Heap(heap.dereference()).name(index)


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("besom")
    collection.add_printer("Ref", "^besom::(Ref|Member)<.*>$", RefPrinter)
    collection.add_printer("Value", "^besom::Value(Member)?$", ValuePrinter)
    collection.add_printer("Run", "^besom::Run$", RunPrinter)
    collection.add_printer("FreeList", "^besom::FreeList$", FreeListPrinter)
    collection.add_printer("Heap", "^besom::Heap$", HeapPrinter)
    collection.add_printer("HeapPtr", "^besom::HeapPtr$", OwnerPrinter)
    collection.add_printer("Handle", "^besom::(Handle|Weak|Local)<.*>$", HandlePrinter)
    return collection


class BesomCommand(gdb.Command):
    """Looks at a Besom heap: besom heap, besom census, besom path."""

    def __init__(self):
        super().__init__("besom", gdb.COMMAND_DATA, prefix=True)


class HeapCommand(gdb.Command):
    """besom heap [HEAP]: chooses the heap that besom census and besom path look at.

HEAP is an expression: a besom::Heap, a HeapPtr or std::unique_ptr, a besom_heap*, or anything that
one of these points to. Without it, the one chosen last, or else the first that is found in a
variable of the stack's frames, or made by besom_heap_create()."""

    def __init__(self):
        super().__init__("besom heap", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        print(besom_heap.find(argument).summary())


class CensusCommand(gdb.Command):
    """besom census [HEAP]: objects and bytes of each type, that with the most bytes first.

Objects count that are dead and were not yet collected. HEAP: see besom heap."""

    def __init__(self):
        super().__init__("besom census", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        rows = besom_heap.find(argument).census()
        print("%12s %14s  %s" % ("objects", "bytes", "type"))
        for name, objects, size in rows:
            print("%12d %14d  %s" % (objects, size, name))
        print("%12d %14d  in all" % (sum(row[1] for row in rows), sum(row[2] for row in rows)))


class PathCommand(gdb.Command):
    """besom path REF: a shortest path from a root to an object.

REF is an expression: a Ref, Member, Handle or Local, an object's index, or an address in it. What
only callbacks know, of roots or of a type, is not seen, nor what guardians hold: then the objects
that lead to it are shown as far as they are known."""

    def __init__(self):
        super().__init__("besom path", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("besom path REF: the ref, index or address of an object")
        heap = besom_heap.find("")
        for line in heap.path(heap.index_of(gdb.parse_and_eval(argument))):
            print(line)


gdb.printing.register_pretty_printer(None, printers(), replace=True)
BesomCommand()
HeapCommand()
CensusCommand()
PathCommand()
