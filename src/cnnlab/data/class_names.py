"""Names of classes: which two cannot be told apart, and which class a label of a list means."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cnnlab.data.decode import printable
from cnnlab.errors import DataError

_SHOWN = 5


def visible(name: str) -> str:
    """A name in quotes; with its escapes where something in it cannot be seen or told from something else."""
    if name.isascii():
        return repr(name)
    plain = name.isprintable() and unicodedata.normalize("NFC", name) == name
    return repr(name) if plain else ascii(name)


def refuse_alike(names: Iterable[str], *, case: bool = False) -> None:
    """Refuse names of classes of which a reader would take two for one; with `case`, Cardigan and cardigan may be two.

    Raises:
        DataError: two differ only in case, in spaces, in signs that cannot be seen, in their Unicode form, or not.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_as_read(name) if not case else _visible_part(name)].append(name)
    if "" in groups:
        raise DataError(f"a class without a name that can be seen: {visible(groups[''][0])}; rename it")
    alike = [sorted(group) for group in groups.values() if len(group) > 1]
    if alike:
        shown = "; ".join(" and ".join(map(visible, group)) for group in alike[:_SHOWN])
        more = f"; and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
        raise DataError(
            f"classes that look alike, but for case, spaces, invisible signs and Unicode form: {shown}{more}; rename "
            "or merge them"
        )


def _as_read(name: str) -> str:
    """What of a name can be seen, in small letters."""
    return _visible_part(unicodedata.normalize("NFC", name).casefold())


def _visible_part(name: str) -> str:
    text = unicodedata.normalize("NFC", name)
    return "".join(each for each in text if not each.isspace() and unicodedata.category(each) not in ("Cf", "Cc"))


def classes_of_labels(labels: Mapping[str, str], classes: Sequence[str]) -> dict[str, str]:
    """Which of `classes` each of `labels` means, {label: class}; labels are given with where each was seen first.

    They are names, or all of them are numbers: of the classes' own names where these are numbers, or counting the
    sorted classes from 0.

    Raises:
        DataError: one is neither, or the numbers can be read in two ways.
    """
    known = set(classes)
    if all(label in known for label in labels) and not all(map(_is_number, labels)):
        return {label: label for label in labels}
    if not all(map(_is_number, labels)):
        raise _partly_names(labels, classes)
    readings = _readings(sorted(labels, key=int), classes)
    if len(readings) == 1 and "counting from 1" not in readings:
        return next(iter(readings.values()))
    if not readings:
        label = next((each for each in labels if each not in known and int(each) >= len(classes)), next(iter(labels)))
        raise _no_class(label, labels[label], classes)
    raise _two_readings(readings, next(iter(labels.values())))


def _readings(labels: Sequence[str], classes: Sequence[str]) -> dict[str, dict[str, str]]:
    """All ways to read numbers that differ, by what they are called."""
    numbers = [int(label) for label in labels]
    by_text, by_number = sorted(classes), sorted(classes, key=int) if all(map(_is_number, classes)) else []
    own = {int(name): name for name in by_number}
    readings = {}
    if by_number and len(own) == len(classes) and all(number in own for number in numbers):
        readings["as names of classes"] = {label: own[int(label)] for label in labels}
    if sorted(own) == list(range(len(classes))):
        return readings  # classes 0, 1, 2, …: counting in their order is the same
    for what, order in (("counting the sorted classes from 0", by_text), ("counting by size from 0", by_number)):
        if order and max(numbers) < len(order):
            readings[what] = {label: order[int(label)] for label in labels}
    if not own and min(numbers) >= 1 and max(numbers) <= len(classes):
        readings["counting from 1"] = {label: by_text[int(label) - 1] for label in labels}
    distinct: dict[str, dict[str, str]] = {}
    for what, reading in readings.items():
        if reading not in distinct.values():
            distinct[what] = reading
    return distinct


def _two_readings(readings: Mapping[str, Mapping[str, str]], where: str) -> DataError:
    shown = "; or ".join(
        f"{what}: {', '.join(f'{label} is {name!r}' for label, name in list(reading.items())[:3])}"
        for what, reading in readings.items()
    )
    may = "can be read in several ways" if len(readings) > 1 else "do not count from 0"
    return DataError(f"{where}: the labels are numbers, which {may}: {shown}. Write the names of the classes instead")


def _partly_names(labels: Mapping[str, str], classes: Sequence[str]) -> DataError:
    """The error for labels that are neither all names nor all numbers."""
    unknown = [label for label in labels if label not in classes]
    neither = [label for label in unknown if not (_is_number(label) and int(label) < len(classes))]
    if neither:
        return _no_class(neither[0], labels[neither[0]], classes)
    name = next(label for label in labels if label in classes)
    return DataError(
        f"{labels[unknown[0]]}: class {unknown[0]!r} is a number, and {name!r} ({labels[name]}) a name; write all as "
        "names"
    )


def _no_class(label: str, where: str, classes: Sequence[str]) -> DataError:
    alike = [name for name in classes if _as_read(name) == _as_read(label)]
    if alike:
        return DataError(
            f"{where}: class {visible(label)} looks like {visible(alike[0])}, which is another name; write it as the "
            "class is called"
        )
    shown = ", ".join(map(printable, classes[:_SHOWN])) + (", …" if len(classes) > _SHOWN else "")
    return DataError(
        f"{where}: class {label!r}; accepted: a class of train, or 0 to {len(classes) - 1} in its sorted order: {shown}"
    )


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) < 20
