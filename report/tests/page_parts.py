"""What the tests read from a page: its elements, and the record in it."""

import html.parser
import json

VOID = {"meta", "link", "br", "hr", "img", "input"}
SECTIONS = ["Memory over time", "The arena over time", "Stops over time", "Stops by length", "What stops left to the program", "Types",
            "Allocation sites", "Holes by size", "Collections", "Options"]
CHARTS = {"chart-" + name for name in ("memory", "strip", "pauses", "lengths", "utilisation", "census", "holes")}


class PageParts(html.parser.HTMLParser):
    """Each element is closed where it should be, and nothing is loaded."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.identifiers, self.tags = [], {}, [], set()
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("src", "href", "srcset", "action", "data", "style"):
            assert name not in attributes, (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), attributes
        self.tags.add(tag)
        if "id" in attributes:
            self.identifiers.append(attributes["id"])
        if tag not in VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        where = self.open[-1] if self.open else None
        self.texts.setdefault(where, []).append(data)

    def text_of(self, tag, identifier=None):
        return self.texts.get((tag, identifier), [])


def check_page(page, record):
    """The page stands alone, has all sections, and in it the record. Returns its parts."""
    parts = PageParts(page)
    assert parts.tags.isdisjoint({"link", "img", "iframe", "object", "base"}), parts.tags
    styles = "".join(parts.text_of("style"))
    assert "url(" not in styles and "@import" not in styles
    assert "default-src 'none'" in page
    assert len(parts.identifiers) == len(set(parts.identifiers))
    assert parts.text_of("h2") == SECTIONS, parts.text_of("h2")
    assert json.loads("".join(parts.text_of("script", "record"))) == record
    assert "The MIT License" in "".join(parts.text_of("pre"))
    return parts
