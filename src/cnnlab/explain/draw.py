"""A network drawn as an SVG: stages as cards that are read like text, in them its blocks, on the lines the shapes.

`graph` finds which operation feeds which, `stages` what repeats, `draw_block` draws what is in a card. Text stays
text, colours follow the reader's light or dark scheme, and the same network gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from xml.sax.saxutils import escape

import torch

from cnnlab.explain.draw_block import GAP, Piece, draw_group, draw_join, in_a_row
from cnnlab.explain.draw_style import CLASSES, moved, number, rect, stylesheet, text, text_width, wire
from cnnlab.explain.graph import Kind, trace
from cnnlab.explain.stages import Plan, Stage, depth, plan
from cnnlab.models import Network, create_model
from cnnlab.models.catalog import require_model

WIDTH = 1000  # of the page at most; all sizes are pixels at 100%
MARGIN = 30
HEADER = 100  # the height of the page's title
PAD = 12  # inside a card
TITLE = 30  # the height of a card's title
FOOTER = 46  # and of what it costs
GUTTER = 42  # between rows of cards
LINE_GUTTER = 20  # between rows in a card
SHARE = 34  # the width of a bar for a share
PILL = 52  # the width of the image and the logits
CHANNEL = 14  # how far lines go past the end of a row
STRETCH = 0.4  # of the page's width that a row may be stretched to fill it


def draw_network(name: str, *, pixels: int | None = None, **options: object) -> str:
    """A network of the catalogue as SVG text.

    `pixels` is another side of the images (of clips height and width), `options` the builder's own arguments.

    Raises:
        UnknownNameError: there is no such network.
        UsageError: the network has no such option, or does not take images of this size.
    """
    return draw_plan(plan_network(name, pixels=pixels, **options), name, require_model(name).paper)


def plan_network(name: str, *, pixels: int | None = None, **options: object) -> Plan:
    """Stages, blocks and repeats of a network of the catalogue; see `draw_network`."""
    sizes = require_model(name).sizes
    if pixels is not None:
        sizes = sizes[:-2] + (pixels,) * min(len(sizes), 2)
    with torch.device("meta"):  # shapes only: nothing is allocated or drawn
        network: Network = create_model(name, **options)
    return plan(trace(network, sizes))


def draw_plan(network: Plan, name: str, paper: str) -> str:
    """A network as SVG text, its name and paper above it."""
    about = _about(network)
    rows = _rows(_cards(network), shape_text(network.image))
    widths = [row.width for row in rows] + [text_width(line, 11.5) for line in (paper, about)]
    width = max(*widths, *(row.heads_width for row in rows), 420) + 2 * MARGIN
    body, bottom = _page(rows, shape_text(network.image))
    legend, height = _legend(network, width, bottom + 16)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
            f'width="{number(width)}" height="{number(height)}" '
            f'role="img" aria-labelledby="{name}-title {name}-about">',
            f'<title id="{name}-title">{escape(name)}</title>',
            f'<desc id="{name}-about">{escape(_in_words(network, name))}</desc>',
            f"<style>\n{stylesheet()}\n</style>",
            rect(0.5, 0.5, width - 1, height - 1, "page", 10),
            text(MARGIN, 42, name, "name page-text"),
            text(MARGIN, 62, paper, "about muted"),
            text(MARGIN, 79, about, "about muted"),
            body,
            legend,
            "</svg>\n",
        ]
    )


def shape_text(shape: Sequence[int]) -> str:
    """A shape as papers print it, channels last: 56×56×64."""
    return "×".join(map(str, (*shape[1:], shape[0])))


def count_text(value: int) -> str:
    """A count in three digits: 11.7 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:#.3g}".removesuffix(".") + f" {unit}"
    return str(value)


def _about(network: Plan) -> str:
    parameters, macs = _totals(network)
    aux = sum(head.stage.parameters for head in network.aux)
    more = f" and {count_text(aux)} in auxiliary heads" if aux else ""
    return f"{depth(network)} layers deep  ·  {count_text(parameters)} parameters{more}  ·  {count_text(macs)} MACs"


def _in_words(network: Plan, name: str) -> str:
    """The drawing for those who do not see it."""
    stages = "; ".join(f"{stage.title} gives {shape_text(stage.output)}" for stage in network.stages)
    return f"{name} for images of {shape_text(network.image)}: {stages}. {_about(network)}."


