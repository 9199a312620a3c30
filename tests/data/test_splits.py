from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.splits import few_of_each, fraction_of, hold_out, shares
from cnnlab.errors import UsageError


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.integers(0, 2**32), st.data())
def test_a_split_takes_from_every_class_and_loses_nothing(labels: list[int], seed: int, data: st.DataObject) -> None:
    array = np.array(labels, np.int64)
    count = data.draw(st.integers(0, len(labels) - 1))
    kept, held = hold_out(array, count, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert set(array[kept]) == set(labels)
    if count:
        twice = {label for label in labels if labels.count(label) > 1}
        assert set(array[held]) == twice


def test_cifar_sized_split_is_exact_and_by_class() -> None:
    labels = np.repeat(np.arange(10), 5000)
    kept, held = hold_out(labels, 5000)
    assert len(kept) == 45_000
    assert np.bincount(labels[held]).tolist() == [500] * 10


def test_the_seed_alone_changes_it() -> None:
    labels = np.arange(100) % 3
    assert np.array_equal(hold_out(labels, 20)[1], hold_out(labels, 20, seed=0)[1])
    assert not np.array_equal(hold_out(labels, 20)[1], hold_out(labels, 20, seed=1)[1])


def test_golden_split_never_changes() -> None:
    assert hold_out(np.arange(20) % 2, 4)[1].tolist() == GOLDEN


GOLDEN = [3, 8, 12, 17]


def test_shares_follow_the_largest_remainder() -> None:
    assert shares(np.array([50, 30, 20]), 10).tolist() == [5, 3, 2]
    assert shares(np.array([55, 29, 16]), 10).tolist() == [5, 3, 2]
    assert shares(np.array([1, 2, 1000]), 10).tolist() == [0, 1, 10]


@pytest.mark.parametrize("count", [-1, 10, 11])
def test_a_split_that_leaves_nothing_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match="give 0 to 9"):
        hold_out(np.zeros(10, np.int64), count)


def test_fraction_of_is_at_least_one() -> None:
    assert [fraction_of(n, 0.1) for n in (1, 2, 14, 100)] == [0, 1, 1, 10]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 2**32), st.data())
def test_a_few_are_as_many_of_each_class_as_there_are(labels: list[int], seed: int, data: st.DataObject) -> None:
    array = np.array(labels, np.int64)
    count = data.draw(st.integers(1, len(labels)))
    chosen = few_of_each(array, count, seed)
    assert len(set(chosen)) == count
    assert (np.diff(chosen) > 0).all()
    taken = np.bincount(array[chosen], minlength=5)
    most = taken.max()
    for label in set(labels):  # a class with fewer than the most, but for one, gave all it has
        assert taken[label] >= min(most - 1, labels.count(label))
    assert np.array_equal(chosen, few_of_each(array, count, seed))


@pytest.mark.parametrize("count", [0, 11])
def test_a_few_are_at_least_one_and_at_most_all(count: int) -> None:
    with pytest.raises(UsageError, match=f"cannot choose {count} of 10 images; give 1 to 10"):
        few_of_each(np.arange(10) % 2, count)
