"""Every ImageNet network that torchvision or timm has too: its forward and its training step against theirs.

Both modules get the same random weights, images and memory format (channels_last) and take turns in one process: they
differ in their code alone. A training step is forward, cross-entropy, backward and SGD with momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.bench.inference import AUX, theirs
from cnnlab.bench.peers import installed
from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.turns import take_turns, timed
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.models.device import keep_freed_memory

TORCHVISION = (
    *("alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    *("googlenet", "inception_v3", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("densenet121", "densenet161", "densenet169", "densenet201"),
)
TIMM = (
    *("inception_v4", "inception_resnet_v2", "resnetv2_50", "resnetv2_101", "resnetv2_152"),
    *("seresnet50", "seresnet101", "seresnet152", "legacy_seresnet50", "legacy_seresnet101", "legacy_seresnet152"),
    *("res2net50_26w_4s", "res2net50_14w_8s", "res2net50_26w_6s", "res2net50_26w_8s", "res2net50_48w_2s"),
    *("res2net101_26w_4s", "resnext101_32x4d"),
)
PEERS = ("torchvision", "timm")
BATCH = 2


def measure(plan: Plan, names: Sequence[str] = (*TORCHVISION, *TIMM)) -> Found:
    """Seconds of a forward pass and of a training step, of each network that a peer installed here has."""
    keep_freed_memory()
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    cases: list[Case] = []
    for name in names:
        if installed(_peer(name)):
            plan.say(f"networks: {name}")
            cases += compare(name, plan.rounds)
    return Found(tuple(cases))


def compare(name: str, rounds: int) -> list[Case]:
    """Two cases of one network: forward, and training."""
    peer = _peer(name)
    pair: dict[str, nn.Module] = {"cnnlab": _ours(name), peer: _theirs(name)}
    pair[peer].load_state_dict(pair["cnnlab"].state_dict(), strict=True)
    images = torch.randn(BATCH, 3, *MODELS[name].sizes).contiguous(memory_format=torch.channels_last)
    cases = []
    for what, work, training in (("forward", _forward, False), ("training step", _train, True)):
        turns: dict[str, Callable[[], float]] = {}
        for who, network in pair.items():
            network.to(memory_format=torch.channels_last).train(training)
            turns[who] = partial(timed, partial(work, network, _optimizer(network), images))
        cases.append(Case(f"{name}, {what}", "s", take_turns(turns, rounds), against=peer))
    return cases


def _peer(name: str) -> str:
    return "timm" if name in TIMM else "torchvision"


def _theirs(name: str) -> nn.Module:
    if name in TORCHVISION:
        return theirs(name)
    import timm

    network: nn.Module = timm.create_model(name)
    return network


def _ours(name: str) -> nn.Module:
    options: dict[str, Any] = {"aux_heads": False} if name in AUX else {}
    return create_model(name, **options)


def _optimizer(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)


def _forward(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    with torch.inference_mode():
        network(images)


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    F.cross_entropy(network(images), torch.arange(len(images))).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
