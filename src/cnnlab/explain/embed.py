"""What a named layer makes of many images: one row of numbers an image, and two of them for a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.photos import read_ahead
from cnnlab.data.preprocess import normalise, prepare
from cnnlab.errors import ImageError, UsageError
from cnnlab.explain.layers import evaluating, recorded
from cnnlab.models.layers import Network
from cnnlab.types import Preprocess

Pixels = npt.NDArray[np.uint8]

BATCH = 64
LEAST_FOR_TSNE = 10


@dataclass(frozen=True)
class Features:
    """What a layer gives for images: float32 (M, D), or (M, C, H, W) with places kept.

    `indices` (M,) number the images that could be read, `refused` are those that could not, with the reason.
    """

    values: Tensor
    indices: Tensor
    refused: tuple[tuple[int, str], ...] = ()


def features(
    network: Network,
    read: Callable[[int], Pixels],
    count: int,
    preprocess: Preprocess,
    *,
    layer: str,
    places: bool = False,
    device: torch.device | None = None,
) -> Features:
    """Run `count` images, which `read` gives as uint8 (H, W, C), and keep what `layer` puts out.

    Maps (C, H, W) are averaged over their places to (C,), unless `places` keeps them. `read` may raise `ImageError`
    and is called in threads, a few images ahead.

    Raises:
        UnknownNameError: there is no such layer.
        UsageError: the images are of different sizes, and `places` are to be kept.
    """
    rows: list[Tensor] = []
    indices: list[int] = []
    refused: list[tuple[int, str]] = []
    with evaluating(network), torch.no_grad():
        for numbers, images in _batches(read, count, preprocess, refused):
            batch = normalise(images.to(device or images.device), preprocess)
            with recorded(network, layer) as found:
                network(batch)
            if not found:
                raise UsageError(f"layer {layer!r} did not run; name one that forward uses")
            rows.append(_rows(found[-1], places).float().cpu())
            indices += numbers
    if places and len({row.shape[1:] for row in rows}) > 1:
        raise UsageError("the images give maps of different sizes; leave --places out, or prepare them to one size")
    values = torch.cat(rows) if rows else torch.empty(0, 0)
    return Features(values, torch.tensor(indices, dtype=torch.int64), tuple(refused))


def _rows(output: Tensor, places: bool) -> Tensor:
    return output if places or output.ndim == 2 else output.flatten(2).mean(dim=2)


def _batches(
    read: Callable[[int], Pixels], count: int, preprocess: Preprocess, refused: list[tuple[int, str]]
) -> Iterator[tuple[list[int], Tensor]]:
    """The images ready to normalise, as many of one size in a row as there are, at most BATCH; the rest refused."""
    numbers: list[int] = []
    waiting: list[Tensor] = []
    for index, image in enumerate(read_ahead(lambda i: ready(read(i), preprocess), range(count))):
        if isinstance(image, ImageError):
            refused.append((index, str(image)))
            continue
        if waiting and (len(waiting) == BATCH or waiting[-1].shape != image.shape):
            yield numbers, torch.stack(waiting)
            numbers, waiting = [], []
        numbers.append(index)
        waiting.append(image)
    if waiting:
        yield numbers, torch.stack(waiting)


def ready(image: Pixels, preprocess: Preprocess) -> Tensor:
    """An image (H, W, 3), or (H, W, 1) of a grey set, as the network wants it: uint8 (C, h, w)."""
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    writable = np.require(prepare(image, preprocess), requirements=["C", "W"])  # torch warns of read-only memory
    return torch.from_numpy(writable)


def principal_components(values: Tensor, count: int = 2) -> tuple[Tensor, Tensor]:
    """Rows (M, D) along their `count` directions of largest variance: (M, count), and the share each explains.

    Signs are such that the largest number of each direction is positive.
    """
    flat = values.flatten(1).double()
    flat = flat - flat.mean(0)
    _, sizes, directions = torch.linalg.svd(flat, full_matrices=False)
    directions = directions[:count]
    signs = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True)).sign()
    shares = sizes.square() / sizes.square().sum().clamp_min(1e-30)
    return (flat @ (directions * signs).T).float(), shares[:count].float()


def neighbours(values: Tensor, seed: int = 0) -> Tensor:
    """Rows (M, D) laid out so that near ones stay near, (M, 2): t-SNE, van der Maaten and Hinton 2008.

    Raises:
        UsageError: scikit-learn is not installed, or there are fewer than 10 rows.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError("t-SNE needs scikit-learn: pip install scikit-learn; or leave --tsne out for PCA") from None
    if len(values) < LEAST_FOR_TSNE:
        raise UsageError(f"{len(values)} images are too few for t-SNE; give {LEAST_FOR_TSNE} or more")
    reduced = principal_components(values, min(50, len(values)))[0].numpy()
    perplexity = min(30.0, len(values) / 4)
    made = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return torch.from_numpy(np.asarray(made, np.float32))
