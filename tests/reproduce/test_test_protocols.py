from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.recipes.fast import CIFAR10
from cnnlab.recipes.recipe import Constant, Sgd
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.runs import make_one
from cnnlab.reproduce.test_protocols import PROTOCOLS, plans, tell, ways

from .conftest import Made

SEEN = {"center": 0.50, "flip": 0.46, "10crop": 0.40, "dense": 0.42, "multiscale_fixed": 0.38}
TOGETHER = {"together": 0.36, "together, 10crop": 0.25}


def test_enough_is_held_out_to_tell_protocols_apart() -> None:
    made = plans(Budget.QUICK)
    assert all(each.recipe.val_images == 5_000 for each in made.values())
    assert len({each.key(0) for each in made.values()}) == 3


@pytest.mark.parametrize(
    ("changed", "holds"), [({}, True), ({"10crop": 0.65}, False), ({"together": 0.70}, False)], ids=str
)
def test_it_holds_where_more_views_and_networks_err_less(changed: dict[str, float], holds: bool, result: Made) -> None:
    seen = {**SEEN, **TOGETHER, **changed}
    found = tell({name: result(error, seed=place) for place, (name, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is holds
    assert any(each.paper == "10.07% top-5 (GoogLeNet)" for each in found.values)


def test_networks_are_asked_by_every_protocol_without_reading_the_test_part(tmp_path: Path) -> None:
    recipe = replace(
        CIFAR10,
        model="plain_cifar",
        model_options={"layers": 8, "width": 2},
        data="synthetic",
        batch_size=32,
        val_images=40,
        epochs=1.0,
        cpu_minutes=None,
        optimizer=Sgd(lr=0.1),
        schedule=Constant(),
        augment=(),
        resolutions=(),
        protocol="center",
    )
    plan = Plan(recipe, data="synthetic", train_images=64)
    ran = make_one(plan, 0, tmp_path, device="cpu")
    tested = ways([ran, ran])
    assert list(tested) == [*PROTOCOLS, "together", "together, 10crop"]
    assert {len(each.hits) for each in tested.values()} == {40}
    reads = [json.loads(line) for line in (ran.folder / "test_reads.jsonl").read_text().splitlines()]
    assert [each["why"] for each in reads] == ["end of training"]
