"""Verdicts on a short training: what is wrong, by what evidence, and what to do about it.

Each threshold lies between what healthy and sick short trainings were measured to do; `bench/flow_doctor.py` makes
them, and docs/diagnose.md shows both sides of every threshold and how often a healthy training is wronged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cnnlab.explain.flow import LayerFlow
from cnnlab.explain.trial import Measures, Trial, measure

VANISHED_LEVER = -5.0  # log10
EXPLODED_GRADIENT = 4.0  # log10
SIGNAL_SPAN = 1.5  # log10, up or down
DEAD_SHARE = 0.6
SATURATED_SHARE = 0.4
LOSS_START = 8.0  # times log K
LOSS_GROWTH = 2.0
HIGH_UPDATE = 0.3
LOW_GAIN = -4.6  # log10
STRONG_GRADIENT = -0.9  # log10; only where gradients are at least this strong can a small gain be the rate's fault
UNTRAINED_LOSS = 0.7  # times log K
NORM_DRIFT = 0.6  # running deviations
CHANCE_Z = 4.0  # standard errors; by chance once in 30,000
IMAGE_OFFSET = 1.0  # deviations
IMAGE_DEVIATIONS = (0.05, 5.0)


class Ailment(StrEnum):
    """What can be wrong with a training."""

    VANISHING = "vanishing gradients"
    EXPLODING = "exploding gradients"
    DEAD = "dead units"
    SATURATED = "saturated units"
    INITIALISATION = "wrong initialisation"
    LR_HIGH = "learning rate too high"
    LR_LOW = "learning rate too low"
    NORM_MODE = "batch norm in the wrong mode"
    LABELS = "labels shuffled"
    NOT_NORMALISED = "data not normalised"


@dataclass(frozen=True)
class Verdict:
    """One thing that is wrong: the evidence with its figures, and the remedy to try first."""

    ailment: Ailment
    evidence: str
    remedy: str


def judge(trial: Trial) -> list[Verdict]:
    """What is wrong with a trial, what explains most first; empty where nothing is."""
    measures = measure(trial)
    judges = (
        _data_not_normalised,
        _labels_shuffled,
        _norm_mode,
        _wrong_initialisation,
        _vanishing,
        _exploding,
        _dead,
        _saturated,
        _lr_too_high,
        _lr_too_low,
    )
    return [verdict for each in judges for verdict in each(measures, trial)]


# -- the data ----------------------------------------------------------------------------------------------------


def _data_not_normalised(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    low, high = IMAGE_DEVIATIONS
    if measures.image_offset > IMAGE_OFFSET or not low < measures.image_deviation < high:
        first = trial.flows[0]
        yield Verdict(
            Ailment.NOT_NORMALISED,
            f"the images that reach the network have mean {first.image_mean:.3g} and deviation "
            f"{first.image_deviation:.3g}; training works best with a mean near 0 and a deviation of 0.1 to 2",
            "subtract the training set's mean and divide by its deviation, the same in training and in use",
        )


def _labels_shuffled(_: Measures, trial: Trial) -> Iterator[Verdict]:
    check = trial.labels
    if check is not None and check.z < CHANCE_Z:
        yield Verdict(
            Ailment.LABELS,
            f"a linear reader of random features, which knows nothing of the network, gets {check.top1:.1%} of "
            f"{check.images} unseen images right; guessing the commonest class gets {check.chance:.1%}",
            "look at some images beside their labels; check that both are shuffled by the same order",
        )


# -- the network -------------------------------------------------------------------------------------------------


def _norm_mode(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    norms = trial.flows[0].norms
    if measures.norms_in_eval > 0:
        frozen = [each.name for each in norms if not each.training]
        yield Verdict(
            Ailment.NORM_MODE,
            f"{len(frozen)} of {len(norms)} batch norms train in evaluation mode, {frozen[0]} the first: they use old "
            "statistics in place of the batch's",
            "call network.train() before training and network.eval() before testing; freeze norms only on purpose",
        )
    elif measures.norm_drift is not None and measures.norm_drift > NORM_DRIFT:
        yield Verdict(
            Ailment.NORM_MODE,
            f"the statistics that the batch norms will test with are {measures.norm_drift:.1f} deviations from those "
            "of the batches they train with, though they have averaged many",
            "check the norms' momentum (0.1 is usual), that they were in training mode, and that training and test "
            "images are prepared alike",
        )


def _wrong_initialisation(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    layers = trial.flows[0].layers
    if measures.zero_weights:
        first = next(each.name for each in layers if each.weight_norm == 0)
        evidence = (
            f"{measures.zero_weights} of {len(layers)} layers start with all weights 0, {first} the first: "
            "all their units compute the same and stay equal"
        )
    elif abs(measures.signal_span) > SIGNAL_SPAN:
        word = "grow" if measures.signal_span > 0 else "shrink"
        evidence = (
            f"before the first update activations {word} {10 ** abs(measures.signal_span):.2g} times from the first "
            f"quarter of the layers to the last"
        )
    elif measures.loss_start > LOSS_START:
        evidence = (
            f"the first loss is {trial.losses[0]:.3g}, {measures.loss_start:.3g} times that of guessing "
            f"({math.log(trial.num_classes):.2f})"
        )
    else:
        return
    yield Verdict(
        Ailment.INITIALISATION,
        evidence,
        "draw weights with variance 2 / inputs for ReLU (he_fan_in), 1 / inputs for tanh (xavier); batch norm after "
        "each convolution makes the scale matter less",
    )


def _vanishing(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    if measures.first_lever < VANISHED_LEVER:
        first, last = trial.flows[0].layers[0], trial.flows[0].layers[-1]
        squashing = {"sigmoid", "tanh"} & {each.activation for each in trial.flows[0].layers}
        remedy = "shortcuts around every two layers (a ResNet), or batch norm after each convolution"
        yield Verdict(
            Ailment.VANISHING,
            f"doubling the weights of any layer of the first quarter would change the loss by "
            f"{_power(measures.first_lever)} of itself; gradient norm {first.gradient_norm:.1e} at {first.name}, "
            f"{last.gradient_norm:.1e} at {last.name}",
            f"ReLU in place of {' and '.join(sorted(squashing))}; {remedy}" if squashing else remedy,
        )


def _exploding(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    if measures.gradient > EXPLODED_GRADIENT:
        worst = max(trial.flows[0].layers, key=lambda each: each.gradient_norm * each.weight_norm)
        yield Verdict(
            Ailment.EXPLODING,
            f"the gradient at {worst.name} has norm {worst.gradient_norm:.1e} for weights of norm "
            f"{worst.weight_norm:.1e}, before the first update",
            "smaller initial weights (he_fan_in), batch norm, or clipping the gradient to a norm of about 1",
        )


def _dead(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    if measures.dead > DEAD_SHARE:
        worst = max(_with(trial, "relu"), key=lambda each: each.dead)
        yield Verdict(
            Ailment.DEAD,
            f"{measures.dead:.0%} of the ReLU channels are 0 for every image, {worst.dead:.0%} of {worst.name}'s: "
            "no gradient can bring them back",
            "a lower learning rate, biases that start at 0, he_fan_in weights; or leaky ReLU",
        )


def _saturated(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    if measures.saturated > SATURATED_SHARE:
        worst = max(_with(trial, "sigmoid", "tanh"), key=lambda each: each.saturated)
        yield Verdict(
            Ailment.SATURATED,
            f"{measures.saturated:.0%} of the sigmoid and tanh values lie on the flat ends, {worst.saturated:.0%} of "
            f"{worst.name}'s: hardly any gradient passes",
            "smaller initial weights (xavier), normalised images, or ReLU",
        )


# -- the learning rate -------------------------------------------------------------------------------------------


def _lr_too_high(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    sane = measures.loss_start < LOSS_START  # else the first step was lost before any update
    diverged = not measures.finite or measures.loss_change > LOSS_GROWTH
    if sane and (diverged or measures.update > HIGH_UPDATE):
        worst = max(each for each in trial.losses if math.isfinite(each))
        ended = f"{trial.losses[-1]:.3g}" if measures.finite else "no number"
        yield Verdict(
            Ailment.LR_HIGH,
            f"the loss goes from {trial.losses[0]:.3g} to {ended} in {len(trial.losses)} steps ({worst:.3g} at worst); "
            f"a step changes weights by {measures.update:.2g} of their size, where 0.001 to 0.05 is usual",
            "a learning rate 10 times lower, or a warm-up; cnnlab lr-find tries a range",
        )


def _lr_too_low(measures: Measures, trial: Trial) -> Iterator[Verdict]:
    learning = measures.loss_start * measures.loss_change < UNTRAINED_LOSS
    strong = measures.gradient > STRONG_GRADIENT and measures.finite
    if strong and not learning and measures.gain < LOW_GAIN:
        yield Verdict(
            Ailment.LR_LOW,
            f"a step can take away {_power(measures.gain)} of the loss at most and changes weights by "
            f"{measures.update:.1e} of their size, though gradients arrive",
            "a learning rate 10 to 100 times higher; cnnlab lr-find tries a range",
        )


def _with(trial: Trial, *activations: str) -> list[LayerFlow]:
    return [each for each in trial.flows[-1].layers if each.activation in activations]


def _power(log: float) -> str:
    return "nothing" if log <= -30 else f"{10**log:.0e}"