def _totals(network: Plan) -> tuple[int, int]:
    """Parameters and MACs of what `forward` runs."""
    return sum(stage.parameters for stage in network.stages), sum(stage.macs for stage in network.stages)


# -- cards ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Card:
    """A stage to be placed. It comes in on the axis of its first row and leaves on that of its last."""

    stage: Stage
    title: str
    rows: tuple[Piece, ...]
    shares: tuple[float, float]  # of the network's parameters and MACs
    heads: tuple[_Card, ...] = ()  # auxiliary heads that start here
    stretch: float = 0.0  # wider than it has to be

    @property
    def costs(self) -> tuple[str, ...]:
        """What stands beside the bars of parameters and MACs."""
        counts = (self.stage.parameters, self.stage.macs)
        return tuple(
            f"{count_text(count)} · {_percent(share)}" for count, share in zip(counts, self.shares, strict=True)
        )

    @property
    def width_of_rows(self) -> float:
        """Of what is drawn in it."""
        return max(row.width for row in self.rows)

    @property
    def width(self) -> float:
        """As wide as what is widest in it."""
        footer = max(map(text_width, self.costs)) + SHARE + 4
        return max(self.width_of_rows, text_width(self.title, 12.5), footer) + 2 * PAD + self.stretch

    @property
    def above(self) -> float:
        """From the axis it comes in on to its top."""
        return self.rows[0].above + TITLE

    @property
    def out(self) -> float:
        """From the axis it comes in on to that it leaves on."""
        return sum(a.below + LINE_GUTTER + b.above for a, b in zip(self.rows, self.rows[1:], strict=False))

    @property
    def below(self) -> float:
        """From the axis it comes in on to its bottom."""
        return self.out + self.rows[-1].below + FOOTER


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.01 or share == 0 else "<1%"


def _cards(network: Plan) -> list[_Card]:
    totals = _totals(network)
    heads: dict[int, list[_Card]] = {}
    for head in network.aux:
        title = f"{head.stage.title}, reads {head.source}; for training" if head.source else head.stage.title
        heads.setdefault(head.source_stage, []).append(_card(head.stage, title, totals))
    return [_card(stage, stage.title, totals, heads.get(index, ())) for index, stage in enumerate(network.stages)]


def _card(stage: Stage, title: str, totals: tuple[int, int], heads: Sequence[_Card] = ()) -> _Card:
    rows: list[list[Piece]] = [[]]
    room = WIDTH - 2 * (MARGIN + CHANNEL + PAD)
    for piece in map(draw_group, stage.groups):
        if rows[-1] and sum(each.width + GAP for each in rows[-1]) + piece.width > room:
            rows.append([])
        rows[-1].append(piece)
    shares = (stage.parameters / max(totals[0], 1), stage.macs / max(totals[1], 1))
    return _Card(stage, title, tuple(map(in_a_row, rows)), shares, tuple(heads))


def _draw_card(card: _Card, above: float, below: float, name: str = "card") -> str:
    """The card in a row of cards that reach so far; its axis at 0."""
    parts = [rect(0, -above, card.width, above + below, name, 8), text(PAD, 19 - above, card.title, "title card-text")]
    y, left = 0.0, (card.width - card.width_of_rows) / 2
    for index, row in enumerate(card.rows):
        if index:
            down = y + card.rows[index - 1].below + LINE_GUTTER + row.above
            end, middle = left + card.rows[index - 1].width, down - row.above - LINE_GUTTER / 2
            channel = PAD / 2
            parts.append(
                wire([(end, y), (end + 7, y), (end + 7, middle), (channel, middle), (channel, down), (left, down)])
            )
            y = down
        parts.append(moved(row.svg, left, y))
    parts.append(wire([(0, 0), (left, 0)]) + wire([(left + card.rows[-1].width, y), (card.width, y)]))
    for line, (share, cost) in enumerate(zip(card.shares, card.costs, strict=True)):
        parts.append(
            moved(
                _share_bar(share, f"share{line + 1}") + text(SHARE + 6, 3.5, cost, "cost muted"),
                PAD,
                below - 28 + 15 * line,
            )
        )
    counts = f'data-parameters="{card.stage.parameters}" data-macs="{card.stage.macs}"'
    return f"<g {counts}>{''.join(parts)}</g>"


