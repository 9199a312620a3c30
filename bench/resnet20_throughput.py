"""ResNet-20 on CIFAR-10, batch 128: cnnlab's training step against the usual loop, side by side.

The usual loop is what tutorials show: a Dataset of PIL images, torchvision's RandomCrop(32, padding=4)
and RandomHorizontalFlip, ToTensor and Normalize, a DataLoader (0 and 2 workers), contiguous tensors,
torch.optim.SGD. Both train the same network by the paper's rule, each in a process of its own that
rests while the others run. Rounds are interleaved, medians are compared, and the share of the machine's
float32 matrix product (4096 cubed) is printed.

    python bench/resnet20_throughput.py --rounds 5 --steps 20
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cnnlab.data.loader import Batches
from cnnlab.data.parts import Part
from cnnlab.data.preprocess import measure
from cnnlab.data.sources import load
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost
from cnnlab.models.device import keep_freed_memory, place_network
from cnnlab.recipes import get_recipe
from cnnlab.train.batches import augment_with
from cnnlab.train.optim import build_optimizers
from cnnlab.train.precision import resolve_precision
from cnnlab.train.record import environment
from cnnlab.train.step import train_step

RECIPE = get_recipe("resnet2015/cifar10")
CPU = torch.device("cpu")
SETTLE_SECONDS = 1.5  # the usual loop's workers fetch ahead for a moment after their turn; let them end


class PilImages(Dataset[tuple[Tensor, int]]):
    """CIFAR-10 as torchvision's own data set hands it out: one PIL image at a time."""

    def __init__(self, part: Part, transform: Callable[[object], Tensor]) -> None:
        self.images = part.images.permute(0, 2, 3, 1).numpy()
        self.labels = part.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def usual_steps(part: Part, workers: int) -> Iterator[None]:
    """The usual loop, a step at a time."""
    normalise = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    crop, flip = transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()
    transform = transforms.Compose([crop, flip, transforms.ToTensor(), normalise])
    images = PilImages(part, transform)
    loader = DataLoader(images, batch_size=128, shuffle=True, drop_last=True, num_workers=workers)
    torch.manual_seed(0)
    network = create_model("resnet20").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    while True:
        for batch, labels in loader:
            loss = F.cross_entropy(network(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def our_steps(part: Part) -> Iterator[None]:
    """Our training step, with the recipe's own data, augmentation and optimizer."""
    keep_freed_memory()
    batches = Batches(
        part,
        batch_size=RECIPE.batch_size,
        seed=0,
        preprocess=measure(part.images, RECIPE.normalisation),
        device=CPU,
        augment=augment_with(RECIPE.augment, seed=0),
    )
    torch.manual_seed(0)
    network = place_network(create_model("resnet20"), CPU).train()
    optimizers = build_optimizers(RECIPE.optimizer, network, decay_norms_and_biases=True)
    precision = resolve_precision("fp32", CPU)
    scaler = precision.scaler()
    epoch = 0
    while True:
        for batch in batches.epoch(epoch):
            train_step(network, batch.images, batch.labels, optimizers, precision, scaler, 0.0)
            yield
        epoch += 1


def images_per_second(steps: Iterator[None], count: int) -> float:
    """The speed of `count` steps of 128 images."""
    started = time.perf_counter()
    for _ in range(count):
        next(steps)
    return 128 * count / (time.perf_counter() - started)


def matrix_peak(size: int = 4096) -> float:
    """Floating-point operations a second of the float32 matrix product, best of three."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


LOOPS: dict[str, Callable[[Part], Iterator[None]]] = {
    "usual, 0 workers": lambda part: usual_steps(part, 0),
    "usual, 2 workers": lambda part: usual_steps(part, 2),
    "cnnlab": our_steps,
}


def serve(name: str, line: Connection) -> None:
    """Run the loop called `name` for as many steps as the other end asks, and answer with its speed."""
    steps = LOOPS[name](load("cifar10").train)
    while True:
        line.send(images_per_second(steps, line.recv()))


def ask(line: Connection, steps: int) -> float:
    """The speed of `steps` steps of the process at the other end."""
    line.send(steps)
    return float(line.recv())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    pipes = {name: context.Pipe() for name in LOOPS}
    processes = [context.Process(target=serve, args=(name, pipes[name][1])) for name in LOOPS]
    for process in processes:
        process.start()
    for here, _ in pipes.values():
        ask(here, 5)
    speeds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for _ in range(args.rounds):
        for name, (here, _) in pipes.items():
            time.sleep(SETTLE_SECONDS)
            speeds[name].append(ask(here, args.steps))
    for process in processes:
        process.kill()
    report(speeds, matrix_peak(), args.out)


def report(speeds: dict[str, list[float]], peak: float, out: Path | None) -> None:
    """Print medians, ratios and the share of the peak; write them where asked."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    best_usual = max(value for name, value in medians.items() if name != "cnnlab")
    operations = 3 * 2 * cost(create_model("resnet20"), 3, 32).macs  # forward, and twice that backward
    record = {
        "images_per_second": speeds,
        "medians": medians,
        "ratio": medians["cnnlab"] / best_usual,
        "matrix_peak_gflops": peak / 1e9,
        "share_of_peak": medians["cnnlab"] * operations / peak,
        "environment": environment(CPU),
    }
    for name, value in medians.items():
        print(f"{name:<17} {value:7.1f} images/s (min {min(speeds[name]):.1f}, max {max(speeds[name]):.1f})")
    print(
        f"cnnlab / best usual: {record['ratio']:.2f}x; float32 matrix product {peak / 1e9:.0f} GFLOP/s, share reached ",
        end="",
    )
    print(f"{record['share_of_peak']:.0%}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
