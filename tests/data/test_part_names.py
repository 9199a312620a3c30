from __future__ import annotations

import pytest

from cnnlab.data.part_names import (
    goes_with_images,
    is_unlabelled,
    never_a_class,
    part_in_name,
    part_of_name,
    parts_of_names,
)
from cnnlab.types import Split


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *((name, Split.TRAIN) for name in ("train", "TRAIN", "Training", "train_images", "TrainingSet", "trainset",
                                           "train (1)", "train2017", "seg_train", "Train Data", "tRaIn")),
        *((name, Split.VAL) for name in ("val", "Valid", "validation", "val2017", "dev", "ValidationSet")),
        *((name, Split.TEST) for name in ("test", "Testing", "test1", "TEST SET", "test_images", "holdout")),
        *((name, None) for name in ("cat", "bullet_train", "testament", "training wheels", "train_test", "", "latest",
                                    "trains", "valve", "contest", "set1", "images")),
    ],
)  # fmt: skip
def test_folders_that_are_parts(name: str, part: Split | None) -> None:
    assert part_of_name(name) is part


def test_a_longer_name_is_a_part_beside_others_like_it() -> None:
    names = ["asl_train", "asl_test", "bullet_train", "docs"]
    assert parts_of_names(names) == {"asl_train": Split.TRAIN, "asl_test": Split.TEST}
    assert parts_of_names(["bullet_train", "car"]) == {}
    assert parts_of_names(["Train", "test1", "car"]) == {"Train": Split.TRAIN, "test1": Split.TEST}


def test_a_files_name_may_speak_of_one_part() -> None:
    assert part_in_name("flowers_val_labels") is Split.VAL
    assert part_in_name("trainLabels") is Split.TRAIN
    assert part_in_name("val_annotations") is Split.VAL
    assert part_in_name("train_val") is None
    assert part_in_name("labels") is None


def test_names_that_are_no_classes() -> None:
    assert all(map(never_a_class, ("images", "Labels", "JPEGImages")))
    assert goes_with_images("masks")
    assert not never_a_class("mask")
    assert not never_a_class("cat")
    assert all(map(is_unlabelled, ("unlabeled", "Unlabelled_2", "seg_pred")))
    assert not is_unlabelled("predator")
