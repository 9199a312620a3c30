"""Small networks whose explanations are known, or quickly computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnnlab.models.layers import Network


class Tiny(Network):
    """Two convolutions, an average and a linear layer, with all the names a network has."""

    def __init__(self, num_classes: int = 3, in_channels: int = 3) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.conv1 = nn.Conv2d(in_channels, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, stride=2)
        self.classifier = nn.Linear(8, num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        first = torch.relu(self.conv1(images))
        second = torch.relu(self.conv2(first))
        return {"first": first, "second": second, "pooled": second.mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images)["pooled"])
        return logits


class Places(Network):
    """One map, the image's own red, and a logit that reads its left half only; a map of it is known exactly."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.num_classes, self.in_channels = 2, 3
        self.register_buffer("mask", torch.zeros(pixels, pixels))
        self.get_buffer("mask")[:, : pixels // 2] = 1.0
        self.scale = nn.Parameter(torch.ones(()))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        red = images[:, :1] * self.scale
        return {"red": red, "pooled": (red * self.mask).mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.features(images)["pooled"]
        return torch.cat((pooled, -pooled), dim=1)


def chain(layers: int, activation: Callable[[], nn.Module], width: int = 8) -> nn.Sequential:
    """`layers` - 1 convolutions of stride 1 without norms on (N, 3, H, W), an average, and a linear layer."""
    modules: list[nn.Module] = []
    for index in range(layers - 1):
        modules += [nn.Conv2d(3 if index == 0 else width, width, 3, padding=1), activation()]
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A network with the weights of `seed`."""
    torch.manual_seed(seed)
    return build()
