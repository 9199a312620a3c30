from __future__ import annotations

import os
from collections import Counter

import pytest

from cnnlab.data.listing import Entry, class_names, fill_splits
from cnnlab.errors import DataError
from cnnlab.types import Split


def entries(counts: dict[tuple[str, Split | None], int]) -> list[Entry]:
    return [Entry(f"{s}/{k}/{i}.png", k, s) for (k, s), count in counts.items() for i in range(count)]


def test_splits_are_filled_by_class() -> None:
    filled = fill_splits(entries({("cat", None): 100, ("dog", None): 50}))
    assert Counter((e.label, e.split) for e in filled) == {
        ("cat", Split.TRAIN): 81, ("cat", Split.VAL): 9, ("cat", Split.TEST): 10,
        ("dog", Split.TRAIN): 40, ("dog", Split.VAL): 5, ("dog", Split.TEST): 5,
    }  # fmt: skip
    assert filled == fill_splits(entries({("cat", None): 100, ("dog", None): 50}))
    assert filled != fill_splits(entries({("cat", None): 100, ("dog", None): 50}), seed=1)


def test_splits_that_are_there_stay() -> None:
    given = entries({("cat", Split.TRAIN): 20, ("dog", Split.TRAIN): 20, ("cat", Split.VAL): 1})
    assert list(fill_splits(given, val_images=9)) == given
    assert Counter(e.split for e in fill_splits(given[:40], val_images=8)) == {Split.TRAIN: 32, Split.VAL: 8}
    assert Counter(e.split for e in fill_splits(given[:40])) == {Split.TRAIN: 36, Split.VAL: 4}
    assert {e.split for e in fill_splits(given[:40], val_images=0)} == {Split.TRAIN}


def test_entries_without_a_split_go_to_train_when_others_have_one() -> None:
    given = entries({("cat", None): 5, ("dog", None): 5, ("cat", Split.VAL): 2})
    assert Counter(e.split for e in fill_splits(given)) == {Split.TRAIN: 10, Split.VAL: 2}


def test_classes_are_sorted_and_checked() -> None:
    good = entries({("dog", Split.TRAIN): 1, ("cat", Split.TRAIN): 1, ("cat", Split.VAL): 1})
    assert class_names(good) == ("cat", "dog")
    with pytest.raises(DataError, match=r"val has classes that train lacks: cow; train has: cat, dog"):
        class_names([*good, Entry("x", "cow", Split.VAL)])
    with pytest.raises(DataError, match="test has classes that train lacks: cow"):
        class_names([*good, Entry("x", "cow", Split.TEST)])
    with pytest.raises(DataError, match=r"train has 1 class \(cat\); training needs two"):
        class_names(entries({("cat", Split.TRAIN): 5}))
    with pytest.raises(DataError, match=r"look alike, but for case, .*: 'Cat' and 'cat'; rename"):
        class_names([*good, Entry("x", "Cat", Split.TRAIN)])
    with pytest.raises(DataError, match="not UTF-8"):
        class_names([*good, Entry("x", os.fsdecode(b"\xff"), Split.TRAIN)])
