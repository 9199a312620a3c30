"""What the networks share: the interface of all of them, and layers that two papers use."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Network(nn.Module):
    """The interface of every network.

    `forward(images)` returns logits (N, num_classes); `features(images)` the named intermediates in
    order, the last of them what the classifier reads; `classifier` can be replaced. Images are float
    (N, in_channels, H, W), normalised as the weights' own preprocessing says.
    """

    head: ClassVar[str] = "classifier"  # where state_dict keys put the classifier: torchvision's names
    smallest_pixels: ClassVar[int] = 1
    num_classes: int
    in_channels: int

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Named intermediates in order, stem first, each (N, C, H, W) and the last (N, C)."""
        raise NotImplementedError(f"{type(self).__name__} has no features()")

    def forward_with_aux(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, num_classes), and those of each auxiliary head by name (none, unless a network has them)."""
        return self(images), {}

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(self.head if name == "classifier" else name, value)  # type: ignore[arg-type]


def head_alias(head: str) -> property:
    """A `classifier` property for a network whose state_dict calls it `head`."""

    def classifier(network: nn.Module) -> nn.Module:
        """The layer that turns pooled features (N, C) into logits (N, num_classes)."""
        module = network._modules[head]
        assert module is not None
        return module

    return property(classifier)