def _share_bar(share: float, name: str) -> str:
    full = max(1.5, SHARE * min(share, 1.0)) if share else 0
    return rect(0, -2.5, SHARE, 5, "track", 2.5) + (rect(0, -2.5, full, 5, name, min(2.5, full / 2)) if full else "")


# -- page -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """Cards in a row, where the first begins, and what comes after the last."""

    cards: tuple[_Card, ...]
    left: float
    end: float

    @property
    def width(self) -> float:
        """From the margin to the end."""
        between = sum(_gap(card) for card in self.cards[:-1])
        return self.left + sum(card.width for card in self.cards) + between + self.end

    @property
    def heads_width(self) -> float:
        """What the auxiliary heads below it need."""
        return CHANNEL + sum(_head_width(head) for card in self.cards for head in card.heads)

    @property
    def lefts(self) -> list[float]:
        """Where each card begins."""
        steps = [self.left, *(card.width + _gap(card) for card in self.cards[:-1])]
        return list(accumulate(steps))

    @property
    def above(self) -> float:
        """From the axis to the top."""
        return max(card.above for card in self.cards)

    @property
    def below(self) -> float:
        """From the axis to the bottom of the cards."""
        return max(card.below for card in self.cards)

    def filled(self, width: float) -> _Row:
        """As wide as the page, its cards wider, unless it would have to be stretched too far."""
        missing = width - self.width
        if missing > STRETCH * width:
            return self
        cards = tuple(replace(card, stretch=missing / len(self.cards)) for card in self.cards)
        return replace(self, cards=cards)


def _rows(cards: Sequence[_Card], image: str) -> list[_Row]:
    """Cards in rows as words in a paragraph, the image before the first and the logits after the last.

    Of all ways to break them the one that leaves least space at the ends, its square summed over the rows.
    """
    best: list[tuple[float, list[_Row]]] = [(0.0, [])]  # for the cards so far
    for stop in range(1, len(cards) + 1):
        ways = []
        for start in range(stop):
            left = CHANNEL if start else PILL + text_width(image) + 20
            end = _gap(cards[-1]) + PILL if stop == len(cards) else CHANNEL
            row = _Row(tuple(cards[start:stop]), left, end)
            space = WIDTH - 2 * MARGIN - row.width
            if space >= 0 or stop - start == 1:
                ways.append((best[start][0] + max(space, 0.0) ** 2, [*best[start][1], row]))
        best.append(min(ways, key=lambda way: way[0]))
    rows = best[-1][1]
    width = max(max(row.width, row.heads_width) for row in rows)
    return [row.filled(width) for row in rows]


def _gap(card: _Card) -> float:
    """The length of the line after a card, for the shape that stands on it."""
    return max(36, text_width(shape_text(card.stage.output)) + 18)


def _page(rows: Sequence[_Row], image: str) -> tuple[str, float]:
    """All rows, and where they end."""
    parts, top = [], float(HEADER)
    width = max(max(row.width, row.heads_width) for row in rows)
    for index, row in enumerate(rows):
        axis = top + row.above
        if index == 0:
            parts += [_pill(0, axis, "image"), _connector(PILL, row.lefts[0], axis, axis, image)]
        parts += _draw_row(row, axis)
        bottom, heads = _draw_heads(row, axis, width)
        parts += heads
        last, out = row.width - row.end, axis + row.cards[-1].out
        shape = shape_text(row.cards[-1].stage.output)
        if index == len(rows) - 1:
            end = last + _gap(row.cards[-1])
            return moved(
                "\n".join([*parts, _connector(last, end, out, out, shape), _pill(end, out, "logits")]), MARGIN, 0
            ), bottom
        top = bottom + GUTTER
        after = rows[index + 1]
        right = width if any(card.heads for card in row.cards) else row.width
        parts.append(_wrap(last, right, out, bottom + GUTTER / 2, after.left, top + after.above, shape))
    raise AssertionError("a network has a classifier")


def _draw_row(row: _Row, axis: float) -> Iterator[str]:
    previous: _Card | None = None
    for card, left in zip(row.cards, row.lefts, strict=True):
        if previous is not None:
            start = left - _gap(previous)
            yield _connector(start, left, axis + previous.out, axis, shape_text(previous.stage.output))
        yield moved(_draw_card(card, row.above, row.below), left, axis)
        previous = card


