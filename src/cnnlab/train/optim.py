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
    optimizer: Optimizer,
    network: nn.Module,
    *,
    decay_norms_and_biases: bool,
    multiply: Sequence[Multiply] = (),
    half: torch.dtype | None = None,
    fused_sgd: bool = True,
) -> list[torch.optim.Optimizer]:
    """The torch optimizers that together update every trainable parameter of `network` once.

    Each group carries `base_lr`, which `set_lr` scales. Parameters of other multipliers are other groups. `half` is the
    16-bit format that Muon's matrix products are to run in, if any. torch's fused SGD takes no weights of which this
    process holds a share.

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
        return [_elementwise(optimizer, shares, fused_sgd)]
    filters = [share for share in shares if share.parameter.ndim >= 3]
    matrices = [share for share in shares if share.parameter.ndim == 2]
    others = [share for share in shares if share.parameter.ndim < 2]
    made = [_muon(optimizer, filters, half)] if filters else []
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


def matches(multiply: Multiply, network: nn.Module) -> bool:
    """Whether the pattern is that of a parameter of `network`."""
    return any(fnmatchcase(name, multiply.parameters) for name, _ in network.named_parameters())


def _check_patterns(multiply: Sequence[Multiply], network: nn.Module) -> None:
    names = [name for name, _ in network.named_parameters()]
    for each in multiply:
        if not matches(each, network):
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


def _muon(optimizer: Muon, filters: Sequence[_Share], half: torch.dtype | None) -> torch.optim.Optimizer:
    groups = _groups(filters, optimizer.lr)
    return _with_base_lr(ConvMuon(groups, optimizer.lr, optimizer.momentum, optimizer.newton_schulz_steps, half))


def _elementwise(
    optimizer: Sgd | RmsProp | AdamW, shares: Sequence[_Share], fused_sgd: bool = True
) -> torch.optim.Optimizer:
    groups, lr = _groups(shares, optimizer.lr, optimizer.weight_decay), optimizer.lr
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return _with_base_lr(torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True))
    if isinstance(optimizer, RmsProp):
        return _with_base_lr(TensorFlowRmsProp(groups, lr, optimizer.decay, optimizer.momentum, optimizer.eps))
    how: dict[str, Any] = {"nesterov": optimizer.nesterov, "fused": fused_sgd, "foreach": not fused_sgd}
    return _with_base_lr(torch.optim.SGD(groups, lr=lr, momentum=optimizer.momentum, **how))


def _with_base_lr(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        group["base_lr"] = group["lr"]
    return optimizer


def set_lr(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to `factor` times the recipe's."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            lr = group["base_lr"] * factor
            group["lr"] = group["lr"].fill_(lr) if isinstance(group["lr"], Tensor) else lr


def put_rates_on(optimizers: Iterable[torch.optim.Optimizer], device: torch.device) -> None:
    """Hold every group's learning rate as a number on `device`, where `set_lr` changes it without waiting."""
    kind = torch.float64 if device.type == "cpu" else torch.float32  # a CPU's is a float64 anyway; GPUs take no other
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(group["lr"], dtype=kind, device=device)


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
    rescaled to norm sqrt(out). With `half`, a 16-bit format, updates are made orthogonal in it.
    """

    def __init__(
        self,
        filters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        newton_schulz_steps: int,
        half: torch.dtype | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "newton_schulz_steps": newton_schulz_steps}
        super().__init__(filters, defaults)
        self._half = half

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every filter bank that has a gradient."""
        for group in self.param_groups:
            banks = [each for each in group["params"] if each.grad is not None]
            if banks:
                self._update(banks, group)

    def _update(self, banks: list[nn.Parameter], group: dict[str, Any]) -> None:
        updates = orthogonal(self._with_momentum(banks, group["momentum"]), group["newton_schulz_steps"], self._half)
        lengths = torch._foreach_reciprocal(torch._foreach_norm([*banks]))
        torch._foreach_mul_(lengths, [len(each) ** 0.5 for each in banks])
        for bank, length, update in zip(banks, lengths, updates, strict=True):
            bank.mul_(length)
            if isinstance(group["lr"], Tensor):
                bank.addcmul_(update.view(bank.shape), -group["lr"])  # the same to the last bit, on a CPU
            else:
                bank.add_(update.view(bank.shape), alpha=-group["lr"])

    def _with_momentum(self, banks: list[nn.Parameter], momentum: float) -> list[Tensor]:
        """The gradients as matrices, with Nesterov's momentum."""
        gradients = [each.grad.flatten(1) for each in banks if each.grad is not None]
        for bank, gradient in zip(banks, gradients, strict=True):
            if "momentum_buffer" not in self.state[bank]:
                self.state[bank]["momentum_buffer"] = torch.zeros_like(gradient)
        buffers = [self.state[bank]["momentum_buffer"] for bank in banks]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def orthogonal(matrices: Sequence[Tensor], steps: int, half: torch.dtype | None = None) -> list[Tensor]:
    """Each of the matrices, of any shapes, with its singular values driven towards 1, float32; see `orthogonalise`.

    Those of one shape go through the iteration together; on a GPU, with `half`, a 16-bit format, all of them.
    """
    if half is not None and matrices[0].is_cuda:
        return orthogonal_padded(matrices, steps, half)
    together: dict[torch.Size, list[int]] = defaultdict(list)
    for place, each in enumerate(matrices):
        together[each.shape].append(place)
    found: dict[int, Tensor] = {}
    for places in together.values():
        stack = torch.stack([matrices[each] for each in places])
        found.update(zip(places, orthogonalise(stack, steps, half), strict=True))
    return [found[place] for place in range(len(matrices))]


def orthogonal_padded(matrices: Sequence[Tensor], steps: int, half: torch.dtype) -> list[Tensor]:
    """The same in one batch, with rows and columns of zeros, which stay zeros: few large kernels for many small.

    Their norms are taken in float32, as small gradients are lost in float16.
    """
    wide = [each.mT if each.shape[0] > each.shape[1] else each for each in matrices]
    rows, columns = max(each.shape[0] for each in wide), max(each.shape[1] for each in wide)
    lengths = torch._foreach_add(torch._foreach_norm(wide), 1e-7)
    batch = wide[0].new_zeros((len(wide), rows, columns), dtype=half)
    for place, each, length in zip(batch, wide, lengths, strict=True):
        place[: each.shape[0], : each.shape[1]] = each / length
    batch = _newton_schulz(batch, steps)
    found = [place[: each.shape[0], : each.shape[1]].float() for place, each in zip(batch, wide, strict=True)]
    return [
        each.mT.contiguous() if given.shape[0] > given.shape[1] else each.contiguous()
        for each, given in zip(found, matrices, strict=True)
    ]


def orthogonalise(matrices: Tensor, steps: int, half: torch.dtype | None = None) -> Tensor:
    """The matrices (B, rows, columns) with their singular values driven towards 1, in `half` where it is given.

    A quintic Newton-Schulz iteration (Jordan et al. 2024); five steps leave them within about 0.7 to 1.2.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    found = _newton_schulz(wide.to(half or wide.dtype), steps).to(matrices.dtype)
    return found.mT if tall else found


def _newton_schulz(wide: Tensor, steps: int) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(steps):
        square = wide @ wide.mT
        wide = torch.baddbmm(wide, torch.baddbmm(square, square, square, beta=b, alpha=c), wide, beta=a)
    return wide
