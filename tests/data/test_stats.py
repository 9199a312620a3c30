from __future__ import annotations

import numpy as np
import pytest

from cnnlab.data.parts import Part, Parts, part_from
from cnnlab.data.stats import Leak, stats
from cnnlab.types import Split


def part(values: list[int], labels: list[int]) -> Part:
    images = np.array(values, np.uint8).reshape(-1, 1, 1, 1).repeat(4, 2).repeat(4, 3)
    return part_from(np.ascontiguousarray(images), np.array(labels))


def test_counts_sizes_mean_and_repeats() -> None:
    train = part([0, 255, 0, 7], [0, 1, 0, 0])
    parts = Parts("x", train, part([7, 8], [1, 1]), part([255, 8], [0, 2]), ("a", "b", "c"), "made", "0")
    found = stats(parts)
    assert found.counts == {Split.TRAIN: (3, 1, 0), Split.VAL: (0, 2, 0), Split.TEST: (1, 0, 1)}
    assert found.image_shape == (1, 4, 4)
    assert found.mean == pytest.approx([262 / 4 / 255])
    assert found.num_bytes == 8 * 16
    assert found.num_repeats == 1
    assert found.num_leaks == 3
    assert found.leaks[0] == Leak(Split.TRAIN, 3, Split.VAL, 0)
    assert found.leaks[2] == Leak(Split.VAL, 1, Split.TEST, 1)


def test_a_set_without_val_and_test() -> None:
    empty = part_from(np.zeros((0, 1, 4, 4), np.uint8), np.zeros(0, np.int64))
    found = stats(Parts("x", part([1, 2], [0, 1]), empty, None, ("a", "b"), "made", "0"))
    assert found.counts == {Split.TRAIN: (1, 1), Split.VAL: (0, 0)}
    assert found.leaks == ()
