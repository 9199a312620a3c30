"""The hardest images of each batch, found by a small network that learns beside the one that is trained.

A network of a fraction of the cost looks at the whole batch; the images on which its loss is highest are those that the
large one is trained on (Coleman et al. 2019, "Selection via proxy"; batch by batch as Jordan 2024 has it). What is
hard depends on how an image was augmented this time, so it is found anew for every batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cnnlab.models.layers import Network
from cnnlab.models.precision import Precision
from cnnlab.recipes.recipe import Hardest, Recipe
from cnnlab.train.losses import image_losses
from cnnlab.train.optim import build_optimizers, matches
from cnnlab.train.step import clear_gradients


class Proxy:
    """The small `network` that says which images of a batch are the hardest, and the `optimizers` it learns with."""

    def __init__(self, recipe: Recipe, hardest: Hardest, network: Network, precision: Precision) -> None:
        """Let `network` learn with the recipe's optimizer, whose rate the loop sets.

        Multipliers of rates hold for it, too, where their patterns match its parameters.
        """
        self._recipe, self._learns_every, self._precision = recipe, hardest.learns_every, precision
        self.network = network
        self.optimizers = build_optimizers(
            recipe.optimizer,
            network,
            decay_norms_and_biases=recipe.decay_norms_and_biases,
            multiply=[each for each in recipe.multiply if matches(each, network)],
            half=precision.half,
        )
        self._loss: Tensor | None = None

    def choose(self, images: Tensor, labels: Tensor, count: int, step: int) -> tuple[Tensor, Tensor]:
        """The `count` hardest of these images (N, C, H, W) and their labels, in the order of the batch.

        Nothing changes that a later choice depends on, so a step can be taken again; `learn` is what changes it, but
        not where all are chosen. Nothing waits for the device.
        """
        if count == len(labels):
            self._loss = None
            return images, labels
        learns = step % self._learns_every == 0
        with torch.set_grad_enabled(learns), self._precision.autocast():
            logits = self.network(images)
        losses = image_losses(self._recipe.loss, logits.float(), labels, self._recipe.label_smoothing)
        chosen = losses.detach().topk(count).indices.sort().values
        self._loss = losses[chosen].mean() if learns else None
        return images[chosen].contiguous(memory_format=torch.channels_last), labels[chosen]

    def learn(self) -> None:
        """Update the weights by the images chosen last, where it is their turn.

        A gradient that is no number counts as none: where steps are begun ahead, a bad one is noticed later.
        """
        if self._loss is None:
            return
        self._loss.backward()  # type: ignore[no-untyped-call]
        for each in self.network.parameters():
            if each.grad is not None:
                each.grad.nan_to_num_(0.0, 0.0, 0.0)
        for optimizer in self.optimizers:
            optimizer.step()
        clear_gradients(self.optimizers)
        self._loss = None
