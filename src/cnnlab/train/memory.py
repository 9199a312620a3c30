"""How large a batch fits into memory: found by trying, after one did not, or for `--batch-size auto`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network
from cnnlab.recipes.recipe import Recipe, Sgd
from cnnlab.train.step import Forward, Rule

MOST_TIMES = 8  # the recipe's batch; Goyal et al. 2017, figure 1, kept its accuracy up to 32 times a batch of 256
STATE_COPIES = 2  # of the weights, that an optimizer keeps: AdamW two, the others one

# What allocators say; torch has a class of its own for CUDA's alone.
REFUSALS = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "alloc_failed")
ONEDNN_REFUSAL = "could not create a primitive"  # all it says; in a trial of what has run before, memory is the cause

Fits = Callable[[int], bool]
"""Whether a batch of so many images fits."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on whatever device."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(each in said for each in REFUSALS)
    )


def halvings(batch_size: int, pieces: int = 1) -> Iterator[int]:
    """The half of a batch size, a quarter, …, each rounded down to a multiple of `pieces`."""
    while (batch_size := batch_size // 2) >= pieces:
        yield batch_size - batch_size % pieces


def largest_below(batch_size: int, fits: Fits, pieces: int = 1) -> int | None:
    """The first of the `halvings` of a batch size that fits; None where none does."""
    return next((size for size in halvings(batch_size, pieces) if fits(size)), None)


def largest_from(batch_size: int, fits: Fits, most: int) -> int:
    """The batch size doubled as often as it fits and is at most `most`; as it is where it does not fit itself."""
    while 2 * batch_size <= most and fits(2 * batch_size):
        batch_size *= 2
    return batch_size


def batch_trial(network: Network, forward: Forward, rule: Rule, image: Tensor, num_classes: int) -> Fits:
    """A trial of whether a batch fits: a forward and a backward pass of `network` on as many copies of an image.

    Args:
        network: where its weights are is where memory is looked for. Its gradients are cleared and its running
            statistics change; weights stay.
        forward: runs it, not compiled.
        rule: gives the loss and in how many pieces a batch is taken.
        image: float32 (C, H, W).
        num_classes: K.

    Returns:
        The trial, which holds as much memory besides as an optimizer will keep, and frees all at its end.
    """

    def fits(size: int) -> bool:
        try:
            _forward_and_backward(network, forward, rule, image, num_classes, size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) and ONEDNN_REFUSAL not in str(error):
                raise
            return False
        finally:
            _free(network)
        return True

    return fits


def _forward_and_backward(
    network: Network, forward: Forward, rule: Rule, image: Tensor, num_classes: int, size: int
) -> None:
    device = next(network.parameters()).device
    kept = [torch.empty_like(each) for each in network.parameters() for _ in range(STATE_COPIES)]
    images = image.to(device).expand(size, *image.shape).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(size, device=device) % num_classes
    piece, of_piece = images.chunk(rule.pieces)[0], labels.chunk(rule.pieces)[0]
    network.train()
    with rule.team.reducing(last=True):
        with rule.precision.autocast():
            logits, aux_logits = forward(piece)
            total = sum((rule.loss(each, of_piece) for each in aux_logits.values()), rule.loss(logits, of_piece))
        total.backward()  # type: ignore[no-untyped-call]
    del kept


def _free(network: Network) -> None:
    """Let go of gradients, and of what only cycles of references hold."""
    network.zero_grad(set_to_none=True)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def does_not_fit(recipe: Recipe, device: torch.device, fits: Fits) -> UsageError:
    """The error for a recipe's batch that did not fit, with the largest that does and how to ask for it."""
    size, pieces = recipe.batch_size, recipe.accumulate
    found = largest_below(size, fits, pieces)
    what = f"a training step on {size:,} images of recipe {recipe.name} does not fit into the memory of {device}"
    if found is None:
        return UsageError(
            f"{what}, and no smaller batch does; take a smaller network (cnnlab models lists their sizes) or smaller "
            "images, or free memory that other programs hold"
        )
    told = f"{what}; of its halves, quarters and so on the largest that fits is {found:,}: add --batch-size {found}"
    shares = pieces * size // found
    if size % shares == 0 and shares <= size:
        told += f", or keep the batch and take it in {shares} pieces: --set accumulate={shares}"
    return UsageError(told)


def with_largest_batch(recipe: Recipe, fits: Fits, *, images: int, device: torch.device) -> tuple[Recipe, str]:
    """A recipe with the largest batch that fits, its own doubled up to `MOST_TIMES`, and a sentence that says so.

    SGD's learning rate grows as the batch does (Goyal et al. 2017, section 2.1); the other optimizers keep theirs.
    On a CPU the batch stays as it is: a larger one is no faster there.

    Args:
        recipe: whose batch fits.
        fits: the trial.
        images: of the training part; a batch has no more.
        device: where it trains.
    """
    if device.type == "cpu":
        return recipe, f"batch size: the recipe's {recipe.batch_size:,}; on a CPU a larger one is no faster"
    size = largest_from(recipe.batch_size, fits, min(MOST_TIMES * recipe.batch_size, images))
    times, optimizer = size // recipe.batch_size, recipe.optimizer
    if times == 1:
        return recipe, f"batch size: the recipe's {size:,}; twice as many do not fit, or there are too few images"
    lr = f"the learning rate stays at {optimizer.lr:g}"
    if isinstance(optimizer, Sgd):
        lr = f"the learning rate grows with it, from {optimizer.lr:g} to {times * optimizer.lr:g}"
        optimizer = replace(optimizer, lr=times * optimizer.lr)
    said = f"batch size: {size:,}, {times} times the recipe's, the largest that was tried and fits; {lr}"
    return replace(recipe, batch_size=size, optimizer=optimizer), said


@contextlib.contextmanager
def norms_have_values(recipe: Recipe) -> Iterator[None]:
    """Say in our words that a batch of one image leaves a batch norm a single value, which has no variance.

    Raises:
        UsageError: it does.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        size, pieces = recipe.batch_size, recipe.accumulate
        taken = f"a batch of {size:,}" + (f" in {pieces:,} pieces" if pieces > 1 else "")
        raise UsageError(
            f"{recipe.model} has batch normalisation over maps of one pixel, which needs two images a step at least; "
            f"this is {taken}: give --batch-size {2 * pieces} or more, or larger images (--set folder_pixels=64)"
        ) from None
