from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnlab.data.augment import crop_offsets, flip_mask, pad_crop_flip
from cnnlab.data.loader import Batch, Batches, eval_batches
from cnnlab.data.parts import Part
from cnnlab.data.preprocess import normalise
from cnnlab.data.sampler import order
from cnnlab.errors import UsageError
from cnnlab.types import Preprocess

PREPROCESS = Preprocess(None, None, (0.5,) * 3, (0.25,) * 3)


def small_part(count: int = 23) -> Part:
    return Part(torch.randint(0, 256, (count, 3, 6, 6), dtype=torch.uint8), torch.arange(count))


def crop_and_flip(images: torch.Tensor, indices: np.ndarray, epoch: int) -> torch.Tensor:
    rows, columns = crop_offsets(1, epoch, indices, 2)
    return pad_crop_flip(images, rows, columns, flip_mask(1, epoch, indices), 2)


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and (a.indices == b.indices).all()


def test_an_epoch_visits_in_order_and_drops_the_rest() -> None:
    part = small_part()
    batches = Batches(part, batch_size=5, seed=3, preprocess=PREPROCESS)
    assert batches.steps_per_epoch == 4
    seen = list(batches.epoch(2))
    assert np.array_equal(np.concatenate([b.indices for b in seen]), order(3, 2, 23)[:20])
    for batch in seen:
        assert torch.equal(batch.labels, torch.from_numpy(batch.indices))
        expected = normalise(part.images[batch.indices], PREPROCESS)
        torch.testing.assert_close(batch.images, expected, rtol=0, atol=0)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_any_batch_can_be_made_at_any_time() -> None:
    part = small_part()
    first = Batches(part, batch_size=4, seed=0, preprocess=PREPROCESS, augment=crop_and_flip)
    second = Batches(part, batch_size=4, seed=0, preprocess=PREPROCESS, augment=crop_and_flip)
    run = [batch for epoch in range(3) for batch in first.epoch(epoch)]
    assert same(second.batch(2, 1), run[2 * 5 + 1])
    assert same(second.batch(0, 3), run[3])
    assert all(same(a, b) for a, b in zip(second.epoch(1, start=2), run[7:10], strict=True))


def test_augmentation_of_an_image_does_not_depend_on_the_batch_size() -> None:
    part = small_part(24)
    by_index: list[dict[int, torch.Tensor]] = []
    for size in (4, 12):
        batches = Batches(part, batch_size=size, seed=5, preprocess=PREPROCESS, augment=crop_and_flip)
        made = [(int(i), x) for b in batches.epoch(1) for i, x in zip(b.indices, b.images, strict=True)]
        by_index.append(dict(made))
    assert all(torch.equal(by_index[0][i], by_index[1][i]) for i in range(24))


@pytest.mark.parametrize("size", [0, 24, -1])
def test_a_batch_larger_than_the_part_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"batch size {size} for 23 images; give 1 to 23"):
        Batches(small_part(), batch_size=size, seed=0, preprocess=PREPROCESS)


def test_a_position_outside_the_epoch_is_refused() -> None:
    batches = Batches(small_part(), batch_size=10, seed=0, preprocess=PREPROCESS)
    for position in (-1, 2):
        with pytest.raises(UsageError, match="epoch of 2"):
            batches.batch(0, position)


def test_evaluation_goes_in_order_with_a_smaller_last_batch() -> None:
    part = small_part()
    seen = list(eval_batches(part, 10, PREPROCESS))
    assert [len(b.labels) for b in seen] == [10, 10, 3]
    assert torch.equal(torch.cat([b.labels for b in seen]), part.labels)
    assert torch.equal(torch.cat([b.images for b in seen]), normalise(part.images, PREPROCESS))
    with pytest.raises(UsageError, match="batch size 0"):
        next(eval_batches(part, 0, PREPROCESS))


def test_changes_come_before_normalising_after_it_and_with_labels() -> None:
    part = small_part()
    plain = Batches(part, batch_size=5, seed=3, preprocess=PREPROCESS).batch(1, 2)
    made = Batches(
        part,
        batch_size=5,
        seed=3,
        preprocess=PREPROCESS,
        augment_pixels=lambda images, indices, epoch: 255 - images,
        augment=lambda images, indices, epoch: images + epoch,
        mix=lambda images, labels, indices, epoch: (images * 2, labels.float()),
    ).batch(1, 2)
    torch.testing.assert_close(made.images, (-plain.images + 1) * 2)
    assert made.labels.dtype == torch.float32


def test_an_image_drawn_twice_by_weight_is_changed_otherwise() -> None:
    part = small_part()
    weights = np.zeros(23)
    weights[7] = 1.0
    keys: list[int] = []

    def note(images: torch.Tensor, indices: np.ndarray, epoch: int) -> torch.Tensor:
        keys.extend(indices.tolist())
        return images

    made = Batches(part, batch_size=5, seed=3, preprocess=PREPROCESS, augment=note, weights=weights)
    for batch in made.epoch(0):
        assert batch.indices.tolist() == [7] * 5
        assert batch.labels.tolist() == [7] * 5
    assert keys == [7 + 23 * times for times in range(20)]


@pytest.mark.gpu
def test_batches_on_a_gpu_equal_those_on_a_cpu() -> None:
    part = small_part()
    here = Batches(part, batch_size=5, seed=3, preprocess=PREPROCESS, augment=crop_and_flip)
    there = Batches(part, batch_size=5, seed=3, preprocess=PREPROCESS, augment=crop_and_flip, device="cuda")
    for a, b in zip(here.epoch(0), there.epoch(0), strict=True):
        assert b.images.is_cuda
        torch.testing.assert_close(b.images.cpu(), a.images, rtol=1e-6, atol=1e-6)
