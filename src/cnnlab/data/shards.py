"""Tar shards in WebDataset's layout, read at random by an index of where each image lies.

A shard is a plain .tar file whose members go together by key, the name up to its first dot:
`000001.jpg` with `000001.cls` (a class number or name) or `000001.json` (`{"label": …}`). Beside a class
file, labels that could all be its numbers are, whatever its names. One pass over the headers gives the
index, which is kept in the cache as long as a shard's size and time stay the same. Members are read where
they lie and never unpacked; links, devices and other such members are left alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from cnnlab.data.bounded import BoundedFile
from cnnlab.data.cache import cache_folder, read_arrays, write_arrays
from cnnlab.data.class_names import refuse_alike
from cnnlab.data.decode import DEFAULT_LIMITS, SUFFIXES, printable
from cnnlab.data.listing import Entry, Listing
from cnnlab.data.part_names import part_in_name
from cnnlab.data.shard_samples import ShardSamples, split_key
from cnnlab.errors import DataError, ImageError
from cnnlab.types import Split

CLASS_FILE = "classes.txt"
"""The class names, a line for each class number, beside the shards."""

MAX_LABEL_BYTES = 65_536
MAX_CLASSES = 1_000_000
MAX_DIGITS = 100
_INDEX_VERSION = 2  # an index of before would hide what is refused now

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ShardFiles:
    """Images inside shards: for each its shard's number, and the place and size of its bytes, all (N,)."""

    shards: tuple[Path, ...]
    shard: Indices
    offset: Indices
    size: Indices

    @property
    def folder(self) -> Path:
        """The folder of the shards."""
        return self.shards[0].parent

    def read(self, index: int) -> bytes:
        """Give the bytes of one image; raises `ImageError`, naming the shard, when it no longer has them."""
        path, size = self.shards[int(self.shard[index])], int(self.size[index])
        if size > DEFAULT_LIMITS.megabytes * 1e6:
            raise ImageError(f"{path.name}: {size / 1e6:.1f} MB; accepted: up to {DEFAULT_LIMITS.megabytes:g} MB")
        try:
            with path.open("rb") as file:
                file.seek(int(self.offset[index]))
                data = file.read(size)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror})") from None
        if len(data) < size:
            raise ImageError(f"{path}: cut short within the member at byte {self.offset[index]}; copy it anew")
        return data

    def num_bytes(self, index: int) -> int:
        """Say how long one image is."""
        return int(self.size[index])

    def path(self, index: int) -> None:
        """None: a member of a shard is no file of its own."""

    def take(self, indices: Indices) -> ShardFiles:
        """Give only the images at `indices` (M,)."""
        return replace(self, shard=self.shard[indices], offset=self.offset[indices], size=self.size[indices])


@dataclass(frozen=True, slots=True)
class _Sample:
    """One image of a shard: its member's name, its label as written, the place and size of its bytes."""

    name: str
    label: str
    offset: int
    size: int


def find_shards(folder: Path) -> list[Path]:
    """List the .tar files directly in `folder`, by name."""
    return sorted(path for path in folder.glob("*.tar") if path.is_file())


def scan_shards(folder: Path) -> tuple[Listing, ShardFiles]:
    """List the images of the shards in `folder`, entry i being file i; no image is opened.

    A shard whose name has "train", "val", "valid", "validation" or "test" as a word belongs to that
    part. Raises `DataError`, naming shard and byte, for a shard cut short or damaged, an image without
    label, a label that is no class, or a key that is twice in one part.
    """
    paths = find_shards(folder)
    samples = [(number, sample) for number, path in enumerate(paths) for sample in _index(path)]
    if not samples:
        raise DataError(f"the {len(paths)} shards of {folder} hold no images ({', '.join(SUFFIXES)})")
    labels = {sample.label for _, sample in samples}
    classes = _classes(folder, labels)
    # Numbers where all can be, as `pack` writes them: names such as "1", "2", "10" would take the numbers of others.
    known: set[str] = set() if all(_is_number(each, len(classes or ())) for each in labels) else set(classes or ())
    splits = [part_in_name(path.stem) for path in paths]
    _refuse_keys_twice(samples, paths, splits)
    entries = []
    for number, sample in samples:
        name = f"{paths[number].name}/{sample.name}"
        entries.append(Entry(name, _class_of(sample.label, classes, known, f"{folder}/{name}"), splits[number]))
    places = [(number, sample.offset, sample.size) for number, sample in samples]
    shard, offset, size = np.array(places, np.int64).T
    return Listing(tuple(entries), classes=classes), ShardFiles(tuple(paths), shard, offset, size)


def _refuse_keys_twice(samples: list[tuple[int, _Sample]], paths: list[Path], splits: list[Split | None]) -> None:
    """Refuse a key that two shards of one part have: a shard is there twice, or two images go by one name."""
    first: dict[tuple[Split | None, str], int] = {}
    for number, sample in samples:
        key = split_key(sample.name)[0]
        before = first.setdefault((splits[number], key), number)
        if before != number:
            raise DataError(
                f"{paths[number]}: {printable(sample.name)} has the same key as an image of {paths[before].name}; is "
                "one a copy of the other? Remove it, or give each image a key of its own"
            )


