import numpy as np
import torch

from cnnlab.data.augment import crop_offsets
from cnnlab.data.drawn import LARGEST_TABLE, EpochNumbers
from cnnlab.data.sampler import order, uniforms

CPU = torch.device("cpu")


class Counted:
    """Draws offsets, and counts how often it was asked and for how many keys."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, epoch: int, keys: np.ndarray) -> np.ndarray:
        self.asked.append(len(keys))
        return np.stack(crop_offsets(3, epoch, keys, 4))


def test_numbers_are_those_drawn_for_the_keys_alone_and_drawn_once_an_epoch() -> None:
    draw = Counted()
    numbers = EpochNumbers(draw)
    for epoch in (0, 1, 0):
        keys = order(0, epoch, 600)
        keys = np.concatenate((keys[keys >= 512], keys[keys < 512]))  # a batch with the largest first: one table
        for batch in np.split(keys, 6):
            rows, columns = numbers.of(epoch, batch, CPU)
            expected = crop_offsets(3, epoch, batch, 4)
            assert (rows.tolist(), columns.tolist()) == (expected[0].tolist(), expected[1].tolist())
    assert draw.asked == [1024] * 3


def test_a_key_beyond_the_table_makes_a_larger_one() -> None:
    draw = Counted()
    numbers = EpochNumbers(draw)
    for keys in ([0], [1, 2], [2, 3], [900]):
        assert numbers.of(5, np.array(keys), CPU)[0].tolist() == crop_offsets(3, 5, np.array(keys), 4)[0].tolist()
    assert draw.asked == [1, 4, 1024]


def test_very_large_keys_are_drawn_alone() -> None:
    draw = Counted()
    keys = np.array([LARGEST_TABLE, 10 * LARGEST_TABLE, 7])
    assert EpochNumbers(draw).of(0, keys, CPU).tolist() == np.stack(crop_offsets(3, 0, keys, 4)).tolist()
    assert draw.asked == [3]


def test_masks_and_no_keys_at_all() -> None:
    numbers = EpochNumbers(lambda epoch, keys: uniforms(0, epoch, keys, 9) < 0.5)
    assert numbers.of(0, np.arange(4), CPU).dtype == torch.bool
    assert numbers.of(0, np.zeros(0, np.int64), CPU).shape == (0,)
