from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import errors
from cnnlab.errors import CnnlabError, nearest, unknown_name
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
    assert message.endswith("known: " + ", ".join(known))


@pytest.mark.parametrize("kind", [errors.UsageError, errors.DataError, errors.CheckpointError])
def test_every_error_can_be_caught_as_one(kind: type[CnnlabError]) -> None:
    with pytest.raises(CnnlabError):
        raise kind("said")
