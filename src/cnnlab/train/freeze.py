"""Parts of a network that are not trained: their weights stay, and so do their running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network

ALL_BUT_CLASSIFIER = "all but the classifier"
Norm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class Frozen:
    """Parameters that stay as they are, and the batch norms that have no other: their running statistics stay too."""

    parameters: tuple[nn.Parameter, ...] = ()
    norms: tuple[nn.Module, ...] = ()

    def hold(self) -> None:
        """Leave all of it as it is in the next step; norms in evaluation mode use their statistics unchanged."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        for norm in self.norms:
            norm.eval()

    def release(self) -> None:
        """Train all of it from the next step on."""
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        for norm in self.norms:
            norm.train()


def freeze(network: Network, which: str) -> Frozen:
    """Take parameters out of training: those whose name matches the shell pattern `which`, or all but the classifier.

    Returns:
        What is frozen; `hold` it before each step, for a validation puts norms back in training mode.

    Raises:
        UsageError: nothing matches, or nothing would be left to train.
    """
    classifier = cast(nn.Module, network.classifier)
    kept = {id(each) for each in classifier.parameters()} if which == ALL_BUT_CLASSIFIER else set()
    frozen = [
        parameter
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
        and id(parameter) not in kept
        and (which == ALL_BUT_CLASSIFIER or fnmatchcase(name, which))
    ]
    for parameter in frozen:
        parameter.requires_grad_(False)
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    if not names or not frozen:
        matched = "every" if not names else "no"
        raise UsageError(
            f"--freeze {which!r} matches {matched} parameter of {type(network).__name__}; parameters are called "
            f"{', '.join(name for name, _ in list(network.named_parameters())[:3])}, …; '*' stands for any letters"
        )
    norms = tuple(each for each in network.modules() if isinstance(each, Norm) and not _trained(each))
    return Frozen(tuple(frozen), norms)


def _trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
