"""A Besom heap as gdb finds it in memory: its objects, types, roots and what refers to what."""

import collections
import struct

import gdb

GRANULE_BYTES = 16
LINE_GRANULES = 64
HEADER_BYTES = 8
PAGE_BYTES = 1 << 16

chosen = None  # what `besom heap` named last

Object = collections.namedtuple("Object", "index size type_id length")
Slot = collections.namedtuple("Slot", "name offset kind")


def read(address, size):
    """Of that memory what there is: a core file may end before."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size)) if size > 0 else b""
    except gdb.MemoryError:
        half = size // 2 // GRANULE_BYTES * GRANULE_BYTES
        if half == 0:
            return b""
        first = read(address, half)
        return first + read(address + half, size - half) if len(first) == half else first


def text_of(pointer):
    return pointer.string(errors="replace") if int(pointer) != 0 else ""


def string_of(value):
    """A std::string's text, of the two common libraries."""
    for get in (lambda: value["_M_dataplus"]["_M_p"].string(errors="replace"),
                lambda: value.format_string(raw=False).strip('"')):
        try:
            return get()
        except gdb.error:
            continue
    return "?"


def slot_of(handle):
    """The slot of a Handle, Weak or Local that is not empty; None where a local has none."""
    fields = {field.name for base in bases(handle.type) for field in base.fields()}
    if "slot_" in fields:
        return handle["slot_"].dereference()
    place = int(handle["place_"])
    chunk = handle["table_"]["chunks_"]["table_"][place >> 11]
    slot_type = gdb.lookup_type("besom::detail::LocalSlot").pointer()
    return gdb.Value(int(chunk) + (place & 2047)).cast(slot_type).dereference()


def bases(kind):
    kind = kind.strip_typedefs()
    yield kind
    for field in kind.fields():
        if field.is_base_class:
            yield from bases(field.type)


# ---- finding heaps -----------------------------------------------------------------------------


def heap_in(value, depth=4):
    """The besom::Heap that the value is or leads to, or None."""
    kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return heap_in(value.referenced_value(), depth)
    if kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().strip_typedefs()
        if depth == 0 or int(value) == 0 or target.code != gdb.TYPE_CODE_STRUCT:
            return None
        return heap_in(value.dereference(), depth - 1)
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    name = (kind.name or "").replace("const ", "")
    if name == "besom::Heap":
        return value
    if name == "besom_heap":
        return heap_in(value["heap"], depth)
    if name == "besom::HeapPtr":
        return heap_in(value["heap_"], depth)
    if name.startswith("std::unique_ptr<besom::Heap"):
        return heap_in(value["_M_t"]["_M_t"]["_M_head_impl"], depth)
    return None


def heap_in_frames():
    frame = gdb.newest_frame()
    while frame is not None:
        try:
            block = frame.block()
        except RuntimeError:
            block = None  # without debugging information
        while block is not None and not block.is_global:
            for symbol in block:
                if symbol.is_variable or symbol.is_argument:
                    try:
                        heap = heap_in(symbol.value(frame))
                        if heap is not None and Heap(heap).is_whole():
                            return heap
                    except (gdb.error, ValueError):
                        continue
            block = block.superblock
        frame = frame.older()
    return None


def heap_of_c():
    """The first that besom_heap_create() made."""
    try:
        places = gdb.parse_and_eval("besom::detail::places")
    except gdb.error:
        return None
    words = read(int(places.address), places.type.sizeof)
    for heap, in struct.iter_unpack("=8xQ", words):
        if heap != 0:
            return heap_in(gdb.Value(heap).cast(gdb.lookup_type("besom_heap").pointer()))
    return None


def find(argument):
    global chosen
    if argument:
        value = heap_in(gdb.parse_and_eval(argument))
        if value is None:
            raise gdb.GdbError("%s is no heap, and leads to none" % argument)
    else:
        value = chosen
        if value is None or not Heap(value).is_whole():
            value = heap_in_frames() or heap_of_c()
        if value is None:
            raise gdb.GdbError("no variable of the stack leads to a heap: besom heap EXPRESSION")
    chosen = value
    return Heap(value)


# ---- a heap ------------------------------------------------------------------------------------


