"""A learning rate too high, too low, about right, and halved each time the validation error stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import Constant, Plateau, Schedule, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.report.charts import Line, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import not_worse, worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error

RATES = {"too low": 0.0002, "about right": 0.02, "too high": 0.5}
PLATEAU = Plateau(factor=0.5, patience_epochs=1)


def plan(budget: Budget, lr: float, schedule: Schedule) -> Plan:
    """An 8-layer plain network without normalisation, which forgives the least."""
    recipe = replace(
        CIFAR10,
        model="plain_cifar",
        model_options={"layers": 8, "norm": False},
        optimizer=Sgd(lr=lr, momentum=0.9, weight_decay=1e-4),
        schedule=schedule,
    )
    return Plan(recipe, epochs=60.0) if budget is Budget.FULL else quick(recipe, epochs=10.0)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Three constant rates, and the middle one halved on a plateau."""
    made = {label: plan(budget, lr, Constant()) for label, lr in RATES.items()}
    return {**made, "halved on a plateau": plan(budget, RATES["about right"], PLATEAU)}


def read(results: Results) -> Findings:
    """Hold all against the rate that is about right."""
    right = results["about right"]
    claims = [
        worse("a rate too low errs more in the same time", results["too low"], right),
        worse("a rate too high errs more", results["too high"], right),
        not_worse(
            "halving on a plateau errs at most 1 point more than the constant rate",
            results["halved on a plateau"],
            right,
        ),
    ]
    values = [Value(f"{label}, test error", shown_error(ran), None) for label, ran in results.items()]
    figures = [
        line_chart(
            title,
            [Line(label, ran[0].curve(*what), place) for place, (label, ran) in enumerate(results.items())],
            x_label="step",
            shares=what[1] == "error",
            from_zero=False,
        )
        for title, what in (("Training loss", ("train", "loss")), ("Validation error", ("val", "error")))
    ]
    figures.append(
        line_chart(
            "Learning rate, halved on a plateau",
            [Line("rate", results["halved on a plateau"][0].curve("train", "lr"))],
            x_label="step",
        )
    )
    ours = ", ".join(f"{label} {shown_error(ran)}" for label, ran in results.items())
    return Findings(claims, values, figures, f"{ours} test error")


REPRODUCTION = Reproduction(
    name="learning-rate",
    title="Learning rates: too low, right, too high, halved on a plateau",
    effect="too low is slow, too high fails; halving when validation stands still does no harm",
    claim="A rate too low learns slowly, one too high does not learn; lowering it when the validation error stops "
    "improving is how AlexNet, VGG and ResNet ended their trainings.",
    paper="Krizhevsky et al. 2012, section 5; Simonyan and Zisserman 2014, section 3.1; He et al. 2015, section 3.4 "
    "(each divides by 10 on a plateau; halving is the textbook's)",
    plans=plans,
    read=read,
    differences=("a demonstration of ours: the papers describe the practice and show no figure of it",),
)
