"""Which loss a classifier learns by: mean squared and absolute error, hinge, cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import Cosine, CrossEntropy, Hinge, Loss, MeanAbsoluteError, MeanSquaredError, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.reproduce.best_rate import hold_at_best_rates
from cnnlab.reproduce.judge import worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results

LOSSES: dict[str, Loss] = {
    "cross-entropy": CrossEntropy(),
    "hinge": Hinge(),
    "squared error": MeanSquaredError(),
    "absolute error": MeanAbsoluteError(),
}
RATES = (0.02, 0.2)


def plan(budget: Budget, loss: Loss, lr: float) -> Plan:
    """An 8-layer plain network with batch normalisation."""
    recipe = replace(
        CIFAR10,
        model="plain_cifar",
        model_options={"layers": 8},
        loss=loss,
        optimizer=Sgd(lr=lr, momentum=0.9, weight_decay=1e-4),
        schedule=Cosine(),
    )
    return Plan(recipe, epochs=60.0) if budget is Budget.FULL else quick(recipe, epochs=6.0)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Each loss at two rates, for gradients of other sizes want other rates."""
    return {f"{name}, rate {lr:g}": plan(budget, loss, lr) for name, loss in LOSSES.items() for lr in RATES}


def read(results: Results) -> Findings:
    """Hold the others against cross-entropy, each at the rate that validates better."""
    tried = {name: [f"{name}, rate {lr:g}" for lr in RATES] for name in LOSSES}
    return hold_at_best_rates(
        results,
        tried,
        lambda best: [
            worse(f"{name} errs more than cross-entropy", best[name], best["cross-entropy"])
            for name in ("squared error", "absolute error")
        ],
    )


REPRODUCTION = Reproduction(
    name="losses",
    title="Squared and absolute error, hinge, cross-entropy",
    effect="cross-entropy learns classes best, the absolute error worst",
    claim="A classifier learns faster by cross-entropy than by the squared or absolute error of its outputs, whose "
    "gradients fade where it is most wrong.",
    paper="textbook: Nielsen 2015, Neural networks and deep learning, chapter 3 (unverified)",
    plans=plans,
    read=read,
    differences=(
        "errors are taken of linear outputs, not of a sigmoid or softmax, so that only their shape differs",
        f"each loss at rates {' and '.join(f'{lr:g}' for lr in RATES)}, the better one chosen by validation",
        "the hinge is shown beside the others; nothing is claimed of it",
    ),
)
