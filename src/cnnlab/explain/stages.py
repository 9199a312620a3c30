"""A network's data flow as a reader wants it: stages, in them blocks, and equal blocks in a row together.

Layers come first: a convolution with the normalisation and activation beside it is one item. Where all data flows
through one item the network can be cut; what lies between two cuts is a unit, a single layer or a block with its
shortcut or branches. The names that `features` gives say where a stage ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cnnlab.explain.graph import Graph, Kind, Node

STRIPS = (Kind.NORM, Kind.ACTIVATION, Kind.DROPOUT)
JOINS = (Kind.ADD, Kind.CONCAT, Kind.MULTIPLY, Kind.MIX)
LONGEST_ROW = 4  # equal single layers in a row that are still drawn one by one


@dataclass
class Item:
    """A layer or join (`core`) with the normalisations and activations before and after it, or these alone.

    `inputs` are indices of earlier items, 0 the image.
    """

    core: Node | None
    before: list[Node]
    after: list[Node]
    inputs: tuple[int, ...]
    last: int  # index of its last node

    @property
    def nodes(self) -> list[Node]:
        """All of it, in order."""
        return [*self.before, *([self.core] if self.core else []), *self.after]

    @property
    def is_join(self) -> bool:
        """Whether it is an addition, concatenation or the like."""
        return self.core is not None and self.core.kind in JOINS

    @property
    def output(self) -> tuple[int, ...]:
        """Shape without the batch."""
        return self.nodes[-1].output


@dataclass(frozen=True)
class Unit:
    """Items between two cuts; `inputs` of each item count from the unit's first, -1 being the cut before."""

    items: tuple[Item, ...]
    inputs: tuple[tuple[int, ...], ...]

    @property
    def is_block(self) -> bool:
        """Whether it has branches or a shortcut."""
        return len(self.items) > 1

    @property
    def nodes(self) -> list[Node]:
        """All operations in it."""
        return [node for item in self.items for node in item.nodes]


@dataclass(frozen=True)
class Group:
    """Units in a row, which repeat: `rows[0]` is the first time, as many units in each row."""

    rows: tuple[tuple[Unit, ...], ...]

    @property
    def repeats(self) -> int:
        """How many times."""
        return len(self.rows)


@dataclass(frozen=True)
class Stage:
    """A named part: its groups in order, the shape that leaves it, and what it costs."""

    title: str
    groups: tuple[Group, ...]
    output: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class AuxStage:
    """An auxiliary head: where it leaves (stage and the name of the feature) and what is in it."""

    stage: Stage
    source_stage: int
    source: str


@dataclass(frozen=True)
class Plan:
    """The whole network: the image's shape, its stages, its auxiliary heads."""

    image: tuple[int, ...]
    stages: tuple[Stage, ...]
    aux: tuple[AuxStage, ...]


def plan(graph: Graph) -> Plan:
    """Stages, blocks and repeats of a network."""
    main = _needed(graph, graph.logits)
    items, item_of = _items(graph, main, ends=list(graph.features.values()))
    cuts = _cuts(items)
    units = _cut(items, cuts)
    ends = _ends(graph, items, item_of, cuts)
    stages, until = [], [0, *ends.values(), len(units)]
    for title, start, end in zip([*ends, "classifier"], until, until[1:], strict=False):
        if end > start:
            stages.append(_stage(title, units[start:end]))
    stages = _merged(stages)
    return Plan(graph.nodes[0].output, tuple(stages), tuple(_aux(graph, main, stages)))


def depth(plan: Plan) -> int:
    """Convolutions and linear layers on the longest way from the image to the logits, past those of gates."""
    return sum(_longest(unit) for stage in plan.stages for unit in _units(stage))


def _longest(unit: Unit) -> int:
    lengths: list[int] = []
    for item, inputs in zip(unit.items, unit.inputs, strict=True):
        counted = inputs[:1] if item.core and item.core.kind is Kind.MULTIPLY else inputs
        before = max((lengths[each] for each in counted if each >= 0), default=0)
        lengths.append(before + sum(node.macs > 0 for node in item.nodes))
    return lengths[-1]


def _units(stage: Stage) -> Iterator[Unit]:
    return (unit for group in stage.groups for row in group.rows for unit in row)


# -- items ----------------------------------------------------------------------------------------------------


def _needed(graph: Graph, end: int, known: Iterable[int] = ()) -> list[int]:
    """The nodes that `end` depends on, without those `known` already, in order."""
    found, seen, waiting = [], set(known), [end]
    while waiting:
        index = waiting.pop()
        if index not in seen:
            seen.add(index)
            found.append(index)
            waiting += graph.nodes[index].inputs
    return sorted(found)


def _items(graph: Graph, indices: Sequence[int], ends: Sequence[int] = ()) -> tuple[list[Item], dict[int, int]]:
    """The items made of these nodes, and which item each node is in; nodes outside count as item 0.

    An item goes no further than a node of `ends`.
    """
    uses = dict.fromkeys(indices, 0)
    for index in indices:
        for each in graph.nodes[index].inputs:
            uses[each] = uses.get(each, 0) + 1
    items = [Item(graph.nodes[0], [], [], (), indices[0] if indices[0] == 0 else -1)]
    item_of = {0: 0}
    for index in indices:
        node = graph.nodes[index]
        if index == 0:
            continue
        inputs = tuple(item_of.get(each, 0) for each in node.inputs)
        alone = len(inputs) == 1 and uses[node.inputs[0]] == 1 and inputs[0] > 0
        if alone and items[inputs[0]].last not in ends and _attach(items[inputs[0]], node):
            items[inputs[0]].last = index
        elif node.kind in STRIPS:
            items.append(Item(None, [node], [], inputs, index))
            inputs = (len(items) - 1,)
        else:
            items.append(Item(node, [], [], inputs, index))
            inputs = (len(items) - 1,)
        item_of[index] = inputs[0]
    return items, item_of


