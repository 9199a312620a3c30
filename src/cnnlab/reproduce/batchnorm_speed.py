"""Batch normalisation: fewer steps to equal accuracy, larger rates, and sigmoids that learn (Ioffe & Szegedy 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import Constant, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.report.charts import Line, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import fact, worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Result, Results

LR = 0.01  # x1
QUICK_EPOCHS = 5.0
PAPER = {  # accuracy in the end, Table in Figure 3, and steps to 72.2%
    "x1": (0.722, "31.0M"),
    "BN x1": (0.727, "13.3M"),
    "BN x5": (0.730, "2.1M"),
    "BN x30": (0.748, "2.7M"),
    "BN x5 sigmoid": (0.698, None),
}


def plan(budget: Budget, *, norm: bool, times: float, activation: str = "relu") -> Plan:
    """Plain-20 with or without batch normalisation at `times` the rate, constant."""
    recipe = replace(
        CIFAR10,
        model="plain_cifar",
        model_options={"norm": norm, "activation": activation},
        optimizer=Sgd(lr=LR * times, momentum=0.9, weight_decay=1e-4),
        schedule=Constant(),
        initialisation="he_fan_in" if activation == "relu" else "xavier",
    )
    return Plan(recipe) if budget is Budget.FULL else quick(recipe, epochs=QUICK_EPOCHS)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """The paper's five, and three that it says fail: large rates and sigmoids without normalisation."""
    return {
        "x1": plan(budget, norm=False, times=1),
        "x30": plan(budget, norm=False, times=30),
        "BN x1": plan(budget, norm=True, times=1),
        "BN x5": plan(budget, norm=True, times=5),
        "BN x30": plan(budget, norm=True, times=30),
        "x5 sigmoid": plan(budget, norm=False, times=5, activation="sigmoid"),
        "BN x5 sigmoid": plan(budget, norm=True, times=5, activation="sigmoid"),
    }


def steps_to(result: Result, top1: float) -> float:
    """The first validated step at which the validation accuracy reaches `top1`; infinite if none."""
    return next((step for step, seen in result.curve("val") if seen >= top1), float("inf"))


def read(results: Results) -> Findings:
    """Count the steps to the best validation accuracy that training without normalisation reaches."""
    target = max(top1 for _, top1 in results["x1"][0].curve("val"))
    steps = {label: steps_to(ran[0], target) for label, ran in results.items()}
    claims = [
        fact(
            f"BN x5 needs fewer steps to {target:.1%}, the best validation accuracy without BN",
            steps["BN x5"] < steps["x1"],
            f"{_steps(steps['BN x5'])} against {_steps(steps['x1'])}",
        ),
        worse("without BN the test error is larger at the end", results["x1"], results["BN x5"]),
        worse("at 30 times the rate only BN learns", results["x30"], results["BN x30"]),
        worse("with sigmoids only BN learns", results["x5 sigmoid"], results["BN x5 sigmoid"]),
    ]
    values = []
    for label, ran in results.items():
        accuracy, paper_steps = PAPER.get(label, (None, None))
        ours = "diverged" if ran[0].diverged else f"{1 - ran[0].test_error:.1%}"
        values.append(Value(f"{label}, accuracy", ours, None if accuracy is None else f"{accuracy:.1%} (ImageNet)"))
        values.append(
            Value(
                f"{label}, steps to {target:.1%}",
                _steps(steps[label]),
                paper_steps and f"{paper_steps} (to 72.2%, ImageNet)",
            )
        )
    relu = [label for label in results if "sigmoid" not in label]
    sigmoid = [label for label in results if "sigmoid" in label] + ["BN x5"]
    figures = [
        line_chart(
            title,
            [Line(label, results[label][0].curve("val"), place) for place, label in enumerate(labels)],
            x_label="step",
            shares=True,
        )
        for title, labels in (("Validation accuracy, ReLU", relu), ("Validation accuracy, sigmoid", sigmoid))
    ]
    ours = f"{_steps(steps['BN x5'])} steps with BN x5, {_steps(steps['x1'])} without, to {target:.1%}"
    return Findings(claims, values, figures, ours)


def _steps(steps: float) -> str:
    return "never" if steps == float("inf") else f"{steps:,}"


REPRODUCTION = Reproduction(
    name="batchnorm-speed",
    title="Batch normalisation: fewer steps to equal accuracy",
    effect="with BN fewer steps to the same accuracy, 30 times the rate works, sigmoids learn",
    claim="With batch normalisation and five times the rate a network needs 14 times fewer steps to the accuracy "
    "it has without; thirty times the rate and sigmoids, which fail without it, train.",
    paper="Ioffe and Szegedy 2015 (arXiv:1502.03167), section 4.2.2, Figures 2 and 3",
    plans=plans,
    read=read,
    differences=(
        "plain-20 on CIFAR-10 in place of Inception on ImageNet, so that only the effect can be compared, not figures",
        f"x1 is a rate of {LR:g}, constant, with momentum 0.9",
        "sigmoids start by Xavier's rule, ReLU by He's",
    ),
)
