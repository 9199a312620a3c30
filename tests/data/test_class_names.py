from __future__ import annotations

from collections.abc import Sequence

import pytest

from cnnlab.data.class_names import classes_of_labels, refuse_alike, visible
from cnnlab.errors import DataError


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["cat", "Cat"], "'Cat' and 'cat'"),
        (["cat", "cat ", "dog"], "'cat' and 'cat '"),
        (["New York", "NewYork"], "'New York' and 'NewYork'"),
        (["caf\u00e9", "cafe\u0301"], r"'cafe\u0301' and 'caf" + "\u00e9'"),
        (["cat", "cat\u200b"], r"'cat' and 'cat\u200b'"),
        (["a b", "a\u00a0b"], r"'a b' and 'a\xa0b'"),
        (["\ufeffcat", "cat"], r"'cat' and '\ufeffcat'"),
        (["stra\u00dfe", "STRASSE"], "'STRASSE' and 'stra\u00dfe'"),
    ],
)
def test_names_that_look_alike_are_refused_and_shown(names: Sequence[str], shown: str) -> None:
    with pytest.raises(DataError) as caught:
        refuse_alike(names)
    assert str(caught.value).endswith(f"Unicode form: {shown}; rename or merge them")


def test_names_that_differ_pass_and_one_that_cannot_be_seen_does_not() -> None:
    refuse_alike(["cat", "cats", "\u732b", "caf\u00e9", "cafe", "x\u00b2", "x2", "a_b", "ab"])
    with pytest.raises(DataError, match=r"without a name that can be seen: ' '"):
        refuse_alike([" ", "cat"])


def test_what_can_be_seen_is_shown_as_it_is() -> None:
    assert visible("\u732b") == "'\u732b'"
    assert visible("e\u0301") == r"'e\u0301'"


def read(labels: str, classes: str) -> str:
    named = {label: f"line {number}" for number, label in enumerate(labels.split(), start=1)}
    meant = classes_of_labels(named, classes.split())
    return " ".join(meant[label] for label in labels.split())


@pytest.mark.parametrize(
    ("labels", "classes", "meant"),
    [
        ("ant cow", "ant bee cow", "ant cow"),
        ("0 2 1", "ant bee cow", "ant cow bee"),
        ("0 1 2", "1 2 3", "1 2 3"),  # counting from 0, as 0 is no class
        ("1 2 3", "1 2 3", "1 2 3"),  # names, as 3 is no number of three
        ("0 2 10", "0 1 10 2 3 4 5 6 7 8 9", "0 2 10"),  # classes of these numbers
        ("0 2", "00 01 02", "00 02"),
        ("1 3", "001 002 003", "001 003"),
        ("0 1", "n01440764 n02012849", "n01440764 n02012849"),
    ],
)
def test_labels_are_names_or_numbers_throughout(labels: str, classes: str, meant: str) -> None:
    assert read(labels, classes) == meant


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ("1 2", "1 2 3", "in several ways: as names of classes: 1 is '1', 2 is '2'; or counting the sorted classes "
         "from 0: 1 is '2', 2 is '3'. Write the names"),
        ("1 2", "ant bee cow", "classes from 0: 1 is 'bee', .*; or counting from 1: 1 is 'ant'"),
        ("1 2 3", "ant bee cow", "do not count from 0: counting from 1: 1 is 'ant'"),
        ("0 2", "1 10 2 3 4 5 6 7 8 9", "counting the sorted classes from 0: 0 is '1', 2 is '2'; or counting by "
         "size from 0: 0 is '1', 2 is '3'"),
        ("0 1 3", "ant bee cow",
         "line 3: class '3'; accepted: a class of train, or 0 to 2 in its sorted order: ant"),
        ("ant dog", "ant bee cow", "line 2: class 'dog'; accepted"),
        ("ant 1", "ant bee cow", r"line 2: class '1' is a number, and 'ant' \(line 1\) a name"),
        ("0 -1", "ant bee cow", "line 2: class '-1'"),
        ("0 " + "9" * 5_000, "ant bee cow", "line 2: class '99"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_or_none_is_refused(labels: str, classes: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(labels, classes)


@pytest.mark.parametrize(
    ("label", "name", "said"),
    [
        ("cafe\u0301", "caf\u00e9", r"class 'cafe\\u0301' looks like 'café', which is another name"),
        ("Tea", "tea", "class 'Tea' looks like 'tea'"),
    ],
)
def test_a_label_that_looks_like_a_class_is_shown_visibly(label: str, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        classes_of_labels({label: "line 1"}, [name, "water"])
