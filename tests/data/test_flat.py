from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data.flat import Beside, Flat, read_flat, refusal
from cnnlab.data.tree import Folder, read_tree
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import touch


def look(folder: Path, part: str) -> tuple[Folder, Beside]:
    root = read_tree(folder).root
    found = next(each for each in root.walk() if each.path == part)
    return found, Beside(folder, (found, root), root)


def read(folder: Path, part: str, split: Split | None, classes: tuple[str, ...] = ()) -> Flat | None:
    found, beside = look(folder, part)
    return read_flat(found, split, beside, classes)


def test_two_lists_say_the_parts(tmp_path: Path) -> None:
    folder = touch(tmp_path, *(f"images/{number}.jpg" for number in range(4)))
    (folder / "train.txt").write_text("images/0.jpg 0\nimages/1.jpg 1\n")
    (folder / "val.txt").write_text("images/2.jpg 0\n3 1\n")
    flat = read(folder, "images", None)
    assert flat is not None
    assert flat.labels == {f"images/{number}.jpg": str(number % 2) for number in range(4)}
    assert flat.parts["images/1.jpg"] is Split.TRAIN
    assert flat.parts["images/3.jpg"] is Split.VAL
    assert flat.notes == (f"{folder}/images: classes read from {folder}/train.txt, {folder}/val.txt",)
    (folder / "val.txt").write_text("images/2.jpg 0\n1 1\n")
    with pytest.raises(DataError, match=r"val\.txt line 2: 'images/1\.jpg' is in val, and in train by another list"):
        read(folder, "images", None)
    (folder / "val.txt").write_text("images/2.jpg 0\n1 0\n")
    with pytest.raises(DataError, match=r"val\.txt line 2: 'images/1\.jpg' is '0', and '1' in .*train\.txt line 2"):
        read(folder, "images", None)


def test_a_part_is_read_by_its_own_list(tmp_path: Path) -> None:
    folder = touch(tmp_path, "train/0.jpg", "train/1.jpg", "val/0.jpg")
    (folder / "train.csv").write_text("id,label\n0,cat\n1,dog\n")
    (folder / "valid_labels.csv").write_text("id,label\n0,dog\n")
    train, val = read(folder, "train", Split.TRAIN), read(folder, "val", Split.VAL, ("cat", "dog"))
    assert train is not None
    assert val is not None
    assert dict(train.labels) == {"train/0.jpg": "cat", "train/1.jpg": "dog"}
    assert dict(val.labels) == {"val/0.jpg": "dog"}


def test_numbers_of_a_list_are_classes_of_train(tmp_path: Path) -> None:
    folder = touch(tmp_path, "val/0.jpg", "val/1.jpg")
    (folder / "val.txt").write_text("0.jpg 1\n1.jpg 0\n")
    flat = read(folder, "val", Split.VAL, ("cat", "dog"))
    assert flat is not None
    assert dict(flat.labels) == {"val/0.jpg": "dog", "val/1.jpg": "cat"}


def test_a_list_with_one_class_for_all_is_asked_about(tmp_path: Path) -> None:
    folder = touch(tmp_path, "test/0.jpg", "test/1.jpg")
    (folder / "test.csv").write_text("id,label\n0,0\n1,0\n")
    flat = read(folder, "test", Split.TEST, ("cat", "dog"))
    assert flat is not None
    assert (
        flat.notes[-1] == f"{folder}/test.csv: all 2 images are of one class; is it a form that is not filled in yet?"
    )


def test_what_a_list_leaves_out_or_has_too_much_is_said(tmp_path: Path) -> None:
    folder = touch(tmp_path, *(f"images/{number}.jpg" for number in range(4)))
    (folder / "labels.csv").write_text("id,label\n0,cat\n1,dog\n2,dog\n9,cat\n")
    flat = read(folder, "images", None)
    assert flat is not None
    assert flat.notes[1:] == (
        f"{folder}/labels.csv: 1 images without a class, left alone: images/3.jpg",
        f"{folder}/labels.csv names 1 images that are not there: 9",
    )
    (folder / "labels.csv").write_text("id,label\n0,cat\n1,dog\n2,dog\n" + "".join(f"{n},cat\n" for n in range(9, 19)))
    with pytest.raises(DataError, match=r"names 10 images that are not there: 9, .* and 5 more; it has 3 that are"):
        read(folder, "images", None)
    (folder / "labels.csv").write_text("0,cat\n")
    with pytest.raises(DataError, match=r"names 1 of 4 images, images/0\.jpg; is it their list"):
        read(folder, "images", None)
    (folder / "test.csv").write_text("id\n1\n2\n3\n")
    assert read(folder, "images", None) is not None


def test_the_refusal_says_what_was_seen(tmp_path: Path) -> None:
    folder = touch(tmp_path, "train/IMG_1.jpg", "train/IMG_2.jpg", "labels.ods", "a.json")
    (folder / "train.csv").write_text("id,width,height\nIMG_1,5,6\nIMG_2,7,6\n")
    (folder / "notes.txt").write_text("nothing here\n")
    found, beside = look(folder, "train")
    assert read_flat(found, Split.TRAIN, beside) is None
    said = str(refusal(found, Split.TRAIN, beside))
    assert said == (
        f"{folder}/train has 2 images without class folders, and no list of their classes. Seen: it is read as the "
        "part train; their names give no classes (read as: IMG 2); without a column called label: train.csv; naming "
        "none of these images: notes.txt; not read: a.json, labels.ods (save it as .csv with the columns "
        f"filename,label). Accepted: folders train/<class>/*.jpg; or train.csv or train.txt in {folder}, a line for "
        "each image with its name and class, such as IMG_1.jpg,cat; or names such as cat.1.jpg"
    )
