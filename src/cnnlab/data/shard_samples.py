"""The members of a shard put together by key: each image with its label, whatever their order.

The key of a member is its name up to the first dot of its last part, as WebDataset has it: `a/1.jpg` and `a/1.cls` have
the key `a/1`. A key that is there twice is refused, as its labels could not be told apart.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import Any

from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.errors import DataError

_ACCEPTED = 'accepted: {"label": a name or a whole number} in .json, a class in .cls'


def split_key(name: str) -> tuple[str, str]:
    """Part a member's name into its key and its ending: `a/img.left.jpg` into `a/img` and `left.jpg`."""
    folder, _, base = name.rpartition("/")
    key, _, ending = base.partition(".")
    return f"{folder}/{key}", ending.lower()


class ShardSamples:
    """The images and labels of the shard `path`, as they are added."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._images: dict[str, tarfile.TarInfo] = {}
        self._with_dots: dict[str, tarfile.TarInfo] = {}
        self._labels: dict[str, dict[str, str | DataError]] = {"cls": {}, "json": {}}

    def is_label(self, member: tarfile.TarInfo) -> bool:
        """Whether a member is read with `add_label`."""
        return split_key(member.name)[1] in self._labels

    def add_image(self, member: tarfile.TarInfo) -> None:
        """Add a member that may be an image; others are left alone.

        Raises:
            DataError: there is an image of this key already.
        """
        key, ending = split_key(member.name)
        if f".{ending}" in SUFFIXES:
            if key in self._images:
                raise self._twice(self._images[key].name, member.name, key)
            self._images[key] = member
        elif ending.endswith(SUFFIXES):
            self._with_dots.setdefault(key, member)

    def add_label(self, member: tarfile.TarInfo, data: bytes) -> None:
        """Add a label; where a key has both, .cls counts, and .json may say other things.

        Raises:
            DataError: there is one of this key already, or .cls has no class.
        """
        key, ending = split_key(member.name)
        if key in self._labels[ending]:
            raise self._twice(member.name, member.name, key)
        where = f"{self._path}: {printable(member.name)}"
        if ending == "cls":
            self._labels[ending][key] = _label_of_text(data, where)
            return
        try:
            self._labels[ending][key] = _label_of_json(data, where)
        except DataError as error:
            self._labels[ending][key] = error

    def labelled(self) -> Iterator[tuple[tarfile.TarInfo, str]]:
        """Yield each image with its label, in the order of the images.

        Raises:
            DataError: an image has no label, or a key with dots.
        """
        for key, member in self._with_dots.items():
            if key not in self._images:
                raise self._dots(member.name, key)
        for key, image in self._images.items():
            label = self._labels["cls"].get(key) or self._labels["json"].get(key)
            if label is None:
                where = f"{self._path}: {printable(image.name)}"
                raise DataError(f"{where} has no label; accepted: a member .cls or .json of the same key")
            if isinstance(label, DataError):
                raise label
            yield image, label

    def _twice(self, first: str, second: str, key: str) -> DataError:
        same = first == second
        names = f"{printable(second)} is there twice" if same else f"{printable(first)} and {printable(second)}"
        return DataError(
            f"{self._path}: {names}, with one key, {printable(key.removeprefix('/'))!r} (the name up to its first "
            "dot): which label belongs to which image cannot be told; make this shard again with a key for each image"
        )

    def _dots(self, name: str, key: str) -> DataError:
        shown, plain = printable(name), printable(key.removeprefix("/"))
        example = shown.replace(".", "_", shown.count(".") - 1)
        return DataError(
            f"{self._path}: {shown} has the key {plain!r}, its name up to the first dot, and no image {plain}.jpg is "
            f"there; name each image and its label with one dot, such as {example}"
        )


def _label_of_text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise DataError(f"{where}: no label in it; {_ACCEPTED}") from None
    if not text or (text[0] in "[{" and text[-1] in "]}"):
        raise _no_class(text, where)
    return text


def _label_of_json(data: bytes, where: str) -> str:
    try:
        label: Any = json.loads(data)["label"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{where}: no label in it; {_ACCEPTED}") from None
    if isinstance(label, bool) or not isinstance(label, (str, int)) or not str(label).strip():
        raise _no_class(json.dumps(label), where)
    return str(label).strip()


def _no_class(shown: str, where: str) -> DataError:
    short = f"{shown[:40]}…" if len(shown) > 40 else shown or "nothing"
    return DataError(f"{where}: the label is {short}; {_ACCEPTED}; several labels an image are not supported")
