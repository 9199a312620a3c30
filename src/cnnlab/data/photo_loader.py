"""Batches of photos on disk: decoded and cropped by threads or processes, ahead of the step that wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnnlab.data import gpu_jpeg
from cnnlab.data.crops import Crop, Floats, crop_numbers
from cnnlab.data.decode import printable
from cnnlab.data.decoders import Decoders, cut_photo
from cnnlab.data.gpu_jpeg import PlainJpeg, plain_jpeg
from cnnlab.data.loader import (
    Augment,
    Batch,
    Changes,
    EpochOrder,
    Mix,
    Weights,
    make_batch,
    steps_per_epoch,
)
from cnnlab.data.photos import Indices, Photos, Pixels, usable_cores
from cnnlab.data.unreadable import Unreadable
from cnnlab.data.upload import SideStream, Uploaded, upload
from cnnlab.errors import ImageError
from cnnlab.types import Preprocess

Taken = tuple[int, PlainJpeg | None]
"""Which photo was taken in an image's place, and the JPEG that the GPU is still to decode, if any."""


@dataclass
class _Filling:
    """A batch that threads are filling: `keys` (N,) of its images, and their pixels (N, H, W, C) and indices (N,)."""

    keys: Indices
    made: Future[tuple[Uploaded, Indices]]


