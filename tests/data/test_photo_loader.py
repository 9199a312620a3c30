from __future__ import annotations

from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from cnnlab.data.augment import flip, flip_mask
from cnnlab.data.balance import image_weights
from cnnlab.data.crops import Crop, RandomArea, ScaleJitter, crop_numbers, take_crop
from cnnlab.data.decode import open_image
from cnnlab.data.loader import Batch
from cnnlab.data.mixing import mixup
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import Photos
from cnnlab.data.preprocess import normalise
from cnnlab.data.sampler import order
from cnnlab.data.sources import load
from cnnlab.errors import DataError, UsageError
from cnnlab.types import Preprocess

from .conftest import write_photos

PREPROCESS = Preprocess(20, 16, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", {"train/cat": 12, "train/dog": 11, "val/cat": 2, "val/dog": 2})


def train_part(folder: Path) -> Photos:
    part = load(folder, photos=True).train
    assert isinstance(part, Photos)
    return part


def batches(
    part: Photos, batch_size: int = 5, threads: int = 2, crop: Crop | None = None, preprocess: Preprocess = PREPROCESS
) -> PhotoBatches:
    return PhotoBatches(
        part,
        batch_size=batch_size,
        seed=3,
        preprocess=preprocess,
        crop=crop or RandomArea(16),
        threads=threads,
        max_bad=0.1,
    )


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and (a.indices == b.indices).all()


def test_a_batch_is_crops_of_its_photos_in_the_order_of_the_epoch(folder: Path) -> None:
    part = train_part(folder)
    made = batches(part)
    assert made.steps_per_epoch == 4
    seen = list(made.epoch(2))
    assert np.array_equal(np.concatenate([b.indices for b in seen]), order(3, 2, 23)[:20])
    for batch in seen:
        assert torch.equal(batch.labels, part.labels[torch.from_numpy(batch.indices)])
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        crops = []
        for index, numbers in zip(batch.indices.tolist(), crop_numbers(3, 2, batch.indices), strict=True):
            with open_image(part.files.read(index)) as image:
                crops.append(take_crop(image, RandomArea(16), numbers))
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
        assert torch.equal(batch.images, normalise(pixels, PREPROCESS))


def test_neither_threads_nor_a_resume_change_a_batch(folder: Path) -> None:
    part = train_part(folder)
    run = [batch for epoch in range(3) for batch in batches(part, threads=1).epoch(epoch)]
    other = batches(part, threads=4)
    assert same(other.batch(2, 1), run[2 * 4 + 1])
    assert same(other.batch(0, 3), run[3])
    assert all(same(a, b) for a, b in zip(other.epoch(1, start=2), run[6:8], strict=True))


def test_the_next_epochs_first_batch_is_made_ahead(folder: Path) -> None:
    made = batches(train_part(folder))
    made.batch(0, 3)
    assert list(made._ahead) == [(1, 0), (1, 1)]


def test_damaged_photos_are_named_and_the_next_ones_take_their_places(folder: Path) -> None:
    for name in ("cat/003", "cat/004"):
        (folder / "train" / f"{name}.JPEG").write_bytes(b"\xff\xd8damaged")
    part = train_part(folder)
    made = batches(part, batch_size=23)
    indices = made.batch(0, 0).indices
    assert np.array_equal(indices, [5 if i in (3, 4) else i for i in order(3, 0, 23)])
    assert [reason.split(":")[0] for reason in made.unreadable.reasons] == [
        "train/cat/003.JPEG", "train/cat/004.JPEG",
    ]  # fmt: skip
    assert same(made.batch(0, 0), batches(part, batch_size=23, threads=1).batch(0, 0))


def test_too_many_damaged_photos_stop_the_run(folder: Path) -> None:
    for number in range(4):
        (folder / "train" / "dog" / f"{number:03}.JPEG").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 of 23 images cannot be read, accepted: 2(?s:.*)train/dog/"):
        batches(train_part(folder), batch_size=23).batch(0, 0)


def test_threads_end_where_no_photo_is_left(folder: Path) -> None:
    for path in (folder / "train").rglob("*.JPEG"):
        path.write_bytes(b"")
    made = batches(train_part(folder))
    numbers = crop_numbers(3, 0, np.arange(1))[0]
    said: list[str] = []

    def work() -> None:
        for _ in range(23):  # each finds one more damaged, and the last ones none that is not known
            try:
                made._fill(np.zeros((16, 16, 3), np.uint8), 0, numbers)
            except DataError as error:
                said.append(str(error))

    worker = Thread(target=work, daemon=True)
    worker.start()
    worker.join(20)
    assert len(said) == 23
    assert said[-1].startswith("the training photos: none of 23 images can be read: train/cat/000.JPEG")


def test_changes_come_before_after_and_with_labels(folder: Path) -> None:
    def mirror(images: torch.Tensor, indices: np.ndarray, epoch: int) -> torch.Tensor:
        assert images.dtype == torch.uint8
        return flip(images, flip_mask(0, epoch, indices, probability=1.0))

    part = train_part(folder)
    plain = batches(part).batch(0, 0)
    made = PhotoBatches(
        part,
        batch_size=5,
        seed=3,
        preprocess=PREPROCESS,
        crop=RandomArea(16),
        augment_pixels=mirror,
        augment=lambda images, indices, epoch: images + 1,
        mix=lambda images, labels, indices, epoch: mixup(images, labels, 0, epoch, indices, 1.0, 2),
    ).batch(0, 0)
    changed = plain.images.flip(3) + 1
    images, labels = mixup(changed, plain.labels, 0, 0, plain.indices, 1.0, 2)
    torch.testing.assert_close(made.images, images)
    torch.testing.assert_close(made.labels, labels)


def test_a_photo_drawn_twice_by_weight_is_cut_anew(folder: Path) -> None:
    part = train_part(folder)
    weights = image_weights(part.labels, 2)
    weights[:22] = 1e-9
    made = PhotoBatches(part, batch_size=4, seed=0, preprocess=PREPROCESS, crop=RandomArea(16), weights=weights).batch(
        0, 0
    )
    assert made.indices.tolist() == [22] * 4
    assert len({image.numpy().tobytes() for image in made.images}) == 4


def test_a_grey_network_gets_grey_crops(folder: Path) -> None:
    part = train_part(folder)
    grey = batches(part, preprocess=Preprocess(20, 16, (0.5,), (0.25,)), crop=ScaleJitter(16, (16, 20)))
    assert grey.batch(0, 0).images.shape == (5, 1, 16, 16)


def test_what_cannot_be_a_batch_is_refused(folder: Path) -> None:
    part = train_part(folder)
    with pytest.raises(UsageError, match="batch size 24 for 23 images; give 1 to 23"):
        batches(part, batch_size=24)
    with pytest.raises(UsageError, match="epoch of 4"):
        batches(part).batch(0, 4)


def test_damaged_photos_are_trained_on_and_named(folder: Path) -> None:
    path = folder / "train" / "cat" / "003.JPEG"
    data = path.read_bytes()
    path.write_bytes(data[:-2] + bytes(60) + data[-2:])
    part = train_part(folder)
    made = batches(part, batch_size=23)
    (batch,) = made.epoch(0)
    assert len(batch.labels) == 23
    assert made.unreadable.reasons == ()
    assert [reason.split(":")[0] for reason in made.damaged.reasons] == ["train/cat/003.JPEG"]
    assert made.damaged is part.damaged
