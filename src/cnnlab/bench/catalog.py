"""Every row of the performance table by name, in the order they are listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from cnnlab.bench import (
    fast_step,
    growth,
    inference,
    networks,
    predict_folder,
    resnet20_train,
    startup,
    time_to_accuracy,
)
from cnnlab.bench.row import Row
from cnnlab.errors import unknown_name

ROWS: dict[str, Row] = {
    "startup": Row("cnnlab --help beside a Python that does nothing", 0.2, 20, startup.measure),
    "predict-folder": Row(
        "a folder of photos by ResNet-18: the usual script, cnnlab predict, --fast",
        1.5,
        5,
        predict_folder.measure,
    ),
    "resnet20-train": Row("ResNet-20 training, batch 128: the usual loop, cnnlab's", 1.5, 5, resnet20_train.measure),
    "fast-step": Row(
        "a step of fast/cifar10: as it is, float32, compiled, in pieces, its batch alone", 6.0, 5, fast_step.measure
    ),
    **{
        f"infer-{name}": Row(
            f"{name} answers: torchvision, cnnlab, --fast, torch.compile, onnxruntime",
            minutes,
            5,
            partial(inference.measure, name),
            inference.PEERS,
        )
        for name, minutes in (("resnet18", 2.0), ("resnet50", 4.0), ("inception_v3", 6.0), ("vgg16", 7.0))
    },
    "growth": Row("FLOPs x2, images x10, batch x2: time and memory, predicted and measured", 8.0, 5, growth.measure),
    "networks": Row(
        "43 networks beside torchvision's and timm's own: forward, training step",
        25.0,
        7,
        networks.measure,
        networks.PEERS,
    ),
    "time-to-accuracy": Row("seconds to each accuracy, of the runs named by --runs", 1.0, 5, time_to_accuracy.measure),
}


def require_rows(names: Sequence[str]) -> dict[str, Row]:
    """The rows of these names.

    Raises:
        UnknownNameError: there is no such row; the message offers the nearest.
    """
    for name in names:
        if name not in ROWS:
            raise unknown_name("row", name, ROWS)
    return {name: ROWS[name] for name in names}


def within(minutes: float, rows: Mapping[str, Row] = ROWS) -> list[str]:
    """The names of as many rows, in order, as fit into so many minutes; one that needs runs is left out."""
    chosen, left = [], minutes
    for name, row in rows.items():
        if row.minutes <= left and name != "time-to-accuracy":
            chosen.append(name)
            left -= row.minutes
    return chosen
