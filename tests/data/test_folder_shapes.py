from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data import folder_shapes as shapes
from cnnlab.data.tree import Folder, read_tree
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import touch


def root(folder: Path, *folders: str) -> Folder:
    return read_tree(touch(folder, *(f"{each}/1.jpg" for each in folders))).root


def test_a_second_copy_is_told_apart(tmp_path: Path) -> None:
    kept, copies = shapes.without_copies(root(tmp_path, "rose", "tulip", "all/rose", "all/tulip", "all/all"))
    assert [each.name for each in kept] == ["rose", "tulip"]
    assert [each.name for each in copies] == ["all"]


def test_train_that_repeats_the_classes_beside_it_is_no_copy(tmp_path: Path) -> None:
    assert shapes.without_copies(root(tmp_path, "cat", "dog", "train/cat", "train/dog"))[1] == ()
    inside = root(tmp_path / "in", "train/cat", "train/dog", "train/train/cat", "train/train/dog").folders[0]
    assert [each.path for each in shapes.without_copies(inside)[1]] == ["train/train"]


def test_names_of_parts_beside_a_data_set_are_unclear(tmp_path: Path) -> None:
    pets = root(tmp_path / "a", "pets/cat", "pets/dog", "kaggle_pets_testset").folders
    assert shapes.unclear_parts(pets) == ["kaggle_pets_testset"]
    assert shapes.unclear_parts(root(tmp_path / "b", "bullet_train", "car").folders) == []


def test_a_folder_around_all_others(tmp_path: Path) -> None:
    base = root(tmp_path, "a/b/cat", "a/b/dog")
    (tmp_path / "empty").mkdir()
    inner = shapes.wrapped(base, base.filled)
    assert inner is not None
    assert inner.path == "a"
    base = root(tmp_path / "part", "train/cat", "train/dog")
    assert shapes.wrapped(base, base.filled) is None
    base = root(tmp_path / "class", "cat")
    assert shapes.wrapped(base, base.filled) is None
    base = root(tmp_path / "both", "test set/train/cat", "test set/test/cat")
    assert shapes.wrapped(base, base.filled) is base.filled[0]


def test_parts_and_a_class_of_trains(tmp_path: Path) -> None:
    parts = shapes.parts_of(root(tmp_path / "a", "Train/cat", "test1", "test2/cat", "docs").folders)
    assert {split: each.name for split, each in parts.items()} == {Split.TRAIN: "Train", Split.TEST: "test2"}
    assert shapes.parts_of(root(tmp_path / "b", "train", "car").folders) == {}
    assert list(shapes.parts_of(root(tmp_path / "c", "train", "unlabeled", "images").folders)) == [Split.TRAIN]
    with pytest.raises(DataError, match=r"val and valid are each read as the part val"):
        shapes.parts_of(root(tmp_path / "d", "val/cat", "valid/cat").folders)


def test_what_a_part_holds(tmp_path: Path) -> None:
    base = root(tmp_path, "train/train/cat", "val/images", "test/cat")
    assert [shapes.content(each).path for each in base.folders] == ["test", "train/train", "val/images"]


def test_parts_inside_classes_and_folders_that_all_hold_the_same(tmp_path: Path) -> None:
    first = root(tmp_path / "a", "cat/train", "cat/test", "dog/train").folders
    assert shapes.is_class_first(first)
    assert not shapes.is_class_first(root(tmp_path / "b", "cat/train", "dog/old").folders)
    assert not shapes.is_class_first(root(tmp_path / "c", "cat", "dog").folders)
    assert shapes.common_folders(root(tmp_path / "d", "x/cat", "x/dog", "y/cat", "y/dog").folders) == ["cat", "dog"]
    assert shapes.common_folders(root(tmp_path / "e", "x/cat", "x/dog", "y/cow").folders) == []
    assert shapes.common_folders(root(tmp_path / "f", "x/images", "y/images").folders) == []


@pytest.mark.parametrize("name", ["part_1", "fold2", "HAM10000_images_part_2", "images_001", "batch 3"])
def test_names_that_number_pieces(name: str) -> None:
    assert shapes.is_numbered(name)
    assert not shapes.is_numbered(name.rstrip("0123456789"))
    assert not shapes.is_numbered("class1")
