from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.data.layouts import scan
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import touch
from .test_walk import forbid

Photos = Callable[..., Path]


def test_one_level_is_classes_alone(photos: Photos) -> None:
    listing = scan(photos({"dog": 2, "cat": 1}))
    assert [(e.path, e.label, e.split) for e in listing.entries] == [
        ("cat/000.png", "cat", None),
        ("dog/000.png", "dog", None),
        ("dog/001.png", "dog", None),
    ]


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_two_levels_are_splits_and_classes(photos: Photos, val: str) -> None:
    listing = scan(photos({"train/cat": 2, "train/dog": 1, f"{val}/cat": 1, "test/dog": 1, "extra/x": 1}))
    assert Counter(e.split for e in listing.entries) == {Split.TRAIN: 3, Split.VAL: 1, Split.TEST: 1}
    assert "left alone, being no split or class: extra (1 images)" in listing.notes[0]


def test_a_class_of_trains_is_a_class(photos: Photos) -> None:
    assert {e.label for e in scan(photos({"car": 2, "train": 2})).entries} == {"car", "train"}


def test_hidden_and_other_files_are_left_alone(photos: Photos) -> None:
    folder = photos({"cat": 1, "dog": 1, ".git": 1, "cat/.thumbs": 1, "dog/older": 2})
    (folder / "cat" / ".DS_Store.png").write_text("x")
    (folder / "cat" / "Thumbs.db").write_text("x")
    (folder / "cat" / "README").write_text("x")
    (folder / "dog" / "B.JPG").write_text("x")
    listing = scan(folder)
    assert [e.path for e in listing.entries] == [
        "cat/000.png", "dog/000.png", "dog/B.JPG", "dog/older/000.png", "dog/older/001.png",
    ]  # fmt: skip
    assert listing.notes == (
        f"{folder}: left out, hidden, their names beginning with a dot: .git, cat/.DS_Store.png, cat/.thumbs",
        f"{folder}: left out, thumbnails of Windows: cat/Thumbs.db",
        f"{folder}: left alone, being no images by their endings: 1 no ending",
    )


def test_what_systems_put_beside_photos_is_no_class(photos: Photos) -> None:
    folder = photos({"train/cat": 2, "train/dog": 1, "train/@eaDir/cat": 2, "train/cat/@eaDir": 2, "__MACOSX/train": 1})
    listing = scan(folder)
    assert {e.label for e in listing.entries} == {"cat", "dog"}
    assert listing.notes == (
        f"{folder}: left out, resource forks of macOS: __MACOSX",
        f"{folder}: left out, thumbnails of a Synology NAS: train/@eaDir, train/cat/@eaDir",
    )


def test_linked_folders_of_photos_count(photos: Photos) -> None:
    folder = photos({"cat": 2, "dog": 2})
    (folder / "cat" / "more").symlink_to(photos({"cats": 3}, name="elsewhere") / "cats")
    (folder / "dog" / "cats").symlink_to(folder / "cat")
    listing = scan(folder)
    assert Counter(e.label for e in listing.entries) == {"cat": 5, "dog": 2}
    assert listing.notes == (f"{folder}: left out, a link to another place in the same folder: dog/cats",)


def test_a_class_that_cannot_be_read_is_named_with_the_reason(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos({"cat": 1, "dog": 1})
    forbid(monkeypatch, "dog")
    with pytest.raises(DataError, match=r"class 'dog': its folder cannot be read \(Permission denied\)"):
        scan(folder)


def test_links_that_loop_are_not_followed(photos: Photos) -> None:
    folder = photos({"cat": 1, "dog": 1})
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)
    (folder / "self").symlink_to("self")
    (folder / "cat" / "deep").symlink_to(folder)
    assert len(scan(folder).entries) == 2


def test_a_class_folder_may_be_a_link(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 1})
    other = photos({"dogs": 2}, name="elsewhere")
    (folder / "dog").symlink_to(other / "dogs")
    assert Counter(e.label for e in scan(folder).entries) == {"cat": 1, "dog": 2}


def test_an_empty_class_is_named(photos: Photos) -> None:
    folder = photos({"cat": 1, "dog": 0})
    with pytest.raises(DataError, match="class 'dog' is empty"):
        scan(folder)


def paths(*folders: str, count: int = 2) -> list[str]:
    return [f"{folder}/{number}.jpg" for folder in folders for number in range(count)]


def read(folder: Path) -> dict[str, dict[str, int]]:
    """Scan a folder: {part or "": {class: images}}."""
    found: dict[str, dict[str, int]] = {}
    for entry in scan(folder).entries:
        classes = found.setdefault(entry.split.value if entry.split else "", {})
        classes[entry.label] = classes.get(entry.label, 0) + 1
    return found


TWO = {"cat": 2, "dog": 2}


