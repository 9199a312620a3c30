"""Global contrast normalisation and ZCA whitening, as maxout and Network in Network prepared CIFAR.

The numbers are those of pylearn2's CIFAR-10: each image scaled to norm 55, 0.1 added to the eigenvalues
(recalled, not checked against its source). A whitening is 38 MB for CIFAR, so a `Preprocess` holds only its
SHA-256; the tensors are kept here for the process, and beside the weights in `FILE`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnnlab.errors import DataError, UsageError
from cnnlab.types import Preprocess

FILE = "whitening.safetensors"
MAX_VALUES = 4096
"""The most values an image to whiten may have: its matrix has the square of them."""

_CIFAR_NORM, _CIFAR_VALUES = 55.0, 3072
_ADDED_TO_EIGENVALUES = 0.1
_CHUNK_IMAGES = 1000


@dataclass(frozen=True)
class Whitening:
    """ZCA of images with V = C*H*W values: `mean` float32 (V,), `matrix` float32 (V, V), symmetric."""

    mean: Tensor
    matrix: Tensor


_known: dict[str, Whitening] = {}
_on_device: dict[tuple[str, str], Whitening] = {}


def contrast_norm_for(num_values: int) -> float:
    """Give the norm that images of `num_values` values are scaled to: 55 for CIFAR's, the same deviation for all."""
    return _CIFAR_NORM * math.sqrt(num_values / _CIFAR_VALUES)


def normalise_contrast(images: Tensor, norm: float) -> Tensor:
    """Subtract each image's own mean and scale its values to Euclidean norm `norm`: float32 (N, C, H, W)."""
    values = images.to(torch.float32)
    values = values - values.mean((1, 2, 3), keepdim=True)
    lengths = values.square().sum((1, 2, 3), keepdim=True).sqrt_()
    return values * (norm / lengths.clamp_(min=1e-8))


def measure_whitening(images: Tensor, contrast_norm: float) -> str:
    """Measure the ZCA of uint8 images (N, C, H, W) after contrast normalisation, and give its SHA-256.

    Takes half a minute for CIFAR-10. Raises `UsageError` for images of more than `MAX_VALUES` values.
    """
    num_values = images[0].numel()
    if num_values > MAX_VALUES:
        raise UsageError(f"ZCA of images of {num_values} values; accepted: up to {MAX_VALUES} (36 x 36 RGB)")
    total = torch.zeros(num_values, dtype=torch.float64)
    products = torch.zeros(num_values, num_values, dtype=torch.float64)
    for chunk in torch.split(images, _CHUNK_IMAGES):
        values = normalise_contrast(chunk, contrast_norm).flatten(1).double()
        total += values.sum(0)
        products.addmm_(values.T, values)
    mean = total / len(images)
    eigenvalues, axes = torch.linalg.eigh(products / len(images) - mean[:, None] * mean)
    scales = (eigenvalues.clamp(min=0) + _ADDED_TO_EIGENVALUES).rsqrt()
    return remember(Whitening(mean.float(), ((axes * scales) @ axes.T).float()))


def remember(whitening: Whitening) -> str:
    """Keep a whitening for this process, and give its SHA-256, which `Preprocess.whitening` holds."""
    digest = hashlib.sha256(whitening.mean.numpy().tobytes() + whitening.matrix.numpy().tobytes()).hexdigest()
    _known[digest] = whitening
    return digest


def whiten(values: Tensor, digest: str) -> Tensor:
    """Whiten contrast-normalised images float32 (N, C, H, W); the result is channels_last.

    Raises `UsageError` when the whitening was not read, or is for another size.
    """
    if digest not in _known:
        raise UsageError(f"the whitening {digest[:12]}… was not read; load the network with its folder's {FILE}")
    known = _known[digest]
    if values[0].numel() != len(known.mean):
        raise UsageError(f"images of {values[0].numel()} values; this whitening is for {len(known.mean)}")
    place = (digest, str(values.device))
    if place not in _on_device:
        _on_device[place] = Whitening(known.mean.to(values.device), known.matrix.to(values.device))
    there = _on_device[place]
    white = (values.flatten(1) - there.mean) @ there.matrix
    return white.view(values.shape).contiguous(memory_format=torch.channels_last)


def save_whitening(preprocess: Preprocess, folder: Path) -> None:
    """Write the whitening of `preprocess` into `folder`, where it has one."""
    if preprocess.whitening is not None:
        known = _known[preprocess.whitening]
        save_file({"mean": known.mean, "matrix": known.matrix}, folder / FILE)


def load_whitening(preprocess: Preprocess, folder: Path) -> None:
    """Read the whitening of `preprocess` from `folder`, where it has one.

    Raises `DataError` when it is missing, damaged or another one.
    """
    if preprocess.whitening is None or preprocess.whitening in _known:
        return
    path = folder / FILE
    try:
        tensors = load_file(path)
        digest = remember(Whitening(tensors["mean"], tensors["matrix"]))
    except (SafetensorError, OSError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}); copy the whole folder anew") from None
    if digest != preprocess.whitening:
        raise DataError(f"{path} is another whitening than the network was trained with; copy the whole folder anew")
