"""Two processes for real, each with its share of the weights, against whole weights in two processes and in one."""

from __future__ import annotations

import copy
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.fsdp  # once here, rather than in each of the processes forked from this one
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from cnnlab.data.parts import Part
from cnnlab.data.preprocess import measure
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import InterruptedRunError, NonFiniteLossError, UsageError
from cnnlab.evaluate.classifier import WEIGHTS
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import (
    AdamW,
    ClipAdaptive,
    ClipNorm,
    Ema,
    Flip,
    MultiStep,
    PadCrop,
    Polyak,
    Recipe,
    RmsProp,
    Sgd,
)
from cnnlab.train.bad_step import parse_on_bad_step
from cnnlab.train.build import _WithAux
from cnnlab.train.checkpoint import list_checkpoints
from cnnlab.train.distributed import ALONE, ALONE_TEAM, Scale, Team, World, joined, world_from_environment
from cnnlab.train.loop import Training
from cnnlab.train.run import Settings, resume_run, train_run
from cnnlab.train.sharded import blocks, refuse_alone, refuse_with_shares
from cnnlab.train.watch import Moment, Watch
from tests.contract.networks import make, small_sizes
from tests.train.test_distributed import difference, on_ranks, training_of, untimed

RECIPE = Recipe(
    name="test/shares",
    paper="none",
    model="resnet_matlab",
    model_options={"width": 4, "units": 1},
    data="synthetic",
    batch_size=15,  # which two processes cannot halve
    steps=6,
    optimizer=Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=MultiStep(at_steps=(4,)),
    augment=(PadCrop(pixels=2), Flip()),
    average=Ema(decay=0.9),
    clip=ClipNorm(norm=1.0),
)
SETTINGS = Settings(data="synthetic", device="cpu", train_images=60, pixels=16, sync_bn=True)
# What the recipe above leaves out, on a network without batch norms; each with its arguments.
WITHOUT_NORMS = replace(RECIPE, model="nin_cifar", model_options={}, dropout=0.0, batch_size=16, steps=3)
ADAMW = replace(WITHOUT_NORMS, optimizer=AdamW(lr=1e-3), clip=ClipAdaptive(ratio=0.01), average=Polyak(from_share=0))
OTHERS: dict[str, tuple[Recipe, dict[str, Any]]] = {
    "adamw in pieces": (replace(ADAMW, accumulate=2), {}),
    "best by rmsprop": (
        replace(WITHOUT_NORMS, optimizer=RmsProp(lr=0.01, momentum=0.9), clip=None, average=None),
        {"patience": 3},
    ),
    "unfrozen later": (replace(WITHOUT_NORMS, average=None), {"frozen": "all but the classifier", "unfreeze_at": 0.5}),
}
# Blocks in rows of rows, in lists, with auxiliary heads, large layers, no blocks at all.
FAMILIES = ("resnetv2_110", "nin_cifar", "googlenet", "vgg11_cifar", "seresnet20", "highway19", "lenet5")


