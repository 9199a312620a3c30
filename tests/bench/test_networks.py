from __future__ import annotations

import pytest

from cnnlab.bench import networks
from cnnlab.bench.catalog import ROWS
from cnnlab.bench.networks import TIMM, TORCHVISION, compare, measure
from cnnlab.bench.row import Plan
from cnnlab.models.catalog import MODELS


def test_the_networks_are_ours_and_counted_right() -> None:
    assert set(TORCHVISION) | set(TIMM) <= set(MODELS)
    assert ROWS["networks"].what.startswith(f"{len(TORCHVISION) + len(TIMM)} networks ")


def test_forward_and_training_step_are_held_against_theirs() -> None:
    forward, training = compare("resnet18", rounds=1)
    assert (forward.name, training.name) == ("resnet18, forward", "resnet18, training step")
    assert forward.against == training.against == "torchvision"
    assert set(forward.values) == {"cnnlab", "torchvision"}


def test_networks_of_a_peer_that_is_not_here_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "installed", lambda *names: False)
    monkeypatch.setattr(networks, "keep_freed_memory", lambda: None)
    assert measure(Plan(rounds=1), ["resnet18"]).cases == ()
