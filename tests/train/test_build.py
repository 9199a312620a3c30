import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.train.build import build_forward, build_network
from cnnlab.train.distributed import Team
from tests.train.training import RECIPE, small_parts


def test_a_network_is_as_wide_as_the_data_and_as_the_recipe_says() -> None:
    recipe = replace(RECIPE, model="resnet_matlab", model_options={"width": 4, "units": 1})
    network = build_network(recipe, small_parts(), seed=0)
    assert network.num_classes == 10
    assert sum(each.numel() for each in network.parameters()) < 10_000


def test_heads_that_the_network_has_not_are_refused() -> None:
    with pytest.raises(UsageError, match="add --set aux_weight=0"):
        build_forward(replace(RECIPE, aux_weight=0.3), create_model("lenet5_modern"), compiled=False, team=Team())


def test_a_plain_forward_gives_logits_and_no_heads() -> None:
    forward = build_forward(RECIPE, create_model("lenet5_modern"), compiled=False, team=Team())
    logits, heads = forward(torch.zeros(2, 1, 32, 32))
    assert logits.shape == (2, 10)
    assert heads == {}


def test_what_is_compiled_is_kept_in_the_cache_unless_another_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "elsewhere"))
    build_forward(RECIPE, create_model("lenet5_modern"), compiled=True, team=Team())
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "elsewhere")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    build_forward(RECIPE, create_model("lenet5_modern"), compiled=True, team=Team())
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "cnnlab" / "compiled")
    assert (tmp_path / "cnnlab" / "compiled").is_dir()


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cnnlab").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    build_forward(RECIPE, create_model("lenet5_modern"), compiled=True, team=Team())
    assert str(tmp_path) not in os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")  # torch's own place, or none yet
