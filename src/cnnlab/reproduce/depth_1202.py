"""A very deep network fits its training images as well and tests worse (He et al. 2015, section 4.2, ResNet-1202)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.models.catalog import create_model
from cnnlab.models.describe import count_parameters
from cnnlab.recipes.recipe import MultiStep
from cnnlab.recipes.resnet2015 import CIFAR10_110
from cnnlab.report.charts import Line, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import exact, fact, worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, train_error

PARAMETERS = 19_421_274  # of ResNet-1202; the paper rounds to 19.4M
MODELS = {Budget.QUICK: ("resnet20", "resnet110"), Budget.FULL: ("resnet110", "resnet1202")}
FITTED = 0.02  # training error at which a network has fitted its images
PAPER_FIT = {"resnet1202": "below 0.1%"}
PAPER = {"resnet110": "6.43%", "resnet1202": "7.93%"}


def plans(budget: Budget) -> Mapping[str, Plan]:
    """The paper's two depths; at a quick budget the same question of 20 and 110 layers on few images."""
    if budget is Budget.FULL:
        return {model: Plan(replace(CIFAR10_110, model=model)) for model in MODELS[budget]}
    recipe = replace(CIFAR10_110, augment=(), schedule=MultiStep(at_steps=(40_000, 56_000)))
    return {
        model: quick(replace(recipe, model=model), epochs=60.0, batch_size=50, train_images=500)
        for model in MODELS[budget]
    }


def read(results: Results) -> Findings:
    """Whether both fit, and the deeper one tests worse."""
    shallow, deep = results
    parameters = count_parameters(create_model("resnet1202"))
    fits = {label: train_error(ran) for label, ran in results.items()}
    claims = [
        exact("parameters of ResNet-1202", parameters, PARAMETERS),
        fact(
            f"{deep} fits its training images",
            fits[deep] < FITTED,
            f"training error {fits[deep]:.1%} ({shallow} {fits[shallow]:.1%}); fitted below {FITTED:.0%}",
        ),
        worse(f"{deep} errs more than {shallow} on the test part", results[deep], results[shallow]),
    ]
    values = [Value("parameters of resnet1202", f"{parameters:,}", "19.4M")]
    for label, ran in results.items():
        values.append(Value(f"{label}, training error", f"{fits[label]:.1%}", PAPER_FIT.get(label)))
        values.append(Value(f"{label}, test error", shown_error(ran), PAPER.get(label)))
    lines = [Line(label, ran[0].curve("train", "error"), place) for place, (label, ran) in enumerate(results.items())]
    ours = "; ".join(f"{label} {fits[label]:.1%} training, {shown_error(ran)} test" for label, ran in results.items())
    return Findings(claims, values, [line_chart("Training error", lines, x_label="step", shares=True)], ours + " error")


REPRODUCTION = Reproduction(
    name="depth-1202",
    title="1202 layers: no trouble to train, too many to test well",
    effect="a much deeper network fits its training images and tests worse",
    claim="ResNet-1202 trains without difficulty to an error below 0.1%, and tests worse than ResNet-110 (7.93% "
    "against 6.43%), which the authors lay to overfitting: it is too large for this small data set.",
    paper="He et al. 2015 (arXiv:1512.03385), section 4.2, Table 6",
    plans=plans,
    read=read,
    differences=(
        "with the quick budget a stand-in: 20 against 110 layers on 500 images without augmentation, where both can "
        "fit in minutes; 1,202 layers are only built and counted",
        "quick: a first version, shorter and without a slow start, did not hold, as ResNet-110 did not fit its images; "
        "it was changed after that was seen",
        "every training starts at a rate of 0.01 until the training error is below 80%, as the paper's deep ones do",
    ),
)
