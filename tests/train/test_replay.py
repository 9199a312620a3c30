from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.errors import NonFiniteLossError, UsageError
from cnnlab.recipes.recipe import Recipe, Sgd
from cnnlab.train.replay import replay
from cnnlab.train.run import Settings, train_run
from tests.train.training import RECIPE

SMALL = replace(
    RECIPE, model="resnet_matlab", model_options={"width": 4, "units": 1}, steps=8, val_images=16, average=None
)


def went_wild(recipe: Recipe, folder: Path) -> Path:
    settings = Settings(data="synthetic", device="cpu", train_images=80, pixels=12)
    with pytest.raises(NonFiniteLossError, match=r"cnnlab diagnose --replay"):
        train_run(recipe, settings, folder)
    return folder


def test_a_rate_far_too_high_is_found_where_it_shows(tmp_path: Path) -> None:
    folder = went_wild(replace(SMALL, optimizer=Sgd(lr=1e30)), tmp_path / "run")
    files = sorted(each.name for each in folder.rglob("*"))
    found = replay(folder)
    assert sorted(each.name for each in folder.rglob("*")) == files  # the run is as it was
    assert len(found.indices) == 16
    assert found.step >= 1
    assert found.where in ("activations", "gradients")
    assert found.name
    assert repr(found) == repr(replay(folder))  # NaN is unlike itself


def test_a_run_without_a_bad_step_has_nothing_to_replay(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing to replay in .*: no step of this run"):
        replay(tmp_path)
