from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cnnlab.data.layouts import scan
from cnnlab.data.part_lists import parts_by_lists

from .conftest import touch

IMAGES = [f"images/{name}/{number}.jpg" for name in ("pie", "rib") for number in range(4)]


def counts(folder: Path) -> dict[str, int]:
    return dict(Counter(str(entry.split) for entry in scan(folder).entries))


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"meta/train.txt": "pie/0\npie/1\nrib/0\nrib/1\n", "meta/test.txt": "pie/2\npie/3\nrib/2\nrib/3\n"},
         {"train": 4, "test": 4}),
        ({"testing_list.txt": "pie/3.jpg\nrib/3.jpg\n", "validation_list.txt": "pie/2.jpg\nrib/2.jpg\n"},
         {"train": 4, "val": 2, "test": 2}),
        ({"train.csv": "path,label\nimages/pie/0.jpg,7\nimages/rib/0.jpg,8\n", "test.csv": "path\nimages/rib/3.jpg\n"},
         {"train": 2, "test": 1}),
        ({"data.csv": "image,label,split\n" + "".join(f"{path},x,{'test' if '/3' in path else 'train'}\n"
                                                     for path in IMAGES)}, {"train": 6, "test": 2}),
        ({"data.csv": "path,label,split\n" + "".join(f"{path},x,{'test' if '/3' in path else 'train'}\n"
                                                     for path in IMAGES)}, {"None": 8}),
        ({"train.csv": "path,label\nimages/pie/0.jpg,pie\nimages/rib/0.jpg,rib\n"}, {"None": 8}),
        ({"train.txt": "0.jpg\n1.jpg\n", "test.txt": "2.jpg\n3.jpg\n"}, {"None": 8}),
        ({"test.csv": "id\nfar/10.jpg\nfar/11.jpg\nimages/pie/0.jpg\n"}, {"None": 8}),
        ({"test.csv": "id\n" + "".join(f"{path}\n" for path in IMAGES)}, {"None": 8}),
    ],
)  # fmt: skip
def test_lists_beside_folders_by_class_say_the_parts(
    tmp_path: Path, lists: dict[str, str], expected: dict[str, int]
) -> None:
    touch(tmp_path, *IMAGES)
    for name, text in lists.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert counts(tmp_path) == expected


def test_how_the_parts_were_read_is_said(tmp_path: Path) -> None:
    touch(tmp_path, *IMAGES)
    (tmp_path / "train.txt").write_text("".join(f"{path}\n" for path in IMAGES[:-2]))
    (tmp_path / "val.txt").write_text(IMAGES[-1])
    assert scan(tmp_path).notes == (
        f"{tmp_path}/images: parts read from {tmp_path}/train.txt, {tmp_path}/val.txt; classes from the folders",
        f"{tmp_path}/images: 1 images that none of these lists names are left alone: images/rib/2.jpg",
    )


def test_lists_that_contradict_each_other_divide_nothing(tmp_path: Path) -> None:
    (tmp_path / "train1.txt").write_text(f"{IMAGES[0]}\n{IMAGES[1]}\n")
    (tmp_path / "test2.txt").write_text(f"{IMAGES[1]}\n")
    found = parts_by_lists(IMAGES, [tmp_path / "train1.txt", tmp_path / "test2.txt"])
    assert (found.parts, found.used) == ({}, ())
    assert found.notes == (
        f"parts not read from {tmp_path}/train1.txt, {tmp_path}/test2.txt, as they contradict each other: {IMAGES[1]} "
        "is in train and in test",
    )


def test_without_lists_nothing_is_divided() -> None:
    assert parts_by_lists(IMAGES, []).parts == {}


def test_a_division_by_numbers_is_said_to_be_unread(tmp_path: Path) -> None:
    touch(tmp_path, *IMAGES)
    (tmp_path / "train_test_split.txt").write_text("1 0\n2 1\n")
    assert scan(tmp_path).notes == (f"{tmp_path}/images: the folders say the classes; not read: train_test_split.txt",)
