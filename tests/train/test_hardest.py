"""The hardest images of a batch; that steps begun ahead and resumed runs are the same is in test_graphed.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import NonFiniteLossError, UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.precision import resolve_precision
from cnnlab.recipes.recipe import CrossEntropy, Hardest, Hinge, Multiply, Recipe, Resolution
from cnnlab.train.bad_step import parse_on_bad_step
from cnnlab.train.distributed import Team, World
from cnnlab.train.hardest import Proxy
from cnnlab.train.losses import image_losses
from cnnlab.train.replay import replay
from cnnlab.train.run import Settings, train_run
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE, Said, same

HARDEST = Hardest(share=0.25, model_options={"widths": (4, 4, 4)}, learns_every=3)
HARD = replace(RECIPE, model="airnet", model_options={"widths": (8, 8, 8)}, hardest=HARDEST)
FP32 = resolve_precision("fp32", torch.device("cpu"))


def batch(count: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 16, 16, generator=generator), torch.arange(count) % 10


def a_proxy(recipe: Recipe = HARD) -> Proxy:
    torch.manual_seed(0)
    return Proxy(recipe, HARDEST, create_model("airnet", widths=(4, 4, 4)), FP32)


def parameters(proxy: Proxy) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in proxy.network.named_parameters()}


@pytest.mark.parametrize("loss", [CrossEntropy(), Hinge()], ids=["cross-entropy", "hinge"])
@pytest.mark.parametrize("step", [0, 1], ids=["learns", "only looks"])
def test_those_with_the_highest_losses_are_chosen_in_the_order_of_the_batch(
    loss: CrossEntropy | Hinge, step: int
) -> None:
    proxy, (images, labels) = a_proxy(replace(HARD, loss=loss)), batch()
    chosen, of_chosen = proxy.choose(images, labels, 4, step)
    with torch.no_grad():
        losses = image_losses(loss, proxy.network(images), labels).tolist()
    hardest = sorted(sorted(range(16), key=lambda place: -losses[place])[:4])
    assert torch.equal(chosen, images[hardest])
    assert torch.equal(of_chosen, labels[hardest])


def test_choosing_changes_nothing_that_a_choice_depends_on_and_learning_is_a_step_on_what_was_chosen() -> None:
    proxy, other, (images, labels) = a_proxy(), a_proxy(), batch()
    before = parameters(proxy)
    first, _ = proxy.choose(images, labels, 4, 0)
    again, _ = proxy.choose(images, labels, 4, 0)
    assert torch.equal(first, again)
    assert same(parameters(proxy), before)
    proxy.learn()
    logits = other.network(images)
    losses = F.cross_entropy(logits, labels, reduction="none")
    losses.topk(4).values.mean().backward()
    other.optimizers[0].step()
    assert not same(parameters(proxy), before)
    for name, each in parameters(proxy).items():
        torch.testing.assert_close(each, parameters(other)[name])


def test_its_rates_have_the_multipliers_whose_patterns_match_its_parameters() -> None:
    multiply = (Multiply(parameters="*.bias", lr=2.0), Multiply(parameters="layer4.*", lr=3.0))
    [optimizer] = a_proxy(replace(HARD, multiply=multiply)).optimizers
    biases = [each["params"] for each in optimizer.param_groups if each["base_lr"] == 0.1]
    assert [parameter.ndim for parameter in biases[0]] == [1] * 6
    assert {each["base_lr"] for each in optimizer.param_groups} == {0.05, 0.1}


def test_it_learns_from_every_third_batch() -> None:
    proxy, (images, labels) = a_proxy(), batch()
    learned = []
    for step in range(7):
        before = parameters(proxy)
        proxy.choose(images, labels, 4, step)
        proxy.learn()
        learned.append(not same(parameters(proxy), before))
    assert learned == [True, False, False, True, False, False, True]


def test_an_image_that_is_no_number_does_not_spoil_it() -> None:
    proxy, (images, labels) = a_proxy(), batch()
    images[3] = float("nan")
    proxy.choose(images, labels, 4, 0)
    proxy.learn()
    assert all(bool(each.isfinite().all()) for each in parameters(proxy).values())


def test_the_network_is_trained_on_its_share_and_the_accuracy_is_of_it(training_in: TrainingIn, tmp_path: Path) -> None:
    said = Said()
    training = training_in(tmp_path / "run", HARD, watch=said)
    shapes = []
    training.network.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[0]))
    for _ in range(3):
        training.step()
    assert shapes == [4, 4, 4]
    assert training.progress.images_seen == training.progress.window.images == 12
    assert said.lines == ["batches of 16, the hardest 4 of each trained on"]
    assert training.batches.steps_per_epoch == 4  # of what is looked at


def test_small_images_are_small_for_it_too_and_its_rates_fall_with_the_networks(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    training = training_in(tmp_path / "run", replace(HARD, steps=8, resolutions=(Resolution(until=0.5, pixels=12),)))
    assert training.proxy is not None
    pixels: list[int] = []
    training.proxy.network.register_forward_pre_hook(lambda _, given: pixels.append(given[0].shape[-1]))
    rates = []
    for _ in range(8):
        training.step()
        rates.append(
            [optimizer.param_groups[0]["lr"] for optimizer in (*training.optimizers, *training.proxy.optimizers)]
        )
    assert all(first == second for first, second in rates)
    assert rates[0][0] > rates[-1][0]
    assert pixels == [12] * 4 + [16] * 4


def test_whole_batches_are_trained_on_in_the_last_part_and_teach_it_nothing(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    recipe = replace(HARD, steps=8, hardest=replace(HARDEST, until=0.5, learns_every=1))
    training = training_in(tmp_path / "run", recipe)
    assert training.proxy is not None
    shapes, learned, counted = [], [], []
    training.network.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[0]))
    for _ in range(8):
        before = parameters(training.proxy)
        [result] = training.step()
        learned.append(not same(parameters(training.proxy), before))
        counted.append(result.images)
    assert shapes == counted == [4] * 4 + [16] * 4
    assert learned == [True] * 4 + [False] * 4
    assert training.progress.images_seen == 4 * 4 + 4 * 16


def test_a_choice_that_was_not_learned_from_is_forgotten_once_all_are_chosen() -> None:
    proxy, (images, labels) = a_proxy(), batch()
    before = parameters(proxy)
    proxy.choose(images, labels, 4, 0)  # of a step that went wrong
    chosen, of_chosen = proxy.choose(images, labels, 16, 1)
    proxy.learn()
    assert chosen is images
    assert of_chosen is labels
    assert same(parameters(proxy), before)


def test_a_step_left_out_teaches_it_nothing(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", HARD, on_bad_step=parse_on_bad_step("skip"))
    assert training.proxy is not None
    before = parameters(training.proxy)
    weight = training.network.classifier.weight
    weight.register_hook(lambda it: it * float("inf") if training.clock.step == 0 else None)
    training.step()
    assert training.progress.bad_steps == [0]
    assert same(parameters(training.proxy), before)


def test_a_bad_step_is_replayed(tmp_path: Path) -> None:
    wild = replace(HARD, val_images=16, average=None, optimizer=replace(RECIPE.optimizer, lr=1e30))
    with pytest.raises(NonFiniteLossError, match="cnnlab diagnose --replay"):
        train_run(wild, Settings(data="synthetic", device="cpu", train_images=80), tmp_path / "run")
    found = replay(tmp_path / "run")
    assert len(found.indices) == 16
    assert found.where in ("activations", "gradients")


def test_several_processes_are_refused(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", HARD)

    class Two(Team):
        world = World(size=2)

    training.team = Two()
    with pytest.raises(UsageError, match=r"training on the hardest images .*hardest=null.* there are 2"):
        training._build_proxy()
