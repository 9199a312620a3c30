"""Reads a drawing back: where its boxes and lines are on the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

SVG = "{http://www.w3.org/2000/svg}"
BOXES = {"conv", "point", "pool", "linear", "other"}
STRIPS = {"norm", "act", "drop"}


@dataclass(frozen=True)
class Box:
    """A rectangle or circle on the page, in the page's coordinates."""

    kind: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box, slack: float = 0.6) -> bool:
        """Whether the two share more than a rounded-off edge."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > slack and down > slack


@dataclass(frozen=True)
class Drawing:
    """What is on a page: its size, its layers and joins, and the straight parts of its lines."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Box, ...]
    texts: tuple[tuple[str, Box], ...]
    root: ET.Element

    def total(self, attribute: str) -> int:
        """The sum of an attribute such as data-layers over the page."""
        return sum(int(element.get(attribute, 0)) for element in self.root.iter())


def read(svg: str) -> Drawing:
    """A drawing as boxes and lines; the legend, at the bottom, is left out."""
    root = ET.fromstring(svg)
    found = list(_walk(root, 0.0, 0.0))
    pills = max(box.bottom for box in found if box.kind == "card" or box.kind == "card aux")
    shown = [box for box in found if box.top <= pills]
    return Drawing(
        width=float(root.get("width", 0)),
        height=float(root.get("height", 0)),
        boxes=tuple(box for box in shown if box.kind in BOXES | STRIPS | {"join", "bar", "card", "card aux"}),
        lines=tuple(box for box in shown if box.kind == "line"),
        texts=tuple((text.kind.removeprefix("text:"), text) for text in found if text.kind.startswith("text:")),
        root=root,
    )


def _walk(element: ET.Element, x: float, y: float) -> Iterator[Box]:
    moved = re.fullmatch(r"translate\((\S+) (\S+)\)", element.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    kind = element.get("class", "")
    if element.tag == f"{SVG}rect":
        left, top = x + float(element.get("x", 0)), y + float(element.get("y", 0))
        yield Box(kind, left, top, left + float(element.get("width", 0)), top + float(element.get("height", 0)))
    elif element.tag == f"{SVG}circle":
        centre, middle, radius = (float(element.get(name, 0)) for name in ("cx", "cy", "r"))
        yield Box(kind, x + centre - radius, y + middle - radius, x + centre + radius, y + middle + radius)
    elif element.tag == f"{SVG}path" and kind.startswith("wire"):
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", element.get("d", ""))]
        points = [(x + a, y + b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        for (a, b), (c, d) in pairwise(points):
            yield Box("line", min(a, c), min(b, d), max(a, c), max(b, d))
    elif element.tag == f"{SVG}text":
        left = x + float(element.get("x", 0))
        yield Box(
            f"text:{element.text}", left, y + float(element.get("y", 0)) - 8, left, y + float(element.get("y", 0))
        )
    for child in element:
        yield from _walk(child, x, y)
