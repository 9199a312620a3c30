"""Twins have the same entries and compute something else; every pair of the catalogue stands in a group."""

from __future__ import annotations

import pytest
import torch

from cnnlab.models import create_model
from cnnlab.models.recognise import GENERAL, Candidate, entries_of
from cnnlab.models.table import read_table
from cnnlab.models.twins import GROUPS, Group, group_of, lacking, with_twins
from tests.contract.networks import small_sizes
from tests.models.oracle import relative_difference
from tests.models.strangers import random_numbers

SEVERAL = [group for group in GROUPS if len(group.members) > 1]


def candidates(group: Group) -> list[Candidate]:
    first = group.members[0]
    return with_twins([Candidate(first.model, {**group.only, **first.options})])


def name_of(group: Group) -> str:
    return "-".join([group.members[0].model, *map(str, group.only.values())])


DEEP = ("resnetv2_1001", "resnet152", "resnet152_cifar")


@pytest.mark.parametrize(
    "group",
    [pytest.param(each, marks=pytest.mark.slow if each.members[0].model in DEEP else ()) for each in SEVERAL],
    ids=name_of,
)
def test_twins_have_the_same_entries(group: Group) -> None:
    first, *others = candidates(group)
    assert len(others) == len(group.members) - 1
    assert all(entries_of(other) == entries_of(first) for other in others)
    assert all(each.what for each in (first, *others))


SMALL = ("resnet18", "resnet18_cifar", "resnet20", "lenet5_modern", "plain_cifar", "resnet50", "densenet_cifar")


@pytest.mark.parametrize("group", [each for each in SEVERAL if each.members[0].model in SMALL], ids=name_of)
def test_twins_compute_something_else(group: Group) -> None:
    answers = []
    state = None
    for candidate in candidates(group):
        network = candidate.create().eval()
        state = dict(random_numbers(network)) if state is None else state
        network.load_state_dict(state)
        side = small_sizes(candidate.model, network)
        torch.manual_seed(0)
        images = torch.randn(1, network.in_channels, *side)
        with torch.no_grad():
            answers.append((side, network(images)))
    first, *others = answers
    for side, answer in others:
        assert side != first[0] or relative_difference(answer, first[1]) > 1e-3


def test_every_pair_of_the_catalogue_is_written_out() -> None:
    alike: dict[tuple[int, int], list[str]] = {}
    for row in read_table():
        if row.name not in GENERAL:
            alike.setdefault((row.parameters, row.tensors), []).append(row.name)
    same: dict[frozenset[object], list[str]] = {}
    for name in (name for names in alike.values() if len(names) > 1 for name in names):
        same.setdefault(frozenset(entries_of(Candidate(name)).items()), []).append(name)
    assert len(same) > 5
    for names in same.values():
        for name in names:
            known = {each.model for each in with_twins([Candidate(name)])}
            assert set(names) <= known, f"{names} have the same entries; a group of twins.GROUPS should say so"


def test_options_that_show_tell_groups_apart() -> None:
    assert [each.model for each in with_twins([Candidate("resnet20")])] == ["resnet20", "plain20"]
    assert with_twins([Candidate("resnet20", {"shortcut": "B"})]) == [Candidate("resnet20", {"shortcut": "B"})]
    assert [str(each) for each in with_twins([Candidate("plain18", {"num_classes": 3})])] == [
        "resnet18 --set shortcut=A",
        "plain18",
    ]
    assert all(each.options["num_classes"] == 3 for each in with_twins([Candidate("plain18", {"num_classes": 3})]))
    assert group_of(Candidate("perceptron")) is None


def test_what_the_catalogue_lacks_is_said_in_words() -> None:
    assert any("resnetblur50" in each for each in lacking([Candidate("resnet50")]))
    for name in ("resnet50", "resnet101_v1", "resnext50_32x4d", "wide_resnet50_2"):
        assert any(each.startswith("dilation in place of stride") for each in lacking([Candidate(name)]))
    assert lacking([Candidate("perceptron")]) == []


def test_a_network_knows_how_it_was_made() -> None:
    assert create_model("resnet20", shortcut="B").made_as == ("resnet20", {"shortcut": "B"})
