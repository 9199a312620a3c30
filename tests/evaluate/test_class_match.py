from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cnnlab.data.parts import Parts, part_from
from cnnlab.errors import DataError
from cnnlab.evaluate.class_match import match_classes, same_classes, some_names


def parts(*class_names: str) -> Parts:
    """Three images to train and one of each class to test."""
    count = len(class_names)
    train = part_from(np.zeros((3, 1, 1, 1), np.uint8), np.zeros(3, np.int64))
    test = part_from(np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1), np.arange(count))
    return Parts("made", train, part_from(np.zeros((0, 1, 1, 1), np.uint8), np.zeros(0)), test, class_names, "", "")


def test_classes_are_found_by_their_names_in_any_order() -> None:
    found = match_classes(parts("dog", "cat"), ("cat", "cow", "dog"), "made", skip_unknown=False)
    assert found.test is not None
    assert (found.test.labels.tolist(), found.train.labels.tolist()) == ([2, 0], [2, 2, 2])
    assert found.class_names == ("cat", "cow", "dog")
    assert found.notes == ("no images of 1 of the network's 3 classes: cow",)


def test_case_spaces_and_forms_of_a_letter_do_not_count() -> None:
    found = match_classes(parts("Cat ", "A\u0308rger"), ("cat", "Ärger"), "made", skip_unknown=False)
    assert found.test is not None
    assert found.test.labels.tolist() == [0, 1]


def test_unknown_classes_are_listed_with_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        match_classes(parts("cat", "horse", "giraffee"), ("cat", "giraffe"), "made", skip_unknown=False)
    assert str(caught.value) == (
        "the network was trained for the classes cat, giraffe; unknown to it in made: horse (1 images), giraffee "
        "(1 images); missing: giraffe; is giraffee giraffe?; call the classes as the network does, or leave these "
        "images out: --skip-unknown"
    )


def test_unknown_classes_can_be_left_out_unless_all_are_unknown() -> None:
    found = match_classes(parts("cat", "horse"), ("cat", "dog"), "made", skip_unknown=True)
    assert found.test is not None
    assert (len(found.test), found.test.labels.tolist()) == (1, [0])
    assert found.notes[0] == "left out, classes that the network does not know: horse (1 images)"
    with pytest.raises(DataError, match="unknown to it in made: horse"):
        match_classes(parts("horse", "cow"), ("cat", "dog"), "made", skip_unknown=True)


def test_a_class_without_images_need_not_be_known() -> None:
    made = parts("cat", "dog")
    without = replace(made, class_names=("cat", "dog", "horse"))
    assert match_classes(without, ("cat", "dog"), "made", skip_unknown=False).notes == ()


def test_some_of_imagenets_classes_are_found_by_either_of_their_words() -> None:
    known = ("tench", "goldfish", *(f"class {number}" for number in range(998)))
    found = match_classes(parts("goldfish, Carassius auratus", "tench, Tinca tinca"), known, "made", skip_unknown=False)
    assert found.test is not None
    assert found.test.labels.tolist() == [1, 0]


def test_the_same_classes_and_a_few_names() -> None:
    assert same_classes(("a", "b"), ["a", "b"])
    assert not same_classes(("a", "b"), ("b", "a"))
    assert some_names([str(number) for number in range(21)]).endswith("18, 19, … (21 in all)")
