"""What the networks share: the interface of all of them, and layers that two papers use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError


class Network(nn.Module):
    """The interface of every network.

    `forward(images)` returns logits (N, num_classes); `features(images)` the named intermediates in
    order, the last of them what the classifier reads; `classifier` can be replaced. Images are float
    (N, in_channels, H, W), normalised as the weights' own preprocessing says.
    """

    head: ClassVar[str] = "classifier"  # where state_dict keys put the classifier: torchvision's names
    smallest_pixels: int = 1  # the shortest side an image may have
    idle_biases: ClassVar[bool] = False  # every convolution is followed by the norm of its number, so a bias is idle
    image_axes: ClassVar[int] = 2  # 1 for signals (N, C, L), 3 for clips (N, C, T, H, W)
    num_classes: int
    in_channels: int
    made_as: tuple[str, dict[str, object]] | None = None  # its name in the catalogue, and the options it was made with

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Named intermediates in order, stem first, each (N, C, H, W) and the last (N, C)."""
        raise NotImplementedError(f"{type(self).__name__} has no features()")

    def calibrate(self, images: Tensor) -> None:
        """Initialise from normalised training images (N, C, H, W), for networks that do; others do nothing."""

    def forward_with_aux(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, num_classes), and those of each auxiliary head by name; most networks have none."""
        return self(images), {}

    def check_images(self, images: Tensor) -> None:
        """Refuse images the network cannot take, before anything is computed; see `check_images`."""
        check_images(images, type(self).__name__, self.in_channels, self.smallest_pixels, self.image_axes)

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


def he_convolutions(network: nn.Module) -> None:
    """Draw every convolution from N(0, 2 / n), n = kernel area times output channels; its bias becomes 0.

    Norms and linear layers keep torch's own: scale 1 and shift 0; uniform in +-1 / sqrt(inputs). He et al.
    2015 (arXiv:1502.01852, equation 14), as fb.resnet.torch and torchvision start residual networks.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


NetworkT = TypeVar("NetworkT", bound=nn.Module)


def normed(network: NetworkT, norm: bool) -> NetworkT:
    """The network as it is, or where `norm` is False without its batch normalisation."""
    if not norm:
        leave_out_norms(network)
    return network


def leave_out_norms(network: nn.Module) -> None:
    """Put the identity in place of every batch normalisation; convolutions get a bias, 0 at first, for its shift.

    What depth does without normalisation can then be seen: gradients vanish or explode, where norms would hold them.
    """
    for module in list(network.modules()):
        for name, inner in module.named_children():
            if isinstance(inner, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
            elif isinstance(inner, nn.Conv2d) and inner.bias is None:
                inner.bias = nn.Parameter(torch.zeros(inner.out_channels, device=inner.weight.device))


def features_alias() -> property:
    """A `features` property for a network whose state_dict has a submodule of that name, such as DenseNet.

    Assign that submodule to `network.features` as usual; called with images, it has to return the dict of
    named intermediates that `Network.features` describes.
    """

    def features(network: nn.Module) -> nn.Module:
        """The module that turns images into the named intermediates."""
        module = network._modules["features"]
        assert module is not None
        return module

    return property(features)


def check_images(images: Tensor, network: str, in_channels: int, smallest_pixels: int = 1, axes: int = 2) -> None:
    """Refuse images of another rank, with other channels, or too small for `network`.

    Raises:
        UsageError: says the shape seen and what the network takes.
    """
    shape = tuple(images.shape)
    if len(shape) != axes + 2 or shape[1] != in_channels:
        wanted = ", ".join(("N", str(in_channels), *{1: "L", 2: "HW", 3: "THW"}[axes]))
        raise UsageError(f"images of shape {shape}; {network} takes ({wanted})")
    if min(shape[2:] if axes < 3 else shape[3:]) < smallest_pixels:
        raise UsageError(
            f"images of shape {shape} are too small; {network} takes {smallest_pixels} pixels a side or more"
        )


class FeatureSequence(nn.Sequential):
    """Layers in a row that return their named intermediates (AlexNet, VGG and Inception-v4: keys `features.0`, ...).

    The last layer before each name gives the intermediate of that name; after the last of them comes
    `pooled`, the maps averaged to `pooled_pixels` a side and flattened, (N, C * pooled_pixels ** 2).
    """

    def __init__(
        self,
        layers: Iterable[nn.Module | str],
        *,
        network: str,
        in_channels: int,
        smallest: int,
        pooled_pixels: int,
    ) -> None:
        modules: list[nn.Module] = []
        names: dict[int, str] = {}  # index of a layer: name of what it returns
        for layer in layers:
            if isinstance(layer, str):
                names[len(modules) - 1] = layer
            else:
                modules.append(layer)
        super().__init__(*modules)
        self.names = names
        self.network, self.in_channels, self.smallest = network, in_channels, smallest
        self.pooled_pixels = pooled_pixels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Named intermediates in order for images (N, in_channels, H, W)."""
        check_images(images, self.network, self.in_channels, self.smallest)
        named: dict[str, Tensor] = {}
        maps = images
        for index, layer in enumerate(self):
            maps = layer(maps)
            if index in self.names:
                named[self.names[index]] = maps
        return {**named, "pooled": F.adaptive_avg_pool2d(maps, self.pooled_pixels).flatten(1)}


class LocalResponseNorm(nn.Module):
    """b = a / (k + alpha * sum of a^2 over `size` neighbouring channels) ^ beta. Krizhevsky et al. 2012, section 3.3.

    alpha multiplies the sum, as the paper prints it; torch and Caffe multiply the mean, so their alpha is
    `size` times as large for the same result.
    """

    def __init__(self, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W), normalised across channels."""
        return F.local_response_norm(maps, self.size, self.alpha * self.size, self.beta, self.k)

    def extra_repr(self) -> str:
        """The paper's four constants."""
        return f"size={self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class ConvBN(nn.Module):
    """Convolution without bias, batch normalisation with epsilon 1e-3, ReLU: every Inception from 2015 on."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H, W) for maps (N, in_channels, H, W)."""
        return F.relu(self.bn(self.conv(images)), inplace=True)


class ImagenetToInceptionRange(nn.Module):
    """RGB images with ImageNet's mean and deviation removed, to mean 0.5 and deviation 0.5 removed.

    torchvision's `transform_input`, for weights that came from Google's range of -1 to 1.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("scale", (std / 0.5).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", ((mean - 0.5) / 0.5).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W)."""
        return images * self.scale + self.shift


def linear_without_init(in_features: int, out_features: int) -> nn.Linear:
    """A linear layer whose weights are drawn later: the first of VGG is 100 million numbers, costly to draw twice."""
    layer: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        nn.Linear, in_features, out_features, device=torch.get_default_device()
    )
    return layer
