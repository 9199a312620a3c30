"""ResNet-20 on images of CIFAR-10's size, batch 128: cnnlab's training step against the usual loop.

The usual loop is what tutorials show: a Dataset of PIL images, torchvision's RandomCrop(32, padding=4) and
RandomHorizontalFlip, ToTensor and Normalize, a DataLoader, contiguous tensors, torch.optim.SGD. cnnlab's is what
`cnnlab train --recipe resnet2015/cifar10` does at each step, its records included; `native` computes convolutions in
bf16 on CPUs that have it. All train the same network by the paper's rule; the images are noise, which costs as much.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.training import BATCH, CPU, noise, paper_rule, training
from cnnlab.bench.turns import Way, Work, own_processes, take_turns, timed
from cnnlab.measure.machine import measure_machine
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost

IMAGES = 5_120
STEPS = 8  # a turn
REST_SECONDS = 1.5  # the usual loop's workers fetch ahead for a moment after their turn
MATRIX_SIDE = 4096  # of the product whose speed is the peak that facts/performance.md uses
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
OURS, NATIVE = "cnnlab", "cnnlab, precision native"


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's own CIFAR-10 hands them out: one PIL image at a time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        from torchvision import transforms

        self.images, self.labels = images.permute(0, 2, 3, 1).numpy(), labels.tolist()
        crop, flip = transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()
        self.transform = transforms.Compose([crop, flip, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        image: Tensor = self.transform(Image.fromarray(self.images[index]))
        return image, self.labels[index]


def usual_steps(workers: int) -> Iterator[None]:
    """The usual loop, a step at a time."""
    part = noise(IMAGES)
    loader: Any = DataLoader(
        PilImages(part.images, part.labels), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers
    )
    torch.manual_seed(0)
    network = create_model("resnet20").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    while True:
        for images, labels in loader:
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield


@contextmanager
def usual(workers: int) -> Iterator[Work]:
    """The usual loop with so many worker processes: seconds of as many steps as asked for."""
    steps = usual_steps(workers)
    yield lambda count: timed(lambda: [next(steps) for _ in range(count)])


WAYS: dict[str, Way] = {
    "usual loop, 0 workers": partial(usual, 0),
    "usual loop, 2 workers": partial(usual, 2),
    OURS: partial(training, paper_rule("resnet20", BATCH), images=IMAGES),
    NATIVE: partial(training, paper_rule("resnet20", BATCH, precision="native"), images=IMAGES),
}


def measure(plan: Plan) -> Found:
    """Images a second of each loop, and the share of the machine's best that ours reaches."""
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    with own_processes(WAYS, plan.threads) as works:
        plan.say("resnet20-train: starting the trainings")
        asked = {name: partial(work, STEPS) for name, work in works.items()}
        seconds = take_turns(asked, plan.rounds, rest_seconds=REST_SECONDS)
        peak = measure_machine(CPU, torch.float32, side=MATRIX_SIDE).macs_per_second
    speeds = {name: [BATCH * STEPS / each for each in values] for name, values in seconds.items()}
    best = max((name for name in WAYS if name not in (OURS, NATIVE)), key=lambda name: statistics.median(speeds[name]))
    macs = 3 * cost(create_model("resnet20"), 3, 32).macs  # forward, and twice that backward
    share = statistics.median(speeds[OURS]) * macs / peak
    return Found(
        cases=(Case(f"batch {BATCH}", "images/s", speeds, against=best),),
        figures={"matrix_product_gflops": 2e-9 * peak, "share_of_matrix_product": share},
        notes=(f"cnnlab reaches {share:.0%} of the float32 matrix product, {2e-9 * peak:.0f} GFLOP/s just now.",),
    )
