"""Which optimiser learns most in the same few steps: SGD, momentum, RMSProp, AdamW, Muon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import AdamW, Cosine, Muon, Optimizer, RmsProp, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.reproduce.best_rate import hold_at_best_rates
from cnnlab.reproduce.judge import worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results

OPTIMISERS: dict[str, tuple[Optimizer, Optimizer]] = {  # each at a low and a high rate
    "SGD": (Sgd(lr=0.02, momentum=0.0), Sgd(lr=0.2, momentum=0.0)),
    "momentum": (Sgd(lr=0.02), Sgd(lr=0.2)),
    "RMSProp": (RmsProp(lr=0.001, eps=1e-8), RmsProp(lr=0.01, eps=1e-8)),
    "AdamW": (AdamW(lr=0.001), AdamW(lr=0.01)),
    "Muon": (Muon(lr=0.02, rest=Sgd(lr=0.1)), Muon(lr=0.1, rest=Sgd(lr=0.1))),
}


def plan(budget: Budget, optimizer: Optimizer) -> Plan:
    """An 8-layer plain network with batch normalisation, the rate falling along a cosine."""
    recipe = replace(CIFAR10, model="plain_cifar", model_options={"layers": 8}, optimizer=optimizer, schedule=Cosine())
    return Plan(recipe, epochs=30.0) if budget is Budget.FULL else quick(recipe, epochs=5.0)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Each optimiser at two rates."""
    return {label(name, each): plan(budget, each) for name, pair in OPTIMISERS.items() for each in pair}


def label(name: str, optimizer: Optimizer) -> str:
    """What a run is called."""
    return f"{name}, rate {optimizer.lr:g}"


def read(results: Results) -> Findings:
    """Hold plain SGD and Muon against momentum, each at the rate that validates better."""
    tried = {name: [label(name, each) for each in pair] for name, pair in OPTIMISERS.items()}
    return hold_at_best_rates(
        results,
        tried,
        lambda best: [
            worse("SGD without momentum errs more than with", best["SGD"], best["momentum"]),
            worse("momentum errs more than Muon", best["momentum"], best["Muon"]),
        ],
    )


REPRODUCTION = Reproduction(
    name="optimisers",
    title="Optimisers in the same few steps",
    effect="momentum beats plain SGD, Muon beats momentum, in a short training",
    claim="Momentum speeds up gradient descent; a momentum made orthogonal (Muon) learns more in few steps.",
    paper="Sutskever et al. 2013 (momentum; unverified); Jordan 2024 (Muon)",
    plans=plans,
    read=read,
    differences=(
        "each at two rates, the better one chosen by validation; a longer search would treat all of them more fairly",
        "all without weight decay",
    ),
)