class PhotoBatches:
    """The training batches of photos, with the surface of `Batches`: shuffled anew each epoch, the rest dropped.

    Order, crops and augmentation are functions of (seed, epoch, index), whoever decodes, so any batch can be
    made at any time and a resumed run needs only its step. Threads do the work, as decoding and resizing leave
    Python's lock; with `workers`, they hand the decoding to so many processes, which an image may bring down
    without harm. The next batches are made while one is trained on, and brought to a GPU meanwhile.

    A photo that cannot be read is named in `unreadable`, and the next one in the part takes its place; one that is
    damaged, but used all the same, in `damaged` (a GPU does not tell). `notes` has what else is worth a line.
    """

    def __init__(
        self,
        photos: Photos,
        *,
        batch_size: int,
        seed: int,
        preprocess: Preprocess,
        crop: Crop,
        device: torch.device | str = "cpu",
        augment: Augment | None = None,
        augment_pixels: Augment | None = None,
        mix: Mix | None = None,
        threads: int | None = None,
        workers: int = 0,
        weights: Weights | None = None,
        max_bad: float = 0.01,
        gpu_jpegs: bool = False,
        ahead_batches: int = 2,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Start the threads (default: one for each core, or two for each of `workers`).

        They keep `ahead_batches` ready. With `gpu_jpegs` a GPU decodes JPEGs (`gpu_jpeg`), where it can. The other
        arguments are those of `Batches`.

        Raises `UsageError` when there is no full batch, and later `DataError` when more than the fraction
        `max_bad` of the photos cannot be read (one is always let pass, unless `max_bad` is 0).
        """
        self.batch_size = batch_size
        self.steps_per_epoch = steps_per_epoch(len(photos), batch_size)
        self.unreadable = Unreadable(len(photos), max_bad, "the training photos")
        self.damaged = photos.damaged
        self._photos, self._crop, self._seed, self._device = photos, crop, seed, torch.device(device)
        self._preprocess, self._changes = preprocess, Changes(augment_pixels, augment, mix)
        self._order = EpochOrder(seed, len(photos), weights, rank, world_size)
        self._decoders = Decoders(workers, crop, len(preprocess.mean)) if workers else None
        self._threads = ThreadPoolExecutor(threads or 2 * workers or usable_cores(), thread_name_prefix="photos")
        refused = gpu_jpeg.why_not(self._device) if gpu_jpegs else None
        self.notes = (f"JPEGs are decoded on the CPU: {refused}",) if refused else ()
        self._gpu_jpegs = gpu_jpegs and not refused and len(preprocess.mean) == 3
        self._side, self._finisher = SideStream(self._device), ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._ahead_batches = ahead_batches
        self._ahead: dict[tuple[int, int], _Filling] = {}

    def batch(self, epoch: int, position: int) -> Batch:
        """Make the batch at `position` (0 to steps_per_epoch - 1) of `epoch`, and begin the next ones.

        Raises `UsageError` for a position outside the epoch, `DataError` for too many unreadable photos.
        """
        first = epoch * self.steps_per_epoch + position
        after = range(first + 1, first + 1 + self._ahead_batches)
        wanted = [(epoch, position), *(divmod(each, self.steps_per_epoch) for each in after)]
        self._ahead = {place: self._ahead.get(place) or self._begin(*place) for place in wanted}
        filling = self._ahead.pop(wanted[0])
        uploaded, indices = filling.made.result()
        labels = upload(self._photos.labels[torch.from_numpy(indices)], self._device)
        pixels = uploaded.take().permute(0, 3, 1, 2)
        return make_batch(pixels, labels, indices, filling.keys, epoch, self._preprocess, self._changes)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Go through the batches of `epoch`, from position `start` on."""
        for position in range(start, self.steps_per_epoch):
            yield self.batch(epoch, position)

    def _begin(self, epoch: int, position: int) -> _Filling:
        indices, keys = self._order.batch(epoch, position, self.batch_size)
        numbers = crop_numbers(self._seed, epoch, keys)
        shape = (len(indices), self._crop.pixels, self._crop.pixels, len(self._preprocess.mean))
        pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        rows, submit, on_gpu = pixels.numpy(), self._threads.submit, self._gpu_jpegs
        each = zip(rows, indices.tolist(), numbers, strict=True)
        taken = [submit(self._fill, row, index, of_image, on_gpu) for row, index, of_image in each]
        return _Filling(keys, self._finisher.submit(self._finish, pixels, numbers, taken))

    def _finish(self, pixels: Tensor, numbers: Floats, filling: Sequence[Future[Taken]]) -> tuple[Uploaded, Indices]:
        """Bring pixels (N, H, W, C) to the device once they are there, where it decodes the JPEGs among them."""
        taken = [each.result() for each in filling]
        jpegs = {place: jpeg for place, (_, jpeg) in enumerate(taken) if jpeg is not None}

        def decode_jpegs(there: Tensor) -> None:
            for place, cut in zip(jpegs, gpu_jpeg.cut_jpegs(list(jpegs.values()), self._device), strict=True):
                there[place] = cut.permute(1, 2, 0)

        try:
            uploaded = self._side.begin(pixels, decode_jpegs if jpegs else None)
        except RuntimeError:  # one of them is damaged, and nobody says which: the CPU finds out
            for place in jpegs:
                taken[place] = self._fill(pixels[place].numpy(), taken[place][0], numbers[place], on_gpu=False)
            uploaded = self._side.begin(pixels)
        return uploaded, np.array([index for index, _ in taken], np.int64)

    def _fill(self, row: Pixels, index: int, numbers: Floats, on_gpu: bool = False) -> Taken:
        """Put a crop of photo `index` into `row`, or of the first readable one after it, or leave it to the GPU."""
        for _ in range(len(self._photos)):
            if index not in self.unreadable:
                try:
                    cut = self._cut(index, numbers, on_gpu)
                    if isinstance(cut, PlainJpeg):
                        return index, cut
                    row[:] = cut
                    return index, None
                except ImageError as error:
                    self.unreadable.add(index, str(error))
            index = (index + 1) % len(self._photos)
        raise self.unreadable.none_left()

    def _cut(self, index: int, numbers: Floats, on_gpu: bool) -> Pixels | PlainJpeg:
        data, name = self._photos.files.read(index), printable(self._photos.names[index])
        if on_gpu and (jpeg := plain_jpeg(data, name, self._crop, numbers)) is not None:
            return jpeg
        if self._decoders is not None:
            return self._decoders.cut(data, name, numbers, self.damaged)
        return cut_photo(data, name, self._crop, numbers, len(self._preprocess.mean), self.damaged)
