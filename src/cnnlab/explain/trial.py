"""A few real training steps, watched: what the flow doctor judges, boiled down to a dozen numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from cnnlab.explain.flow import Flow, StepFlow
from cnnlab.explain.labels import LabelCheck

TakeStep = Callable[[int], tuple[float, float]]
"""Takes training step number n; returns its loss and the share of the batch the network got right."""

TINY = 1e-30


@dataclass(frozen=True)
class Trial:
    """The steps of a short training; the last loss may be infinite or not a number, where it broke off."""

    flows: tuple[StepFlow, ...]
    losses: tuple[float, ...]
    top1: tuple[float, ...]
    num_classes: int
    labels: LabelCheck | None = None


def run_trial(
    network: nn.Module,
    take_step: TakeStep,
    *,
    steps: int,
    num_classes: int,
    every: int = 1,
    labels: LabelCheck | None = None,
) -> Trial:
    """Let `take_step` train `network` for `steps` steps and watch every `every`-th; it ends at a loss of no number.

    Numbers below 1e-38 count as 0 meanwhile: vanished gradients are full of them, and a CPU is slow with them.
    """
    flow = Flow(network, every=every)
    flows: list[StepFlow] = []
    losses: list[float] = []
    right: list[float] = []
    torch.set_flush_denormal(True)
    try:
        for step in range(steps):
            flow.before_step(step)
            loss, top1 = take_step(step)
            seen = flow.after_step(step)
            flows += [seen] if seen is not None else []
            losses.append(loss)
            right.append(top1)
            if not math.isfinite(loss):
                break
    finally:
        torch.set_flush_denormal(False)
        flow.close()
    return Trial(tuple(flows), tuple(losses), tuple(right), num_classes, labels)


@dataclass(frozen=True)
class Measures:
    """What the verdicts are made of. Logarithms are to base 10; "lever" is gradient norm times weight norm over loss.

    The lever is what the loss changes, relatively, where a layer's weights are doubled: for ReLU networks without
    norms and biases it is the same in all layers but for chance, and no rescaling of weights changes it.

    first_lever: log of the largest lever in the first quarter of the layers, at the first step.
    lever_span: that less the same of the last quarter; far below 0: gradients fade on their way back.
    gradient: log of the largest lever of all layers, not divided by the loss but by log K, at the first step.
    signal_span: log of the activations' root mean square, last quarter less first, at the first step.
    variation: the smallest share of the activations that differs between images, at the first step.
    dead, saturated: mean shares over the layers with a ReLU, or a sigmoid or tanh that is no gate, last step seen.
    zero_weights: layers whose weights are all 0, at the first step.
    loss_start: the first loss over that of guessing, log K. loss_change: mean of the last quarter over the first.
    update: median over layers and steps of update over weight.
    gain: log of the share of the loss that a step can take away to first order, lever times update summed over layers.
    image_offset, image_deviation: of the input; the offset is the mean in deviations, without its sign.
    norms_in_eval: share of batch norms that trained in evaluation mode. norm_drift: median drift of the norms that
    have averaged many batches, in deviations (as |log deviation ratio| where that is larger), None without any.
    """

    first_lever: float
    lever_span: float
    gradient: float
    signal_span: float
    variation: float
    dead: float
    saturated: float
    zero_weights: int
    loss_start: float
    loss_change: float
    finite: bool
    update: float
    gain: float
    top1: float
    image_offset: float
    image_deviation: float
    norms_in_eval: float
    norm_drift: float | None
    labels_z: float | None


def measure(trial: Trial) -> Measures:
    """Boil a trial down to what is judged; the trial must have at least one sampled step."""
    first, last = trial.flows[0], trial.flows[-1]
    levers = [_log(each) for each in _levers(first, trial.losses[0])]
    signals = [_log(math.hypot(each.mean, each.deviation)) for each in first.layers]
    quarter = max(1, len(levers) // 4)
    chance = math.log(trial.num_classes)
    edge = max(1, len(trial.losses) // 4)
    updates = [layer.update_ratio for flow in trial.flows for layer in flow.layers if layer.weight_norm > 0]
    return Measures(
        first_lever=max(levers[:quarter]),
        lever_span=max(levers[:quarter]) - max(levers[-quarter:]),
        gradient=max(levers) + _log(trial.losses[0] / chance),
        signal_span=median(signals[-quarter:]) - median(signals[:quarter]),
        variation=min(each.variation for each in first.layers),
        dead=_mean([each.dead for each in last.layers if each.activation == "relu"]),
        saturated=_mean([each.saturated for each in last.without_gates if each.activation in ("sigmoid", "tanh")]),
        zero_weights=sum(each.weight_norm == 0 for each in first.layers),
        loss_start=trial.losses[0] / chance,
        loss_change=_mean(trial.losses[-edge:]) / max(_mean(trial.losses[:edge]), TINY),
        finite=math.isfinite(trial.losses[-1]),
        update=median(updates) if updates else 0.0,
        gain=_log(_mean([_gain(flow, trial.losses[flow.step]) for flow in trial.flows])),
        top1=_mean(trial.top1[-edge:]),
        image_offset=abs(first.image_mean) / max(first.image_deviation, TINY),
        image_deviation=first.image_deviation,
        norms_in_eval=_mean([not each.training for each in first.norms]),
        norm_drift=_norm_drift(first),
        labels_z=trial.labels.z if trial.labels is not None else None,
    )


MANY_BATCHES = 50  # after which a running average of momentum 0.1 has forgotten its start


def _levers(flow: StepFlow, loss: float) -> list[float]:
    return [each.gradient_norm * each.weight_norm / max(loss, TINY) for each in flow.layers]


def _gain(flow: StepFlow, loss: float) -> float:
    gains = [lever * layer.update_ratio for lever, layer in zip(_levers(flow, loss), flow.layers, strict=True)]
    return sum(each for each in gains if math.isfinite(each))


def _norm_drift(flow: StepFlow) -> float | None:
    drifts = [
        max(each.mean_drift, abs(math.log(max(each.deviation_ratio, TINY))))
        for each in flow.norms
        if each.batches >= MANY_BATCHES
    ]
    return median(drifts) if drifts else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _log(value: float) -> float:
    return math.log10(max(value, TINY)) if math.isfinite(value) else 30.0
