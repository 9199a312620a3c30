"""Residual networks answer more quietly, layer by layer, than plain ones (He et al. 2015, Figure 7)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.data.parts import in_memory, take
from cnnlab.data.preprocess import normalise
from cnnlab.data.smaller import resized
from cnnlab.evaluate.classifier import load
from cnnlab.evaluate.paired import mcnemar, seeds_test
from cnnlab.evaluate.tested_on import load_for, part_of
from cnnlab.report.charts import Line, line_chart
from cnnlab.report.reproduction_page import Claim, Value
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import SIGNIFICANT
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results
from cnnlab.types import Split

MODELS = {
    Budget.QUICK: ("plain20", "plain56", "resnet20", "resnet56"),
    Budget.FULL: ("plain20", "plain56", "resnet20", "resnet56", "resnet110"),
}
IMAGES = 500  # validation images


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Runs of `degradation`, whose networks are looked into."""
    return {model: degradation.plan(budget, model) for model in MODELS[budget]}


def responses(folder: Path) -> list[float]:
    """The deviation of each 3x3 layer's output after its BN, before ReLU and addition, in the order of the layers."""
    classifier = load(folder, device="cpu")
    preprocess = classifier.config.preprocess
    part = in_memory(part_of(load_for([classifier], "cifar10"), Split.VAL, "cifar10"))
    few = resized(take(part, np.arange(IMAGES)), preprocess.crop_pixels or part.images.shape[-1])
    return deviations(classifier.network, normalise(few.images, preprocess))


@torch.inference_mode()
def deviations(network: nn.Module, images: Tensor) -> list[float]:
    """The standard deviation of what each batch normalisation puts out for images (N, C, H, W), in call order.

    Normalised with the statistics of these very images, as the authors counted theirs anew after training: moving
    averages lag behind in a short one. The network's own averages move on.
    """
    network.train()
    found: list[float] = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: found.append(float(output.std())))
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def read(results: Results) -> Findings:
    """Look into the first seed's networks."""
    return findings({label: responses(ran[0].folder) for label, ran in results.items()})


def findings(seen: Mapping[str, list[float]]) -> Findings:
    """Hold residual against plain layer by layer, and the deepest ResNet against the shallowest."""
    residual = [label for label in seen if label.startswith("resnet")]
    claims = [quieter_layers(f"resnet{depth}", f"plain{depth}", seen) for depth in (20, 56)]
    claims.append(quieter_with_depth(residual[-1], residual[0], seen))
    values = [
        Value(f"{label}, mean over layers", f"{statistics.fmean(each):.3f}", None) for label, each in seen.items()
    ]
    figures = [
        line_chart(
            f"Deviation of each layer's response, {kind}",
            [
                Line(label, list(enumerate(seen[label], 1)), place)
                for place, label in enumerate(each for each in seen if each.startswith(kind))
            ],
            x_label="layer",
        )
        for kind in ("plain", "resnet")
    ]
    figures.append(
        line_chart(
            "The same, sorted by size",
            [
                Line(label, list(enumerate(sorted(each, reverse=True), 1)), place)
                for place, (label, each) in enumerate(seen.items())
            ],
            x_label="layer, by size",
        )
    )
    ours = ", ".join(f"{label} {statistics.fmean(each):.2f}" for label, each in seen.items())
    return Findings(claims, values, figures, f"mean deviation {ours}")


def quieter_layers(first: str, second: str, seen: Mapping[str, list[float]]) -> Claim:
    """The claim that the first network's layers answer less than the second's, by a sign test over layers."""
    pairs = list(zip(seen[first], seen[second], strict=True))
    quieter = sum(one < other for one, other in pairs)
    p = mcnemar(quieter, len(pairs) - quieter)
    holds = quieter > len(pairs) / 2 if p < SIGNIFICANT else None
    return Claim(
        f"layers of {first} respond less than those of {second}",
        holds,
        f"in {quieter} of {len(pairs)} layers, sign test p {p:.3f}",
    )


def quieter_with_depth(deep: str, shallow: str, seen: Mapping[str, list[float]]) -> Claim:
    """The claim that the deeper network's layers answer less on average, by Welch's t over layers."""
    ours, other = statistics.fmean(seen[deep]), statistics.fmean(seen[shallow])
    p = seeds_test(seen[deep], seen[shallow])
    holds = ours < other if p < SIGNIFICANT else None
    return Claim(
        f"layers of {deep} respond less on average than those of {shallow}",
        holds,
        f"mean {ours:.3f} against {other:.3f}, Welch's t over layers p {p:.3f}",
    )


REPRODUCTION = Reproduction(
    name="layer-responses",
    title="How strongly each layer responds",
    effect="residual layers respond less than plain ones, and less the deeper the network",
    claim="The standard deviations of layer responses are smaller in ResNets than in their plain counterparts, and the "
    "deeper ResNet has smaller ones: residual functions are closer to zero.",
    paper="He et al. 2015 (arXiv:1512.03385), section 4.2, Figure 7",
    plans=plans,
    read=read,
    differences=(
        f"measured on {IMAGES} validation images, normalised with their own statistics; the paper does not say on "
        "what; so normalised after a first version that was not",
        "batch normalisation starts at a deviation of 1: a short training moves it little",
        "the figure is a plot without numbers, so none stand beside ours",
    ),
)
