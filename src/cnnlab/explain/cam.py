"""Class activation maps: where a network looked, read from the maps of one layer and the gradient of one class.

With g the gradient of the class's logit by the maps a:

| method     | weight of channel k at a place                                      | source                           |
|------------|---------------------------------------------------------------------|----------------------------------|
| grad-cam   | mean of g over all places                                           | Selvaraju et al. 2017, eq. 1     |
| grad-cam++ | sum of alpha relu(g) over places, alpha = g^2 / (2 g^2 + g^3 sum a) | Chattopadhay et al. 2018, eq. 19 |
| layer-cam  | relu(g) at the place itself                                         | Jiang et al. 2021, eq. 6         |

The map is the positive part of the channels' weighted sum (Grad-CAM's equation 2).
"""

from __future__ import annotations

from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.explain.layers import default_layer, evaluating, recorded
from cnnlab.models.layers import Network


class Cam(StrEnum):
    """How channels are weighted; see the table above."""

    GRAD_CAM = "grad-cam"
    GRAD_CAM_PLUS = "grad-cam++"
    LAYER_CAM = "layer-cam"


def class_activation_map(
    network: Network, images: Tensor, targets: Tensor, *, layer: str | None = None, method: Cam = Cam.GRAD_CAM
) -> Tensor:
    """What speaks for class `targets` (N,) in normalised images (N, C, H, W), (N, h, w) float32, at least 0.

    h and w are those of the layer's maps; `layer` None takes `default_layer`. The network runs in evaluation mode;
    its weights and their gradients stay as they are.

    Raises:
        UsageError: the layer has no maps, or the logits do not depend on it.
        UnknownNameError: there is no such layer.
    """
    layer = layer or default_layer(network, tuple(images.shape[2:]))
    with evaluating(network), torch.enable_grad(), recorded(network, layer) as found:
        # Integers need no gradient; images do, so that there is one even where all weights are frozen.
        logits = network(images.detach().requires_grad_())
        if not found or found[-1].ndim != images.ndim:
            shape = tuple(found[-1].shape[1:]) if found else "nothing: it did not run"
            raise UsageError(f"layer {layer!r} gives {shape}; a map needs channels and places, (C, H, W)")
        maps = found[-1]
        chosen = logits.gather(1, targets[:, None]).sum()
        [gradient] = torch.autograd.grad(chosen, maps, allow_unused=True)
    if gradient is None:
        raise UsageError(f"the logits do not depend on layer {layer!r}; choose another --layer")
    return weigh(maps.detach().float(), gradient.float(), method)


def weigh(maps: Tensor, gradient: Tensor, method: Cam) -> Tensor:
    """The map (N, …) of maps (N, C, …) and the gradient of the class's logit by them; see the table above."""
    places = tuple(range(2, maps.ndim))
    if method is Cam.LAYER_CAM:
        weights = F.relu(gradient)
    elif method is Cam.GRAD_CAM_PLUS:
        square = gradient.square()
        below = 2 * square + gradient * square * maps.sum(places, keepdim=True)
        alpha = torch.where(below != 0, square / torch.where(below != 0, below, 1.0), 0.0)
        weights = (alpha * F.relu(gradient)).sum(places, keepdim=True)
    else:
        weights = gradient.mean(places, keepdim=True)
    return F.relu((weights * maps).sum(dim=1))


def enlarge(heat: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Maps (N, h, w) brought to `sizes` (H, W), smoothly (bicubic, cut at 0)."""
    return F.interpolate(heat[:, None], size=sizes, mode="bicubic", align_corners=False)[:, 0].clamp_min(0)


def scale(heat: Tensor) -> Tensor:
    """Maps (N, H, W) brought to [0, 1] each: 0 stays, the largest becomes 1; a map of zeros stays one."""
    return heat / heat.flatten(1).amax(dim=1).clamp_min(1e-12).view(-1, 1, 1)
