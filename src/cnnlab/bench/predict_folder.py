"""A folder of photos answered by ResNet-18: decoded while the network computes, or not, and by the usual script.

The usual script opens one photo after the other with PIL, transforms it as torchvision's weights say and asks the
network. The photographs are windows of one that comes with matplotlib, as JPEGs of quality 90: some of the size
of ImageNet's, and some of a telephone's. All is read from the page cache; weights are random.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.training import CPU
from cnnlab.bench.turns import Way, Work, own_processes, take_turns, timed
from cnnlab.data.decode import decode_file
from cnnlab.data.photos import read_ahead
from cnnlab.evaluate.classifier import Classifier, Config
from cnnlab.evaluate.predict import answer_images
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import create_model
from cnnlab.models.device import place_network
from cnnlab.types import Labels, Preprocess

MODEL = "resnet18"
SIZES = {(500, 375): 64, (4000, 3000): 16}  # width and height: how many photos
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
USUAL, PARTED = "usual script", "cnnlab, all decoded first"


def measure(plan: Plan) -> Found:
    """Photos a second of each way, and what decoding alone would reach, for photos of each size."""
    return Found(tuple(_case(size, count, plan) for size, count in SIZES.items()))


def _case(size: tuple[int, int], count: int, plan: Plan) -> Case:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_photos(folder, size, count)
        ways: dict[str, Way] = {
            USUAL: partial(usual_script, folder),
            PARTED: partial(decoded_first, folder),
            "cnnlab predict": partial(predicting, folder, fast=False),
            "cnnlab predict --fast": partial(predicting, folder, fast=True),
            "decoding alone": partial(decoding, folder),
        }
        with own_processes(ways, plan.threads) as works:
            plan.say(f"predict-folder: {count} photos of {size[0]} x {size[1]}")
            seconds = take_turns({name: partial(work, count) for name, work in works.items()}, plan.rounds)
    speeds = {name: [count / each for each in values] for name, values in seconds.items()}
    return Case(f"{count} photos of {size[0]} x {size[1]}", "images/s", speeds, against=USUAL)


def write_photos(folder: Path, size: tuple[int, int], count: int) -> None:
    """Write so many JPEGs of `size` (width, height), cut at random places and scales."""
    import matplotlib
    from PIL import Image

    numbers, (width, height) = np.random.default_rng(0), size
    photo = Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB")
    for number in range(count):
        scale = max(width / photo.width, height / photo.height) * numbers.uniform(1.0, 1.3)
        larger = photo.resize((round(photo.width * scale) + 1, round(photo.height * scale) + 1))
        left, top = map(int, numbers.integers((larger.width - width + 1, larger.height - height + 1)))
        larger.crop((left, top, left + width, top + height)).save(folder / f"{number:04}.jpg", quality=90)


def classifier() -> Classifier:
    """An untrained network that takes photos as torchvision's do."""
    names = tuple(map(str, range(1000)))
    config = Config(MODEL, len(names), 3, Preprocess(256, 224, MEAN, STD), Labels(names), protocol="center")
    return Classifier(place_network(create_model(MODEL), CPU).eval(), config, CPU)


@contextmanager
def predicting(folder: Path, *, fast: bool) -> Iterator[Work]:
    """As the command does, once the network is loaded."""
    made = classifier().optimised() if fast else classifier()
    files = sorted(folder.iterdir())
    yield lambda count: timed(lambda: made.predict_files(files[:count]))


@contextmanager
def decoded_first(folder: Path) -> Iterator[Work]:
    """The same pieces, but the network waits until every photo is decoded; both use all cores."""
    made, files = classifier(), sorted(folder.iterdir())
    rule, preprocess = get_protocol(made.config.protocol), made.config.preprocess

    def one_after_the_other(count: int) -> None:
        images = list(read_ahead(lambda index: decode_file(files[index]), range(count)))
        list(answer_images(made.network, images.__getitem__, count, rule, preprocess, CPU))  # type: ignore[arg-type]

    yield lambda count: timed(lambda: one_after_the_other(count))


@contextmanager
def decoding(folder: Path) -> Iterator[Work]:
    """No network: what the decoder's threads reach by themselves."""
    files = sorted(folder.iterdir())
    yield lambda count: timed(lambda: list(read_ahead(lambda index: decode_file(files[index]), range(count))))


@contextmanager
def usual_script(folder: Path) -> Iterator[Work]:
    """One photo after the other, with torchvision's module and transforms."""
    import torchvision
    from PIL import Image
    from torchvision import transforms

    module = torchvision.models.resnet18().eval()
    crop = [transforms.Resize(256), transforms.CenterCrop(224)]
    transform = transforms.Compose([*crop, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    files = sorted(folder.iterdir())

    def answer(count: int) -> None:
        with torch.no_grad():
            for path in files[:count]:
                module(transform(Image.open(path).convert("RGB"))[None]).softmax(dim=1)

    yield lambda count: timed(lambda: answer(count))