class Heap:
    """What is read is kept: make another when the program has run."""

    def __init__(self, value):
        self.parts = value["parts_"]
        self.front = self.parts["front"]
        self.base = int(self.front["base"])
        self.space = self.parts["space"].dereference()
        self.types = {}
        self.pages = {}

    def is_whole(self):
        try:
            return (self.base != 0 and self.base % (1 << 32) == 0 and
                    int(self.parts["roots"]["base_"]) == self.base)
        except gdb.error:
            return False

    def summary(self):
        free_list = self.space["free_list_"]
        return "heap at 0x%x: %d of %d bytes are free, %d types" % (
            self.base, int(free_list["free_granules_"]) * GRANULE_BYTES,
            int(free_list["capacity_"]), self.type_count())

    # Memory. An index is an object's distance from the base.

    def bytes_at(self, index, size):
        result = b""
        while size > 0:
            page = index // PAGE_BYTES
            if page not in self.pages:
                self.pages[page] = read(self.base + page * PAGE_BYTES, PAGE_BYTES)
            part = self.pages[page][index % PAGE_BYTES:][:size]
            if not part:
                break
            result += part
            index += len(part)
            size -= len(part)
        return result

    def number_at(self, index, size):
        return int.from_bytes(self.bytes_at(index, size), "little")

    def index_of(self, value):
        """Of the object that an expression means."""
        kind = value.type.strip_typedefs()
        if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            return self.index_of(value.referenced_value())
        if kind.code == gdb.TYPE_CODE_STRUCT:
            fields = {field.name for base in bases(kind) for field in base.fields()}
            if "index_" in fields or "bits_" in fields:
                return int(value["index_" if "index_" in fields else "bits_"])
            if "table_" in fields and int(value["table_"]) != 0:
                return int(slot_of(value)["ref"])
            value = value.address if value.address is not None else 0
        number = int(value)
        return number - self.base if number >> 32 == self.base >> 32 else number & 0xffffffff

    # Types.

    def type_table(self):
        return self.parts["collector"]["types_"]

    def type_count(self):
        return int(self.type_table()["count_"])

    def type_of(self, type_id):
        """Its name, fields, info and descriptor; None for what is no type."""
        if type_id not in self.types:
            self.types[type_id] = None
            if 0 < type_id <= self.type_count():
                info = self.type_table()["types_"]["data_"][type_id - 1]
                self.types[type_id] = Type(info)
        return self.types[type_id]

    def name(self, index):
        kind = self.type_of(self.number_at(index, 4))
        return "%s 0x%x" % (kind.name if kind is not None else "(damaged header)", index)

    # Objects.

    def unused(self):
        """Bump areas as (first, cursor, limit, granules or 0), and where other unused blocks
        start."""
        is_parked = bool(self.space["is_concealed_"])
        areas, starts = [], set()
        if not is_parked:
            windows = self.front["windows"]
            for granules in range(1, windows.type.range()[1] + 1):
                window = windows[granules]
                areas.append((int(window["first"]), int(window["cursor"]), int(window["limit"]),
                              granules))
            cursor, limit = int(self.front["cursor"]), int(self.front["limit"])
            areas.append((cursor, cursor, limit, 0))
        bins = self.space["bins_"]
        for granules in range(1, bins["counts_"].type.range()[1] + 1):
            for i in range(int(bins["counts_"][granules])):
                starts.add(int(bins["blocks_"][granules - 1][i]))
        quarantine = self.space["quarantine_"]
        count, first = int(quarantine["count_"]), int(quarantine["first_"])
        for i in range(count):
            run = quarantine["runs_"]["data_"][(first + i) % int(quarantine["runs_"]["size_"])]
            starts.add(int(run["index"]))
        areas = [(first - self.base, cursor - self.base, limit - self.base, granules)
                 for first, cursor, limit, granules in areas if first != limit]
        return sorted(areas), starts

    def dead(self):
        """Whether a granule's object was found dead and is not yet swept: a function."""
        sweep = self.space["sweep_"]
        first, end = int(sweep["position_"]), int(sweep["end_"])
        if int(sweep["stretch_"]) == 0xffffffff or first >= end:
            return lambda granule: False
        marks = read(int(sweep["marks_"]), (end // LINE_GRANULES + 1) * 8)
        return lambda granule: first <= granule < end and not marks[granule // 8] >> granule % 8 & 1

    def runs(self):
        """(index, size) of each block that the free list's map shows, in order."""
        free_list = self.space["free_list_"]
        end = int(free_list["end_"])
        words = read(int(free_list["map_"]["lines_"]["data_"]), (end // LINE_GRANULES + 1) * 16)
        block = None
        for line, (starts, holes) in enumerate(struct.iter_unpack("=QQ", words)):
            while starts:
                lowest = starts & -starts
                starts ^= lowest
                granule = line * LINE_GRANULES + lowest.bit_length() - 1
                if block is not None:
                    yield block * GRANULE_BYTES, (granule - block) * GRANULE_BYTES
                block = None if holes & lowest or granule >= end else granule

    def objects(self):
        areas, unused = self.unused()
        is_dead = self.dead()
        for first, cursor, _, granules in areas:
            if granules != 0:
                for index in range(first, cursor, granules * GRANULE_BYTES):
                    yield self.object(index, granules * GRANULE_BYTES)
        for index, size in self.runs():
            if index in unused or is_dead(index // GRANULE_BYTES):
                continue
            inside = [area for area in areas if area[0] <= index < area[2]]
            if inside:
                continue
            for first, _, _, granules in areas:
                # What the cursor has not reached is shown as a part of the last object.
                if granules == 0 and index < first < index + size:
                    size = first - index
            yield self.object(index, size)

    def object(self, index, size):
        type_id, length = struct.unpack("=II", self.bytes_at(index, HEADER_BYTES).ljust(8, b"\0"))
        kind = self.type_of(type_id)
        if kind is None or kind.fixed + kind.element * length > size:
            type_id = 0
        return Object(index, size, type_id, length)

    def census(self):
        rows = collections.Counter()
        sizes = collections.Counter()
        for item in self.objects():
            kind = self.type_of(item.type_id)
            name = kind.name if kind is not None else "(damaged header)"
            rows[name] += 1
            sizes[name] += item.size
        return [(name, rows[name], size) for name, size in sizes.most_common()]

    # Edges.

    def target(self, kind, info, index):
        """Where the slot at `index` leads to; 0: nowhere in this heap."""
        if kind in ("ref", "value"):
            bits = self.number_at(index, 4)
            return 0 if kind == "value" and bits & 1 else bits
        word = self.number_at(index, 8)
        if kind == "box":
            if not info.box_bits or word & info.box_mask != info.box_tag:
                return 0
            word &= info.box_bits
            turn = info.box_turn % 64
            word = (word >> turn | word << (64 - turn)) & (1 << 64) - 1
            if not info.box_is_address:
                return word & 0xffffffff
        return word & 0xfffffff0 if word >> 32 == self.base >> 32 else 0

    def edges(self, item):
        """(name, index of the target) of each strong slot that is described as data."""
        kind = self.type_of(item.type_id)
        if kind is None or kind.is_traced:
            return
        for slot in kind.fields:
            found = self.target(slot.kind, kind, item.index + slot.offset)
            if found:
                yield "." + slot.name, found
        if not kind.elements:
            return
        length = min(item.length, (item.size - kind.fixed) // kind.element)
        for i in range(length):
            for part, offset, slot_kind in kind.elements:
                found = self.target(slot_kind, kind, item.index + kind.fixed + i * kind.element + offset)
                if found:
                    yield "[%d]%s" % (i, part), found

    # Roots.

    def roots(self):
        """(name, index), and what could not be read. Names with a `?` are words that may be
        numbers."""
        table = self.parts["roots"].dereference()
        yield "newest object", int(self.parts["newest"])
        chunk = table["handles_"]["first_"]
        while int(chunk) != 0:
            for i in range(chunk["slots"].type.range()[1] + 1):
                if int(chunk["taken"][i // 64]) >> i % 64 & 1:
                    slot = chunk["slots"][i]
                    yield "handle '%s'" % text_of(slot["label"]), int(slot["ref"])
            chunk = chunk["next"]
        fiber = table["thread_"].address
        while int(fiber) != 0:
            yield from self.locals_of(fiber["locals"])
            yield from self.stack_of(fiber["native"], int(fiber["left_in"]))
            fiber = fiber["next"]
        for label, form, source in self.sources(table["sources_"]):
            if form == "slots":
                words = read(int(source["begin"]), 4 * int(source["count"]))
                for bits, in struct.iter_unpack("=I", words):
                    yield "range '%s'" % label, 0 if bits & 1 else bits
            elif form == "words":
                yield from self.words("words '%s'" % label, int(source["begin"]), int(source["end"]))
            elif form == "stack":
                yield from self.stack_of(source, 0)

    def unread_roots(self):
        return ["%s '%s'" % (form, label) for label, form, _ in
                self.sources(self.parts["roots"]["sources_"]) if form == "callback"]

    def sources(self, sources):
        forms = ("callback", "slots", "words", "stack", "hook")
        table = sources["table_"]
        if int(table) == 0:
            return
        rows = table["sources"]["rows_"]["m_holder"]
        for i in range(int(rows["m_size"])):
            row = rows["m_start"][i]
            if not bool(row["is_removed_"]):
                form = forms[int(row["form_"])]
                yield text_of(row["label_"]), form, row[form + "_"]

    def locals_of(self, stack):
        chunk, end = stack["chunk_"], int(stack["top_"])
        while int(chunk) != 0:
            first = int(chunk["slots"].address)
            for _, bits in struct.iter_unpack("=QI4x", read(first, end - first)):
                yield "local", bits
            chunk = chunk["below"]
            if int(chunk) != 0:
                end = int(chunk["slots"].address) + chunk["slots"].type.sizeof

    def stack_of(self, stack, left_in):
        low, end = int(stack["low"]), int(stack["end"])
        if end == 0:
            return
        first = left_in
        if first == 0:
            for thread in gdb.selected_inferior().threads():
                previous = gdb.selected_thread()
                thread.switch()
                at = int(gdb.newest_frame().read_register("sp"))
                previous.switch()
                if low <= at < end:
                    first = at
        if first != 0:
            yield from self.words("native stack", first, end)

    def words(self, name, begin, end):
        data = read(begin, (end - begin) // 8 * 8)
        for word, in struct.iter_unpack("=Q", data[:len(data) // 8 * 8]):
            if word >> 32 == self.base >> 32:
                yield name + "?", self.start_of(word & 0xffffffff)

    def start_of(self, index):
        """The object that an index lies in; 0: none."""
        if not hasattr(self, "starts"):
            self.starts = sorted((item.index, item.size) for item in self.objects())
        low, high = 0, len(self.starts)
        while low < high:
            middle = (low + high) // 2
            if self.starts[middle][0] <= index:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return 0
        first, size = self.starts[low - 1]
        return first if index < first + size else 0

    # Paths.

    def path(self, index):
        target = self.start_of(index)
        if target == 0:
            raise gdb.GdbError("no object lies at 0x%x" % index)
        referrers = collections.defaultdict(list)
        untold = collections.Counter()
        for item in self.objects():
            kind = self.type_of(item.type_id)
            if kind is not None and kind.is_traced:
                untold[kind.name] += 1
            for name, found in self.edges(item):
                referrers[found].append((item.index, name))
        roots = {}
        for name, found in self.roots():
            if found and (found not in roots or roots[found].endswith("?")):
                roots[found] = name
        # Backwards, so that the first root that is met is the nearest.
        leads_to = {target: None}
        waiting = collections.deque([target])
        last = target
        while waiting:
            last = waiting.popleft()
            if last in roots:
                return self.lines(roots[last], last, leads_to)
            for holder, name in referrers[last]:
                if holder not in leads_to:
                    leads_to[holder] = (name, last)
                    waiting.append(holder)
        lines = ["no path from a root that can be read here to %s" % self.name(target)]
        if last != target:
            lines += ["the farthest that leads to it:"] + self.lines("", last, leads_to)
        lines += ["not read: roots of %s" % root for root in self.unread_roots()]
        lines += ["not read: refs of %d %s, which a callback traces" % (count, name)
                  for name, count in untold.items()]
        return lines

    def lines(self, root, index, leads_to):
        lines = ["%s -> %s" % (root, self.name(index)) if root else self.name(index)]
        while leads_to[index] is not None:
            name, index = leads_to[index]
            lines.append("  %s -> %s" % (name, self.name(index)))
        return lines


class Type:
    """A TypeInfo with its descriptor."""

    def __init__(self, info):
        descriptor = info["descriptor"].dereference()
        self.name = string_of(descriptor["name"])
        self.fixed = int(info["fixed_bytes"])
        self.element = int(info["element_bytes"])
        self.is_traced = int(info["trace"]) != 0
        box = info["box"]
        self.box_mask, self.box_tag, self.box_bits = (int(box[name]) for name in
                                                      ("mask", "tag", "bits"))
        self.box_turn, self.box_is_address = int(box["turn"]), bool(box["is_address"])
        fields = descriptor["fields"]
        self.fields = []
        for i in range(int(fields["count_"])):
            field = fields["fields_"][i]
            kind = last_word(field["kind"])
            if kind != "weak":
                self.fields.append(Slot(string_of(field["name"]), int(field["offset"]), kind))
        # The strong slots of an element: part, offset, kind.
        self.elements = {"refs": [("", 0, "ref")], "values": [("", 0, "value")],
                         "pointers": [("", 0, "pointer")], "boxes": [("", 0, "box")],
                         "ephemerons": [(".value", 4, "value")],
                         "weak_values": [(".key", 0, "value")]}.get(last_word(info["trailing"]), [])


def last_word(enumerator):
    return str(enumerator).rsplit("::", 1)[-1]
