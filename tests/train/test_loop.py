import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.errors import DataError, InterruptedRunError, NonFiniteLossError, UsageError
from cnnlab.explain.live import LiveFlow
from cnnlab.recipes.recipe import (
    LinearWarmup,
    Muon,
    OneCycle,
    Plateau,
    Polyak,
    Recipe,
    Resolution,
    Sgd,
    WarmupUntilError,
)
from cnnlab.train.build import build_network, step_seed
from cnnlab.train.checkpoint import list_checkpoints
from cnnlab.train.freeze import ALL_BUT_CLASSIFIER
from cnnlab.train.loop import fit
from cnnlab.train.record import TIMING, read_records
from cnnlab.train.watch import Moment, Watch
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE, same, small_parts, weights, with_lr

FLAT = OneCycle(peak_at=0.0, final_factor=1.0)
MUON = replace(
    RECIPE,
    optimizer=Muon(lr=0.1, rest=Sgd(lr=0.05)),
    schedule=OneCycle(peak_at=0.25),
    resolutions=(Resolution(until=0.5, pixels=12),),
    label_smoothing=0.1,
)


def untimed(folder: Path) -> list[dict[str, object]]:
    return [{key: value for key, value in each.items() if key not in TIMING} for each in read_records(folder)]


class Recording(Watch):
    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.validations: list[int] = []

    def stepped(self, moment: Moment) -> None:
        self.moments.append(moment)

    def validated(self, epoch: int, top1: float, loss: float) -> None:
        self.validations.append(epoch)


@pytest.mark.parametrize("recipe", [RECIPE, MUON], ids=["sgd", "muon"])
@pytest.mark.parametrize("stop_after", [1, 4, 7])
def test_a_resumed_training_ends_bit_equal_to_an_undisturbed_one(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe, stop_after: int
) -> None:
    whole = training_in(tmp_path / "whole", recipe)
    fit(whole)

    stopped = training_in(tmp_path / "stopped", recipe)
    for _ in range(stop_after):
        stopped.step()
    stopped.save()
    stopped.step()  # lost with the process
    stopped.run.close()
    resumed = training_in(tmp_path / "stopped", recipe, resume=True)
    resumed.restore("last")
    assert resumed.clock.step == stop_after
    fit(resumed)

    assert same(weights(whole), weights(resumed))
    assert untimed(tmp_path / "whole") == untimed(tmp_path / "stopped")


def test_two_seeds_differ_and_one_seed_repeats(training_in: TrainingIn, tmp_path: Path) -> None:
    trainings = [training_in(tmp_path / str(number), seed=seed) for number, seed in enumerate((0, 0, 1))]
    for each in trainings:
        each.step()
    assert same(weights(trainings[0]), weights(trainings[1]))
    assert not same(weights(trainings[0]), weights(trainings[2]))