def by_class(*parts: str) -> list[str]:
    return paths(*(f"{part}/{name}" for part in parts for name in TWO))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (by_class("Training", "Testing"), {"train": TWO, "test": TWO}),
        (by_class("TRAIN", "Valid", "TeSt"), {"train": TWO, "val": TWO, "test": TWO}),
        (by_class("train_images", "validation_set", "test1"), {"train": TWO, "val": TWO, "test": TWO}),
        (by_class("trainset", "valset"), {"train": TWO, "val": TWO}),
        (by_class("letters-train", "letters-test"), {"train": TWO, "test": TWO}),
        (by_class("val", "test"), {"val": TWO, "test": TWO}),
        (by_class("test"), {"test": TWO}),
        (by_class("archive/dataset/dataset/train", "archive/dataset/dataset/test"), {"train": TWO, "test": TWO}),
        (by_class("photos"), {"": TWO}),
        (by_class("train", "train/train"), {"train": TWO}),
        (paths("train/car", "train/train", "test/train"), {"train": {"car": 2, "train": 2}, "test": {"train": 2}}),
        ([*by_class("seg_train/seg_train", "seg_test/seg_test"), *paths("seg_pred/seg_pred")],
         {"train": TWO, "test": TWO}),
        (by_class("train", "chest/train", "val", "chest/val", "test", "chest/test"),
         {"train": TWO, "val": TWO, "test": TWO}),
        (paths("cat", "dog", "cow", "all/cat", "all/dog", "all/cow"), {"": {**TWO, "cow": 2}}),
        (by_class("train", "test") + paths("unlabeled"), {"train": TWO, "test": TWO}),
        (paths("cat", "dog", "unlabelled", "test"), {"": TWO}),
        (paths("cat", "dog") + by_class("test"), {"train": TWO, "test": TWO}),
        (paths("cat/train", "cat/test", "dog/train", "dog/test"), {"train": TWO, "test": TWO}),
        (paths("train/cat/images", "train/dog/images"), {"train": TWO}),
        (by_class("images") + by_class("masks"), {"": TWO}),
        (paths("mask", "no_mask"), {"": {"mask": 2, "no_mask": 2}}),
        (paths("lung/images", "lung/masks", "bone/images", "bone/masks"), {"": {"lung": 2, "bone": 2}}),
        (paths("train/a/images", "train/a/masks", "train/b/images", "test/a", "test/b/images", "test/b/labels"),
         {"train": {"a": 2, "b": 2}, "test": {"a": 2, "b": 2}}),
        (by_class("labeled") + paths("unlabeled"), {"": TWO}),
        (by_class("trainval", "test"), {"train": TWO, "test": TWO}),
        (paths("bus", "train", "car"), {"": {"bus": 2, "train": 2, "car": 2}}),
        (paths("train/Ünï çlass", "train/猫", "test/猫"), {"train": {"Ünï çlass": 2, "猫": 2}, "test": {"猫": 2}}),
        ([*paths("asl_train/asl_train/A", "asl_train/asl_train/B"), "asl_test/asl_test/A_test.jpg"],
         {"train": {"A": 2, "B": 2}}),
        ([*by_class("train"), "train/sample.jpg", "val/readme.txt"], {"train": TWO}),
    ],
)  # fmt: skip
def test_layouts_that_people_have(tmp_path: Path, files: list[str], expected: dict[str, Any]) -> None:
    assert read(touch(tmp_path, *files)) == expected


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (by_class("color", "grey"), r"two ways: its folders color, grey are classes, or each is a data set of the "
         r"classes cat, dog\. To train on one of them: cnnlab train .*/color"),
        (paths("train/cat", "train/dog", "train/Test"), "Test may be parts; call parts train, val and test"),
        ([*by_class("a/TRAIN", "a/TEST"), *paths("b/images")], "read as classes, its folders would be a, b, and a is a "
         "data set: cnnlab train .*/a"),
        (paths("test", "control"), "folders would be control, test, and test is read as a part; call it otherwise"),
        (paths("valid", "invalid"), "and valid is read as a part"),
        (by_class("entrainement", "test"), "of its folders entrainement, test, entrainement holds cat, dog, and "
         "its name is that of no part"),
        (paths("unlabeled"), "Seen: unlabelled: unlabeled; their names give no classes"),
        ([*by_class("pets"), *paths("pets_testset")], "pets_testset may be parts; call parts train, val and test"),
        (by_class("train", "test", "Testing"), "Testing and test are each read as the part test"),
        (paths("train2017", "val2017"), r"train2017 has 2 images .*part train; their names give no classes"),
        (paths("labels", "cat"), "labels or masks are not taken for classes"),
        (paths("x_part_1", "x_part_2"), "its folders x_part_1, x_part_2 number pieces of it, and are no classes"),
        ([f"IMG_{n}.jpg" for n in range(9)] + [f"DSC_{n}.jpg" for n in range(9)], "read as: DSC 9, IMG 9"),
        (paths("test"), "none of its parts has images by class: .*test has 2 images .*cnnlab predict RUN"),
        (["train/cat/a.jpg", "train/dog/a.txt"], r"(?s)class 'dog' is empty: .*1 \.txt"),
        (["train/images/1.jpg", "train/images/2.jpg", "train/labels/1.txt", "train/labels/2.txt"],
         "for detection: train/labels"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_or_none_is_refused(tmp_path: Path, files: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        scan(touch(tmp_path, *files))


def test_classes_in_the_names_of_files_beside_images_to_predict(tmp_path: Path) -> None:
    files = [f"train/{name}.{number}.jpg" for name in TWO for number in range(5)]
    folder = touch(tmp_path, *files, *(f"test1/{number}.jpg" for number in range(4)))
    assert read(folder) == {"train": {"cat": 5, "dog": 5}}
    assert scan(folder).notes == (
        f"{folder}/train: classes read from the names of files: cat.0.jpg is 'cat'",
        f"{folder}/test1 has 4 images without class folders, and no list of their classes: left alone, there to be "
        f"predicted: cnnlab predict RUN {folder}/test1",
    )


def test_a_list_without_classes_is_there_to_be_predicted(tmp_path: Path) -> None:
    folder = touch(tmp_path, *by_class("train"), "test/0.jpg", "test/1.jpg")
    (folder / "test.csv").write_text("id\n0.jpg\n1.jpg\n")
    (folder / "sample_submission.csv").write_text("id,label\n0.jpg,cat\n1.jpg,cat\n")
    assert read(folder) == {"train": TWO}
    (folder / "test.csv").write_text("id,label\n0.jpg,cat\n1.jpg,dog\n")
    assert read(folder) == {"train": TWO, "test": {"cat": 1, "dog": 1}}


def test_a_list_that_may_be_of_train_says_nothing_of_test(tmp_path: Path) -> None:
    folder = touch(tmp_path, *(f"train/{number}.jpg" for number in range(6)), "test/0.jpg", "test/1.jpg")
    (folder / "labels.csv").write_text("id,label\n" + "".join(f"{n},{'cow' if n % 2 else 'hen'}\n" for n in range(6)))
    assert read(folder) == {"train": {"cow": 3, "hen": 3}}
    (folder / "labels.csv").write_text(
        "id,label\n"
        + "".join(f"train/{n},{'cow' if n % 2 else 'hen'}\n" for n in range(6))
        + "test/0,cow\ntest/1,hen\n"
    )
    assert read(folder) == {"train": {"cow": 3, "hen": 3}, "test": {"cow": 1, "hen": 1}}
    (folder / "labels.csv").rename(folder / "train.csv")
    (folder / "test" / "metadata.csv").write_text("file_name,label\n0.jpg,hen\n1.jpg,hen\n")
    assert read(folder) == {"train": {"cow": 3, "hen": 3}, "test": {"hen": 2}}


def test_a_list_beside_folders_by_class_is_said_to_be_unread(tmp_path: Path) -> None:
    folder = touch(tmp_path, *paths("cat", "dog"), "labels.csv", "notes.txt")
    assert scan(folder).notes == (f"{folder}: the folders say the classes; not read: labels.csv",)


def test_how_it_was_read_is_said_where_it_may_surprise(tmp_path: Path) -> None:
    folder = touch(tmp_path, *paths("pets/cat", "pets/dog", "farm/cow", "farm/hen"), "sample.jpg")
    assert scan(folder).notes == (
        f"{folder}: left alone, lying beside the folders by class: sample.jpg",
        f"{folder}: the outer folders are the classes: farm (with cow, hen), pets (with cat, dog)",
    )


def test_a_list_of_numbers_is_read_as_numbers_throughout(tmp_path: Path) -> None:
    folder = touch(tmp_path, *paths("train/1", "train/2", "train/3"), *(f"val/{number}.jpg" for number in range(6)))
    (folder / "val.txt").write_text("".join(f"{number}.jpg {number % 3}\n" for number in range(6)))
    assert read(folder)["val"] == {"1": 2, "2": 2, "3": 2}
    labels = {entry.path: entry.label for entry in scan(folder).entries}
    assert [labels[f"val/{number}.jpg"] for number in range(3)] == ["1", "2", "3"]
    (folder / "val.txt").write_text("".join(f"{number}.jpg {number % 2 + 1}\n" for number in range(6)))
    with pytest.raises(
        DataError, match=r"as names of classes: 1 is '1', 2 is '2'; or counting the sorted .*: 1 is '2'"
    ):
        scan(folder)
