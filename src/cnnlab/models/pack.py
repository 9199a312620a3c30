"""Convolutions whose filters lie in memory as the processor reads them.

oneDNN, which computes torch's convolutions on a CPU, wants filters in an order of its own, and puts them into it anew
at every call. For a single image that takes about half as long as the convolution itself.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from cnnlab.models.layers import Network

ARGUMENTS = ("in_channels", "out_channels", "kernel_size", "padding", "stride", "dilation", "groups")


class _Orders(dict[bool, Tensor]):
    """Filters in oneDNN's orders, by whether a batch is of a single image. A copy of a network makes its own."""

    def __deepcopy__(self, known: dict[int, Any]) -> Self:
        return type(self)()


class PackedConv(nn.Conv2d):
    """A convolution that keeps its filters in oneDNN's order too, for float32 maps on the CPU.

    Single images and batches have an order each, made when the first of them comes; the filters must not change after
    that. Where gradients are recorded, or on another device, it is the plain convolution.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        arguments: dict[str, Any] = {name: getattr(conv, name) for name in ARGUMENTS}
        super().__init__(**arguments, device="meta")
        self.weight, self.bias = conv.weight, conv.bias
        self.rule = [arguments[name] for name in ARGUMENTS[3:]]
        self.orders = _Orders()

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out_channels, h, w) for maps (N, in_channels, H, W)."""
        if torch.is_grad_enabled() or self.weight.device.type != "cpu":
            return super().forward(images)
        alone = len(images) == 1
        if alone not in self.orders:
            pack = torch.ops.mkldnn._reorder_convolution_weight
            self.orders[alone] = pack(self.weight.detach(), *self.rule, list(images.shape))
        convolve = torch.ops.mkldnn._convolution_pointwise  # what torch.compile calls too
        maps: Tensor = convolve(images, self.orders[alone], self.bias, *self.rule, "none", [], "")
        return maps


def pack_filters(network: Network) -> None:
    """Put a `PackedConv` in the place of every two-dimensional convolution; does nothing where torch lacks oneDNN."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for name, module in list(network.named_modules()):
        if type(module) is nn.Conv2d and module.weight.dtype is torch.float32 and _pads_by_numbers(module):
            network.set_submodule(name, PackedConv(module))


def _pads_by_numbers(conv: nn.Conv2d) -> bool:
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
