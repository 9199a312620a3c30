"""Batch normalisation folded into the convolution before it: the same answers, without its pass over memory.

In evaluation a batch normalisation is a multiplication and an addition for each channel, which the convolution's own
weights and bias can hold as well.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from cnnlab.models.layers import Network

NetworkT = TypeVar("NetworkT", bound=Network)

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fold_norms(network: NetworkT, sizes: tuple[int, ...]) -> NetworkT:
    """A copy of `network` in evaluation mode, each batch normalisation folded into the convolution that feeds it.

    One stays where it is if its input does not come from a convolution, or goes elsewhere too. Logits are equal but
    for rounding; a named intermediate that lay between the two is the normalised one. `sizes` are those of an image
    that the network takes, such as (224, 224).
    """
    folded = copy.deepcopy(network).eval()
    for conv, norm in foldable_norms(folded, sizes).items():
        fused = fuse_conv_bn_eval(
            cast(nn.Conv2d, folded.get_submodule(conv)), cast(_BatchNorm, folded.get_submodule(norm))
        )
        folded.set_submodule(conv, fused)
        folded.set_submodule(norm, nn.Identity())
    return folded


def foldable_norms(network: Network, sizes: tuple[int, ...]) -> dict[str, str]:
    """Names of the convolutions whose output a batch normalisation takes and nothing else, each with that of its norm.

    Found by watching a black image go through the network, which has to be in evaluation mode.
    """
    follower, hooks = _Follower(), []
    for name, module in network.named_modules():
        if type(module) in CONVOLUTIONS:
            hooks.append(module.register_forward_hook(follower.after_convolution(name)))
        elif isinstance(module, _BatchNorm) and module.track_running_stats:
            hooks.append(module.register_forward_pre_hook(follower.before_norm(name)))
    image = next(network.parameters()).new_zeros(1, network.in_channels, *sizes)
    with torch.no_grad(), follower:
        network(image)
    for hook in hooks:
        hook.remove()
    return follower.pairs()


class _Follower(TorchFunctionMode):
    """Notes which convolution made which tensor, which norm took it, and how many functions did."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, str] = {}  # identity of a tensor: its convolution
        self.taken: Counter[int] = Counter()  # identity of a tensor: functions that made a tensor of it
        self.norms: list[tuple[str, int]] = []  # each call of a norm, with the tensor it took
        self.held: list[object] = []  # all results, so that no identity is given twice

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        out = func(*args, **(kwargs or {}))
        if any(isinstance(each, Tensor) for each in tree_leaves(out)):  # else it only asked for a shape, say
            self.taken.update({id(each) for each in inputs})
            self.held.append(out)
        return out

    def after_convolution(self, name: str) -> Any:
        """A hook that notes what the convolution called `name` made."""
        return lambda module, args, out: self.made.__setitem__(id(out), name)

    def before_norm(self, name: str) -> Any:
        """A hook that notes what the norm called `name` took."""
        return lambda module, args: self.norms.append((name, id(args[0])))

    def pairs(self) -> dict[str, str]:
        """Convolutions with their norms, where both ran once and nothing else took what is between them."""
        calls = Counter(self.made.values()) + Counter(name for name, _ in self.norms)
        found = [
            (self.made[taken], norm) for norm, taken in self.norms if self.taken[taken] == 1 and taken in self.made
        ]
        return {conv: norm for conv, norm in found if calls[conv] == calls[norm] == 1}
