"""A page as a browser reads it: its elements, and what a person sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ACTIVE = {"script", "iframe", "object", "embed", "form", "base", "frame", "applet", "audio", "video"}
VOID = {"meta", "link", "img", "br"}
ADDRESSES = ("src", "href", "action", "data", "srcset", "xlink:href")
BESIDE = re.compile(r"[\w.~%-][\w.~/%-]*", re.ASCII)  # a file, relative to the page: neither a scheme nor a host fits


class Reader(HTMLParser):
    """Collects the elements, their attributes and the text of a page; fails on elements that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is written, one text a line."""
        return "\n".join(self.texts)

    def named(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this name."""
        return [attributes for tag, attributes in self.elements if tag == name]


def read(page: str) -> Reader:
    """The page, its elements closed in order."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def dangers(page: str) -> list[str]:
    """What could run, load or leave: active elements, handlers, styles, addresses but for files beside the page."""
    found = []
    for name, attributes in read(page).elements:
        if name in ACTIVE:
            found.append(name)
        for key, value in attributes.items():
            if key.startswith("on") or key == "style":
                found.append(f"{name} {key}")
            beside = name == "a" and key == "href" and BESIDE.fullmatch(value or "")
            if key in ADDRESSES and not (beside or _inside(value or "")):
                found.append(f"{name} {key}={value}")
    return found


def _inside(address: str) -> bool:
    return address.startswith(("#", "data:image/")) or address == "data:,"
