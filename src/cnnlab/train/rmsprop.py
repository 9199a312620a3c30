"""RMSProp by TensorFlow's rule, which the Inception papers used; torch's differs where epsilon is large."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class TensorFlowRmsProp(torch.optim.Optimizer):
    """s <- decay s + (1 - decay) g^2, from s = 1; v <- momentum v + lr g / sqrt(s + eps); w <- w - v.

    g is the gradient plus `weight_decay` times the weight. `eps` is inside the root, the running mean s starts
    at 1, and the learning rate is inside the velocity v, so that after a drop the old velocity keeps the old rate.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        decay: float,
        momentum: float,
        eps: float,
    ) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "momentum": momentum, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            given: list[Tensor] = [each for each in group["params"] if each.grad is not None]
            if given:
                self._update(group, given)

    def _update(self, group: dict[str, Any], given: list[Tensor]) -> None:
        for each in given:
            if not self.state[each]:
                self.state[each] = {"square": torch.ones_like(each), "velocity": torch.zeros_like(each)}
        squares = [self.state[each]["square"] for each in given]
        velocities = [self.state[each]["velocity"] for each in given]
        gradients = torch._foreach_add(
            [each.grad for each in given if each.grad is not None], given, alpha=group["weight_decay"]
        )
        torch._foreach_mul_(squares, group["decay"])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - group["decay"])
        roots = torch._foreach_sqrt(torch._foreach_add(squares, group["eps"]))
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, gradients, roots, value=group["lr"])
        torch._foreach_sub_(given, velocities)
