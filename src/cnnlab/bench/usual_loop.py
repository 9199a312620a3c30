"""The usual loop, which cnnlab's training is held against: what tutorials show.

A Dataset of PIL images, torchvision's RandomCrop(32, padding=4) and RandomHorizontalFlip, ToTensor and Normalize, a
DataLoader, contiguous float32, torch.optim.SGD. Its worker processes live on from epoch to epoch, to its advantage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cnnlab.bench.training import BATCH, CPU, noise
from cnnlab.bench.turns import Work, timed
from cnnlab.models.catalog import create_model

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


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


def usual_steps(
    model: str, images: int, batch_size: int = BATCH, *, workers: int, device: torch.device = CPU
) -> Iterator[None]:
    """The usual loop on so many images of noise, a step at a time, without end."""
    part, on_gpu = noise(images), device.type == "cuda"
    loader: Any = DataLoader(
        PilImages(part.images, part.labels),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=on_gpu,
        persistent_workers=workers > 0,
    )
    torch.manual_seed(0)
    network = create_model(model).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    while True:
        for pixels, labels in loader:
            logits = network(pixels.to(device, non_blocking=True))
            loss = F.cross_entropy(logits, labels.to(device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield


@contextmanager
def usual(model: str, images: int, *, workers: int) -> Iterator[Work]:
    """The usual loop with so many worker processes: seconds of as many steps as asked for."""
    steps = usual_steps(model, images, workers=workers)
    yield lambda count: timed(lambda: [next(steps) for _ in range(count)])
