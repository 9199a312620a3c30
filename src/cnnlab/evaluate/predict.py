"""One pass of a network over images: probabilities, which every metric reuses."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.data.loader import eval_batches
from cnnlab.data.parts import Part, name_of
from cnnlab.data.photos import Photos, read_ahead
from cnnlab.data.preprocess import normalise
from cnnlab.data.unreadable import Unreadable
from cnnlab.errors import ImageError, UsageError
from cnnlab.evaluate.dense import fully_convolutional
from cnnlab.evaluate.protocols import Pixels, Protocol, View, adjust, input_pixels, looks, own_crop
from cnnlab.models.describe import count_macs
from cnnlab.models.layers import Network
from cnnlab.types import Preprocess

BATCH = 500
PIXELS_AT_ONCE = 2**21  # of all images in a batch: what the activations of the widest networks leave memory for
PIXELS_A_THREAD = 2**16  # of these on a CPU: maps that stay in its cache are worth more there than large batches


@torch.inference_mode()
def view_probabilities(network: nn.Module, images: Tensor, protocol: Protocol) -> Tensor:
    """Softmax probabilities (N, K) of a batch (N, C, H, W), averaged over the protocol's views.

    The images are what the network sees: normalised, and of its own size.

    Raises:
        UsageError: the protocol needs the original images.
    """
    if not protocol.keeps_to_the_crop:
        raise UsageError(f"protocol {protocol.name} needs the original images, not ready-made crops")
    weighted = [view.weight * network(adjust(images, view)).float().softmax(dim=1) for view in protocol.views]
    return torch.stack(weighted).sum(dim=0)


def predict_probabilities(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], protocol: Protocol
) -> tuple[Tensor, Tensor]:
    """Probabilities (N, K) float32 and labels (N,) of all batches, in order, on the CPU.

    The network is put in evaluation mode for the pass and back in its own mode after it.
    """
    with _evaluating(network):
        pairs = [(view_probabilities(network, images, protocol).cpu(), labels.cpu()) for images, labels in batches]
    return torch.cat([each for each, _ in pairs]), torch.cat([each for _, each in pairs])


def pixels_at_once(device: torch.device) -> int:
    """How many pixels go through a network together, of all images of a batch."""
    return min(PIXELS_AT_ONCE, PIXELS_A_THREAD * torch.get_num_threads()) if device.type == "cpu" else PIXELS_AT_ONCE


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


# -- a part of a data set --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a network says of the images of a part: probabilities float32 (N, K), labels (N,), on the CPU.

    `indices` (N,) say where in the part the images are; `bad` names the images left out, each with its reason.
    """

    probabilities: Tensor
    labels: Tensor
    indices: Tensor
    bad: tuple[str, ...] = ()


Predict = Callable[..., Outcome]
"""A function that does what `predict_part` does."""


def predict_part(
    network: Network,
    part: Part | Photos,
    protocol: Protocol,
    preprocess: Preprocess,
    device: torch.device,
    *,
    max_bad: float = 0.01,
) -> Outcome:
    """Let a network answer every image of a part by `protocol`.

    Views are cut from the original images, which are a part's own where it lies in memory. Photos are decoded ahead
    and dropped once answered, so memory does not grow with their number.

    Raises:
        UsageError: the protocol is impossible for the network.
        DataError: more than the share `max_bad` of the images cannot be read (one may be, unless it is 0).
    """
    if isinstance(part, Part) and protocol.keeps_to_the_crop and _ready(part, preprocess):
        return _predict_ready(network, part, protocol, preprocess, device)
    unreadable = Unreadable(len(part), max_bad, "testing")
    rows: dict[int, Tensor] = {}
    read = partial(original_image, part)
    for index, answer in answer_images(network, read, len(part), protocol, preprocess, device):
        if isinstance(answer, ImageError):
            unreadable.add(index, _named(answer, part, index))
        else:
            rows[index] = answer
    indices = torch.tensor(list(rows), dtype=torch.int64)
    probabilities = torch.stack(list(rows.values())) if rows else torch.empty(0, network.num_classes)
    return Outcome(probabilities, part.labels[indices], indices, unreadable.reasons)


