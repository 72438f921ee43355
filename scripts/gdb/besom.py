"""Shows Besom's types in gdb: source scripts/gdb/besom.py

Read from memory alone: nothing of the program is called, so this works on core files too.
"""

import gdb
import gdb.printing

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


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("besom")
    collection.add_printer("Ref", "^besom::(Ref|Member)<.*>$", RefPrinter)
    collection.add_printer("Value", "^besom::Value(Member)?$", ValuePrinter)
    collection.add_printer("Run", "^besom::Run$", RunPrinter)
    collection.add_printer("FreeList", "^besom::FreeList$", FreeListPrinter)
    return collection


gdb.printing.register_pretty_printer(None, printers(), replace=True)
