"""Blocks of a network as drawings: layers as boxes, shortcuts as arcs, branches one below the other, repeats as a pile.

Layers stand as far right as the longest path to them asks. Their rows come from the joins, backward: what an addition
adds to stands on the axis and the shortcuts above, what gates stands below, and branches that are concatenated lie
around the axis in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnlab.explain.draw_style import CLASSES, moved, number, rect, text, text_width, wire
from cnnlab.explain.graph import Kind, Node
from cnnlab.explain.stages import Group, Item, Unit

GAP = 14  # between two layers
LEAD = 16  # before the first layer of a block, where its branches part
FORK = 6  # after which they part
ROW_GAP = 8  # between branches
LANE = 14  # the height of a branch that is only a line
BOX_HEIGHT = 36
BOX_WIDTH = 44  # at least
STRIP = 5  # the width of a normalisation or activation
JOIN = 8  # the radius of an addition
BAR = 7  # the width of a concatenation
FRAME = 8  # around what repeats


@dataclass(frozen=True)
class Piece:
    """Something drawn: its width, how far it reaches above and below its axis, its SVG with the axis at 0."""

    width: float
    above: float
    below: float
    svg: str


def draw_group(group: Group) -> Piece:
    """Units in a row; where they repeat, as a pile of sheets with the number on it."""
    columns = list(zip(*group.rows, strict=True))
    inside = in_a_row([draw_unit(column) for column in columns])
    if group.repeats == 1:
        return inside
    width, above, below = inside.width + 2 * FRAME, inside.above + FRAME + 7, inside.below + FRAME
    sheets = [rect(step, step - above, width, above + below, "frame", 7) for step in (7, 3.5, 0)]
    badge = f"×{group.repeats}"
    half = text_width(badge, 12) / 2 + 6
    mark = rect(width - 2 * half - 8, -above - 9, 2 * half, 18, "badge", 9)
    mark += text(width - half - 8, -above + 4.2, badge, "badge-text")
    ends = wire([(0, 0), (FRAME, 0)]) + wire([(width - FRAME, 0), (width, 0)])
    svg = "".join(sheets) + ends + moved(inside.svg, FRAME, 0) + mark
    return Piece(width + 7, above + 9, below + 7, svg + wire([(width, 0), (width + 7, 0)]))


def in_a_row(pieces: Sequence[Piece]) -> Piece:
    """Pieces from left to right, joined by lines."""
    x, parts = 0.0, []
    for index, piece in enumerate(pieces):
        if index:
            parts.append(wire([(x, 0), (x + GAP, 0)]))
            x += GAP
        parts.append(moved(piece.svg, x, 0))
        x += piece.width
    return Piece(x, max(piece.above for piece in pieces), max(piece.below for piece in pieces), "".join(parts))


def draw_unit(units: Sequence[Unit]) -> Piece:
    """A layer, or a block with its branches; the first of `units`, widths being those of all."""
    unit = units[0]
    shapes = [_shape([each.items[index] for each in units]) for index in range(len(unit.items))]
    if not unit.is_block:
        return Piece(shapes[0].width, shapes[0].height / 2, shapes[0].height / 2, shapes[0].svg)
    rows = _Rows(unit, [shape.height for shape in shapes])
    place = rows.place(len(unit.items) - 1).shifted()
    left = _columns(unit, [shape.width for shape in shapes])
    right = [x + shape.width for x, shape in zip(left, shapes, strict=True)]
    lines = [
        _edge(unit, source, target, left, right, place)
        for target, inputs in enumerate(unit.inputs)
        for source in inputs
    ]
    boxes = [
        moved(_bar(unit, index, place) if _is_bar(item) else shapes[index].svg, left[index], place.rows[index])
        for index, item in enumerate(unit.items)
    ]
    return Piece(right[-1], place.above, place.below, "".join(lines + boxes))


# -- layers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    width: float
    height: float
    svg: str


def _shape(items: Sequence[Item]) -> _Shape:
    """One item of a drawing, for all items that it stands for."""
    first = items[0]
    core = [item.core for item in items if item.core is not None]
    width, height, svg = 0.0, float(BOX_HEIGHT), ""
    for node in first.before:
        svg += _strip(width, BOX_HEIGHT, node)
        width += STRIP
    if first.is_join:
        inner, height, drawn = draw_join(core[0].kind)
        svg += moved(drawn, width, 0)
        width += inner
    elif core:
        inner, drawn = _box(core)
        svg += moved(drawn, width, 0)
        width += inner
    for node in first.after:
        svg += _strip(width, min(BOX_HEIGHT, height + 4), node)
        width += STRIP
    layers = sum(node.layers for item in items for node in item.nodes)
    return _Shape(width, height, f'<g data-layers="{layers}">{svg}</g>' if layers else svg)


def _strip(x: float, height: float, node: Node) -> str:
    name = CLASSES[node.kind]
    return f"<g><title>{node.label}</title>{rect(x, -height / 2, STRIP, height, name, 1.5)}</g>"


def _box(nodes: Sequence[Node]) -> tuple[float, str]:
    """The width and drawing of a layer: what it does, and below how many channels it has."""
    first = nodes[0]
    kernel, below = first.label, _range([node.output[0] for node in nodes])
    if first.kind is Kind.POOL:
        kernel, _, below = first.label.partition(" ")
        below = below or "global"
    name = f"{CLASSES[first.kind]}-text"
    lines = [(kernel, f"kernel {name}", 13.0), (below, f"width {name}", 10.5)]
    if first.groups > 1:
        lines.append((f"{_range([node.groups for node in nodes])} groups", f"groups {name}", 8.5))
    width = max(BOX_WIDTH, *(text_width(content, size) + 9 for content, _, size in lines))
    heights = (-3.0, 11.0) if len(lines) == 2 else (-6.5, 4.5, 14.0)
    written = [text(width / 2, y, content, style) for y, (content, style, _) in zip(heights, lines, strict=True)]
    return width, rect(0, -BOX_HEIGHT / 2, width, BOX_HEIGHT, CLASSES[first.kind]) + "".join(written)


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"


def draw_join(kind: Kind) -> tuple[float, float, str]:
    """Width, height and drawing of a join; the bar of a concatenation is drawn later, it depends on the branches."""
    if kind is Kind.CONCAT:
        return BAR, BOX_HEIGHT, rect(0, -BOX_HEIGHT / 2, BAR, BOX_HEIGHT, "bar", 2)
    size = 4.2 if kind is Kind.ADD else 3
    signs = {
        Kind.ADD: f"M{number(JOIN - size)} 0h{number(2 * size)}M{number(JOIN)} {number(-size)}v{number(2 * size)}",
        Kind.MULTIPLY: f"M{JOIN - size} {-size}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}",
        Kind.MIX: f"M{JOIN - 4.5} 0q2.25 -5 4.5 0t4.5 0",
    }
    circle = f'<circle cx="{JOIN}" cy="0" r="{JOIN}" class="join"/>'
    return 2 * JOIN, 2 * JOIN, circle + f'<path d="{signs[kind]}" class="sign"/>'


def _is_bar(item: Item) -> bool:
    return item.core is not None and item.core.kind is Kind.CONCAT


# -- where things go ------------------------------------------------------------------------------------------


def _columns(unit: Unit, widths: Sequence[float]) -> list[float]:
    """The left side of each item: after everything it reads."""
    left: list[float] = []
    for inputs in unit.inputs:
        ends = [
            LEAD if source < 0 else left[source] + widths[source] + GAP + 2 * (len(inputs) > 1) for source in inputs
        ]
        left.append(max(ends))
    return left


@dataclass(frozen=True)
class _Place:
    """Where a part of a block goes, its axis at 0: the row of each item, and of each line that goes past others."""

    above: float
    below: float
    rows: dict[int, float] = field(default_factory=dict)
    lanes: dict[tuple[int, int], float] = field(default_factory=dict)

    def shifted(self, dy: float = 0.0) -> _Place:
        """The same, `dy` lower."""
        rows = {index: y + dy for index, y in self.rows.items()}
        lanes = {edge: y + dy for edge, y in self.lanes.items()}
        return _Place(self.above - dy, self.below + dy, rows, lanes)


def _together(places: Sequence[_Place]) -> _Place:
    """Places that have one axis."""
    rows = {index: y for place in places for index, y in place.rows.items()}
    lanes = {edge: y for place in places for edge, y in place.lanes.items()}
    return _Place(max(place.above for place in places), max(place.below for place in places), rows, lanes)


class _Rows:
    """Finds the rows of a block, from its end backward."""

    def __init__(self, unit: Unit, heights: Sequence[float]) -> None:
        self.unit, self.heights = unit, heights
        self.placed: set[int] = set()

    def place(self, index: int) -> _Place:
        """The item and all before it that has no place yet."""
        self.placed.add(index)
        own = _Place(self.heights[index] / 2, self.heights[index] / 2, {index: 0.0})
        inputs = self.unit.inputs[index]
        if len(inputs) == 1:
            return own if self.has_place(inputs[0]) else _together([own, self.place(inputs[0])])
        fork = self.fork(index)
        behind = [self.place(fork)] if fork is not None and fork not in self.placed else []
        if all(self.has_place(source) for source in inputs) and not behind:
            own.lanes[min(inputs), index] = 0.0  # what comes from furthest comes on the join's own row
            return own
        branches = [self.branch(source, index) for source in inputs]
        return _together([own, *behind, self.stacked(index, branches)])

    def has_place(self, source: int) -> bool:
        """Whether an item, or what comes before the block, has its row already."""
        return source < 0 or source in self.placed

    def branch(self, source: int, target: int) -> _Place:
        """What leads to a join: layers, or a line only."""
        if self.has_place(source):
            return _Place(LANE / 2, LANE / 2, lanes={(source, target): 0.0})
        return self.place(source)

    def fork(self, index: int) -> int | None:
        """The item at which all branches of a join part, if they part within the block."""
        common = set.intersection(*(self.before(source) for source in self.unit.inputs[index]))
        return max(common, default=None)

    def before(self, source: int) -> set[int]:
        """The item and all it depends on."""
        found: set[int] = set()
        waiting = [source]
        while waiting:
            index = waiting.pop()
            if index >= 0 and index not in found:
                found.add(index)
                waiting += self.unit.inputs[index]
        return found

    def stacked(self, index: int, branches: Sequence[_Place]) -> _Place:
        """The branches of a join around its axis."""
        core = self.unit.items[index].core
        kind = core.kind if core else Kind.ADD
        with_layers = [position for position, branch in enumerate(branches) if branch.rows]
        if kind is Kind.CONCAT and len(with_layers) > 1:
            whole = _pile(branches, 0)
            lanes = [
                *whole.lanes.values(),
                *(whole.rows[each] for each in self.unit.inputs[index] if each in whole.rows),
            ]
            return whole.shifted(-(min(lanes) + max(lanes)) / 2)
        if kind is Kind.ADD:
            longest = max(range(len(branches)), key=lambda position: len(branches[position].rows))
            others = [branch for position, branch in enumerate(branches) if position != longest]
            return _pile([*others, branches[longest]], len(others))
        if kind is Kind.MULTIPLY:
            return _pile(branches, 0)
        return _pile(branches, with_layers[0])


def _pile(branches: Sequence[_Place], axis: int) -> _Place:
    """Branches one below the other, that at position `axis` on the axis."""
    placed = [branches[axis]]
    for branch in reversed(branches[:axis]):
        placed.append(branch.shifted(-(max(each.above for each in placed) + ROW_GAP + branch.below)))
    for branch in branches[axis + 1 :]:
        placed.append(branch.shifted(max(each.below for each in placed) + ROW_GAP + branch.above))
    return _together(placed)


# -- lines ----------------------------------------------------------------------------------------------------


def _edge(unit: Unit, source: int, target: int, left: Sequence[float], right: Sequence[float], place: _Place) -> str:
    """The line from an item, or from before the block, to an item."""
    start = (0.0, 0.0) if source < 0 else (right[source], place.rows[source])
    item, row = unit.items[target], place.rows[target]
    if _is_bar(item):
        lane = _lane(unit, source, target, place)
        return wire([start, (start[0] + FORK, start[1]), (start[0] + FORK, lane), (left[target], lane)])
    if not item.is_join:
        fork = start[0] + FORK
        return wire([start, (fork, start[1]), (fork, row), (left[target], row)])
    lane = place.lanes.get((source, target), row if source < 0 else start[1])
    centre = left[target] + JOIN
    edge = row + (JOIN if lane > row else -JOIN)
    if lane == row:
        return wire([start, (start[0] + FORK, start[1]), (start[0] + FORK, row), (left[target], row)])
    points = [start, (start[0] + FORK, start[1]), (start[0] + FORK, lane), (centre, lane), (centre, edge)]
    return wire(points, tip=True)


def _lane(unit: Unit, source: int, target: int, place: _Place) -> float:
    """The row on which a line arrives at a concatenation."""
    own = place.rows[target] if source < 0 else place.rows[source]
    return place.lanes.get((source, target), own)


def _bar(unit: Unit, index: int, place: _Place) -> str:
    """The bar of a concatenation, as long as its branches lie apart."""
    lanes = [_lane(unit, source, index, place) - place.rows[index] for source in unit.inputs[index]]
    top, bottom = min(lanes) - BOX_HEIGHT / 2, max(lanes) + BOX_HEIGHT / 2
    strips = "".join(_strip(BAR + STRIP * k, bottom - top, node) for k, node in enumerate(unit.items[index].after))
    return rect(0, top, BAR, bottom - top, "bar", 2) + strips