def _draw_heads(row: _Row, axis: float, width: float) -> tuple[float, list[str]]:
    """Auxiliary heads below the cards that they start from, and where all ends."""
    bottom = axis + row.below
    heads = [(left, head) for card, left in zip(row.cards, row.lefts, strict=True) for head in card.heads]
    if not heads:
        return bottom, []
    above, below = (max(getattr(head, side) for _, head in heads) for side in ("above", "below"))
    low = bottom + GUTTER + above
    x = max(0.0, min(heads[0][0], width - row.heads_width))
    parts = []
    for order, (source, head) in enumerate(heads, start=1):
        start, left = source + 2 * CHANNEL * order, x + 2 * CHANNEL
        level = order if x < start else len(heads) + 1 - order  # so that lines do not cross
        middle = bottom + GUTTER * level / (len(heads) + 1)
        path = [(start, bottom), (start, middle), (x + CHANNEL, middle), (x + CHANNEL, low), (left, low)]
        parts.append(wire(path, tip=True, name="wire aux"))
        parts.append(moved(_draw_card(head, above, below, "card aux"), left, low))
        end = left + head.width
        shape = shape_text(head.stage.output)
        parts.append(_connector(end, end + _head_gap(head), low, low, shape, "wire aux"))
        x += _head_width(head)
    return low + below, parts


def _head_width(head: _Card) -> float:
    return 2 * CHANNEL + head.width + _head_gap(head)


def _head_gap(head: _Card) -> float:
    return text_width(shape_text(head.stage.output)) + 18


def _connector(start: float, end: float, y: float, down: float, shape: str, name: str = "wire") -> str:
    """The line from one card to the next, the shape above it."""
    turn = end - CHANNEL if y != down else end
    line = wire([(start, y), (turn, y), (turn, down), (end, down)], tip=True, name=name)
    return line + text((start + turn) / 2 - 2, y - 7, shape, "shape")


def _wrap(start: float, right: float, y: float, gutter: float, end: float, down: float, shape: str) -> str:
    """The line from the end of a row to the start of the next, the shape on it."""
    line = wire([(start, y), (right, y), (right, gutter), (0, gutter), (0, down), (end, down)], tip=True)
    return line + text(CHANNEL + text_width(shape) / 2 + 8, gutter + 3.5, shape, "shape")


def _pill(x: float, y: float, content: str) -> str:
    return rect(x, y - 12, PILL, 24, "badge", 12) + text(x + PILL / 2, y + 4, content, "pill badge-text")


# -- legend ---------------------------------------------------------------------------------------------------


def _legend(network: Plan, width: float, top: float) -> tuple[str, float]:
    """What colours and signs mean, of those that occur, and the height of the page."""
    parts, x, y = [], 0.0, top + 12
    for sign, meaning in _signs(network):
        step = 24 + text_width(meaning)
        if x + step > width - 2 * MARGIN:
            x, y = 0.0, y + 20
        parts.append(moved(sign + text(24, 4, meaning, "muted"), MARGIN + x, y))
        x += step + 14
    return "".join(parts), y + 24


def _signs(network: Plan) -> Iterator[tuple[str, str]]:
    stages = [*network.stages, *(head.stage for head in network.aux)]
    used = {
        node.kind
        for stage in stages
        for group in stage.groups
        for row in group.rows
        for unit in row
        for node in unit.nodes
    }
    for kind, name in CLASSES.items():
        if kind in used and kind in (Kind.NORM, Kind.ACTIVATION, Kind.DROPOUT):
            yield rect(7, -7, 5.5, 14, name, 1.5), kind.value
        elif kind in used:
            yield rect(0, -6, 18, 12, name, 3), kind.value
    for kind in (Kind.ADD, Kind.MULTIPLY, Kind.MIX, Kind.CONCAT):
        if kind in used:
            yield rect(7, -8, 6, 16, "bar", 2) if kind is Kind.CONCAT else draw_join(kind)[2], kind.value
    for name, meaning in (("share1", "parameters"), ("share2", "MACs")):
        yield rect(0, -2.5, 18, 5, name, 2.5), meaning
