"""Every way to ask why, by name, each giving one map the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from cnnlab.explain.cam import Cam, class_activation_map, enlarge, scale
from cnnlab.explain.layers import default_layer, evaluating
from cnnlab.explain.pixels import gradients, integrated_gradients, occlusion
from cnnlab.models.layers import Network


class Method(StrEnum):
    """How a map is made: by a layer's maps (the first three), by pixels, by covering parts."""

    GRAD_CAM = "grad-cam"
    GRAD_CAM_PLUS = "grad-cam++"
    LAYER_CAM = "layer-cam"
    INTEGRATED_GRADIENTS = "integrated-gradients"
    GRADIENT = "gradient"
    OCCLUSION = "occlusion"

    @property
    def by_layer(self) -> bool:
        """Whether it reads the maps of one layer."""
        return self.value in list(Cam)


def heat_map(
    network: Network, images: Tensor, targets: Tensor, *, method: Method = Method.GRAD_CAM, layer: str | None = None
) -> Tensor:
    """Where normalised images (N, C, H, W) speak for class `targets` (N,): (N, H, W), each scaled to [0, 1].

    Of pixel methods the sizes of the channels' numbers are summed; of occlusion the falls of the logit are kept, with
    a window of a quarter of the shorter side and a stride of half a window. `layer` is for the CAM methods.
    """
    match method:
        case Method.INTEGRATED_GRADIENTS:
            heat = integrated_gradients(network, images, targets).abs().sum(dim=1)
        case Method.GRADIENT:
            heat = gradients(network, images, targets).abs().sum(dim=1)
        case Method.OCCLUSION:
            window = max(1, min(images.shape[2:]) // 4)
            heat = occlusion(network, images, targets, window=window, stride=max(1, window // 2)).clamp_min(0)
        case _:
            maps = class_activation_map(network, images, targets, layer=layer, method=Cam(method.value))
            heat = enlarge(maps, tuple(images.shape[2:]))
    return scale(heat)


@torch.no_grad()
def class_probabilities(network: Network, images: Tensor) -> Tensor:
    """Probabilities (N, K) of normalised images seen once each: what a map explains, whatever a protocol averages."""
    with evaluating(network):
        logits: Tensor = network(images)
    return logits.float().softmax(dim=1)


@dataclass(frozen=True)
class Explanation:
    """Why a network sees one class in one image.

    `target` is the class's number and `probabilities` (K,) those of all classes; `layer` is the one that the CAM
    methods read, None without any; `heats` are the maps (H, W) in [0, 1] on the CPU, by what to write under each.
    """

    target: int
    probabilities: Tensor
    layer: str | None
    heats: dict[str, Tensor]


def explain(
    network: Network,
    image: Tensor,
    *,
    methods: Sequence[Method] = (Method.GRAD_CAM,),
    target: int | None = None,
    layer: str | None = None,
) -> Explanation:
    """Explain one normalised image (C, H, W); `target` None is the most probable class.

    Raises:
        UsageError: the layer has no maps, or the network none; see `default_layer`.
        UnknownNameError: there is no such layer.
    """
    images = image[None]
    probabilities = class_probabilities(network, images)[0].cpu()
    target = int(probabilities.argmax()) if target is None else target
    targets = torch.tensor([target], device=image.device)
    by_layer = any(method.by_layer for method in methods)
    layer = (layer or default_layer(network, tuple(image.shape[1:]))) if by_layer else None
    heats = {
        f"{method} at {layer}" if method.by_layer else method.value: heat_map(
            network, images, targets, method=method, layer=layer
        )[0].cpu()
        for method in methods
    }
    return Explanation(target, probabilities, layer, heats)
