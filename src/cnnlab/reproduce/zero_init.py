"""Why weights must not all start at 0: no gradient reaches any layer but the last bias."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.data.parts import in_memory
from cnnlab.data.synthetic import synthetic
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network
from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import fact
from cnnlab.reproduce.reproduction import Findings, Reproduction, no_plans
from cnnlab.reproduce.runs import Results

MODEL, IMAGES, STEPS, LR = "lenet5_modern", 64, 50, 0.1


def train(*, zero: bool) -> dict[str, Any]:
    """A few steps on one batch: what of each parameter has moved, and the accuracy on that very batch.

    Returns:
        `moved`, the norm of each parameter's way by name; `top1` in [0, 1]; `twins`, whether all units of the first
        layer still have equal weights.
    """
    torch.manual_seed(0)
    part = in_memory(synthetic(train_images=IMAGES, val_images=0, test_images=0).train)
    images, labels = part.images.float().mean(1, keepdim=True) / 128 - 1, part.labels
    network = create_model(MODEL)
    if zero:
        for parameter in network.parameters():
            torch.nn.init.zeros_(parameter)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    _descend(network, images, labels)
    moved = {name: float((parameter.detach() - before[name]).norm()) for name, parameter in network.named_parameters()}
    top1 = float((network(images).argmax(1) == labels).float().mean())
    first = next(network.parameters())
    return {"moved": moved, "top1": top1, "twins": bool((first == first[:1]).all())}


def _descend(network: Network, images: Tensor, labels: Tensor) -> None:
    parameters = list(network.parameters())
    for _ in range(STEPS):
        gradients = torch.autograd.grad(F.cross_entropy(network(images), labels), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(LR * gradient)


def read(_: Results) -> Findings:
    """Train from zeros, and from the network's own initialisation."""
    zero, own = train(zero=True), train(zero=False)
    *others, last_bias = zero["moved"]
    still = [name for name in others if zero["moved"][name] == 0]
    claims = [
        fact(
            "from zeros no parameter but the last bias ever moves",
            len(still) == len(others) and zero["twins"],
            f"{len(still)} of the other {len(others)} have moved by exactly 0 after {STEPS} steps",
        ),
        fact(
            "from zeros the network answers every image alike",
            zero["top1"] <= 0.125,
            f"{zero['top1']:.1%} of {IMAGES} images of 10 classes",
        ),
        fact(
            "from random weights every parameter moves and the images are learned",
            min(own["moved"].values()) > 0 and own["top1"] > 0.5,
            f"{own['top1']:.1%}",
        ),
    ]
    values = [
        Value(f"{name} moved, from zeros / random", f"{zero['moved'][name]:.3g} / {way:.3g}", None)
        for name, way in own["moved"].items()
    ]
    bars = [
        Row(f"{kind} {name}", ran["moved"][name], colour=colour)
        for colour, (kind, ran) in enumerate((("zero", zero), ("random", own)))
        for name in (others[0], last_bias)
    ]
    return Findings(
        claims,
        [*values, Value("images recognised, from zeros / random", f"{zero['top1']:.1%} / {own['top1']:.1%}", None)],
        [row_chart("How far the first weights and the last bias moved", bars, bars=True)],
        f"{len(still)} of {len(others)} parameters never move; {zero['top1']:.1%} against {own['top1']:.1%} recognised",
    )


REPRODUCTION = Reproduction(
    name="zero-init",
    title="Why all weights at zero cannot learn",
    effect="from all-zero weights only the last bias learns",
    claim="If all weights are 0, every activation and every gradient behind the last layer is 0: nothing but the last "
    "bias can change. Equal weights of any other value stay equal: the units of a layer are one unit.",
    paper="textbook: Rumelhart, Hinton and Williams 1986 (Nature 323) break the symmetry by small random weights "
    "(unverified)",
    plans=no_plans,
    read=read,
    differences=("a small network of our own choice, LeNet-5 with ReLU, on 64 drawn images: the argument is exact",),
)
