"""The page of a record: its words and tables. charts.js draws what page.html has a place for."""

import datetime
import html
import json

KINDS = {
    "full": ("whole collection", "The program stands still for a whole collection"),
    "minor": ("minor collection", "For the young objects alone"),
    "begin": ("cycle begins", "Roots of an incremental cycle"),
    "slice": ("slice", "Some marking of a cycle"),
    "end": ("cycle ends", "The last marking, and what follows it"),
}
SITES_SHOWN = 25
SIZE_OPTIONS = {"heap_initial", "heap_max", "reserve", "sample_bytes", "zeal quarantine"}


def scaled(value, units, step):
    unit = 0
    while value >= step and unit + 1 < len(units):
        value /= step
        unit += 1
    digits = 0 if unit == 0 or value >= 100 else 1
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}{units[unit]}"


def size(value):
    return scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024)


def time(ns):
    return scaled(ns, ["ns", "µs", "ms", "s"], 1000)


def count(value):
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")


def share(part, whole):
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%" if whole else "–"


def some(number, noun, plural=None):
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def html_table(caption, heads, rows):
    """Heads that begin with `#` are of numbers."""
    def cell(head, text, tag):
        kind = ' class="number"' if head.startswith("#") else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{kind}{scope}>{html.escape(str(text))}</{tag}>"

    head = "".join(cell(head, head.lstrip("#"), "th") for head in heads)
    body = "".join("<tr>" + "".join(map(cell, heads, row, ["td"] * len(row))) + "</tr>\n" for row in rows)
    return (f'<div class="scroll" tabindex="0" role="group" aria-label="{html.escape(caption)}"><table><caption>{html.escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n")


def missing(text):
    return f'<p class="missing">Not recorded: {text}</p>\n'


def chart(name, label):
    return f'<div class="chart" id="chart-{name}" role="img" aria-label="{html.escape(label)}"></div>\n'


def details(title, inside):
    return f"<details><summary>{html.escape(title)}</summary>\n{inside}</details>\n"


def paragraph(text):
    return f"<p>{html.escape(text)}</p>\n"


class Page:
    def __init__(self, record):
        self.record = record
        self.stats = record["stats"]
        self.run_ns = record["written_ns"]
        table = record["collections"]
        self.collections = [dict(zip(table["columns"], row)) for row in table["rows"]]
        self.kinds = record["stops"]["kinds"]
        self.stops = sum(kind["count"] for kind in self.kinds.values())
        self.stopped_ns = sum(kind["total_ns"] for kind in self.kinds.values())
        self.moments = record["moments"]
        self.fullest = max(self.moments, key=lambda moment: moment["live_bytes"], default=None)

    def type_name(self, identifier):
        types = self.record["types"]
        return types[identifier] if identifier < len(types) else f"type {identifier}"

    def title(self):
        return self.record["program"] or "a program"

    def subtitle(self):
        try:
            begun = datetime.datetime.fromtimestamp(self.record["begun_unix_ms"] / 1000, datetime.timezone.utc)
            begun = begun.strftime("%Y-%m-%d %H:%M:%S UTC")
        except (OverflowError, ValueError, OSError):
            begun = "an unknown time"
        return f"Process {self.record['pid']}, begun {begun}, ran {time(self.run_ns)}. Besom {self.record['version']}."

    def notes(self):
        notes = []
        if not self.record["is_final"]:
            notes.append(f"The program did not end its heap: it was killed, crashed, or runs still. This page shows its first "
                         f"{time(self.run_ns)}; what came later is not in the record.")
        if self.record["refusals"]:
            notes.append(f"{some(self.record['refusals'], 'allocation was', 'allocations were')} refused for want of memory, "
                         f"the first after {time(self.record['first_refusal_ns'] or 0)}.")
        return "".join(f'<p class="note">{html.escape(note)}</p>\n' for note in notes)

    def facts(self):
        longest = max((kind["longest_ns"] for kind in self.kinds.values()), default=0)
        committed = max([row["committed"] for row in self.collections] + [self.stats["committed"]])
        facts = [
            ("Collections", count(self.stats["collections"])),
            ("Longest stop", time(longest) if self.stops else "none"),
            ("Stopped, of the run", share(self.stopped_ns, self.run_ns)),
            ("Most live", size(self.fullest["live_bytes"]) if self.fullest else "–"),
            ("Most committed", size(committed)),
            ("Allocated", size(self.stats["allocated"])),
        ]
        return "".join(f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd></div>\n" for name, value in facts)

    def memory(self):
        last = self.collections[-1] if self.collections else None
        text = f"At the end {size(self.stats['used'])} in objects, live and dead, of {size(self.stats['committed'])} committed."
        if last:
            text += f" The last collection left {size(last['live_after'])}."
        rows = [(time(row["end_ns"]), size(row["used_before"]), size(row["live_after"]), size(row["committed"]), size(row["resident"]))
                for row in thinned(self.collections, 40)]
        inside = paragraph(text) + chart("memory", "Memory over time. " + text)
        if rows:
            inside += details("As a table", html_table("After collections", ["#After", "#Used before", "#Live", "#Committed", "#Resident"], rows))
        return inside

    def strip(self):
        if not self.moments:
            return missing("no walk over the heap took place.")
        text = (f"Each column is a walk over the heap, {some(len(self.moments), 'walk')} in all; each row is a piece of the arena, the "
                "first byte below. The stronger the colour, the more of the piece is live.")
        rows = [(time(moment["at_ns"]), moment["why"], size(moment["capacity"]), size(moment["live_bytes"]),
                 share(moment["live_bytes"], moment["capacity"])) for moment in thinned(self.moments, 40)]
        return (paragraph(text) + '<p class="choice" id="strip-choice"></p>\n' + chart("strip", "The arena over time. " + text)
                + '<p class="keys" id="strip-keys"></p><p class="readout" id="strip-readout" aria-live="polite"></p>\n'
                + details("As a table", html_table("Walks over the heap", ["#After", "Why", "#Capacity", "#Live", "#Share"], rows)))

    def pauses(self):
        if not self.stops:
            return paragraph("The collector never stopped the program.")
        rows = [(KINDS[name][0], count(kind["count"]), time(kind["total_ns"]), time(kind["total_ns"] / kind["count"]), time(kind["longest_ns"]))
                for name, kind in self.kinds.items() if kind["count"]]
        text = f"{some(self.stops, 'stop')}, together {time(self.stopped_ns)}, {share(self.stopped_ns, self.run_ns)} of the run."
        each = self.record["stops"]["each"]
        if each > 1:
            text += f" A point is the longest of up to {each} stops that follow each other."
        table = self.record["stops"]["longest"]
        names = list(self.kinds)
        longest = sorted((dict(zip(table["columns"], row)) for row in table["rows"]), key=lambda row: -row["ns"])
        longest = [(time(row["begin_ns"]), time(row["ns"]), KINDS[names[row["kind"]]][0] if row["kind"] < len(names) else "?", self.cause_at(row["begin_ns"]))
                   for row in longest]
        return (paragraph(text) + chart("pauses", "Stops over time. " + text)
                + html_table("Stops by kind", ["Kind", "#Stops", "#Together", "#Mean", "#Longest"], rows)
                + details("The longest stops", html_table("The longest stops", ["#After", "#Took", "Kind", "Cause"], longest)))

    def cause_name(self, cause):
        known = self.record["collections"]["causes"]
        return known[cause] if cause < len(known) else f"cause {cause}"

    def cause_at(self, begin_ns):
        """Of the collection that a stop was part of, where one collection is known for it."""
        if self.record["collections"]["each"] > 1:
            return ""
        return next((self.cause_name(row["cause"]) for row in self.collections if row["begin_ns"] <= begin_ns <= row["end_ns"]), "")

    def lengths(self):
        if not self.stops:
            return paragraph("There were no stops.")
        rows = []
        for index in range(max(len(kind["lengths"]) for kind in self.kinds.values())):
            number = sum(kind["lengths"][index] for kind in self.kinds.values() if index < len(kind["lengths"]))
            if number:
                rows.append((f"under {time(1000 << index)}", count(number)))
        text = "How many stops took how long. A bar is of lengths up to twice those of the bar before."
        return paragraph(text) + chart("lengths", text) + details("As a table", html_table("Stops by length", ["Length", "#Stops"], rows))

    def utilisation(self):
        spans = [(f"{span} ms", self.record["utilisation"][f"in_{span}_ms"]) for span in (1, 5, 10, 50)]
        text = ("In the worst span of so many milliseconds, the share that the collector left to the program (minimum mutator "
                "utilisation). 0 % means that one stop filled the span.")
        rows = [(span, f"{100 * value:.1f} %") for span, value in spans]
        return paragraph(text) + chart("utilisation", text) + html_table("Left to the program, at worst", ["Span", "#Share"], rows)

    def phases(self):
        if not self.collections:
            return paragraph("There were no collections.")
        names = {"roots_ns": "roots", "mark_ns": "marking", "weak_ns": "weak references, finalizers", "sweep_ns": "sweeping"}
        sums = {key: sum(row[key] for row in self.collections) for key in names}
        rows = [(name, time(sums[key]), share(sums[key], sum(sums.values()))) for key, name in names.items()]
        inside = html_table("Time by phase", ["Phase", "#Time", "#Share"], rows)
        causes = {}
        for row in self.collections:
            number, stopped = causes.get(row["cause"], (0, 0))
            causes[row["cause"]] = (number + row["full"] + row["minor"] + row["abandoned"], stopped + row["stopped_ns"])
        rows = [(self.cause_name(cause), count(number), time(stopped)) for cause, (number, stopped) in sorted(causes.items(), key=lambda item: -item[1][1])]
        note = ""
        if self.record["collections"]["each"] > 1:
            note = paragraph("The run was long, and neighbours count together, under the cause of the last of them.")
        return inside + html_table("Collections by cause", ["Cause", "#Collections", "#Stopped"], rows) + note

    def census(self):
        if not self.moments:
            return missing("no walk over the heap took place.")
        moment = self.fullest
        rows = [(self.type_name(row[0]), count(row[1]), size(row[2]), share(row[2], moment["live_bytes"])) for row in moment["census"]]
        if moment["other_objects"]:
            rows.append(("all other types", count(moment["other_objects"]), size(moment["other_bytes"]), share(moment["other_bytes"], moment["live_bytes"])))
        text = (f"The heap was seen at its fullest after {time(moment['at_ns'])}: {some(moment['live_objects'], 'object')}, "
                f"{size(moment['live_bytes'])}.")
        if moment["has_dead"]:
            text += " Some of them may have been dead and not yet collected."
        return paragraph(text) + chart("census", "Bytes by type over time. " + text) + html_table("At its fullest", ["Type", "#Objects", "#Bytes", "#Share"], rows)

    def sites(self):
        sites = self.record["sites"]
        if sites is None:
            return missing("run the program with <code>BESOM_OPTIONS=record=FILE,sample_bytes=512K</code> to see where it allocates.")
        if not sites["rows"]:
            return paragraph("No allocation was sampled: the program allocated too little.")
        total = sum(row["allocated_bytes"] for row in sites["rows"])
        rows = [(place_of(row), self.type_name(row["type"]), size(row["allocated_bytes"]), share(row["allocated_bytes"], total), size(row["peak_bytes"]),
                 size(row["live_bytes"]), count(row["samples"])) for row in sites["rows"]]
        heads = ["Place", "Type", "#Allocated", "#Share", "#Lived at most", "#Lives still", "#Samples"]
        text = f"One sample in {size(sites['sample_bytes'])} on the average, {some(sites['samples'], 'sample')} in all; sizes are estimates."
        if sites["lost"]:
            text += f" {some(sites['lost'], 'sample')} found no room and are in no row."
        inside = paragraph(text) + html_table("Places that allocated most", heads, rows[:SITES_SHOWN])
        if rows[SITES_SHOWN:]:
            inside += details(f"{len(rows) - SITES_SHOWN} more", html_table("Further places", heads, rows[SITES_SHOWN:]))
        return inside

    def holes(self):
        if not self.moments:
            return missing("no walk over the heap took place.")
        looks = [("at its fullest", self.fullest), ("at the last walk", self.moments[-1])]
        if looks[0][1] is looks[1][1]:
            del looks[0]
        rows = []
        for name, moment in looks:
            rows += [(name, f"{size(16 << index)} to {size(32 << index)}", count(hole[0]), size(hole[1])) for index, hole in enumerate(moment["holes"]) if hole[0]]
        text = " ".join(f"{name[0].upper() + name[1:]}, after {time(moment['at_ns'])}: {some(sum(hole[0] for hole in moment['holes']), 'hole')}, "
                        f"{size(sum(hole[1] for hole in moment['holes']))}." for name, moment in looks)
        intro = "A hole is a stretch of the arena without objects. Much free memory in small holes is fragmentation: a large object finds no room in them. "
        return paragraph(intro + text) + chart("holes", "Bytes in holes by their size. " + text) + details(
            "As a table", html_table("Holes by size", ["When", "Size", "#Holes", "#Bytes"], rows))

    def options(self):
        flat = {}
        for key, value in self.record["options"].items():
            flat.update({f"{key} {inner}": deep for inner, deep in value.items()} if isinstance(value, dict) else {key: value})
        return html_table("In force", ["Option", "Value"], [(key, option_text(key, value)) for key, value in flat.items()])


def option_text(key, value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if key == "growth" and value == 0:
        return "fixed"
    return size(value) if key in SIZE_OPTIONS and isinstance(value, (int, float)) and value > 0 else value


def place_of(site):
    place = site["function"] or "?"
    if site["file"]:
        place += f", {site['file']}" + (f":{site['line']}" if site["line"] else "")
    return place


def thinned(rows, most):
    """Not more than `most` of the rows, the last among them."""
    step = -(-len(rows) // most) or 1
    return rows[::-1][::step][::-1]


def make_page(record, folder):
    page = Page(record)
    parts = {
        "TITLE": html.escape(page.title()), "SUBTITLE": html.escape(page.subtitle()), "NOTES": page.notes(), "FACTS": page.facts(),
        "STYLE": (folder / "uplot" / "uPlot.min.css").read_text(encoding="utf-8") + (folder / "page.css").read_text(encoding="utf-8"),
        "UPLOT_LICENSE": (folder / "uplot" / "LICENSE").read_text(encoding="utf-8"),
        "UPLOT": (folder / "uplot" / "uPlot.iife.min.js").read_text(encoding="utf-8"),
        "CHARTS": (folder / "charts.js").read_text(encoding="utf-8"),
        # No text of the program's can end the element that it stands in.
        "RECORD": json.dumps(record, separators=(",", ":")).replace("<", "\\u003c"),
    }
    for name in ("memory", "strip", "pauses", "lengths", "utilisation", "phases", "census", "sites", "holes", "options"):
        parts[name.upper()] = getattr(page, name)()
    pieces = (folder / "page.html").read_text(encoding="utf-8").split("@@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))
