"""Photos to a training batch: cnnlab against torchvision's v1 pipeline and its v2 one, images a second of one core.

Each makes batches of normalised float32 images (N, 3, 224, 224) of the same JPEG files: random-area crop
to 224, mirrored by chance. torchvision v1 is what its classification reference trains with: ImageFolder,
RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize on PIL images, a DataLoader without workers;
"v2" is the same with uint8 tensors (PILToTensor first). cnnlab is PhotoBatches with one thread, each
batch waited for before the next begins. Each runs in a process of its own, the rounds are interleaved.
Speeds are images a second of a process' CPU time, all its threads together, so that other work on the
machine counts less; the ratio is the median of the rounds'.

The photographs: three that come with scikit-learn and matplotlib (a flower, a temple, a portrait). Windows
of 500 x 375 are cut from them at several scales and saved as JPEGs of quality 90 in a temporary folder.
All is read from the page cache.

    python bench/photo_pipeline.py --rounds 5
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib
import numpy as np
import sklearn
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from cnnlab.data import augment
from cnnlab.data.crops import RandomArea
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.sources import load
from cnnlab.models.device import keep_freed_memory
from cnnlab.train.record import environment
from cnnlab.types import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SOURCES = (
    Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg",
    Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg",
    Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg",
)
WIDTH, HEIGHT, BATCH = 500, 375, 64


def write_photos(folder: Path, count: int) -> float:
    """Write `count` JPEGs in ImageNet's layout; give their mean size in kB."""
    numbers = np.random.default_rng(0)
    sizes = []
    for number in range(count):
        photo = Image.open(SOURCES[number % len(SOURCES)]).convert("RGB")
        scale = max(WIDTH / photo.width, HEIGHT / photo.height) * numbers.uniform(1.0, 1.3)
        photo = photo.resize(
            (round(photo.width * scale) + 1, round(photo.height * scale) + 1), Image.Resampling.LANCZOS
        )
        left, top = numbers.integers(photo.width - WIDTH + 1), numbers.integers(photo.height - HEIGHT + 1)
        path = folder / "train" / f"class{number % 2}" / f"{number:05}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + WIDTH, top + HEIGHT)).save(path, quality=90)
        sizes.append(path.stat().st_size)
    return statistics.mean(sizes) / 1000


def torchvision_batches(folder: Path, transform: Callable[[object], torch.Tensor]) -> Iterator[torch.Tensor]:
    """The usual loader, a batch at a time, without end."""
    loader = DataLoader(ImageFolder(folder / "train", transform), batch_size=BATCH, shuffle=True, drop_last=True)
    while True:
        for images, _ in loader:
            yield images


def v1(folder: Path) -> Iterator[torch.Tensor]:
    crop, flip = transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()
    steps = [crop, flip, transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return torchvision_batches(folder, transforms.Compose(steps))


def v2_tensors(folder: Path) -> Iterator[torch.Tensor]:
    crop, flip = v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()
    steps = [v2.PILToTensor(), crop, flip, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return torchvision_batches(folder, v2.Compose(steps))


def cnnlab(folder: Path) -> Iterator[torch.Tensor]:
    def mirror(images: torch.Tensor, indices: np.ndarray, epoch: int) -> torch.Tensor:
        return augment.flip(images, augment.flip_mask(0, epoch, indices))

    keep_freed_memory()  # as cnnlab train does
    batches = PhotoBatches(
        load(folder, photos=True, val_images=0).train,
        batch_size=BATCH,
        seed=0,
        preprocess=Preprocess(256, 224, MEAN, STD),
        crop=RandomArea(224),
        augment_pixels=mirror,
        threads=1,
        ahead_batches=0,
    )
    epoch = 0
    while True:
        yield from (batch.images for batch in batches.epoch(epoch))
        epoch += 1


PIPELINES: dict[str, Callable[[Path], Iterator[torch.Tensor]]] = {
    "torchvision v1 (PIL)": v1,
    "torchvision v2 (tensors)": v2_tensors,
    "cnnlab": cnnlab,
}


def images_per_second(batches: Iterator[torch.Tensor], count: int) -> float:
    """The speed of `count` batches, by CPU time."""
    started = time.process_time()
    for _ in range(count):
        assert next(batches).shape == (BATCH, 3, 224, 224)
    return BATCH * count / (time.process_time() - started)


def serve(name: str, folder: Path, line: Connection) -> None:
    """Make as many batches of the pipeline called `name` as the other end asks, and answer with the speed."""
    torch.set_num_threads(1)
    batches = PIPELINES[name](folder)
    while True:
        line.send(images_per_second(batches, line.recv()))


def ask(line: Connection, batches: int) -> float:
    """The speed of `batches` batches of the process at the other end."""
    line.send(batches)
    return float(line.recv())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary:
        kilobytes = write_photos(Path(temporary), 4 * BATCH)
        pipes = {name: context.Pipe() for name in PIPELINES}
        processes = [context.Process(target=serve, args=(name, Path(temporary), pipes[name][1])) for name in PIPELINES]
        for process in processes:
            process.start()
        for here, _ in pipes.values():
            ask(here, 2)
        speeds: dict[str, list[float]] = {name: [] for name in PIPELINES}
        for _ in range(args.rounds):
            for name, (here, _) in pipes.items():
                speeds[name].append(ask(here, args.batches))
        for process in processes:
            process.kill()
    report(speeds, kilobytes, args.out)


def report(speeds: dict[str, list[float]], kilobytes: float, out: Path | None) -> None:
    """Print medians and the ratio to v1; write them where asked."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    rounds = zip(speeds["cnnlab"], speeds["torchvision v1 (PIL)"], strict=True)
    record = {
        "photos": f"{WIDTH} x {HEIGHT}, {kilobytes:.0f} kB on average",
        "images_per_second": speeds,
        "medians": medians,
        "ratio": statistics.median(ours / theirs for ours, theirs in rounds),
        "environment": environment(torch.device("cpu")),
    }
    for name, value in medians.items():
        print(f"{name:<25} {value:6.0f} images/s (min {min(speeds[name]):.0f}, max {max(speeds[name]):.0f})")
    print(f"cnnlab / torchvision v1: {record['ratio']:.2f}x, median of the rounds' ratios")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
