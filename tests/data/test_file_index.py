from __future__ import annotations

import pytest

from cnnlab.data.file_index import FileIndex
from cnnlab.errors import DataError

IMAGES = FileIndex(["train/cat/1.jpg", "train/dog/1.jpg", "images/My Photo 2.JPG", "images/caf\u00e9.png", "test/7.jpg",
                    "images/v1.0.jpg", "a/same.jpg", "a/same.png"])  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("train/cat/1.jpg", "train/cat/1.jpg"),
        ("cat/1", "train/cat/1.jpg"),
        (r"C:\Users\me\data\train\dog\1.jpg", "train/dog/1.jpg"),
        ("/content/drive/images/My Photo 2.JPG", "images/My Photo 2.JPG"),
        ("my photo 2.jpeg", "images/My Photo 2.JPG"),
        ("./cafe\u0301", "images/caf\u00e9.png"),
        ("v1.0", "images/v1.0.jpg"),
        ("same.png", "a/same.png"),
        ("7", "test/7.jpg"),
        ("train/7.jpg", None),  # another part's
        ("../../etc/8.jpg", None),
        ("", None),
    ],
)
def test_a_cell_finds_its_image(cell: str, path: str | None) -> None:
    assert IMAGES.find(cell) == path


@pytest.mark.parametrize("cell", ["1.jpg", "same"])
def test_a_cell_that_may_mean_two_is_refused(cell: str) -> None:
    with pytest.raises(DataError, match=f"'{cell}' may be .*; write the path with its folders and ending"):
        IMAGES.find(cell)


def test_names_that_differ_only_in_case_are_told_apart() -> None:
    images = FileIndex(["x/A.jpg", "x/a.jpg"])
    assert len(images) == 2
    assert images.find("A.jpg") == "x/A.jpg"
    assert images.find("a") == "x/a.jpg"


def test_endless_paths_take_no_time() -> None:
    assert IMAGES.find("a/" * 60_000 + "test/7.jpg") == "test/7.jpg"
