"""Parts of a network that are not trained: their weights stay, and so do their running statistics."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import cast

from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network

ALL_BUT_CLASSIFIER = "all but the classifier"
Norm = nn.modules.batchnorm._BatchNorm


def freeze(network: Network, which: str) -> list[nn.Module]:
    """Take parameters out of training: those whose name matches the shell pattern `which`, or all but the classifier.

    Returns:
        The batch norms none of whose parameters is trained any more. They have to be in evaluation mode during
        each step, so that they use their running statistics and leave them as they are.

    Raises:
        UsageError: nothing matches, or nothing would be left to train.
    """
    classifier = cast(nn.Module, network.classifier)
    kept = {id(each) for each in classifier.parameters()} if which == ALL_BUT_CLASSIFIER else set()
    for name, parameter in network.named_parameters():
        if id(parameter) not in kept and (which == ALL_BUT_CLASSIFIER or fnmatchcase(name, which)):
            parameter.requires_grad_(False)
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    if not names or len(names) == len(list(network.parameters())):
        matched = "every" if not names else "no"
        raise UsageError(
            f"--freeze {which!r} matches {matched} parameter of {type(network).__name__}; parameters are called "
            f"{', '.join(name for name, _ in list(network.named_parameters())[:3])}, …; '*' stands for any letters"
        )
    return [each for each in network.modules() if isinstance(each, Norm) and not _trained(each)]


def _trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
