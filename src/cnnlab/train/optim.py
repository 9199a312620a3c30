"""A recipe's optimizer as torch optimizers, and Muon for convolutions, which torch has for matrices only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.recipes.recipe import AdamW, Muon, Optimizer, Sgd

# The quintic iteration's coefficients: Jordan et al. 2024, "Muon: an optimizer for hidden layers".
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def build_optimizers(
    optimizer: Optimizer, network: nn.Module, *, decay_norms_and_biases: bool
) -> list[torch.optim.Optimizer]:
    """The torch optimizers that together update every trainable parameter of `network` once.

    Each group carries `base_lr`, which `set_lr` scales.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not isinstance(optimizer, Muon):
        return [_elementwise(optimizer, parameters, decay_norms_and_biases)]
    filters = [parameter for parameter in parameters if parameter.ndim >= 3]
    matrices = [parameter for parameter in parameters if parameter.ndim == 2]
    others = [parameter for parameter in parameters if parameter.ndim < 2]
    made = [_muon(optimizer, filters)] if filters else []
    if matrices:
        made.append(_elementwise(optimizer.linear or optimizer.rest, matrices, decay_norms_and_biases))
    return [*made, *([_elementwise(optimizer.rest, others, decay_norms_and_biases)] if others else [])]


def _muon(optimizer: Muon, filters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return _with_base_lr(ConvMuon(filters, optimizer.lr, optimizer.momentum, optimizer.newton_schulz_steps))


def _elementwise(optimizer: Sgd | AdamW, parameters: list[nn.Parameter], decay_all: bool) -> torch.optim.Optimizer:
    decayed = [parameter for parameter in parameters if decay_all or parameter.ndim > 1]
    spared = [parameter for parameter in parameters if not decay_all and parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": optimizer.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return _with_base_lr(torch.optim.AdamW(groups, lr=optimizer.lr, betas=betas, fused=True))
    return _with_base_lr(
        torch.optim.SGD(groups, lr=optimizer.lr, momentum=optimizer.momentum, nesterov=optimizer.nesterov, fused=True)
    )


def _with_base_lr(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        group["base_lr"] = group["lr"]
    return optimizer


def set_lr(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to `factor` times the recipe's."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor


class ConvMuon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose update of each filter bank is made orthogonal.

    A bank (out, in, kh, kw) counts as a matrix (out, in*kh*kw). Before its update each bank is
    rescaled to norm sqrt(out). Banks of one shape are orthogonalised together, in one batch.
    """

    def __init__(self, filters: list[nn.Parameter], lr: float, momentum: float, newton_schulz_steps: int) -> None:
        defaults = {"lr": lr, "momentum": momentum, "newton_schulz_steps": newton_schulz_steps}
        super().__init__(filters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every filter bank that has a gradient."""
        for group in self.param_groups:
            for banks in _by_shape(group["params"]):
                gradients = [self._momentum(bank, group["momentum"]) for bank in banks]
                updates = orthogonalise(torch.stack(gradients), group["newton_schulz_steps"])
                for bank, update in zip(banks, updates, strict=True):
                    bank.mul_(len(bank) ** 0.5 / bank.norm())
                    bank.add_(update.view(bank.shape), alpha=-group["lr"])

    def _momentum(self, bank: nn.Parameter, momentum: float) -> Tensor:
        assert bank.grad is not None
        gradient = bank.grad.flatten(1)
        state = self.state[bank]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer: Tensor = state["momentum_buffer"].mul_(momentum).add_(gradient)
        return gradient.add(buffer, alpha=momentum)


def _by_shape(parameters: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    banks: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            banks[parameter.shape].append(parameter)
    return list(banks.values())


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """The matrices (B, rows, columns) with their singular values driven towards 1.

    A quintic Newton-Schulz iteration (Jordan et al. 2024); five steps leave them within about 0.7 to 1.2.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
