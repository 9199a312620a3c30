"""Fully-convolutional networks: images of any size in, logits averaged over every place out.

VGG section 3.2 (arXiv:1409.1556), ResNet section 3.4 (arXiv:1512.03385), after OverFeat: the fully-connected layers,
which read maps of one size, are put at every place of larger maps. A linear layer at every window of a map is a
convolution with a kernel of the window's size; the class map that comes of it is averaged.

A network with global average pooling is fully convolutional as it is: its linear classifier at every place of the
maps, averaged, is the classifier of the average, which is what `forward` computes at any size. (NIN has its class map
in `forward`; AirNet takes each map's maximum over all places.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.alexnet import AlexNet, AlexNet2012
from cnnlab.models.layers import Network
from cnnlab.models.lenet import LeNet5, LeNet5Modern, LeNetCaffe
from cnnlab.models.perceptron import Perceptron
from cnnlab.models.vgg import VGG


class FullyConvolutional(nn.Module):
    """`network`, its fully-connected layers at every place that they fit on; shares its weights.

    `pixels` is the side of the images it was trained on: of these there is one place, and the logits are the
    network's own.
    """

    def __init__(self, network: AlexNet | VGG | AlexNet2012 | LeNet5 | LeNet5Modern | LeNetCaffe, pixels: int) -> None:
        super().__init__()
        self.network, self.pixels = network, pixels
        image = next(network.parameters()).new_zeros(1, network.in_channels, pixels, pixels)
        with torch.no_grad():
            self.window = self.maps(image).shape[2]

    def maps(self, images: Tensor) -> Tensor:
        """What the first fully-connected layer reads (N, C, h, w), before anything is averaged or flattened."""
        if isinstance(self.network, AlexNet | VGG):
            named: dict[str, Tensor] = self.network.features(images)
            del named["pooled"]
        else:
            named = self.network.maps(images)
        return list(named.values())[-1]

    def head(self, windows: Tensor) -> Tensor:
        """Logits (M, K) of maps of the training size (M, C, window, window)."""
        if isinstance(self.network, AlexNet | VGG):
            pooled = F.adaptive_avg_pool2d(windows, self.network.features.pooled_pixels).flatten(1)
            logits: Tensor = self.network.classifier(pooled)
        else:
            logits = self.network.classifier(list(self.network.units(windows).values())[-1])
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at every place (N, K, rows, columns)."""
        smallest = min(images.shape[2:])
        if smallest < self.pixels:
            raise UsageError(
                f"{smallest} pixels; {type(self.network).__name__} was trained on {self.pixels} and takes no fewer"
            )
        windows = self.maps(images).unfold(2, self.window, 1).unfold(3, self.window, 1)
        count, _, rows, columns = windows.shape[:4]
        logits = self.head(windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2))
        return logits.view(count, rows, columns, -1).permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) for images (N, C, H, W) of `pixels` a side or more, averaged over all places."""
        return self.class_map(images).mean(dim=(2, 3))


def fully_convolutional(network: Network, pixels: int) -> nn.Module:
    """`network`, trained on images of `pixels` a side, as a module that takes any larger ones.

    Raises:
        UsageError: the network has no maps that could be larger.
    """
    if isinstance(network, AlexNet | VGG | AlexNet2012 | LeNet5 | LeNet5Modern | LeNetCaffe):
        return FullyConvolutional(network, pixels)
    if isinstance(network, Perceptron) or network.image_axes != 2:
        kind = "has no convolutions" if isinstance(network, Perceptron) else "does not take two-dimensional images"
        raise UsageError(f"{type(network).__name__} {kind}, so it cannot be tested densely; use --protocol center")
    return network
