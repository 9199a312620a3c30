from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import errors
from cnnlab.errors import MOST_SHOWN, CnnlabError, nearest, reason_of, unknown_name, value_problem
from cnnlab.types import Split

EXIT_CODES = {
    "CnnlabError": 1,
    "CheckpointError": 1,
    "NonFiniteLossError": 1,
    "RankError": 1,
    "UsageError": 2,
    "UnknownNameError": 2,
    "DataError": 3,
    "ImageError": 3,
    "InterruptedRunError": 75,
}


def test_every_error_has_its_exit_code() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, CnnlabError)]
    assert {kind.__name__: kind.exit_code for kind in kinds} == EXIT_CODES


def test_the_nearest_name_comes_first() -> None:
    assert nearest("resnet21", ["vgg16", "resnet110", "resnet20"])[0] == "resnet20"


def test_no_name_is_near_to_nonsense() -> None:
    assert nearest("qqqq", ["resnet20", "vgg16"]) == []


def test_no_more_names_than_asked_for() -> None:
    assert len(nearest("resnet", ["resnet20", "resnet32", "resnet44"], 2)) == 2


def test_the_message_names_what_was_seen_the_nearest_and_what_is_known() -> None:
    error = unknown_name("model", "resnet21", ["resnet20", "vgg16"])
    assert str(error) == "no model 'resnet21'; did you mean 'resnet20'? known: resnet20, vgg16"


def test_without_a_near_name_nothing_is_suggested() -> None:
    assert str(unknown_name("model", "qqqq", ["lenet5"])) == "no model 'qqqq'; known: lenet5"


def test_names_of_an_enum_are_shown_as_people_type_them() -> None:
    assert str(unknown_name("split", "tset", Split)) == "no split 'tset'; did you mean 'test'? known: train, val, test"


@given(st.text(), st.lists(st.text(min_size=1)))
def test_any_names_at_all_give_a_message(name: str, known: list[str]) -> None:
    message = str(unknown_name("thing", name, iter(known)))
    assert message.startswith(f"no thing {name!r}; ")
    shown = ", ".join(known[:MOST_SHOWN])
    many = len(known) > MOST_SHOWN
    assert message.endswith((f"known: {shown}, … ({len(known)} in all)", "?") if many else f"known: {shown}")


def test_of_many_names_the_nearest_three_are_offered_and_where_all_are_listed() -> None:
    known = [f"resnet{depth}" for depth in range(20, 120)]
    message = str(unknown_name("model", "ResNet-2O", known, see="cnnlab models"))
    assert message == "no model 'ResNet-2O'; did you mean 'resnet20', 'resnet21' or 'resnet22'? all 100: cnnlab models"
    assert str(unknown_name("model", "qqqq", known, see="cnnlab models")) == "no model 'qqqq'; all 100: cnnlab models"


@pytest.mark.parametrize("typed", ["RESNET50", "ResNet-50", "resnet_50", "Resnet 50"])
def test_case_and_separators_do_not_count(typed: str) -> None:
    assert nearest(typed, ["vgg16", "resnet50", "resnet18"])[0] == "resnet50"


PROBLEMS = [
    (
        {"type": "greater_than", "loc": ("lr",), "ctx": {"gt": 0}, "input": -1, "msg": "Input"},
        "lr: must be above 0; seen -1",
    ),
    (
        {"type": "int_from_float", "loc": ("a", 0), "input": 1.5, "msg": "Input"},
        "a.0: must be a whole number; seen 1.5",
    ),
    ({"type": "missing", "loc": ("a",), "input": {}, "msg": "Field required"}, "field 'a' is missing"),
    (
        {"type": "literal_error", "loc": ("b",), "ctx": {"expected": "'one' or 'two'"}, "input": "tow", "msg": "Input"},
        "b: no such choice, seen 'tow'; did you mean 'two'? known: one, two",
    ),
    (
        {"type": "json_invalid", "loc": (), "ctx": {"error": "x"}, "input": "{" * 200, "msg": "M"},
        "the value: is not JSON",
    ),
]


@pytest.mark.parametrize(("problem", "words"), PROBLEMS)
def test_what_pydantic_finds_is_told_in_our_words(problem: dict[str, Any], words: str) -> None:
    found = value_problem(problem)
    assert found.startswith(words)
    assert "Input" not in found
    assert len(found) < 200


REASONS = [
    (lambda folder: (folder / "gone").read_text(), "there is no such file"),
    (lambda folder: folder.read_text(), "it is a folder"),
    (lambda _: json.loads("{\n1}"), "not JSON from line 2, column 1 on"),
    (lambda _: b"a\xff".decode(), "not UTF-8 from byte 1 on"),
]


@pytest.mark.parametrize(("do", "words"), REASONS)
def test_why_a_file_could_not_be_read(do: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)) as found:
        do(tmp_path)
    assert reason_of(found.value) == words


@pytest.mark.parametrize("kind", [errors.UsageError, errors.DataError, errors.CheckpointError])
def test_every_error_can_be_caught_as_one(kind: type[CnnlabError]) -> None:
    with pytest.raises(CnnlabError):
        raise kind("said")
