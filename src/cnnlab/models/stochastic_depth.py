"""Stochastic depth: residual blocks left out at random in training. Huang et al. 2016 (arXiv:1603.09382).

Block l of L is kept with probability p_l = 1 - l / L (1 - p_L) (equation 4, the linear decay rule; the
paper takes p_L = 0.5). One draw decides for the whole mini-batch (equation 2); a block left out is its
shortcut alone, neither computed nor updated in that step. In evaluation every block is there, its branch
scaled by p_l (equation 5).

Differences:
- Networks take the rate 1 - p_L, as torchvision and timm name it: 0 switches stochastic depth off, 0.5 is
  the paper.
- torchvision's and timm's StochasticDepth divide by p_l in training instead, draw for each sample by
  default, and always compute the branch. Here it is as in the paper, so that training is faster by the
  blocks left out, and weights trained elsewhere with the paper's form mean the same.
- A compiled graph cannot choose: there the branch is computed and multiplied by the draw, 0 or 1.
- Under DistributedDataParallel parameters of a block left out have no gradient: pass
  find_unused_parameters=True.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError


def survival_probabilities(blocks: int, rate: float) -> list[float]:
    """p_1 to p_L under the linear decay rule, with p_L = 1 - `rate` (equation 4)."""
    if not 0 <= rate < 1:
        raise UsageError(f"stochastic depth rate {rate}: the last block's chance to be left out is in [0, 1)")
    return [1 - block / blocks * rate for block in range(1, blocks + 1)]


def set_stochastic_depth(blocks: Sequence[nn.Module], rate: float) -> None:
    """Give each residual block, first to last, its `survival` probability."""
    for block, survival in zip(blocks, survival_probabilities(len(blocks), rate), strict=True):
        block.survival = survival  # type: ignore[assignment]


def leaves_out_blocks(network: nn.Module) -> bool:
    """Whether a network in training leaves out blocks at random."""
    return any(getattr(each, "survival", 1.0) < 1 for each in network.modules())


def add_branch(
    shortcut: Tensor, branch: Callable[[Tensor], Tensor], images: Tensor, survival: float, training: bool
) -> Tensor:
    """`shortcut` + b `branch(images)`: b is 1 with chance `survival`, else 0; in evaluation, `survival`.

    The branch's result is fresh memory, as a batch norm's is, and the sum may be written into it.
    """
    if survival == 1.0:
        return branch(images).add_(shortcut)
    if not training:
        return torch.add(shortcut, branch(images), alpha=survival)
    if torch.compiler.is_compiling():
        kept = torch.bernoulli(torch.full((), survival, device=images.device))
        return torch.addcmul(shortcut, branch(images), kept.to(shortcut.dtype))
    kept_here = torch.rand(()).item() < survival
    return branch(images).add_(shortcut) if kept_here else shortcut