def test_steps_validations_and_records_come_when_they_should(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    training = training_in(tmp_path / "run", watch=watch)
    fit(training)
    assert [each.step for each in watch.moments] == list(range(1, 9))
    assert [each.lr for each in watch.moments] == pytest.approx([0.05] * 4 + [0.005] * 2 + [0.0005] * 2)
    assert watch.validations == [0, 1]  # four batches of 16 in 64 images: two epochs
    splits = [(each["split"], each["step"]) for each in read_records(tmp_path / "run")]
    assert splits == [("val", 4), ("train", 8), ("val", 8)]
    assert training.clock.done


def test_low_resolution_comes_first_and_full_size_last(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    fit(training_in(tmp_path / "run", MUON, watch=watch))
    assert [each.pixels for each in watch.moments] == [12] * 4 + [16] * 4


def test_a_shorter_run_keeps_the_shape_of_the_schedule(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    training = training_in(tmp_path / "run", watch=watch)
    training.clock.total_steps = 4  # half of the recipe's eight
    fit(training)
    assert [each.lr for each in watch.moments] == pytest.approx([0.05, 0.05, 0.005, 0.0005])


def test_a_stop_signal_saves_the_step_it_came_in(training_in: TrainingIn, tmp_path: Path) -> None:
    class StopAtThree(Watch):
        def stepped(self, moment: Moment) -> None:
            if moment.step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    training = training_in(tmp_path / "run", watch=StopAtThree())
    with pytest.raises(InterruptedRunError, match=r"SIGTERM after step 3.*--resume --run"):
        fit(training)
    assert [each.name for each in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000003"]


def test_resuming_without_a_checkpoint_by_auto_starts_over(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run")
    training.run.log({"step": 5, "epoch": 0, "split": "train", "loss": 1.0})
    training.restore("auto")
    assert training.clock.step == 0
    assert training.run.records() == []


def test_warm_up_lasts_until_the_training_error_falls(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    warm = replace(RECIPE, warmup=WarmupUntilError(error=0.999, factor=0.1), steps=24, schedule=FLAT)
    fit(training_in(tmp_path / "run", warm, watch=watch))
    assert [each.lr for each in watch.moments] == pytest.approx([0.005] * 20 + [0.05] * 4)


def test_plateau_lowers_the_rate_after_validations_that_bring_nothing(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    recipe = replace(RECIPE, schedule=Plateau(factor=0.5, patience_epochs=1), steps=8)
    training = training_in(tmp_path / "run", recipe, watch=watch)
    training.progress.val_errors = [0.0]  # nothing can be better
    fit(training)
    assert [each.lr for each in watch.moments] == pytest.approx([0.05] * 4 + [0.025] * 4)


def test_no_validation_split_no_validation(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    parts = small_parts()
    empty = replace(parts, val=replace(parts.val, images=parts.val.images[:0], labels=parts.val.labels[:0]))
    fit(training_in(tmp_path / "run", parts=empty, watch=watch))
    assert watch.validations == []


def test_the_initial_network_depends_on_the_seed_alone() -> None:
    parts = small_parts()
    torch.manual_seed(99)
    first = build_network(RECIPE, parts, seed=4).state_dict()
    torch.manual_seed(7)
    assert same(first, build_network(RECIPE, parts, seed=4).state_dict())


def test_every_step_of_every_seed_has_its_own_random_numbers() -> None:
    seeds = {step_seed(seed, step) for seed in range(20) for step in range(500)}
    assert len(seeds) == 20 * 500
    assert all(0 <= each < 2**63 for each in seeds)
    assert np.all(np.array(sorted(seeds)) >= 0)


@pytest.mark.slow
def test_a_compiled_network_trains_to_the_same_loss(training_in: TrainingIn, tmp_path: Path) -> None:
    plain, compiled = Recording(), Recording()
    short = replace(RECIPE, steps=3, average=None)
    fit(training_in(tmp_path / "plain", short, watch=plain))
    fit(training_in(tmp_path / "compiled", short, watch=compiled, compiled=True))
    assert [each.loss for each in compiled.moments] == pytest.approx([each.loss for each in plain.moments], rel=1e-3)


@pytest.mark.parametrize("recipe", [RECIPE, MUON], ids=["sgd", "muon"])
def test_bf16_trains_as_float32_does(training_in: TrainingIn, tmp_path: Path, recipe: Recipe) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        watch = Recording()
        fit(training_in(tmp_path / precision, replace(recipe, precision=precision), watch=watch))
        losses[precision] = [moment.loss for moment in watch.moments]
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("recipe", [RECIPE, MUON], ids=["sgd", "muon"])
def test_a_gpu_trains_to_about_the_same_loss(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe, precision: str
) -> None:
    cpu, gpu = Recording(), Recording()
    fit(training_in(tmp_path / "cpu", recipe, watch=cpu))
    fit(training_in(tmp_path / "gpu", replace(recipe, precision=precision), watch=gpu, device="cuda"))
    assert gpu.moments[-1].loss == pytest.approx(cpu.moments[-1].loss, rel=1e-3 if precision == "fp32" else 0.05)


def test_labels_outside_the_classes_are_refused_by_name(training_in: TrainingIn, tmp_path: Path) -> None:
    parts = small_parts()
    labels = parts.train.labels.clone()
    labels[[3, 5]] = torch.tensor([len(parts.class_names), -1])
    wrong = replace(parts, train=replace(parts.train, labels=labels))
    with pytest.raises(DataError, match=r"train image 3 has the label 10, and there are 10 classes, 0 to 9; 2 such"):
        training_in(tmp_path / "run", parts=wrong)


def test_auxiliary_heads_that_the_network_has_not_are_refused(training_in: TrainingIn, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"weighs auxiliary heads by 0.3, and resnet20 has none; add --set aux_weight=0"
    ):
        training_in(tmp_path / "run", replace(RECIPE, aux_weight=0.3))


def test_dropout_is_the_recipes_where_it_says_so() -> None:
    recipe = replace(RECIPE, model="wrn16_8", dropout=0.25)
    with torch.device("meta"):
        modules = list(build_network(recipe, small_parts(), seed=0).modules())
    assert {each.p for each in modules if isinstance(each, torch.nn.Dropout)} == {0.25}


def test_polyaks_average_is_of_the_last_part_alone(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(RECIPE, average=Polyak(from_share=0.5)))
    seen = []
    for _ in range(8):
        assert (training.tested_network is training.network) == (training.clock.step <= 4)
        training.step()
        seen.append(training.network.get_parameter("conv1.weight").detach().clone())
    assert training.progress.averaged == 4
    average = training.tested_network.get_parameter("conv1.weight")
    torch.testing.assert_close(average, torch.stack(seen[4:]).mean(dim=0))


def test_a_linear_warm_up_multiplies_the_schedule(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    fit(training_in(tmp_path / "run", replace(RECIPE, warmup=LinearWarmup(steps=2)), watch=watch))
    assert [each.lr for each in watch.moments] == pytest.approx([0.0, 0.025, 0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005])


EVERY_THIRD = partial(LiveFlow, every=3)


@pytest.mark.parametrize("recipe", [RECIPE, MUON], ids=["sgd", "muon"])
def test_a_watched_training_ends_at_the_same_weights(training_in: TrainingIn, tmp_path: Path, recipe: Recipe) -> None:
    plain = training_in(tmp_path / "plain", recipe)
    watched = training_in(tmp_path / "watched", recipe, watch_steps=EVERY_THIRD)
    fit(plain)
    fit(watched)
    assert same(weights(plain), weights(watched))
    assert [each["step"] for each in read_records(tmp_path / "watched", "flow.jsonl")] == [0, 3, 6]
    watched.draw_flow("title")
    assert (tmp_path / "watched" / "flow.png").is_file()
    plain.draw_flow("title")
    assert not (tmp_path / "plain" / "flow.png").exists()


def test_a_watched_training_goes_on_with_what_it_saw(training_in: TrainingIn, tmp_path: Path) -> None:
    first = training_in(tmp_path / "run", watch_steps=EVERY_THIRD)
    for _ in range(5):
        first.step()
        if first.clock.step == 3:
            first.save()
    first.run.close()
    second = training_in(tmp_path / "run", resume=True, watch_steps=EVERY_THIRD)
    second.restore("last")
    assert [each["step"] for each in read_records(tmp_path / "run", "flow.jsonl")] == [0]
    fit(second)
    assert [each["step"] for each in read_records(tmp_path / "run", "flow.jsonl")] == [0, 3, 6]


def test_sampled_steps_run_the_network_uncompiled(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(RECIPE, steps=4), watch_steps=EVERY_THIRD)
    compiled = []

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        compiled.append(training.clock.step)
        return training.plain_forward(images)

    training.forward = forward
    fit(training)
    assert compiled == [1, 2]


def test_a_step_whose_loss_is_no_number_is_not_recorded(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", with_lr(1e30), watch_steps=partial(LiveFlow, every=1))
    with pytest.raises(NonFiniteLossError):
        fit(training)
    seen = [each["step"] for each in read_records(tmp_path / "run", "flow.jsonl")]
    assert training.clock.step not in seen


def test_what_was_frozen_trains_from_its_share_on_and_resumes_exactly(training_in: TrainingIn, tmp_path: Path) -> None:
    how = {"frozen": ALL_BUT_CLASSIFIER, "unfreeze_at": 0.5}
    recipe = replace(RECIPE, average=None)
    whole = training_in(tmp_path / "whole", recipe, **how)
    first = {name: value.clone() for name, value in whole.network.state_dict().items()}
    for _ in range(4):
        whole.step()
    body = [name for name in first if not name.startswith("fc.")]
    assert all(torch.equal(whole.network.state_dict()[name], first[name]) for name in body)
    assert not torch.equal(whole.network.fc.weight, first["fc.weight"])
    fit(whole)
    changed = [name for name in body if not torch.equal(whole.network.state_dict()[name], first[name])]
    assert {"conv1.weight", "bn1.weight", "bn1.running_mean", "layer3.2.conv2.weight"} <= set(changed)
    for stop_after in (2, 6):
        folder = tmp_path / str(stop_after)
        stopped = training_in(folder, recipe, **how)
        for _ in range(stop_after):
            stopped.step()
        stopped.save()
        stopped.run.close()
        resumed = training_in(folder, recipe, resume=True, **how)
        resumed.restore("last")
        fit(resumed)
        assert same(weights(whole), weights(resumed))


def test_patience_ends_a_training_with_the_weights_of_its_best_epoch(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Recording()
    training = training_in(tmp_path / "run", replace(RECIPE, steps=80), watch=watch, patience=1)
    kept: dict[str, torch.Tensor] = {}
    while not training.done:
        training.step()
        errors = training.progress.val_errors
        if training.clock.step % 4 == 0 and errors.index(min(errors)) == len(errors) - 1:
            kept = {name: value.clone() for name, value in training.tested_network.state_dict().items()}
    errors = training.progress.val_errors
    assert not training.clock.done
    assert errors[-1] >= min(errors[:-1])
    assert same(dict(training.final_network.state_dict()), kept)
    assert not same(dict(training.tested_network.state_dict()), kept)
    assert read_records(tmp_path / "run")[-1]["split"] == "train"  # what was left of the window

    training.save()
    training.run.close()
    resumed = training_in(tmp_path / "run", training.recipe, resume=True, patience=1)
    resumed.restore("last")
    assert resumed.done
    assert same(dict(resumed.final_network.state_dict()), kept)


def test_patience_without_validation_images_is_refused_by_name(training_in: TrainingIn, tmp_path: Path) -> None:
    parts = small_parts()
    empty = replace(parts, val=replace(parts.val, images=parts.val.images[:0], labels=parts.val.labels[:0]))
    with pytest.raises(UsageError, match="--patience 3 watches the validation error, and synthetic is left without"):
        training_in(tmp_path / "run", parts=empty, patience=3)


def test_the_rate_of_all_layers_but_the_last_is_multiplied(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", layer_lr=0.1)
    (optimizer,) = training.optimizers
    lrs = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    found = {name: lrs[id(each)] for name, each in training.network.named_parameters()}
    assert found["conv1.weight"] == pytest.approx(0.005)
    assert found["fc.weight"] == pytest.approx(0.05)


def test_a_training_in_half_precision_leaves_its_float32_test_twice_the_time(
    training_in: TrainingIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved: dict[str, float] = {}
    for precision in ("fp32", "bf16"):
        training = training_in(tmp_path / precision, replace(RECIPE, precision=precision, val_images=0))
        training.clock.unit_seconds = 0.3

        def keep(seconds: float, reserve: float, *, warms_up: bool = False, name: str = precision) -> None:
            reserved[name] = reserve

        monkeypatch.setattr(training.clock, "tick", keep)
        training.step()
    assert reserved["bf16"] == pytest.approx(2 * reserved["fp32"]) != 0
