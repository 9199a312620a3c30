"""Whether a training learns: losses and answers held against guessing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.recipes.recipe import Hardest, Hinge, Recipe, Sgd
from cnnlab.train.learning import Answered, Learning, guess_loss, judge, what_to_try
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE, Said, small_parts

NAMES = ("ant", "bee")
LABELS = torch.tensor([0] * 30 + [1] * 10)
PLAIN = replace(RECIPE, label_smoothing=0.0)


def entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


def learning(loss: float, guess: float | None = math.log(2), steps: int = 200) -> Learning:
    found = Learning(guess)
    for step in range(20, steps + 1, 20):
        found.add(step, loss)
    return found


def answered(right: int, images: int, one_class: bool = False) -> Answered:
    """Answers to as many ants as bees."""
    labels = [0, 1] * (images // 2)
    guesses = [0] * images if one_class else [label if i < right else 1 - label for i, label in enumerate(labels)]
    return Answered.of("test", guesses, labels, 2)


# -- the loss of guessing ----------------------------------------------------------------------------------------


def test_guessing_costs_the_entropy_of_how_often_each_class_comes() -> None:
    assert guess_loss(PLAIN, LABELS, 2) == pytest.approx(entropy(0.75, 0.25))


def test_label_smoothing_raises_it() -> None:
    assert guess_loss(replace(RECIPE, label_smoothing=0.2), LABELS, 2) == pytest.approx(entropy(0.7, 0.3))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_it_is_what_the_best_constant_answer_costs(smoothing: float) -> None:
    weights = torch.tensor([0.5, 2.0])
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([bias], max_iter=50)

    def loss() -> torch.Tensor:
        each = nn.functional.cross_entropy(bias.expand(40, 2), LABELS, reduction="none", label_smoothing=smoothing)
        return (each * weights[LABELS]).mean()

    def closure() -> float:
        optimizer.zero_grad()
        found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        return found.item()

    optimizer.step(closure)
    recipe = replace(RECIPE, label_smoothing=smoothing)
    assert guess_loss(recipe, LABELS, 2, class_weights=weights) == pytest.approx(loss().item(), abs=1e-5)


def test_images_drawn_alike_of_every_class_make_it_that_of_equal_classes() -> None:
    weights = torch.where(LABELS == 0, 1.0, 3.0).double().numpy()
    assert guess_loss(PLAIN, LABELS, 2, image_weights=weights) == pytest.approx(math.log(2))


@pytest.mark.parametrize("recipe", [replace(PLAIN, loss=Hinge()), replace(PLAIN, hardest=Hardest())])
def test_other_losses_and_the_hardest_images_have_no_such_bound(recipe: Recipe) -> None:
    assert guess_loss(recipe, LABELS, 2) is None


# -- while it runs -----------------------------------------------------------------------------------------------


def test_a_loss_at_that_of_guessing_is_doubted_once_after_a_fair_share() -> None:
    found = learning(0.693)
    assert found.doubt(200, 0.2) is None
    said = found.doubt(200, 0.3)
    assert said is not None
    assert said.startswith(
        "warning: it has not learned anything in 200 steps: the training loss is 0.693, and guessing"
    )
    assert found.doubt(220, 0.4) is None


def test_a_long_training_is_doubted_after_a_thousand_steps() -> None:
    assert learning(2.303, math.log(10), 1_000).doubt(1_000, 0.01) is not None


def test_a_training_that_learns_late_is_said_to() -> None:
    found = learning(0.693)
    found.doubt(200, 0.3)
    for step in range(220, 601, 20):
        found.add(step, 0.3)
    assert found.doubt(600, 0.6) == "it learns now: the training loss is 0.300, that of guessing 0.693"


def test_a_loss_below_that_of_guessing_is_not_doubted() -> None:
    assert learning(0.6).doubt(200, 0.5) is None
    assert learning(0.693, None).doubt(200, 0.5) is None


def test_only_recent_steps_count() -> None:
    found = learning(50.0, steps=100)
    for step in range(120, 1_001, 20):
        found.add(step, 0.1)
    assert found.loss == pytest.approx(0.1)


# -- at the end --------------------------------------------------------------------------------------------------


def test_a_network_that_is_right_far_more_often_than_guessing_has_learned() -> None:
    assert judge(learning(0.1), answered(38, 40), NAMES).learned is True


def test_a_loss_not_below_that_of_guessing_is_not_learning() -> None:
    found = judge(learning(50.0), answered(21, 40), NAMES)
    assert found.learned is False
    assert found.warnings == ("the training loss is 50.000, and guessing by how often each class comes gives 0.693",)


def test_answers_that_are_surely_better_than_guessing_outweigh_the_loss() -> None:
    assert judge(learning(50.0), answered(38, 40), NAMES).learned is True


def test_one_class_answered_for_all_is_not_learning() -> None:
    found = judge(learning(0.5), answered(0, 40, one_class=True), NAMES)
    assert (found.learned, found.warnings) == (False, ("'ant' is answered for all 40 test images",))


def test_right_no_more_often_than_the_commonest_class_is_not_learning() -> None:
    found = judge(learning(0.1), answered(19, 40), NAMES)
    assert found.learned is False
    assert "19 of 40 test images are right, no better than always answering the commonest class" in found.warnings[0]


@pytest.mark.parametrize(("right", "images", "said"), [(24, 40, "cannot be told from"), (2, 2, "too few to tell")])
def test_few_images_leave_it_open(right: int, images: int, said: str) -> None:
    found = judge(learning(0.1), answered(right, images), NAMES)
    assert found.learned is None
    assert said in found.warnings[0]


def test_without_other_images_only_the_loss_tells() -> None:
    assert judge(learning(0.1), None, NAMES).learned is None
    assert judge(learning(0.7), None, NAMES).learned is False


def test_images_of_one_class_alone_cannot_tell() -> None:
    only = Answered.of("val", [0] * 20, [0] * 20, 2)
    assert judge(learning(0.1), only, NAMES).learned is None


def test_chance_is_the_tail_of_the_binomial_distribution() -> None:
    assert answered(0, 4).chance(3) == pytest.approx(5 / 16)
    assert answered(0, 20_000).chance(20_000) == pytest.approx(0.0)


def test_what_to_try_begins_with_the_likeliest() -> None:
    blown_up = what_to_try(PLAIN, "my photos", learning(50.0), 400)
    assert blown_up[0] == "the loss has blown up; a lower rate than 0.05: --lr 0.005"
    assert "cnnlab lr-find 'my photos' --model resnet20" in blown_up[1]
    assert what_to_try(PLAIN, "photos", learning(0.693), 29)[0].startswith(
        "more steps than 29: --epochs or --minutes, or"
    )


# -- in a training -----------------------------------------------------------------------------------------------


def test_a_training_at_far_too_high_a_rate_says_so_while_it_runs(tmp_path: Path, training_in: TrainingIn) -> None:
    said = Said()
    recipe = replace(PLAIN, steps=80, optimizer=Sgd(lr=1e-9), average=None)
    training = training_in(tmp_path / "run", recipe, parts=small_parts(), watch=said)
    while not training.done:
        training.step()
    assert any(line.startswith("warning: it has not learned anything in 60 steps") for line in said.lines)


def test_a_resumed_training_knows_its_earlier_losses(tmp_path: Path) -> None:
    records = [{"step": 20, "split": "train", "loss": 1.0}, {"step": 20, "split": "val", "loss": 9.0}]
    found = learning(3.0)
    found.take_up(json.loads(json.dumps(records)))
    assert found.loss == 1.0
