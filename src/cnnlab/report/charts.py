"""Charts as small SVG drawings, from plain numbers: lines, rows with intervals or bars, heat maps.

A chart has a title, says in words what it shows (for who cannot see it), takes its colours from the page's
look and stretches to the room it is given. Values that are not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnlab.report.page import Html, element, join, percent

COLOURS = ("one", "two", "three", "four", "five", "six")  # classes of look.css
WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 40
ROW = 26  # height of a row
LETTER = 7.8  # width of a letter of a label on a phone, where letters are largest
MOST_POINTS = 300  # of a line; more are thinned, keeping every peak and dip
DOTTED_POINTS = 30  # a line of so few points shows each
LARGEST = 1e30  # larger values, and smaller ones than its inverse on a logarithm, are left out like infinite ones

Point = tuple[float, float]
Write = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """One line of a chart: points (x, y) with rising x; `colour` counts through the look's six."""

    label: str
    points: Sequence[Point]
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """A value to hold a line against, such as the paper's: a level across the chart, or a point where `x` is given."""

    label: str
    y: float
    x: float | None = None
    colour: int = 1


@dataclass(frozen=True)
class Row:
    """One row of a chart: a value, and its interval where it has one."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    colour: int = 0


@dataclass(frozen=True)
class Axis:
    """Where values go on paper: `low` to `high` onto `start` to `end`, by logarithm or straight."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value, in the drawing's units."""
        low, high, value = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def number(value: float) -> str:
    """A number as short as an axis wants it: 0.05, 12, 1,500, 20k, 3M, 1e-5."""
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e9):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    for unit, name in ((1e6, "M"), (1e4, "k")):
        if size >= unit:
            return f"{value / (unit if name == 'M' else 1e3):.4g}{name}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


