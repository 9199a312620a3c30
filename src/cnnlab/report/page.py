"""The one look of every page: HTML in one file, offline, light and dark, and safe to open whatever it shows.

Text is escaped where it enters a page, unless it is `Html`, which only `element` and `join` make. A page loads
nothing and runs nothing: its Content-Security-Policy allows one stylesheet, named by its hash, and pictures
inside the file.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

Attributes = Mapping[str, str | float]
VOID = ("br", "img", "link", "meta")  # elements without an end


class Html(str):
    """Markup that goes into a page as it stands; any other text is escaped."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """One part of a page with its title; `body` is what it shows."""

    title: str
    body: Html


def join(parts: Iterable[object]) -> Html:
    """The parts one after the other, each escaped unless it is `Html`; None is left out."""
    return Html("".join(part if isinstance(part, Html) else _text(part) for part in parts if part is not None))


def element(name: str, attributes: Attributes | None = None, *children: object) -> Html:
    """An HTML or SVG element; attributes and all children that are not `Html` are escaped."""
    written = "".join(f' {key}="{_text(value)}"' for key, value in (attributes or {}).items())
    return Html(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{join(children)}</{name}>")


def _text(value: object) -> str:
    """Escaped text; what no page may hold (half a surrogate pair, control characters) becomes a mark."""
    shown = str(value).encode("utf-8", "replace").decode()
    return html.escape(
        "".join(each if each >= " " or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in shown)
    )


def page(title: str, subtitle: object, sections: Sequence[Section], *, lead: Html | None = None) -> str:
    """A whole page: the title, a line below it, `lead` (the headline figures), then the sections with a contents list.

    The result is complete and needs no other file; write it with `write_page`.
    """
    style = resources.files("cnnlab.report").joinpath("look.css").read_text(encoding="utf-8")
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy(style)}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", None, title),
        element("link", {"rel": "icon", "href": "data:,"}),  # else a browser asks a server for one
        element("style", None, Html(style)),
    )
    shown = [(f"section-{number}", section) for number, section in enumerate(sections, 1)]
    body = element(
        "body",
        None,
        element("a", {"class": "skip", "href": "#content"}, "Skip to the content"),
        element("header", None, element("h1", None, title), element("p", {"class": "subtitle"}, subtitle), lead),
        element("nav", {"aria-label": "Contents"}, *(_link(name, section.title) for name, section in shown)),
        element("main", {"id": "content"}, *(_section(name, section) for name, section in shown)),
        element("footer", None, "Made by cnnlab. This page is one file: it loads nothing and runs no script."),
    )
    return "<!doctype html>\n" + element("html", {"lang": "en"}, head, body) + "\n"


def policy(style: str) -> str:
    """The Content-Security-Policy of a page with this stylesheet: nothing else, and pictures inside the file."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def write_page(path: Path, text: str) -> Path:
    """Write a page as `path`, aside first and then renamed; returns the path."""
    aside = path.with_name(path.name + ".incomplete")
    aside.write_text(text, encoding="utf-8")
    return aside.replace(path)


def _link(name: str, title: str) -> Html:
    return element("a", {"href": f"#{name}"}, title)


def _section(name: str, section: Section) -> Html:
    heading = element("h2", {"id": f"{name}-title"}, section.title)
    return element("section", {"id": name, "aria-labelledby": f"{name}-title"}, heading, section.body)


# -- what pages are made of --------------------------------------------------------------------------------------


def paragraph(*children: object) -> Html:
    """A paragraph of text."""
    return element("p", None, *children)


def note(*children: object) -> Html:
    """A paragraph in a quieter voice: how a figure was got, what it does not say."""
    return element("p", {"class": "note"}, *children)


def facts(values: Sequence[tuple[str, object, object]]) -> Html:
    """The headline figures as tiles, each (name, figure, what stands below it or None)."""
    tiles = (
        element(
            "div",
            None,
            element("dt", None, name),
            element("dd", {"class": "figure"}, figure),
            None if below is None else element("dd", {"class": "below"}, below),
        )
        for name, figure, below in values
    )
    return element("dl", {"class": "facts"}, *tiles)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str, numbers: Container[str] = ()
) -> Html:
    """A table; the first cell of a row is its heading, and the columns named in `numbers` are set as numbers.

    A table wider than the screen scrolls inside its own frame, by keyboard too.
    """
    kinds = [{"class": "number"} if column in numbers else {} for column in columns]
    head = [element("th", {"scope": "col", **kind}, column) for column, kind in zip(columns, kinds, strict=True)]
    body = [
        element(
            "tr",
            None,
            element("th", {"scope": "row"}, first),
            *(element("td", kind, cell) for cell, kind in zip(rest, kinds[1:], strict=True)),
        )
        for first, *rest in rows
    ]
    whole = element(
        "table",
        None,
        element("caption", None, caption),
        element("thead", None, element("tr", None, *head)),
        element("tbody", None, *body),
    )
    return scrolling(whole, caption)


def scrolling(inside: Html, name: str) -> Html:
    """A frame called `name` that scrolls sideways where `inside` is wider than the screen, by keyboard too."""
    return element("div", {"class": "scrolling", "role": "region", "aria-label": name, "tabindex": "0"}, inside)


def pairs(values: Mapping[str, object]) -> Html:
    """Names and their values as a list; a value None is left out."""
    found = (
        element("div", None, element("dt", None, name), element("dd", None, value))
        for name, value in values.items()
        if value is not None
    )
    return element("dl", {"class": "pairs"}, *found)


def folded(summary: str, inside: Html) -> Html:
    """What only some readers want: closed behind its `summary` until it is opened."""
    return element("details", None, element("summary", None, summary), inside)


def grid(parts: Iterable[Html]) -> Html:
    """Figures side by side where there is room, below each other where there is none."""
    return element("div", {"class": "grid"}, *parts)


def gallery(pictures: Iterable[tuple[str, str, Sequence[object]]]) -> Html:
    """Pictures with their captions: each a data URI, what it shows in words, and the caption's lines."""
    shown = (
        element(
            "figure",
            None,
            element("img", {"src": source, "alt": words}),
            element("figcaption", None, *(element("span", None, line) for line in lines)),
        )
        for source, words, lines in pictures
    )
    return element("div", {"class": "gallery"}, *shown)


def percent(share: float | None, digits: int = 2) -> str:
    """A share in [0, 1] as a percentage; a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f}%"


def between(interval: Sequence[float], digits: int = 2) -> str:
    """An interval of shares in words: "90.27% to 91.40%"."""
    low, high = interval
    return f"{percent(low, digits)} to {percent(high, digits)}"
