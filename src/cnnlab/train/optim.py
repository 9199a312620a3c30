"""A recipe's optimizer as torch optimizers, and Muon for convolutions, which torch has for matrices only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError, nearest
from cnnlab.models.layers import Network
from cnnlab.models.weight_names import classifying, head_name
from cnnlab.recipes.recipe import AdamW, Multiply, Muon, Optimizer, RmsProp, Sgd
from cnnlab.train.rmsprop import TensorFlowRmsProp

# The quintic iteration's coefficients: Jordan et al. 2024, "Muon: an optimizer for hidden layers".
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def build_optimizers(
    optimizer: Optimizer, network: nn.Module, *, decay_norms_and_biases: bool, multiply: Sequence[Multiply] = ()
) -> list[torch.optim.Optimizer]:
    """The torch optimizers that together update every trainable parameter of `network` once.

    Each group carries `base_lr`, which `set_lr` scales. Parameters of other multipliers are other groups.

    Raises:
        UsageError: a pattern of `multiply` matches no parameter; the message says what they are called.
    """
    _check_patterns(multiply, network)
    shares = [
        _Share(parameter, *_multipliers(name, parameter, decay_norms_and_biases, multiply))
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    ]
    if not isinstance(optimizer, Muon):
        return [_elementwise(optimizer, shares)]
    filters = [share for share in shares if share.parameter.ndim >= 3]
    matrices = [share for share in shares if share.parameter.ndim == 2]
    others = [share for share in shares if share.parameter.ndim < 2]
    made = [_muon(optimizer, filters)] if filters else []
    made += [_elementwise(optimizer.linear or optimizer.rest, matrices)] if matrices else []
    return [*made, *([_elementwise(optimizer.rest, others)] if others else [])]


def slow_body(network: Network, factor: float) -> tuple[Multiply, ...]:
    """Patterns for all layers but the last, also of auxiliary heads, at `factor` (above 0) times the learning rate.

    Caffe's habit of fine-tuning: there the rate is a tenth and a new last layer's `lr_mult` is ten
    (models/finetune_flickr_style).
    """
    head = head_name(network)
    last = dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters() if classifying(name, head))
    return Multiply(parameters="*", lr=factor), *(Multiply(parameters=f"{each}.*", lr=1 / factor) for each in last)


@dataclass(frozen=True)
class _Share:
    """A parameter, and what its learning rate and its weight decay are multiplied by."""

    parameter: nn.Parameter
    lr: float
    decay: float


def _multipliers(
    name: str, parameter: nn.Parameter, decay_all: bool, multiply: Sequence[Multiply]
) -> tuple[float, float]:
    matching = [each for each in multiply if fnmatchcase(name, each.parameters)]
    decay = 1.0 if decay_all or parameter.ndim > 1 else 0.0
    return math.prod(each.lr for each in matching), decay * math.prod(each.decay for each in matching)


def _check_patterns(multiply: Sequence[Multiply], network: nn.Module) -> None:
    names = [name for name, _ in network.named_parameters()]
    for each in multiply:
        if not any(fnmatchcase(name, each.parameters) for name in names):
            close = nearest(each.parameters, names) or names[:3]
            raise UsageError(
                f"multiply: no parameter of {type(network).__name__} is called {each.parameters!r}; "
                f"there are {', '.join(close)}, …; '*' stands for any letters"
            )


def _groups(shares: Sequence[_Share], lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
    """Parameter groups, one for each pair of multipliers, in the order they first appear."""
    by_multipliers: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for share in shares:
        by_multipliers[share.lr, share.decay].append(share.parameter)
    return [
        {"params": parameters, "lr": lr * lr_times, "weight_decay": weight_decay * decay_times}
        for (lr_times, decay_times), parameters in by_multipliers.items()
    ]


def _muon(optimizer: Muon, filters: Sequence[_Share]) -> torch.optim.Optimizer:
    groups = _groups(filters, optimizer.lr)
    return _with_base_lr(ConvMuon(groups, optimizer.lr, optimizer.momentum, optimizer.newton_schulz_steps))


def _elementwise(optimizer: Sgd | RmsProp | AdamW, shares: Sequence[_Share]) -> torch.optim.Optimizer:
    groups, lr = _groups(shares, optimizer.lr, optimizer.weight_decay), optimizer.lr
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return _with_base_lr(torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True))
    if isinstance(optimizer, RmsProp):
        return _with_base_lr(TensorFlowRmsProp(groups, lr, optimizer.decay, optimizer.momentum, optimizer.eps))
    return _with_base_lr(
        torch.optim.SGD(groups, lr=lr, momentum=optimizer.momentum, nesterov=optimizer.nesterov, fused=True)
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


def start_at_rest(optimizers: Iterable[torch.optim.Optimizer], parameters: Iterable[nn.Parameter]) -> None:
    """Give `parameters` that join the training later a momentum of 0 where SGD has one.

    torch's fused SGD takes parameters of which all have a momentum, or none.
    """
    later = {id(each) for each in parameters}
    for optimizer in optimizers:
        for group in optimizer.param_groups if isinstance(optimizer, torch.optim.SGD) else ():
            for parameter in group["params"] if group["momentum"] else ():
                if id(parameter) in later:
                    optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def in_use(optimizers: Iterable[torch.optim.Optimizer]) -> list[torch.optim.Optimizer]:
    """Those that have a parameter to train now; a gradient scaler takes no others."""
    return [
        optimizer
        for optimizer in optimizers
        if any(parameter.requires_grad for group in optimizer.param_groups for parameter in group["params"])
    ]


class ConvMuon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose update of each filter bank is made orthogonal.

    A bank (out, in, kh, kw) counts as a matrix (out, in*kh*kw). Before its update each bank is
    rescaled to norm sqrt(out). Banks of one shape are orthogonalised together, in one batch.
    """

    def __init__(
        self,
        filters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        newton_schulz_steps: int,
    ) -> None:
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
