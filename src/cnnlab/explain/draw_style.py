"""How drawings of networks look: fonts, colours for light and dark, and small pieces of SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from cnnlab.explain.graph import Kind

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
RADIUS = 11  # of the corners of lines
CLASSES = {
    Kind.CONV: "conv",
    Kind.POINTWISE: "point",
    Kind.POOL: "pool",
    Kind.LINEAR: "linear",
    Kind.OTHER: "other",
    Kind.NORM: "norm",
    Kind.ACTIVATION: "act",
    Kind.DROPOUT: "drop",
}
LIGHT = {  # class: fill, stroke, text
    "page": ("#ffffff", "#e3e6ea", "#1c2430"),
    "card": ("#f7f8fa", "#d9dde3", "#1c2430"),
    "frame": ("#ffffff", "#b9c0ca", "#1c2430"),
    "conv": ("#d7e5fb", "#5d8fd6", "#17365f"),
    "point": ("#d3efea", "#45a295", "#0f4b43"),
    "pool": ("#fde4cd", "#dd8f48", "#6a3a0c"),
    "linear": ("#e5ddfa", "#8c70d0", "#3c2672"),
    "other": ("#e9ebee", "#8d96a3", "#333b47"),
    "norm": ("#e9c84f", "#b5942a", "#4d3d08"),
    "act": ("#e5718a", "#b94863", "#5d1527"),
    "drop": ("#b4bbc5", "#848d99", "#333b47"),
    "join": ("#ffffff", "#4a5462", "#1c2430"),
    "bar": ("#4a5462", "#4a5462", "#ffffff"),
    "share1": ("#8a93a0", "none", "#5a6472"),
    "share2": ("#4f8fba", "none", "#5a6472"),
    "track": ("#e3e6ea", "none", "#5a6472"),
    "badge": ("#1c2430", "none", "#ffffff"),
}
DARK = {
    "page": ("#12161c", "#262d37", "#e6eaf0"),
    "card": ("#1a2028", "#303946", "#e6eaf0"),
    "frame": ("#141920", "#4b5767", "#e6eaf0"),
    "conv": ("#1f3a5f", "#6a9be0", "#dbe8fb"),
    "point": ("#17433e", "#4db3a5", "#d3f3ee"),
    "pool": ("#553415", "#e09a58", "#fde8d5"),
    "linear": ("#3b2d68", "#9b82dc", "#e8e1fb"),
    "other": ("#333b47", "#8d96a3", "#e6eaf0"),
    "norm": ("#c9a633", "#e9c84f", "#f6e7ac"),
    "act": ("#cb5570", "#ec8299", "#fbd5dd"),
    "drop": ("#6d7683", "#9aa3af", "#e6eaf0"),
    "join": ("#12161c", "#aeb7c3", "#e6eaf0"),
    "bar": ("#aeb7c3", "#aeb7c3", "#12161c"),
    "share1": ("#8f99a7", "none", "#a3adba"),
    "share2": ("#5fa3d0", "none", "#a3adba"),
    "track": ("#2b333e", "none", "#a3adba"),
    "badge": ("#e6eaf0", "none", "#12161c"),
}

STATIC = f"""text {{ font-family: {FONT}; font-size: 11px }}
.name {{ font-size: 23px; font-weight: 700 }}
.title {{ font-size: 13px; font-weight: 600 }}
.kernel {{ font-size: 12px; font-weight: 600; text-anchor: middle }}
.width {{ font-size: 10.5px; text-anchor: middle }}
.groups {{ font-size: 8.5px; text-anchor: middle }}
.shape {{ font-size: 10.5px; text-anchor: middle; paint-order: stroke; stroke-width: 5px; stroke-linejoin: round }}
.about {{ font-size: 11.5px }}
.badge-text {{ font-size: 12px; font-weight: 700; text-anchor: middle }}
.pill {{ font-size: 11px; font-weight: 600 }}
.cost {{ font-size: 10.5px }}
.wire {{ fill: none; stroke-width: 1.4 }}
.aux {{ stroke-dasharray: 5 4 }}
.sign {{ stroke-width: 1.6; fill: none }}"""


def stylesheet() -> str:
    """The CSS of a drawing: dark where the reader's system is."""
    return f"{STATIC}\n{_colours(LIGHT)}\n@media (prefers-color-scheme: dark) {{\n{_colours(DARK)}\n}}"


def _colours(palette: dict[str, tuple[str, str, str]]) -> str:
    rules = [
        f".{name} {{ fill: {fill}; stroke: {stroke} }} .{name}-text {{ fill: {text} }}"
        for name, (fill, stroke, text) in palette.items()
    ]
    line = palette["join"][1]
    muted = palette["track"][2]
    rules.append(f".wire, .sign {{ stroke: {line} }} .tip {{ fill: {line} }} .muted {{ fill: {muted} }}")
    rules.append(f".shape {{ fill: {muted}; stroke: {palette['page'][0]} }}")
    return "\n".join(rules)


def number(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def rect(x: float, y: float, width: float, height: float, name: str, radius: float = 4) -> str:
    """A rectangle of one class."""
    where = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect {where} rx="{number(radius)}" class="{name}"/>'


def text(x: float, y: float, content: str, name: str) -> str:
    """A line of text, escaped."""
    return f'<text x="{number(x)}" y="{number(y)}" class="{name}">{escape(content)}</text>'


def text_width(content: str, size: float = 10.5) -> float:
    """Roughly how wide a text is, rather too wide than too narrow."""
    wide = sum(content.count(each) for each in "×–·MGmw")
    return size * (0.6 * len(content) + 0.25 * wide)


def moved(svg: str, x: float, y: float) -> str:
    """A drawing elsewhere."""
    return f'<g transform="translate({number(x)} {number(y)})">{svg}</g>'


def wire(points: Sequence[tuple[float, float]], *, tip: bool = False, name: str = "wire") -> str:
    """A line through points with rounded corners, with an arrow head at its end if `tip`."""
    kept = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    path = " ".join(_rounded(kept))
    return f'<path d="{path}" class="{name}"/>' + (_tip(kept[-2], kept[-1]) if tip and len(kept) > 1 else "")


def _rounded(points: Sequence[tuple[float, float]]) -> Iterable[str]:
    yield f"M{_at(points[0])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        yield f"L{_at(_towards(corner, before, radius))} Q{_at(corner)} {_at(_towards(corner, after, radius))}"
    if len(points) > 1:
        yield f"L{_at(points[-1])}"


def _tip(before: tuple[float, float], end: tuple[float, float]) -> str:
    base = _towards(end, before, 5)
    dx, dy = (end[1] - base[1]) * 0.6, (end[0] - base[0]) * 0.6
    corners = (end, (base[0] - dx, base[1] + dy), (base[0] + dx, base[1] - dy))
    return f'<path d="M{_at(corners[0])} L{_at(corners[1])} L{_at(corners[2])} Z" class="tip"/>'


def _at(point: tuple[float, float]) -> str:
    return f"{number(point[0])} {number(point[1])}"


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    """The point `length` from `start` on a horizontal or vertical line to `end`."""
    whole = _distance(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * length / whole, start[1] + (end[1] - start[1]) * length / whole
