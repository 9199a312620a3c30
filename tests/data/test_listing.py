from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.data.listing import Entry, class_names, fill_splits, scan
from cnnlab.errors import DataError
from cnnlab.types import Split
from tests.data.test_walk import forbid

Photos = Callable[..., Path]


def entries(counts: dict[tuple[str, Split | None], int]) -> list[Entry]:
    return [Entry(f"{s}/{k}/{i}.png", k, s) for (k, s), count in counts.items() for i in range(count)]


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
    assert "left alone, being no split: extra" in listing.notes[0]


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
        f"{folder}/train: left out, thumbnails of a Synology NAS: @eaDir, cat/@eaDir",
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


def test_no_classes_says_what_is_there_and_what_is_expected(photos: Photos) -> None:
    folder = photos({"cat": 3}) / "cat"
    with pytest.raises(DataError, match=r"it has: 000\.png, 001\.png, 002\.png; expected train/<class>"):
        scan(folder)
    (folder / "data_batch_1").write_text("x")
    with pytest.raises(DataError, match="name the data set cifar10"):
        scan(folder)


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
    with pytest.raises(DataError, match="differ only in case: cat"):
        class_names([*good, Entry("x", "Cat", Split.TRAIN)])
    with pytest.raises(DataError, match="not UTF-8"):
        class_names([*good, Entry("x", os.fsdecode(b"\xff"), Split.TRAIN)])
