"""One pass of a network over images: probabilities, which every metric reuses."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cnnlab.evaluate.protocols import Protocol


@torch.inference_mode()
def view_probabilities(network: nn.Module, images: Tensor, protocol: Protocol) -> Tensor:
    """Softmax probabilities (N, K) of a batch (N, C, H, W), averaged over the protocol's views."""
    weighted = [weight * network(view(images)).float().softmax(dim=1) for view, weight in protocol.views]
    return torch.stack(weighted).sum(dim=0)


def predict_probabilities(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], protocol: Protocol
) -> tuple[Tensor, Tensor]:
    """Probabilities (N, K) float32 and labels (N,) of all batches, in order, on the CPU.

    The network is put in evaluation mode for the pass and back in its own mode after it.
    """
    training = network.training
    network.eval()
    try:
        pairs = [(view_probabilities(network, images, protocol).cpu(), labels.cpu()) for images, labels in batches]
    finally:
        network.train(training)
    return torch.cat([each for each, _ in pairs]), torch.cat([each for _, each in pairs])
