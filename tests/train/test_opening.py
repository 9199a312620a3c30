from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnlab.data import sources
from cnnlab.data.parts import Part, Parts
from cnnlab.data.sources import load
from cnnlab.recipes.recipe import RandomArea, Resolution
from cnnlab.train.opening import describe_classes, describe_size
from cnnlab.train.run import Settings, train_run
from tests.data.conftest import jpeg, photo
from tests.train.training import RECIPE, Said, small_parts


def parts_of(counts: list[int], names: tuple[str, ...]) -> Parts:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    train = Part(torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8), labels)
    return replace(small_parts(), train=train, class_names=names)


@pytest.mark.parametrize(
    ("counts", "names", "said"),
    [
        ([29, 31], ("ants", "bees"), "2 classes, images of each to train on: ants 29, bees 31"),
        ([5, 5], ("ants", "bees"), "2 classes of 5 images each to train on: ants, bees"),
        ([1, 0], ("a" * 50, "b\udcff"), f"2 classes, images of each to train on: {'a' * 31}… 1, b\\udcff 0"),
        ([2] * 20, tuple("abcdefghijklmnopqrst"),
         "20 classes of 2 images each to train on: a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t"),
        ([1300, *[1000] * 999], tuple(f"n{number:03}" for number in range(1000)),
         "1,000 classes of 1,000 to 1,300 images each to train on: n000, n001, n002, n003, …, n996, n997, n998, n999"),
    ],
)  # fmt: skip
def test_classes_are_named_with_their_counts(counts: list[int], names: tuple[str, ...], said: str) -> None:
    assert describe_classes(parts_of(counts, names)) == said


def test_the_size_of_images(tmp_path: Path) -> None:
    assert describe_size(RECIPE, small_parts()) == "images: of 16 x 16 pixels"
    growing = replace(RECIPE, resolutions=(Resolution(until=0.5, pixels=8),))
    assert describe_size(growing, small_parts()) == "images: of 16 x 16 pixels; trained at 8 pixels at first"
    for kind in ("cat", "dog"):
        for number in range(4):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"{number}.jpg").write_bytes(jpeg(photo(20, 30, number + ord(kind[0]))))
    brought = "images: each photo brought to 12 x 12 pixels (shorter side resized, the middle cut out)"
    assert describe_size(RECIPE, load(tmp_path, pixels=12)) == brought
    cropped = replace(
        RECIPE, crop=RandomArea(224), test_resize_pixels=256, test_crop_pixels=224, normalisation="imagenet"
    )
    assert describe_size(cropped, load(tmp_path, photos=True)) == (
        "images: cut out of each photo at random and resized to 224 x 224 pixels; for tests the shorter side is "
        "resized to 256 and the middle cut out"
    )


def test_every_training_says_both_before_it_begins(tmp_path: Path) -> None:
    said = Said()
    train_run(replace(RECIPE, steps=1), Settings(data="synthetic", device="cpu"), tmp_path / "run", watch=said)
    classes, size = (line for line in said.lines if line.startswith(("10 classes", "images: of")))
    assert classes.endswith("each to train on: " + ", ".join(sources.load("synthetic").class_names))
    assert size == "images: of 32 x 32 pixels"