def _classes(folder: Path, labels: set[str]) -> tuple[str, ...] | None:
    """Give the classes in the order of their numbers: from the class file, or 0 to the largest; else None."""
    path = folder / CLASS_FILE
    if path.is_file():
        return _class_lines(path)
    if not all(map(_is_number, labels)):
        return None
    largest = max(map(int, labels))
    if largest >= MAX_CLASSES:
        raise DataError(f"{folder}: class number {largest}; accepted: up to {MAX_CLASSES - 1}")
    return tuple(map(str, range(largest + 1)))


def _class_lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); accepted: one class name per line, in UTF-8") from None
    names = tuple(line.strip() for line in lines if line.strip())
    try:
        refuse_alike(names, case=True)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return names


def _class_of(label: str, classes: tuple[str, ...] | None, known: set[str], where: str) -> str:
    if classes is None or label in known:
        return label
    if _is_number(label, len(classes)):
        return classes[int(label)]
    raise DataError(f"{where}: class {label!r}; accepted: 0 to {len(classes) - 1}, or a name in {CLASS_FILE}")


def _is_number(label: str, end: float = math.inf) -> bool:
    """Whether a label is a number below `end`; one of more digits than Python reads (4,300) is a name."""
    return label.isascii() and label.isdigit() and len(label) <= MAX_DIGITS and int(label) < end


def _index(path: Path) -> list[_Sample]:
    """Give the samples of a shard, from the cache where it knows this file of this size and time."""
    status = path.stat()
    facts = f"{_INDEX_VERSION} {path.resolve()} {status.st_size} {status.st_mtime_ns}"
    cached = (
        cache_folder()
        / "shards"
        / f"{hashlib.sha256(facts.encode('utf-8', 'surrogateescape')).hexdigest()}.safetensors"
    )
    with suppress(DataError):
        if cached.is_file():
            return _unpack(read_arrays(cached))
    samples = _read_shard(path)
    with suppress(DataError):  # a full or read-only disk: read again next time
        write_arrays(cached, _pack(samples))
    return samples


def _pack(samples: list[_Sample]) -> dict[str, npt.NDArray[np.uint8]]:
    texts = json.dumps([(each.name, each.label) for each in samples]).encode()
    places = np.array([(each.offset, each.size) for each in samples], np.int64).reshape(-1, 2)
    return {"texts": np.frombuffer(texts, np.uint8), "places": places.view(np.uint8)}


def _unpack(arrays: dict[str, npt.NDArray[np.uint8]]) -> list[_Sample]:
    texts = json.loads(arrays["texts"].tobytes())
    places = np.ascontiguousarray(arrays["places"]).view(np.int64).tolist()
    return [_Sample(name, label, *place) for (name, label), place in zip(texts, places, strict=True)]


def _read_shard(path: Path) -> list[_Sample]:
    """Go once through the headers of a shard, and read its labels."""
    samples = ShardSamples(str(path))
    with _open_tar(path) as tar:
        for member in _members(tar, path):
            if samples.is_label(member):
                samples.add_label(member, _read_label(tar, member, f"{path}: {printable(member.name)}"))
            else:
                samples.add_image(member)
    return [_Sample(image.name, label, image.offset_data, image.size) for image, label in samples.labelled()]


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with path.open("rb") as file:
            bounded = BoundedFile(file, str(path), math.inf)
            with tarfile.open(fileobj=cast(BinaryIO, bounded), mode="r:") as tar:
                yield tar
    except (tarfile.TarError, OSError, ValueError) as error:
        raise DataError(f"{path}: no readable tar file ({error}); copy or make it anew") from None


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Give the regular members of a tar whose names do not lead out of it.

    Raises `DataError` when it ends before its end mark, which tarfile would take for the end.
    """
    try:
        for member in tar:
            cast(BoundedFile, tar.fileobj).next_member()
            outside = member.name.startswith("/") or ".." in member.name.split("/")
            if member.isreg() and not member.issparse() and not outside:
                yield member
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _cut_short(path, tar.offset, str(error)) from None
    with path.open("rb") as file:
        file.seek(tar.offset)
        mark = file.read(tarfile.BLOCKSIZE)
    if mark != bytes(tarfile.BLOCKSIZE):
        raise _cut_short(path, tar.offset, "neither a member nor the end mark")


def _cut_short(path: Path, offset: int, seen: str) -> DataError:
    size = path.stat().st_size
    return DataError(
        f"{path}: cut short or damaged at byte {offset:,} of {size:,} ({seen}); copy or make this shard anew"
    )


def _read_label(tar: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.size > MAX_LABEL_BYTES:
        raise DataError(f"{where}: {member.size} bytes; a label has up to {MAX_LABEL_BYTES}")
    return file.read()
