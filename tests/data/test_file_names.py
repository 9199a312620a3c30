from __future__ import annotations

from collections.abc import Sequence

import pytest

from cnnlab.data.file_names import classes_by_file_name, shown_reading


def files(*patterns: str, count: int = 5) -> list[str]:
    return [pattern.format(number) for pattern in patterns for number in range(count)]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (files("cat.{}.jpg", "dog.{}.jpg"), {"cat", "dog"}),
        (files("Abyssinian_{}.jpg", "great_pyrenees_{}.jpg"), {"Abyssinian", "great_pyrenees"}),
        (files("cat ({}).jpg", "dog ({}).jpg"), {"cat", "dog"}),
        (files("daisy{}.png", "rose{}.png"), {"daisy", "rose"}),
        (files("{}_frog.png", "{}-truck.png"), {"frog", "truck"}),
        (files("class1-{}.png", "class2-{}.png"), {"class1", "class2"}),
        (files("\u732b_{}.jpg", "\u72ac_{}.jpg"), {"\u732b", "\u72ac"}),
    ],
)
def test_names_that_carry_their_classes(names: Sequence[str], classes: set[str]) -> None:
    found = classes_by_file_name(names)
    assert found is not None
    assert set(found) == set(names)
    assert set(found.values()) == classes


@pytest.mark.parametrize(
    "names",
    [
        files("{}.jpg"),
        files("cat.{}.jpg"),
        files("cat.{}.jpg", "IMG_{}.jpg"),
        files("IMG_{}.jpg", "DSC_{}.jpg"),
        files("train_{}.jpg", "test_{}.jpg"),
        files("images ({}).jpg", "cat ({}).jpg"),
        [*files("cat.{}.jpg", "dog.{}.jpg"), "sample.jpg"],
        [f"{letter}{letter}_1.jpg" for letter in "abcdefgh"],
        files("cat.{}.jpg", "dog.{}.jpg", count=3),
        [*files("cat.{}.jpg", "dog.{}.jpg"), "cow.1.jpg"],
    ],
)
def test_names_that_do_not(names: Sequence[str]) -> None:
    assert classes_by_file_name(names) is None


def test_few_images_are_believed_where_their_classes_are_known() -> None:
    assert classes_by_file_name(["cat.1.jpg", "dog.1.jpg"], ["cat", "cow", "dog"]) == {
        "cat.1.jpg": "cat", "dog.1.jpg": "dog",
    }  # fmt: skip
    assert classes_by_file_name(["cat.1.jpg", "pig.1.jpg"], ["cat", "cow", "dog"]) is None


def test_what_would_have_been_read_can_be_shown() -> None:
    assert shown_reading([*files("IMG_{}.jpg", count=9), *files("DSC_{}.jpg"), "x.jpg"]) == "IMG 9, DSC 5, none 1"
