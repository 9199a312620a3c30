"""One hidden layer on handwritten digits.

LeCun et al. 1998, "Gradient-based learning applied to document recognition", section III.C.3 and Figure 9, "fully
connected multi-layer network", 28x28-300-10: the network that the convolutional ones of the paper are measured
against (4.7% error on MNIST with 300 hidden units, 4.5% with 1000).

| layer  | units | trainable |
|--------|-------|-----------|
| input  | 784   |           |
| hidden | 300   | 235,500   |
| output | 10    | 3,010     |

Differences:
- The output is linear, so that logits go with any loss; the paper squashes it and takes the mean squared
  error.
- Hidden units are squashed by the scaled tanh of the paper's appendix A, as LeNet-5's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.initialise import fill, lecun_
from cnnlab.models.layers import Network


class Perceptron(Network):
    """One hidden layer of squashed units between the pixels and the logits."""

    def __init__(self, *, num_classes: int = 10, in_channels: int = 1, pixels: int = 28, hidden: int = 300) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.smallest_pixels = pixels
        self.hidden = nn.Linear(in_channels * pixels * pixels, hidden)
        self.classifier = nn.Linear(hidden, num_classes)
        fill(self, lecun_)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`hidden` (N, 300), which is what the classifier reads."""
        self.check_images(images)
        if images.shape[2:].numel() != self.smallest_pixels**2:
            raise UsageError(
                f"images of shape {tuple(images.shape)}; this perceptron takes {self.smallest_pixels}x"
                f"{self.smallest_pixels} pixels only; build it with another `pixels`, or resize the images"
            )
        hidden = 1.7159 * torch.tanh(self.hidden(images.flatten(1)) * (2 / 3))
        return {"hidden": hidden}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, 28, 28)."""
        logits: Tensor = self.classifier(self.features(images)["hidden"])
        return logits


def perceptron(*, num_classes: int = 10, in_channels: int = 1, pixels: int = 28, hidden: int = 300) -> Perceptron:
    """The 28x28-300-10 network: 238,510 parameters."""
    return Perceptron(num_classes=num_classes, in_channels=in_channels, pixels=pixels, hidden=hidden)
