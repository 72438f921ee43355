"""Whether a record of a run is one: docs/record-format.md."""

VERSION = 1


class Damaged(Exception):
    """What is wrong with the record, for its reader."""


def number(value, where):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**64:
        raise Damaged(f"damaged: {where} is no number from 0 up")


def text(value, where):
    if not isinstance(value, str):
        raise Damaged(f"damaged: {where} is no text")


def truth(value, where):
    if not isinstance(value, bool):
        raise Damaged(f"damaged: {where} is neither true nor false")


def maybe(shape):
    return lambda value, where: None if value is None else fits(value, shape, where)


def table(*columns, by=None):
    """A table that has these columns and maybe others; `by` names the one that its rows are in order of."""
    def check_table(value, where):
        fits(value, {"columns": [text], "rows": [[number]]}, where)
        for column in columns:
            if column not in value["columns"]:
                raise Damaged(f"damaged: {where} has no column {column}")
        for row in value["rows"]:
            if len(row) != len(value["columns"]):
                raise Damaged(f"damaged: {where} has a row of {len(row)} numbers for {len(value['columns'])} columns")
        if by:
            times = [row[value["columns"].index(by)] for row in value["rows"]]
            if times != sorted(times):
                raise Damaged(f"damaged: {where} is not in the order of {by}")
    return check_table


def fits(value, shape, where):
    """A shape is a function, a list of the one shape that all entries have, or the keys that have to be there."""
    if callable(shape):
        shape(value, where)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise Damaged(f"damaged: {where} is no list")
        for index, entry in enumerate(value):
            fits(entry, shape[0], f"{where}[{index}]")
    else:
        if not isinstance(value, dict):
            raise Damaged(f"damaged: {where} is no object")
        for key, inner in shape.items():
            if key not in value:
                raise Damaged(f"damaged: {where} has no {key}")
            fits(value[key], inner, f"{where}.{key}")


STOPS = {"count": number, "total_ns": number, "longest_ns": number, "lengths": [number]}
KINDS = ["full", "minor", "begin", "slice", "end"]
MOMENT = {
    "at_ns": number, "why": text, "has_dead": truth, "capacity": number, "live_objects": number, "live_bytes": number,
    "census": [[number]], "other_objects": number, "other_bytes": number, "cell_bytes": number, "strip": [number],
    "strip_types": [number], "holes": [[number]],
}
SITE = {
    "function": text, "file": text, "line": number, "type": number, "allocated_bytes": number, "live_bytes": number,
    "peak_bytes": number, "samples": number,
}
RECORD = {
    "is_final": truth, "program": text, "pid": number, "version": text, "begun_unix_ms": number, "written_ns": number,
    "options": {}, "types": [text],
    "stats": {key: number for key in ("collections", "used", "committed", "capacity", "allocated", "freed_bytes", "freed_objects",
                                      "external", "table_bytes")},
    "stops": {
        "kinds": {kind: STOPS for kind in KINDS}, "longest": table("begin_ns", "ns", "kind"), "rows": [[number]],
        "columns": [text], "each": number,
    },
    "utilisation": {f"in_{span}_ms": number for span in (1, 5, 10, 50)},
    "moments": [MOMENT],
    "sites": maybe({"sample_bytes": number, "samples": number, "lost": number, "rows": [SITE]}),
    "refusals": number, "first_refusal_ns": maybe(number),
}
COLLECTIONS = table("begin_ns", "end_ns", "cause", "full", "minor", "abandoned", "stopped_ns", "roots_ns", "mark_ns", "weak_ns",
                    "sweep_ns", "used_before", "live", "live_after", "committed", "resident", "external", by="begin_ns")


def check(record):
    """Raises Damaged where the record is none, or one that a page would misread."""
    if not isinstance(record, dict) or "besom_record" not in record:
        raise Damaged("no record of a run: no key besom_record")
    if record["besom_record"] != VERSION:
        raise Damaged(f"a record of version {record['besom_record']}; this besom-report reads version {VERSION}")
    fits(record, RECORD, "record")
    table("begin_ns", "longest_begin_ns", "longest_ns", *KINDS, by="begin_ns")(record["stops"], "record.stops")
    if "collections" not in record:
        raise Damaged("damaged: record has no collections")
    COLLECTIONS(record["collections"], "record.collections")
    fits(record["collections"], {"causes": [text], "each": number}, "record.collections")
    times = [moment["at_ns"] for moment in record["moments"]]
    if times != sorted(times):
        raise Damaged("damaged: record.moments is not in the order of time")
    for index, moment in enumerate(record["moments"]):
        where = f"record.moments[{index}]"
        if len(moment["strip"]) != len(moment["strip_types"]) or moment["cell_bytes"] <= 0:
            raise Damaged(f"damaged: the strip of {where}")
        if any(len(row) != 3 for row in moment["census"]) or any(len(row) != 2 for row in moment["holes"]):
            raise Damaged(f"damaged: the census or the holes of {where}")