class StopAt(Watch):
    """Sends its process the signal to stop after a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def stepped(self, moment: Moment) -> None:
        if moment.step == self._step:
            os.kill(os.getpid(), signal.SIGTERM)


def held(values: Sequence[Tensor]) -> int:
    """How many float32 numbers this process has memory for."""
    own = [each.to_local() if isinstance(each, DTensor) else each for each in values]
    return sum(each.untyped_storage().nbytes() for each in own) // 4


def whole_weights(training: Training) -> dict[str, Tensor]:
    return dict(training.team.whole_network(training.final_network).state_dict())


def apart(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


# -- what needs no other process ----------------------------------------------------------------------------


def test_blocks_and_large_layers_are_gathered_by_themselves() -> None:
    with torch.device("meta"):
        names = {
            model: [name for name, each in network.named_modules() if each in set(blocks(network))]
            for model in ("resnet18", "vgg11", "resnetv2_50", "lenet5")
            for network in (create_model(model, num_classes=10),)
        }
    assert names["resnet18"] == [f"layer{stage}.{place}" for stage in (1, 2, 3, 4) for place in (0, 1)]
    assert names["vgg11"] == [*(f"features.{place}" for place in (11, 13, 16, 18)), "classifier.0", "classifier.3"]
    assert [each.rpartition(".")[0] for each in names["resnetv2_50"]] == [
        f"stages.{stage}.blocks" for stage, units in enumerate((3, 4, 6, 3)) for _ in range(units)
    ]
    assert names["lenet5"] == ["c3"]


def test_one_process_is_sent_to_torchrun(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--fsdp shares the weights out among processes, and there is one.*torchrun"):
        train_run(RECIPE, replace(SETTINGS, fsdp=True), tmp_path / "run")
    with pytest.raises(UsageError, match="torchrun"):
        resume_run(tmp_path / "run", changes={"fsdp": True})
    assert not (tmp_path / "run").exists()
    refuse_alone(World(size=2), fsdp=True)
    refuse_alone(World(restarts=1), fsdp=True)  # torchrun goes on with those machines that are left
    refuse_alone(ALONE, fsdp=False)


@pytest.mark.parametrize(
    ("recipe", "how", "said"),
    [
        (get_recipe("fast/cifar10"), {}, "Muon makes whole filter banks orthogonal; leave out --fsdp, or"),
        (replace(RECIPE, precision="fp16"), {}, "gradient scaler.*--set precision=bf16"),
        (RECIPE, {"compiled": True}, "leave out --compile"),
        (RECIPE, {"watched": True}, "leave out --watch"),
    ],
)
def test_what_takes_whole_weights_is_refused(recipe: Recipe, how: dict[str, bool], said: str) -> None:
    refuse_with_shares(RECIPE, compiled=False, watched=False)
    with pytest.raises(UsageError, match=said):
        refuse_with_shares(recipe, **{"compiled": False, "watched": False, **how})


# -- two processes --------------------------------------------------------------------------------------------


def test_a_run_of_shares_equals_one_of_whole_weights_and_goes_on_anyhow(tmp_path: Path) -> None:
    """Interrupted and gone on with, in two processes to the last bit, and in one, without shares, within rounding."""

    def begin(name: str, fsdp: bool, stop_at: int) -> str:
        try:
            train_run(RECIPE, replace(SETTINGS, fsdp=fsdp), tmp_path / name, watch=StopAt(stop_at))
        except InterruptedRunError:
            return "interrupted"
        return "finished"

    assert begin("one", False, 0) == "finished"  # here first, for the imports that the forks then have
    assert on_ranks(partial(begin, "whole", False, 0), tmp_path / "ranks of whole") == ["finished"] * 2
    assert on_ranks(partial(begin, "shares", True, 0), tmp_path / "ranks of shares") == ["finished"] * 2
    assert on_ranks(partial(begin, "run", True, 3), tmp_path / "ranks of run") == ["interrupted"] * 2
    shutil.copytree(tmp_path / "run", tmp_path / "in one")
    on_ranks(lambda: str(resume_run(tmp_path / "run").folder), tmp_path / "ranks of resumed")
    resume_run(tmp_path / "in one")

    assert (tmp_path / "run" / WEIGHTS).read_bytes() == (tmp_path / "shares" / WEIGHTS).read_bytes()
    assert untimed(tmp_path / "run") == untimed(tmp_path / "shares")
    for other in ("whole", "one", "in one"):
        assert difference(tmp_path / "shares", tmp_path / other) < 1e-5
        for mine, theirs in zip(untimed(tmp_path / "shares"), untimed(tmp_path / other), strict=True):
            assert mine.pop("split") == theirs.pop("split")
            assert mine == pytest.approx(theirs, rel=1e-4)
    written = [list_checkpoints(tmp_path / name / "checkpoints")[-1] for name in ("shares", "whole")]
    for part in ("network", "optimizer", "average"):
        mine, theirs = (load_file(each / f"{part}.safetensors") for each in written)
        assert [(name, mine[name].shape) for name in mine] == [(name, theirs[name].shape) for name in theirs]


def test_each_process_holds_its_share_and_goes_on_after_what_went_wrong(tmp_path: Path) -> None:
    def work() -> dict[str, Any]:
        with joined(world_from_environment(), "cpu", Scale(fsdp=True)) as team:
            how = {"on_bad_step": parse_on_bad_step("rollback:1", None)}
            training = training_of(team, RECIPE, tmp_path / "run", **how)
            assert training.average is not None
            training.step()
            training.save()
            weights, averages = list(training.network.parameters()), list(training.average.parameters())
            momentum = [each for state in training.optimizers[0].state.values() for each in state.values()]
            found: dict[str, Any] = {
                "all": sum(each.numel() for each in weights),
                "held": [held(weights), held(momentum), held(averages)],
            }
            before = whole_weights(training)

            block = next(blocks(training.network))
            hook = block.register_forward_hook(out_of_memory)
            found["fits"] = training.batch_trial()(4)
            hook.remove()
            found["fits after"] = training.batch_trial()(4)

            forward = training.forward
            if team.world.rank == 1:
                training.forward = lambda images: (forward(images)[0] * float("nan"), {})
            training.step()
            found["bad"], found["put back"] = training.progress.bad_steps, apart(before, whole_weights(training)) == 0
            with pytest.raises(NonFiniteLossError, match="step 2"):
                training.step()
            training.forward = forward
            training.step()
            found["moved"] = apart(before, whole_weights(training)) > 0
            return found

    first, second = on_ranks(work, tmp_path / "ranks")
    shares = [first.pop("held"), second.pop("held")]
    assert first == second
    weights = first.pop("all")
    assert first == {"fits": False, "fits after": True, "bad": [1], "put back": True, "moved": True}
    assert all(sum(each) == weights for each in zip(*shares, strict=True))
    assert all(0.45 * weights < each < 0.55 * weights for process in shares for each in process)


def out_of_memory(*_: object) -> None:
    raise MemoryError("no room for what a block gives")


def test_processes_with_other_numbers_of_batches_test_without_waiting(tmp_path: Path) -> None:
    """501 images and 500 are two batches and one; of one image a process has none."""
    part = synthetic(train_images=1, val_images=1001, test_images=1, pixels=8).val
    assert isinstance(part, Part)
    parts = (part, Part(part.images[:1], part.labels[:1]))
    preprocess, center = measure(part.images), PROTOCOLS["center"]

    def work() -> list[bool]:
        with joined(world_from_environment(), "cpu", Scale(fsdp=True)) as team:
            network = make("resnet_matlab", width=4, units=1)
            plain = copy.deepcopy(network)
            team.share_out(network)
            found = []
            for each in parts:
                mine = team.predict_part(network, each, center, preprocess, torch.device("cpu"))
                theirs = predict_part(plain, each, center, preprocess, torch.device("cpu"))
                found.append(torch.allclose(mine.probabilities, theirs.probabilities, atol=1e-6))
            return found

    assert on_ranks(work, tmp_path) == [[True, True]] * 2


def test_other_trainings_of_shares_equal_those_of_one_process(tmp_path: Path) -> None:
    """Each optimizer, pieces, both clippings, the best of epochs, frozen layers; also back from a checkpoint."""

    def work() -> str:
        with joined(world_from_environment(), "cpu", Scale(fsdp=True)) as team:
            for name, (recipe, how) in OTHERS.items():
                training = training_of(team, recipe, tmp_path / name / "shares", **how)
                training.step()
                training.save()
                training.step()
                training.restore("last")
                training.step()
                training.step()
                found = whole_weights(training)
                if team.world.first:
                    save_file({key: each.contiguous() for key, each in found.items()}, tmp_path / f"{name}.safetensors")
                training.run.close()
        return "done"

    assert on_ranks(work, tmp_path / "ranks") == ["done"] * 2
    for name, (recipe, how) in OTHERS.items():
        alone = training_of(ALONE_TEAM, recipe, tmp_path / name / "alone", **how)
        start = {key: value.clone() for key, value in alone.network.state_dict().items()}
        for _ in range(3):
            alone.step()
        alone.run.close()
        found = load_file(tmp_path / f"{name}.safetensors")
        assert apart(found, whole_weights(alone)) < 0.01 * apart(found, start), name


@pytest.mark.parametrize(
    "names",
    [FAMILIES, *(pytest.param((name,), marks=pytest.mark.slow) for name in MODELS)],
    ids=["families", *MODELS],
)
def test_networks_have_the_gradients_that_whole_weights_have(names: Sequence[str], tmp_path: Path) -> None:
    """Every warning is an error here: one says where a block's weights would not be gathered for its gradient."""

    def work() -> dict[str, float]:
        with joined(world_from_environment(), "cpu", Scale(fsdp=True)) as team:
            return {name: _worst_gradient(team, name) for name in names}

    for found in on_ranks(work, tmp_path):
        assert {name: worst for name, worst in found.items() if not worst < 1e-3} == {}