def _predict_ready(
    network: Network, part: Part, protocol: Protocol, preprocess: Preprocess, device: torch.device
) -> Outcome:
    """The outcome on images that are just what the network sees: nothing to resize or crop."""
    if not len(part):
        return Outcome(torch.empty(0, network.num_classes), part.labels, torch.arange(0))
    size = max(1, min(BATCH, pixels_at_once(device) // part.images[0, 0].numel()))
    batches = ((each.images, each.labels) for each in eval_batches(part, size, preprocess, device))
    return Outcome(*predict_probabilities(network, batches, protocol), torch.arange(len(part)))


def original_image(part: Part | Photos, index: int) -> Pixels:
    """One image of a part as it is, uint8 (H, W, C); raises `ImageError` for a photo that cannot be read."""
    return part.read(index) if isinstance(part, Photos) else part.images[index].permute(1, 2, 0).numpy()


def _named(error: ImageError, part: Part | Photos, index: int) -> str:
    name = name_of(part, index)
    return str(error) if name in str(error) else f"{name}: {error}"


def _ready(part: Part, preprocess: Preprocess) -> bool:
    """Whether the images of a part are what the run would make of them, resized and cropped."""
    channels, *sizes = part.images.shape[1:]
    pixels = preprocess.crop_pixels
    sized = pixels is None or sizes == [pixels, pixels]
    return channels == len(preprocess.mean) and sized and preprocess.resize_pixels in (None, pixels)


def tester(network: Network, protocol: Protocol, preprocess: Preprocess) -> nn.Module:
    """What answers a protocol's views: the network itself, or for a dense protocol its fully-convolutional form.

    Raises:
        UsageError: the network has no such form.
    """
    if not protocol.dense:
        return network
    return fully_convolutional(network, own_crop(preprocess) + 2 * preprocess.pad_pixels)


# -- views of images of any size, in batches -------------------------------------------------------------------


def answer_images(
    network: Network,
    read: Callable[[int], Pixels],
    count: int,
    protocol: Protocol,
    preprocess: Preprocess,
    device: torch.device,
) -> Iterator[tuple[int, Tensor | ImageError]]:
    """Probabilities (K,) of each of `count` original images, or why there are none, each with its number.

    `read` gives an image, uint8 (H, W, C), or raises `ImageError`; it is called in threads, and views are cut there,
    a few images ahead of the network. Answers come in order, refusals as soon as they are met.

    Raises:
        UsageError: the protocol is impossible for the network.
    """
    answerer = tester(network, protocol, preprocess)
    waiting: dict[int, list[Pixels]] = {}
    pixels, most = 0, pixels_at_once(device)
    with _evaluating(network):
        for index, views in enumerate(read_ahead(lambda i: looks(read(i), protocol, preprocess), range(count))):
            if isinstance(views, ImageError):
                yield index, views
                continue
            waiting[index] = views
            pixels += sum(view.shape[0] * view.shape[1] for view in views)
            if pixels >= most:
                yield from zip(waiting, _answers(answerer, waiting.values(), protocol, preprocess, device), strict=True)
                waiting, pixels = {}, 0
        if waiting:
            yield from zip(waiting, _answers(answerer, waiting.values(), protocol, preprocess, device), strict=True)


@dataclass(frozen=True)
class _Look:
    """One view of one image of a chunk, cut out: uint8 (h, w, C), not yet mirrored or shifted."""

    image: int
    view: View
    pixels: Pixels

    @property
    def kind(self) -> tuple[tuple[int, ...], bool, int, int]:
        """What the looks of one batch have in common."""
        return self.pixels.shape, self.view.mirrored, self.view.down_pixels, self.view.right_pixels


@torch.inference_mode()
def _answers(
    network: nn.Module,
    chunk: Collection[list[Pixels]],
    protocol: Protocol,
    preprocess: Preprocess,
    device: torch.device,
) -> Tensor:
    """Probabilities (images of the chunk, K): the weighted sum over each image's views."""
    all_looks = [
        _Look(number, view, cut)
        for number, views in enumerate(chunk)
        for view, cut in zip(protocol.views, views, strict=True)
    ]
    owners, weighted = [], []
    for batch in _batches(all_looks, pixels_at_once(device)):
        stack = torch.from_numpy(np.stack([look.pixels for look in batch])).permute(0, 3, 1, 2).to(device)
        images = adjust(normalise(stack, _fitting(preprocess, tuple(stack.shape[1:]))), batch[0].view)
        weights = torch.tensor([look.view.weight for look in batch])
        weighted.append(network(images).float().softmax(dim=1).cpu() * weights[:, None])
        owners += [look.image for look in batch]
    answers = torch.cat(weighted)
    return answers.new_zeros(len(chunk), answers.shape[1]).index_add_(0, torch.tensor(owners), answers)


def _batches(all_looks: list[_Look], most_pixels: int) -> Iterator[list[_Look]]:
    """Looks that go through the network together: as many as reach so many pixels."""
    for kind, alike in groupby(sorted(all_looks, key=lambda look: look.kind), key=lambda look: look.kind):
        group = list(alike)
        size = math.ceil(most_pixels / (kind[0][0] * kind[0][1]))
        yield from (group[first : first + size] for first in range(0, len(group), size))


def _fitting(preprocess: Preprocess, shape: tuple[int, ...]) -> Preprocess:
    """`preprocess` for images (C, H, W) of another size than those it was measured on.

    Each channel's mean takes the place of a mean image, and contrast is normalised to the same deviation.
    """
    if preprocess.mean_image is not None and len(preprocess.mean_image) != math.prod(shape):
        preprocess = replace(preprocess, mean_image=None)
    if preprocess.contrast_norm is not None and preprocess.crop_pixels is not None:
        ratio = math.prod(shape) / (shape[0] * preprocess.crop_pixels**2)
        preprocess = replace(preprocess, contrast_norm=preprocess.contrast_norm * math.sqrt(ratio))
    return preprocess


# -- what it costs ---------------------------------------------------------------------------------------------


def macs_per_image(
    network: Network,
    protocol: Protocol,
    preprocess: Preprocess,
    device: torch.device,
    sizes: tuple[int, ...] | None = None,
) -> int:
    """Multiply-accumulates of all views of one image; a square image, where views are whole images.

    `sizes` are those of an image where the run has no square crop. An empty image of each size goes through the
    network, so this also tells beforehand whether it can take the protocol's views.

    Raises:
        UsageError: the protocol is impossible for the network; names both and says why.
    """
    try:
        answerer = tester(network, protocol, preprocess)
        own = sizes if protocol.keeps_to_the_crop else None
        shapes = [own or (input_pixels(view, preprocess),) * 2 for view in protocol.views]
        with _evaluating(network):
            macs = {shape: count_macs(answerer, _blank(shape, preprocess, device)) for shape in set(shapes)}
    except (UsageError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"protocol {protocol.name} is impossible for {type(network).__name__}: {reason}") from None
    return sum(macs[shape] for shape in shapes)


def _blank(sizes: tuple[int, ...], preprocess: Preprocess, device: torch.device) -> Tensor:
    """One black image, as the network sees it."""
    shape = (len(preprocess.mean), *sizes)
    return normalise(torch.zeros(1, *shape, dtype=torch.uint8, device=device), _fitting(preprocess, shape))