def whole_percent(value: float) -> str:
    """A share in [0, 1] as a short percentage, with the digits it needs."""
    return f"{100 * value:.4g}%"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) within `low` to `high`."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))
    return [step * each for each in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within `low` to `high`, and twice and five times these where there are too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    tens = [10.0**power for power in powers if low <= 10.0**power <= high]
    every = math.ceil(len(tens) / 6) if tens else 1
    finer = [each * 10.0**power for power in powers for each in (1, 2, 5) if low <= each * 10.0**power <= high]
    return tens[::every] if len(tens) > 2 else finer or [low, high]


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` of the points, with the lowest and the highest of every stretch among them."""
    if len(points) <= most:
        return list(points)
    stretches = max(1, (most - 2) // 2)
    size = math.ceil(len(points) / stretches)
    kept = {0, len(points) - 1}
    for first in range(0, len(points), size):
        stretch = range(first, min(first + size, len(points)))
        kept |= {min(stretch, key=lambda i: points[i][1]), max(stretch, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


# -- lines -------------------------------------------------------------------------------------------------------


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str = "",
    marks: Sequence[Mark] = (),
    shares: bool = False,
    log: bool = False,
    log_x: bool = False,
    from_zero: bool = True,
) -> Html:
    """Lines over a common x, with a legend that tells each line's last value.

    `shares` writes y as percentages; `log` and `log_x` make an axis logarithmic, where only values above 0 are
    shown; `from_zero` begins a straight y axis at 0. Without any point the chart says so.
    """
    drawn = [_fit(line, log, log_x) for line in lines]
    drawn = [line for line in drawn if line.points]
    if not drawn and not marks:
        return figure(title, element("p", {"class": "note"}, "Nothing was recorded."))
    write: Write = whole_percent if shares else number
    ys = [y for line in drawn for _, y in line.points] + [mark.y for mark in marks]
    xs = [x for line in drawn for x, _ in line.points] + [mark.x for mark in marks if mark.x is not None]
    y_axis = _axis(ys, HEIGHT - BOTTOM, TOP, log=log, from_zero=from_zero)
    near_zero = min(xs, default=0.0) <= (max(xs, default=0.0) - min(xs, default=0.0)) / 4
    x_axis = _axis(xs or [0.0], LEFT, WIDTH - RIGHT, log=log_x, from_zero=near_zero)
    body = [
        _frame(x_axis, y_axis, write, x_label, y_label),
        *(_level(mark, x_axis, y_axis) for mark in marks),
        *(_line(line, x_axis, y_axis) for line in drawn),
    ]
    legend = [_entry(f"{each.label} {write(each.points[-1][1])}", each.colour, dashed=each.dashed) for each in drawn]
    legend += [_entry(f"{each.label} {write(each.y)}", each.colour, cross=each.x is not None) for each in marks]
    words = "; ".join(_in_words(line, write) for line in drawn)
    words += "".join(f"; {mark.label} {write(mark.y)}" for mark in marks)
    return figure(
        title, _svg(WIDTH, HEIGHT, f"{title} by {x_label}: {words}", body), element("ul", {"class": "legend"}, *legend)
    )


def _fit(line: Line, log: bool, log_x: bool) -> Line:
    fits = [(x, y) for x, y in line.points if _shown(x, log_x) and _shown(y, log)]
    return Line(line.label, thin(fits), line.colour, line.dashed)


def _shown(value: float, log: bool) -> bool:
    return abs(value) <= LARGEST and (value >= 1 / LARGEST or not log)


def _axis(values: Sequence[float], start: float, end: float, *, log: bool, from_zero: bool) -> Axis:
    """An axis that holds the values; a vertical one, which runs upwards, with some room above the highest."""
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.1, high * 1.1, start, end, log=True)
    low = min(0.0, low) if from_zero else low
    high = max(0.0, high) if from_zero else high
    room = _room(low, high)
    above = room if start > end or high - low < room else 0.0
    return Axis(low if from_zero and low == 0 else low - room, high + above, start, end)


def _room(low: float, high: float) -> float:
    """What is left free beside the outermost values; never nothing."""
    room = max(0.04 * (high - low), 1e-6 * max(abs(low), abs(high)))
    return room if room > 1 / LARGEST else 1.0


def _frame(x_axis: Axis, y_axis: Axis, write: Write, x_label: str, y_label: str) -> Html:
    parts = []
    for value in log_ticks(y_axis.low, y_axis.high) if y_axis.log else ticks(y_axis.low, y_axis.high):
        y = y_axis.at(value)
        parts.append(_stroke("gridline", LEFT, y, WIDTH - RIGHT, y))
        parts.append(_label(LEFT - 6, y + 4, write(value), "end"))
    for value in log_ticks(x_axis.low, x_axis.high) if x_axis.log else ticks(x_axis.low, x_axis.high, 4):
        parts.append(_label(x_axis.at(value), HEIGHT - BOTTOM + 16, number(value), "middle"))
    parts.append(_stroke("axis", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM))
    parts.append(_label(WIDTH - RIGHT, HEIGHT - 6, x_label, "end"))
    if y_label:
        parts.append(_label(2, HEIGHT - 6, y_label, "start"))
    return join(parts)


def _line(line: Line, x_axis: Axis, y_axis: Axis) -> Html:
    places = [(x_axis.at(x), y_axis.at(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    colour = _colour(line.colour)
    drawn = element("path", {"class": f"line {colour}{' dashed' if line.dashed else ''}", "d": path})
    dots = places if len(places) <= DOTTED_POINTS else []
    radius = 4 if len(places) == 1 else 2.4
    return join([drawn, *(_dot(x, y, colour, radius) for x, y in dots)])


def _level(mark: Mark, x_axis: Axis, y_axis: Axis) -> Html:
    y, colour = y_axis.at(mark.y), _colour(mark.colour)
    if mark.x is None:
        return _stroke(f"line dashed {colour}", LEFT, y, WIDTH - RIGHT, y)
    x = x_axis.at(mark.x)
    return _cross(x, y, colour, element("title", None, mark.label))


def _cross(x: float, y: float, colour: str, *inside: Html) -> Html:
    return element("path", {"class": f"line {colour}", "d": f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"}, *inside)


def _in_words(line: Line, write: Write) -> str:
    first, last = line.points[0][1], line.points[-1][1]
    return f"{line.label} {write(last)}" if len(line.points) == 1 else f"{line.label} {write(first)} to {write(last)}"


def _entry(text: str, colour: int, *, dashed: bool = True, cross: bool = False) -> Html:
    kind = f"line {_colour(colour)}{' dashed' if dashed else ''}"
    key = _cross(11, 5, _colour(colour)) if cross else _stroke(kind, 1, 5, 21, 5)
    return element("li", None, element("svg", {"viewBox": "0 0 22 10", "aria-hidden": "true"}, key), text)


# -- rows --------------------------------------------------------------------------------------------------------


def row_chart(
    title: str,
    rows: Sequence[Row],
    *,
    shares: bool = False,
    bars: bool = False,
    zero: bool = False,
    write: Write | None = None,
) -> Html:
    """A value a row: a dot with its interval as whiskers, or a bar from 0 with `bars`.

    `shares` writes values as percentages, `write` as it says; `zero` draws the line of no difference.
    """
    if not rows:
        return figure(title, element("p", {"class": "note"}, "Nothing was recorded."))
    write = write or (percent if shares else number)
    ends = [end for row in rows for end in (row.value, *(row.interval or ()))] + ([0.0] if bars or zero else [])
    left = min(150.0, 14 + LETTER * max(len(row.label) for row in rows))
    low, high = min(ends), max(ends)
    room = _room(low, high)
    axis = Axis(low if bars and low == 0 else low - room, high + room, left, WIDTH - 74)
    bottom = TOP + ROW * len(rows)
    parts = []
    for value in ticks(axis.low, axis.high, 4):
        parts.append(_stroke("gridline", axis.at(value), TOP, axis.at(value), bottom))
        parts.append(_label(axis.at(value), bottom + 16, whole_percent(value) if shares else number(value), "middle"))
    if zero:
        parts.append(_stroke("axis", axis.at(0), TOP, axis.at(0), bottom))
    parts += [_row(row, TOP + ROW * (index + 0.5), axis, left, write, bars) for index, row in enumerate(rows)]
    words = "; ".join(_row_in_words(row, write) for row in rows)
    return figure(title, _svg(WIDTH, bottom + 26, f"{title}: {words}", parts))


def _row(row: Row, y: float, axis: Axis, left: float, write: Write, bars: bool) -> Html:
    colour, x = _colour(row.colour), axis.at(row.value)
    parts = [_short_label(left - 8, y + 4, row.label, round((left - 8) / LETTER))]
    if bars:
        start = axis.at(0)
        shape: dict[str, str | float] = {
            "x": f"{min(start, x):.1f}",
            "y": f"{y - 7:.1f}",
            "width": f"{abs(x - start):.1f}",
            "height": 14,
            "rx": 2,
        }
        parts.append(element("rect", {"class": f"dot {colour}", **shape}))
    if row.interval is not None:
        low, high = (axis.at(end) for end in row.interval)
        parts.append(_stroke(f"line {colour}", low, y, high, y))
    if not bars:
        parts.append(_dot(x, y, colour, 4))
    parts.append(_label(WIDTH - 2, y + 4, write(row.value), "end", "strong"))
    return join(parts)


def _row_in_words(row: Row, write: Write) -> str:
    inside = f" ({write(row.interval[0])} to {write(row.interval[1])})" if row.interval else ""
    return f"{row.label} {write(row.value)}{inside}"


# -- heat maps ---------------------------------------------------------------------------------------------------

CELL = 31
FAINTEST, STRONGEST = 0.06, 0.46  # opacity of a cell, so that its number stays readable


def heat_map(title: str, names: Sequence[str], counts: Sequence[Sequence[int]], *, rows: str, columns: str) -> Html:
    """A square table of counts, `counts[row][column]`, each cell as dark as its share of its row.

    The diagonal and the rest have a colour each, and the rest is scaled by itself, so that rare cells show.
    """
    left = min(110.0, 14 + LETTER * max(map(len, names)))
    size = CELL * len(names)
    sums = [max(1, sum(row)) for row in counts]
    shares = [[count / total for count in row] for row, total in zip(counts, sums, strict=True)]
    most = max((share for i, row in enumerate(shares) for j, share in enumerate(row) if i != j), default=0.0)
    parts = []
    for i, name in enumerate(names):
        middle = left + CELL * (i + 0.5)
        parts.append(_short_label(left - 6, middle + 4, name, round((left - 6) / LETTER)))
        turned = {"transform": f"translate({middle + 4:.1f} {left - 6:.1f}) rotate(-90)"}
        parts.append(element("g", turned, _short_label(0, 0, name, round((left - 6) / LETTER), "start")))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            scale = shares[i][j] if i == j else shares[i][j] / (most or 1.0)
            words = f"{rows} {names[i]}, {columns} {names[j]}: {count:,} ({percent(shares[i][j], 1)})"
            parts.append(_cell(left + CELL * j, left + CELL * i, count, scale, i == j, words))
    spoken = (
        f"{title}: {rows} in rows, {columns} in columns; the table of the most frequent confusions says it in words"
    )
    return figure(title, _svg(left + size + 2, left + size + 2, spoken, parts))


def _cell(x: float, y: float, count: int, scale: float, diagonal: bool, words: str) -> Html:
    opacity = FAINTEST + (STRONGEST - FAINTEST) * math.sqrt(scale) if count else 0.02
    box: dict[str, str | float] = {
        "x": f"{x + 1:.1f}",
        "y": f"{y + 1:.1f}",
        "width": CELL - 2,
        "height": CELL - 2,
        "rx": 3,
    }
    kind = "heat" if diagonal else "heat-miss"
    square = element("rect", {"class": kind, **box, "fill-opacity": f"{opacity:.3f}"})
    shown = _label(x + CELL / 2, y + CELL / 2 + 4, str(count), "middle", "cell") if count else None
    return element("g", None, element("title", None, words), square, shown)


# -- what all charts are made of ---------------------------------------------------------------------------------


def figure(title: str, *parts: Html) -> Html:
    """A figure of the page with its title above it."""
    return element("figure", {"class": "chart"}, element("figcaption", None, title), *parts)


def _svg(width: float, height: float, words: str, parts: Sequence[Html]) -> Html:
    attributes = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "role": "img", "aria-label": words}
    return element("svg", attributes, *parts)


def _stroke(kind: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", {"class": kind, **{name: f"{place:.1f}" for name, place in places.items()}})


def _dot(x: float, y: float, colour: str, radius: float) -> Html:
    return element("circle", {"class": f"dot {colour}", "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": radius})


def _label(x: float, y: float, text: str, anchor: str, kind: str = "") -> Html:
    kinds = {"class": kind} if kind else {}
    return element("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, **kinds}, text)


def _short_label(x: float, y: float, text: str, most: int, anchor: str = "end") -> Html:
    """A label of at most `most` letters, the whole of it in its tooltip."""
    if len(text) <= most:
        return _label(x, y, text, anchor, "strong")
    cut = element("title", None, text)
    places = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": "strong"}
    return element("text", places, cut, text[: max(1, most - 1)] + "…")


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