def _attach(item: Item, node: Node) -> bool:
    """Add a node to the item that feeds it, where the two belong together."""
    if item.core is None:
        item.before.append(node) if node.kind in STRIPS else None
        if node.kind not in STRIPS and node.kind not in JOINS:
            item.core = node
            return True
        return node.kind in STRIPS
    pre_activated = any(each.kind is not Kind.DROPOUT for each in item.before)
    if node.kind not in STRIPS or pre_activated:  # a norm after a pre-activated layer belongs to the next one
        return False
    if item.is_join and node.kind is Kind.NORM:
        return False
    item.after.append(node)
    return True


def _cuts(items: Sequence[Item]) -> list[int]:
    """The items through which all data flows, item 0 first."""
    last_use = list(range(len(items)))
    for index, item in enumerate(items):
        for each in item.inputs:
            last_use[each] = max(last_use[each], index)
    cuts, reach = [], 0
    for index in range(len(items)):
        if reach <= index:
            cuts.append(index)
        reach = max(reach, last_use[index])
    return cuts


def _cut(items: Sequence[Item], cuts: Sequence[int]) -> list[Unit]:
    """What lies between the cuts, each unit with the item at which it ends."""
    units = []
    for before, end in pairwise(cuts):
        inputs = (tuple(max(each - before - 1, -1) for each in item.inputs) for item in items[before + 1 : end + 1])
        units.append(Unit(tuple(items[before + 1 : end + 1]), tuple(inputs)))
    return units


# -- stages ---------------------------------------------------------------------------------------------------


def _ends(graph: Graph, items: Sequence[Item], item_of: dict[int, int], cuts: Sequence[int]) -> dict[str, int]:
    """The names of maps at which the network can be cut, and how many units come before."""
    ends: dict[str, int] = {}
    for name, index in graph.features.items():
        item = item_of.get(index)
        if item in cuts:
            ends[name] = cuts.index(item)
    return ends


def _stage(title: str, units: Sequence[Unit]) -> Stage:
    nodes = [node for unit in units for node in unit.nodes]
    return Stage(
        title=title,
        groups=tuple(_groups(units)),
        output=nodes[-1].output,
        parameters=sum(node.parameters for node in nodes),
        macs=sum(node.macs for node in nodes),
    )


def _merged(stages: Sequence[Stage]) -> list[Stage]:
    """Stages of one number (4a, 4b, ...) together, and those without a weighted layer with the one before."""
    merged: list[Stage] = []
    for stage in stages:
        light = not any(node.layers for unit in _units(stage) for node in unit.nodes)
        related = merged and _number(stage.title) is not None and _number(stage.title) == _number(merged[-1].title)
        if not merged or not (light or related):
            merged.append(stage)
            continue
        before = merged.pop()
        title = f"{before.title.split('–')[0]}–{stage.title[-1]}" if related else f"{before.title}, {stage.title}"
        merged.append(_stage(title, [*_units(before), *_units(stage)]))
    return merged


def _number(title: str) -> str | None:
    """The part before the letter in names such as inception4a."""
    found = re.fullmatch(r"(.*\d)[a-z]", title.split("–")[0])
    return found[1] if found else None


def _aux(graph: Graph, main: Sequence[int], stages: Sequence[Stage]) -> Iterator[AuxStage]:
    place = {id(item.nodes[-1]): index for index, each in enumerate(stages) for u in _units(each) for item in u.items}
    names = {index: name for name, index in graph.features.items()}
    for title, end in graph.aux.items():
        own = _needed(graph, end, known=main)
        source = graph.nodes[own[0]].inputs[0]
        items, _ = _items(graph, own)
        yield AuxStage(_stage(title, _cut(items, _cuts(items))), place[id(graph.nodes[source])], names.get(source, ""))


# -- repeats --------------------------------------------------------------------------------------------------


def _groups(units: Sequence[Unit]) -> Iterator[Group]:
    """Units in order, those that repeat, alone or in pairs, as one group."""
    signatures = [_signature(unit) for unit in units]
    start = 0
    while start < len(units):
        period, repeats = max(((period, _count(signatures, start, period)) for period in (1, 2)), key=_saved)
        if not _worth_folding(units[start : start + period], repeats):
            period, repeats = 1, 1
        rows = [tuple(units[start + row * period :][:period]) for row in range(repeats)]
        yield Group(tuple(rows))
        start += period * repeats


def _saved(found: tuple[int, int]) -> int:
    period, repeats = found
    return period * (repeats - 1)


def _worth_folding(row: Sequence[Unit], repeats: int) -> bool:
    blocks = any(unit.is_block for unit in row)
    return repeats > 1 and (blocks or len(row) * repeats > LONGEST_ROW)


def _count(signatures: Sequence[object], start: int, period: int) -> int:
    """How many times in a row the `period` units from `start` come."""
    first = signatures[start : start + period]
    count = 1
    while len(first) == period and signatures[start + count * period :][:period] == first:
        count += 1
    return count


def _signature(unit: Unit) -> object:
    """What has to be equal in blocks that are drawn as one; widths of single layers too."""
    items = tuple(
        (
            tuple((node.kind, node.label) for node in item.before),
            item.core and (item.core.kind, item.core.label, item.core.groups if not unit.is_block else None),
            tuple((node.kind, node.label) for node in item.after),
        )
        for item in unit.items
    )
    return items, unit.inputs, None if unit.is_block else unit.items[-1].output
