"""The processes that decode: the same pixels as here, and what becomes of one that dies or hangs."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data.crops import RandomArea, crop_numbers
from cnnlab.data.damage import Damaged
from cnnlab.data.decoders import Decoders, cut_photo
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load
from cnnlab.errors import ImageError
from cnnlab.types import Preprocess

from .conftest import write_photos

CROP = RandomArea(16)
pytestmark = pytest.mark.faults


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(1, CROP, 3, hung_seconds=3.0)
    yield made
    made.close()


def workers() -> list[int]:
    return [each.pid for each in multiprocessing.active_children() if each.name == "decoder" and each.pid]


def test_a_process_cuts_the_same_pixels(decoders: Decoders) -> None:
    for number, numbers in enumerate(crop_numbers(0, 0, np.arange(5))):
        expected = cut_photo(jpeg(number), "a.jpg", CROP, numbers, 3)
        assert np.array_equal(decoders.cut(jpeg(number), "a.jpg", numbers), expected)


def test_a_photo_that_is_none_is_refused_by_name(decoders: Decoders) -> None:
    (numbers,) = crop_numbers(0, 0, [1])
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        decoders.cut(b"no image", "bad.jpg", numbers)
    assert decoders.cut(jpeg(1), "good.jpg", numbers).shape == (16, 16, 3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_process_that_died_or_hangs_is_replaced(decoders: Decoders, number: signal.Signals) -> None:
    (numbers,) = crop_numbers(0, 0, [1])
    before = decoders.cut(jpeg(1), "a.jpg", numbers)
    (worker,) = workers()
    os.kill(worker, number)
    started = time.monotonic()
    assert np.array_equal(decoders.cut(jpeg(1), "a.jpg", numbers), before)
    assert time.monotonic() - started < 30
    assert workers() != [worker]


def test_a_photo_that_brings_down_every_process_is_refused_by_name() -> None:
    (numbers,) = crop_numbers(0, 0, [1])
    impatient = Decoders(1, CROP, 3, hung_seconds=0.0)
    with pytest.raises(ImageError, match=r"bomb\.jpg: its decoding brought down 2 processes: no end after 0 s"):
        impatient.cut(jpeg(1), "bomb.jpg", numbers)
    impatient.close()


def test_batches_are_the_same_for_any_number_of_processes(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", {"train/cat": 6, "train/dog": 6, "val/cat": 1, "val/dog": 1})
    (folder / "train" / "cat" / "000.JPEG").write_bytes(b"no image")  # named, and another in its place
    part = load(folder, photos=True).train
    assert isinstance(part, Photos)
    seen = []
    for count in (0, 2):
        batches = PhotoBatches(
            part,
            batch_size=4,
            seed=3,
            preprocess=Preprocess(20, 16, (0.5,) * 3, (0.25,) * 3),
            crop=CROP,
            workers=count,
            max_bad=0.2,
        )
        seen.append([batches.batch(epoch, position) for epoch in range(2) for position in (2, 0)])  # in mid-epoch, too
    for one, other in zip(*seen, strict=True):
        assert torch.equal(one.images, other.images)
        assert (one.indices == other.indices).all()


def test_damage_is_told_by_another_process(decoders: Decoders) -> None:
    data = jpeg(0)
    middle = len(data) // 2
    spoilt = data[:middle] + bytes(60) + data[middle + 60 :]
    theirs, ours = Damaged(), Damaged()
    numbers = crop_numbers(0, 0, [1])[0]
    for name, each in (("sound.jpg", data), ("spoilt.jpg", spoilt)):
        cut = decoders.cut(each, name, numbers, theirs)
        assert np.array_equal(cut, cut_photo(each, name, CROP, numbers, 3, ours))
    assert len(theirs) == 1
    assert theirs.reasons == ours.reasons
    assert theirs.reasons[0].startswith("spoilt.jpg: Corrupt JPEG data")
