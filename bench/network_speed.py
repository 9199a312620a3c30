"""Every ImageNet network that torchvision or timm has too: its forward and its training step against theirs.

Both modules get the same random weights, images and memory format (channels_last) and take turns in one process,
each round in the other order, so that what else the machine does hits both. A training step is forward, cross-entropy,
backward and SGD with momentum. The ratio is the median over rounds of ours / theirs: 1.03 is 3% slower.

    python bench/network_speed.py --rounds 7 --batch-size 4 --out bench/results/network-speed.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from cnnlab.models.catalog import MODELS, create_model
from cnnlab.models.device import keep_freed_memory
from cnnlab.train.record import environment

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
WITHOUT_AUX = {"aux_logits": False, "init_weights": False}


def theirs(name: str) -> nn.Module:
    """The other library's module, without auxiliary heads and without drawing weights where it can be helped."""
    if name in TIMM:
        network: nn.Module = timm.create_model(name)
        return network
    options: dict[str, Any] = WITHOUT_AUX if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(**options)  # type: ignore[no-any-return]


def ours(name: str) -> nn.Module:
    return create_model(name, **({"aux_heads": False} if name in ("googlenet", "inception_v3") else {}))


def forward(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    with torch.inference_mode():
        network(images)


def training_step(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    optimizer = network.optimizer
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def compare(name: str, batch_size: int, rounds: int) -> dict[str, Any]:
    """Seconds of both modules, round by round, forward and training."""
    pair = {"cnnlab": ours(name), "theirs": theirs(name)}
    pair["theirs"].load_state_dict(pair["cnnlab"].state_dict(), strict=True)
    images = torch.randn(batch_size, 3, *MODELS[name].sizes).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch_size)
    for network in pair.values():
        network.to(memory_format=torch.channels_last)
        network.optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)  # type: ignore[assignment]
    found: dict[str, Any] = {"peer": "timm" if name in TIMM else "torchvision"}
    for what, work, training in (("forward", forward, False), ("training", training_step, True)):
        for network in pair.values():
            network.train(training)
        seconds = interleaved({who: bound(work, net, images, labels) for who, net in pair.items()}, rounds)
        ratios = [a / b for a, b in zip(seconds["cnnlab"], seconds["theirs"], strict=True)]
        found[what] = {"seconds": seconds, "ratio": statistics.median(ratios)}
    return found


def bound(work: Callable[..., None], network: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    return lambda: work(network, images, labels)


def interleaved(work: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, taking turns; the first round warms up and is left out."""
    seconds: dict[str, list[float]] = {who: [] for who in work}
    for number in range(rounds + 1):
        for who in list(work)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            work[who]()
            if number:
                seconds[who].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=[*TORCHVISION, *TIMM], metavar="NAME")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    keep_freed_memory()
    record: dict[str, Any] = {
        "environment": environment(torch.device("cpu")),
        "batch_size": args.batch_size,
        "rounds": args.rounds,
        "versions": {"torchvision": torchvision.__version__, "timm": timm.__version__},
        "networks": {},
    }
    for name in args.only:
        found = record["networks"][name] = compare(name, args.batch_size, args.rounds)
        print(f"{name}: forward {found['forward']['ratio']:.3f}, training {found['training']['ratio']:.3f}", flush=True)
        if args.out:
            args.out.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
