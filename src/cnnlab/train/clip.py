"""Gradients kept from growing too large: by their common norm, or unit by unit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnnlab.recipes.recipe import Clip, ClipNorm

_SMALLEST_NORM = 1e-3  # of a unit's weights, so that weights of zero can leave it; Brock et al. 2021, section 4.1


def clip_gradients(clip: Clip, network: nn.Module, classifier: nn.Module) -> None:
    """Scale the gradients of `network` down in place where `clip` says; `classifier` is spared by the adaptive rule."""
    if isinstance(clip, ClipNorm):
        nn.utils.clip_grad_norm_(network.parameters(), clip.norm, foreach=True)
        return
    spared = {id(each) for each in classifier.parameters()}
    clip_units([each for each in network.parameters() if id(each) not in spared], clip.ratio)


@torch.no_grad()
def clip_units(parameters: Sequence[nn.Parameter], ratio: float) -> None:
    """Scale each unit's gradient to at most `ratio` times the norm of its weights, in place.

    A unit is one output of a weight (outputs, …); the numbers of a vector, such as biases, are one unit each.
    Brock et al. 2021 (arXiv:2102.06171), equation 3.
    """
    for parameter in parameters:
        if parameter.grad is not None:
            most = ratio * _unit_norms(parameter).clamp(min=_SMALLEST_NORM)
            norms = _unit_norms(parameter.grad).clamp(min=1e-6)
            parameter.grad.mul_((most / norms).clamp(max=1.0))


def _unit_norms(values: Tensor) -> Tensor:
    """Norms by output, shaped to be multiplied with `values`."""
    if values.ndim <= 1:
        return values.abs()
    norms: Tensor = values.flatten(1).norm(dim=1)
    return norms.view(-1, *(1,) * (values.ndim - 1))