def _worst_gradient(team: Team, name: str) -> float:
    """How far a gradient of shared weights is from that of whole ones, in the largest number of that gradient."""
    network = make(name)
    plain = copy.deepcopy(network)
    team.share_out(network)
    images = torch.randn(2, network.in_channels, *small_sizes(name, network))
    for each in (network, plain):
        torch.manual_seed(0)  # of dropout
        logits, aux_logits = _WithAux(each)(images) if getattr(each, "aux_heads", False) else (each(images), {})
        sum((other.square().mean() for other in aux_logits.values()), logits.square().mean()).backward()
    return max(map(_apart, network.parameters(), plain.parameters()))


def _apart(mine: nn.Parameter, theirs: nn.Parameter) -> float:
    """How far this process's share of a gradient is from the same part of a whole one."""
    if theirs.grad is None or mine.grad is None:
        assert (mine.grad is None, theirs.grad is None) == (True, True)
        return 0.0
    assert isinstance(mine.grad, DTensor)
    part = distribute_tensor(theirs.grad, mine.grad.device_mesh, mine.grad.placements, src_data_rank=None)
    far = (mine.grad.to_local() - part.to_local()).abs().max() if mine.grad.to_local().numel() else torch.zeros(())
    return float(far / theirs.grad.abs().max().clamp(min=1e-6))


def test_stochastic_depth_is_refused_in_every_process(tmp_path: Path) -> None:
    def work() -> str:
        refused = pytest.raises(UsageError, match="stochastic depth leaves out other blocks in each")
        with joined(world_from_environment(), "cpu", Scale(fsdp=True)) as team, refused:
            team.share_out(make("resnet18", stochastic_depth=0.5))
        return "refused"

    assert on_ranks(work, tmp_path) == ["refused"] * 2
