"""Made-up records of a run and of a comparison, as the commands write them; names can be hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

HOSTILE = '</td></title><script>alert(1)</script><img src=x onerror="alert(1)">&amp;\'"'

LABELS = (0, 0, 0, 1, 1, 1, 2, 2)
GUESSES = (0, 1, 1, 1, 1, 0, 2, 2)
SURE = (0.9, 0.8, 0.95, 0.7, 0.6, 0.99, 1.0, 0.5)


def recipe(name: str = "test/one") -> dict[str, Any]:
    return {
        "name": name,
        "paper": f"A paper, {name}",
        "model": "resnet20",
        "batch_size": 10,
        "optimizer": {"lr": 0.1, "momentum": 0.9, "kind": "sgd"},
        "augment": [{"pixels": 4, "kind": "pad_crop"}],
        "data": "cifar10",
        "resolutions": [{"until": 0.5, "pixels": 16}],
        "expected": "8.75% error",
        "differences": ["one device in place of two"],
    }


def predictions(names: tuple[str, str, str] = ("cat", "dog", "ship")) -> dict[str, Any]:
    scores = zip(names, (3, 3, 2), (1, 2, 2), strict=True)
    return {
        "split": "test",
        "protocol": "flip",
        "class_names": list(names),
        "indices": [10, 11, 12, 13, 14, 15, 16, 17],
        "labels": list(LABELS),
        "guesses": list(GUESSES),
        "confidences": list(SURE),
        "label_probabilities": list(SURE),
        "per_class": [
            {"name": name, "images": images, "recognised": hits, "interval95": [0.1, 0.9]}
            for name, images, hits in scores
        ],
    }


def images(*indices: int) -> dict[int, np.ndarray]:
    return {index: np.full((8, 8, 3), index, np.uint8) for index in indices}


def write_run(folder: Path, name: str = "test/one", *, finished: bool = True) -> Path:
    """A run folder with everything a report is made of; `name` is also its data set, device, reasons, …"""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Mapping[str, Any]] = {
        "recipe.json": recipe(name),
        "settings.json": {"data": name, "seed": 3},
        "data.json": {
            "name": name,
            "source": name,
            "sha256": "ab" * 32,
            "train_images": 90,
            "val_images": 10,
            "test_images": 8,
            "class_names": [name, "dog"],
            "skipped": [name],
        },
        "environment.json": {
            "time": "2026-01-02T03:04:05.6+00:00",
            "command": ["cnnlab", name],
            "packages": {name: "1"},
            "cores": 2,
            "threads": 1,
            "device": name,
        },
    }
    if finished:
        files["config.json"] = {"preprocess": {"crop_pixels": 32}}
        files["result.json"] = {
            "steps": 20,
            "epochs": 2.5,
            "train_seconds": 75.4,
            "images_per_second": 1234.5,
            "parameters": 269_722,
            "device": name,
            "seed": 3,
            "val": {"top1": 0.625, "images": 10, "protocol": "center"},
            "test": {"top1": 0.75, "interval95": [0.4, 0.93], "images": 8, "protocol": name},
        }
    for file, values in files.items():
        (folder / file).write_text(json.dumps(values), encoding="utf-8")
    train = {"epoch": 0, "split": "train", "loss": 1.5, "top1": 0.25, "lr": 0.1, "images_per_second": 100.0}
    records = [{"step": 10, **train}, {"step": 20, **train, "loss": float("nan")}]
    records.append({"step": 20, "epoch": 0, "split": "val", "loss": 1.2, "top1": 0.5})
    read = {"time": "2026-01-02T03:05:05", "why": name, "protocol": "flip", "images": 8}
    _write_lines(folder / "metrics.jsonl", records)
    _write_lines(folder / "test_reads.jsonl", [read] if finished else [])
    return folder


def _write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


def comparison(name: str = "a", *, classes: int = 3, runs: int = 2, better: bool = True) -> dict[str, Any]:
    """The record of a comparison between runs called `name`, "b", "c", …"""
    names = [name, *"bcdefgh"[: runs - 1]]
    scores = [{"name": f"{name} {i}", "images": 5, "recognised": 3, "interval95": [0.2, 0.9]} for i in range(classes)]
    pairs = [
        {
            "first": first,
            "second": second,
            "difference": 0.125,
            "interval95": [0.05, 0.2],
            "test": "McNemar, exact",
            "only_first": 30,
            "only_second": 10,
            "p": 0.00221,
            "p_holm": 0.00442,
            "better": first if better else None,
            "words": f"{first} is better" if better else "no difference shown",
            "per_class": [
                {"name": f"{name} {i}", "images": 5, "difference": 0.1 * i, "interval95": [-0.2, 0.5]}
                for i in range(classes)
            ],
        }
        for i, first in enumerate(names)
        for second in names[i + 1 :]
    ]
    return {
        "data": name,
        "split": "test",
        "images": 160,
        "class_names": [f"{name} {i}" for i in range(classes)],
        "runs": [
            {
                "run": each,
                "model": "resnet20",
                "recipe": name if each == name else None,
                "protocol": "flip",
                "top1": 0.75,
                "interval95": [0.7, 0.8],
                "seeds": [0.75],
                "std": None,
                "parameters": 269_722,
                "macs": 40_551_424,
                "latency_seconds": 0.0032,
                "latency_ratio": 1.0,
                "per_class": scores,
            }
            for each in names
        ],
        "pairs": pairs,
        "disagreements": [
            {"index": 7, "label": f"{name} 0", "guesses": [name] * runs, "confidences": [0.9] * runs},
            {"index": 8, "label": f"{name} 1", "guesses": [name] * runs, "confidences": [0.8] * runs},
        ],
        "disagreeing_images": 40,
    }
