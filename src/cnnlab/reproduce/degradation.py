"""Deeper plain networks err more, on training images too; residual ones do not (He et al. 2015, Figure 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import MultiStep
from cnnlab.recipes.resnet2015 import CIFAR10, CIFAR10_110
from cnnlab.report.charts import Line, Mark, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import costs_more, fact, not_worse, worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, test_error, train_error

DEPTHS = {Budget.QUICK: (20, 32, 56), Budget.FULL: (20, 32, 44, 56, 110)}
PAPER = {20: 0.0875, 32: 0.0751, 44: 0.0717, 56: 0.0697, 110: 0.0643}  # ResNet's test error, Table 6
GAINS_FROM = 110  # layers, from which on the claim that a ResNet gains by depth is tested: it takes long training
QUICK_EPOCHS = 6.0


def plan(budget: Budget, model: str) -> Plan:
    """The training of one CIFAR ResNet or plain network; other reproductions share it."""
    if budget is Budget.FULL:
        return Plan(replace(CIFAR10_110 if model.endswith("110") else CIFAR10, model=model))
    recipe = replace(CIFAR10, model=model, schedule=MultiStep(at_steps=(40_000, 56_000)))
    return quick(recipe, epochs=QUICK_EPOCHS, watch_every=100)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Both families at each depth; the label is the network's name."""
    return {
        f"{kind}{depth}": plan(budget, f"{kind}{depth}") for kind in ("plain", "resnet") for depth in DEPTHS[budget]
    }


def read(results: Results) -> Findings:
    """Hold the deepest and the shallowest of each family against each other."""
    depths = sorted(int(label.removeprefix("plain")) for label in results if label.startswith("plain"))
    low, high = depths[0], depths[-1]
    plain, residual = ({depth: results[f"{kind}{depth}"] for depth in depths} for kind in ("plain", "resnet"))
    trained = train_error(plain[high]), train_error(plain[low])
    claims = [
        worse(f"plain-{high} errs more than plain-{low} on the test part", plain[high], plain[low]),
        fact(
            f"plain-{high} errs more than plain-{low} on training images too",
            trained[0] > trained[1],
            f"training error {trained[0]:.1%} against {trained[1]:.1%}",
        ),
        worse(f"plain-{high} errs more than ResNet-{high}", plain[high], residual[high]),
        costs_more(
            f"from {low} to {high} layers a plain network loses more than a ResNet",
            (plain[low], plain[high]),
            (residual[low], residual[high]),
        ),
    ]
    if high >= GAINS_FROM:
        claims.append(
            not_worse(f"ResNet-{high} errs at most 1 point more than ResNet-{low}", residual[high], residual[low])
        )
    values = [
        Value(f"{name}-{depth}, {part} error", f"{error(family[depth]):.1%}", paper)
        for name, family in (("plain", plain), ("ResNet", residual))
        for depth in depths
        for part, error in (("test", test_error), ("training", train_error))
        for paper in [_paper(name, depth, part)]
    ]
    errors = {
        name: [(d, test_error(family[d])) for d in depths] for name, family in (("plain", plain), ("ResNet", residual))
    }
    figures = [
        line_chart(
            "Test error by depth",
            [Line(name, points, colour) for colour, (name, points) in enumerate(errors.items())],
            x_label="layers",
            shares=True,
            marks=[Mark(f"paper's ResNet-{depth}", PAPER[depth], depth) for depth in depths],
        ),
        *(
            line_chart(
                f"Training error, {name}",
                [
                    Line(f"{depth} layers", family[depth][0].curve("train", "error"), i)
                    for i, depth in enumerate(depths)
                ],
                x_label="step",
                shares=True,
                from_zero=False,
            )
            for name, family in (("plain", plain), ("ResNet", residual))
        ),
    ]
    ours = (
        f"plain-{low} {errors['plain'][0][1]:.1%}, plain-{high} {errors['plain'][-1][1]:.1%}; "
        f"ResNet-{low} {errors['ResNet'][0][1]:.1%}, ResNet-{high} {errors['ResNet'][-1][1]:.1%} test error"
    )
    return Findings(claims, values, figures, ours)


def _paper(name: str, depth: int, part: str) -> str | None:
    if part == "training":
        return None
    if name == "ResNet":
        return f"{PAPER[depth]:.2%}"
    return {56: "about 13% (read off the curve, unverified)", 110: "above 60%"}.get(depth)


REPRODUCTION = Reproduction(
    name="degradation",
    title="Degradation: depth hurts plain networks, shortcuts heal",
    effect="depth costs a plain network much more than a ResNet, on training images too",
    claim="Plain networks of 20 to 56 layers have higher training and test error the deeper they are; ResNets of the "
    "same parameters overcome this and gain from depth.",
    paper="He et al. 2015 (arXiv:1512.03385), section 4.2, Figure 6 and Table 6",
    plans=plans,
    read=read,
    differences=("that a ResNet gains from depth takes long training: it is tested with the full budget alone",),
)
