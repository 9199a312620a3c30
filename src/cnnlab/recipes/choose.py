"""The recipe when none is named: chosen by network, number of images, classes, machine and time; no torch.

What decides is measured: `bench/folder_networks.py` trains every network of the catalogue that takes photos on 200
photos of two classes by what is chosen here, docs/data.md has the table.

- Published sets keep the recipes made for them: `fast/cifar10`, `fast/mnist`, and `modern/cifar10` for any network with
  batch normalisation.
- A folder of photos with AirNet takes `fast/cifar10` with batches that fit, from 500 photos on; fewer take
  `modern/photos`, AdamW.
- Any other network takes `modern/photos` up to 5,000 photos, `modern/cifar10` above. Networks without batch
  normalisation take `modern/photos` whatever the number, with He's initialisation, without dropout, and at a rate that
  is lower the deeper they are.
- A batch is the largest power of 2 that leaves 25 steps an epoch, from 16 to the recipe's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnnlab.errors import nearest
from cnnlab.recipes import fast, modern
from cnnlab.recipes.recipe import AdamW, PadCrop, Recipe, Sgd

PHOTO_PIXELS = 128  # from this side on, images are read from disk, each cut anew in every epoch
STEPS_AN_EPOCH = 25  # that the batch leaves, where there are images enough
BATCHES = (16, 1024)  # the smallest and largest batch chosen
FEW, MANY = 500, 5_000  # photos; from where Muon, and SGD at a rate for CIFAR-10, are the better choice
LEAST_STEPS, ENOUGH_STEPS, WANTED_STEPS = 100, 200, 500
EPOCHS, MOST_EPOCHS = 15, 100  # of more photos than `WANTED_STEPS` take so often, and of very few
MINUTES, MOST_MINUTES = 3.0, 11.0  # of a CPU, that a choice aims at, and that ends the run on a slower machine
SIDES = (28, 32, 64, 96, 128, 227)  # pixels
TRAINING_SHARE = 0.85  # of the time; loading, validations and the test take the rest
SMALLER = 3  # smaller networks that are named
PLAIN_LR = 3e-3  # over the depth, without batch normalisation: at 5e-4 Network in Network dies


@dataclass(frozen=True)
class NetworkCost:
    """What a choice needs to know of a network: the side it was made for, its smallest, its cost at the first.

    `macs` are of convolutions and linear layers, `linear_macs` those of them that do not grow with the image;
    `one_size` says that it takes images of its own size alone, `norms` that it has batch normalisation, `dropout` that
    it can have another dropout than its own.
    """

    name: str
    pixels: int
    smallest_pixels: int
    one_size: bool
    macs: int
    linear_macs: int
    parameters: int
    depth: int
    norms: bool
    dropout: bool = False

    def macs_at(self, pixels: int) -> float:
        """Multiply-accumulates of one image of `pixels` a side, forward."""
        return (self.macs - self.linear_macs) * (pixels / self.pixels) ** 2 + self.linear_macs


@dataclass(frozen=True)
class Machine:
    """How fast steps are: multiply-accumulates a second, and seconds a layer and a parameter cost besides."""

    macs_per_second: float
    seconds_per_layer: float = 1e-3
    seconds_per_parameter: float = 4e-9
    is_cpu: bool = True

    def step_seconds(self, network: NetworkCost, pixels: int, batch_size: int) -> float:
        """What a training step takes: forward, twice that backward, and the update; an estimate."""
        macs = 3 * batch_size * network.macs_at(pixels)
        overhead = network.depth * self.seconds_per_layer + network.parameters * self.seconds_per_parameter
        return macs / self.macs_per_second + overhead


CORE = 20e9  # MACs a second of one; measured with AVX-512: 25 to 50 (docs/data.md)
GPU = Machine(5e12, seconds_per_layer=2e-4, seconds_per_parameter=1e-10, is_cpu=False)


def cpu(cores: int) -> Machine:
    """A processor of so many cores that are free."""
    return Machine(CORE * cores)


@dataclass(frozen=True)
class Images:
    """What is trained on: how many images, of how many classes; `published` is a set's name, None of a folder."""

    count: int
    classes: int
    published: str | None = None


def fitted_batch(images: int, largest: int = BATCHES[1]) -> int:
    """The largest power of 2 with `STEPS_AN_EPOCH` steps an epoch, from 16 to `largest`; never more than `images`."""
    size = BATCHES[0]
    while 2 * size <= min(largest, images // STEPS_AN_EPOCH):
        size *= 2
    return max(1, min(size, largest, images))


def fit_batch(recipe: Recipe, images: int) -> tuple[Recipe, str | None]:
    """A recipe whose batch is not larger than `images`, and a sentence on what was changed; None where nothing was.

    SGD's rate falls as the batch does (Goyal et al. 2017, arXiv:1706.02677, section 2.1).
    """
    if recipe.batch_size <= images or not images:
        return recipe, None
    size = fitted_batch(images, recipe.batch_size)
    fitted = _with_batch(recipe, size)
    said = f"batches of {size:,} in place of {recipe.batch_size:,}: there are {images:,} images to train on"
    if fitted.optimizer.lr != recipe.optimizer.lr:
        said += f"; the learning rate falls with them, from {recipe.optimizer.lr:g} to {fitted.optimizer.lr:g}"
    if fitted.accumulate != recipe.accumulate:
        said += f"; each in one piece, not {recipe.accumulate}"
    if recipe.differences:
        said += f". So this is not exactly what {recipe.name} says"
    return fitted, said


def _with_batch(recipe: Recipe, size: int) -> Recipe:
    optimizer = recipe.optimizer
    if isinstance(optimizer, Sgd):
        optimizer = replace(optimizer, lr=optimizer.lr * size / recipe.batch_size)
    pieces = recipe.accumulate if size % recipe.accumulate == 0 and recipe.hardest is None else 1
    return replace(recipe, batch_size=size, optimizer=optimizer, accumulate=pieces)


def choose(
    network: NetworkCost,
    images: Images,
    machine: Machine,
    minutes: float | None = None,
    others: Sequence[NetworkCost] = (),
) -> Recipe:
    """The recipe for a network from nothing; its `reasons` say why, and where the network is too large for the time.

    Args:
        network: its cost.
        images: what it is to learn.
        machine: what it is to learn on.
        minutes: the time given; None aims at `MINUTES` of a CPU.
        others: networks to name where this one is too large.
    """
    if images.published is not None and (network.norms or network.name == fast.CIFAR10.model):
        return _for_published(network, images.published)
    if network.name == fast.CIFAR10.model and images.count >= FEW:
        return _fast(images, machine)
    if network.norms and images.count >= MANY:
        return _many(network, images)
    return _photos(network, images, machine, minutes, others)


def for_weights(model: str | None, pixels: int, images: Images) -> Recipe:
    """The recipe to go on from trained weights, which saw images of `pixels` a side."""
    recipe = modern.FINETUNE_PHOTOS if pixels >= PHOTO_PIXELS else modern.FINETUNE
    size = fitted_batch(images.count, recipe.batch_size)
    return replace(recipe if size == recipe.batch_size else _with_batch(recipe, size), model=model or recipe.model)


def _for_published(network: NetworkCost, data: str) -> Recipe:
    if network.name == fast.CIFAR10.model:
        return fast.MNIST if data == "mnist" else fast.CIFAR10
    return replace(modern.CIFAR10, model=network.name)


def _fast(images: Images, machine: Machine) -> Recipe:
    """AirNet by Muon, in batches that fit."""
    size = fitted_batch(images.count)
    steps_per_epoch = images.count // size
    return replace(
        fast.CIFAR10,
        batch_size=size,
        epochs=_wanted_steps(steps_per_epoch) / steps_per_epoch,
        resolutions=fast.CIFAR10.resolutions if size == fast.CIFAR10.batch_size else (),
        folder_pixels=32,
        cpu_minutes=MOST_MINUTES,
        reasons=(f"{_photos_in_words(images)}: fast/cifar10 with {_fits(size, images)}, 32 x 32 pixels",),
    )


def _many(network: NetworkCost, images: Images) -> Recipe:
    """SGD as on CIFAR-10."""
    size, pixels = fitted_batch(images.count, modern.CIFAR10.batch_size), _sides(network)[-1]
    recipe = _with_batch(replace(modern.CIFAR10, model=network.name), size)
    return replace(
        recipe,
        folder_pixels=pixels,
        gmac=None,
        reasons=(
            f"{_photos_in_words(images)}: SGD as for CIFAR-10, {_fits(size, images)}, {pixels} x {pixels} pixels",
        ),
    )


@dataclass(frozen=True)
class _Plan:
    """How long to train on what; `seconds` is an estimate of all of it."""

    pixels: int
    batch_size: int
    steps: int
    seconds: float
    fits: bool


def _photos(
    network: NetworkCost, images: Images, machine: Machine, minutes: float | None, others: Sequence[NetworkCost]
) -> Recipe:
    """AdamW on few photos, or for a network without batch normalisation."""
    plan = _plan(network, images, machine, minutes or MINUTES)
    lr = modern.PHOTOS.optimizer.lr if network.norms else float(f"{PLAIN_LR / network.depth:.1e}")
    return replace(
        modern.PHOTOS,
        model=network.name,
        data=images.published or "photos",
        batch_size=plan.batch_size,
        steps=plan.steps,
        cpu_minutes=MOST_MINUTES if plan.fits else None,
        optimizer=AdamW(lr=lr, weight_decay=0.05),
        augment=(PadCrop(pixels=plan.pixels // 8, mode="reflect"), *modern.PHOTOS.augment[1:]),
        initialisation="own" if network.norms else "he_fan_in",
        dropout=0.0 if network.dropout and not network.norms else None,
        folder_pixels=plan.pixels,
        gmac=round(network.macs_at(plan.pixels) / 1e9, 4) or None,
        reasons=tuple(_reasons(network, images, machine, plan, minutes, others)),
    )


def _plan(network: NetworkCost, images: Images, machine: Machine, minutes: float) -> _Plan:
    """The largest images on which `ENOUGH_STEPS` fit the time, else the smallest; then as many steps as fit."""
    size, most = fitted_batch(images.count, modern.CIFAR10.batch_size), TRAINING_SHARE * 60 * minutes
    wanted = _wanted_steps(images.count // size)
    tries = [(pixels, size, ENOUGH_STEPS) for pixels in reversed(_sides(network))]
    smallest = _sides(network)[0]
    tries += [(smallest, size, LEAST_STEPS), (smallest, max(1, size // 2), LEAST_STEPS)]
    for pixels, batch, least in tries:
        step = machine.step_seconds(network, pixels, batch)
        if least * step <= most:
            steps = min(wanted, int(most / step))
            return _Plan(pixels, batch, steps, steps * step / TRAINING_SHARE, fits=True)
    seconds = ENOUGH_STEPS * machine.step_seconds(network, smallest, size)
    return _Plan(smallest, size, ENOUGH_STEPS, seconds / TRAINING_SHARE, fits=False)


def _wanted_steps(steps_per_epoch: int) -> int:
    """As many as 15 epochs have, 500 at least; of very few photos 100 epochs will do, and 200 steps."""
    few = max(ENOUGH_STEPS, min(WANTED_STEPS, MOST_EPOCHS * steps_per_epoch))
    return max(few, EPOCHS * steps_per_epoch)


def _sides(network: NetworkCost) -> tuple[int, ...]:
    """The sides of images to try, rising: its own, or of a network made for large photos small ones that it takes."""
    if network.one_size or network.pixels <= SIDES[1]:
        return (network.pixels,)
    first = next(side for side in SIDES[1:] if side >= network.smallest_pixels)
    return tuple(sorted({first, max(first, 64)}))


def _reasons(
    network: NetworkCost,
    images: Images,
    machine: Machine,
    plan: _Plan,
    minutes: float | None,
    others: Sequence[NetworkCost],
) -> list[str]:
    why = _photos_in_words(images) if images.count < MANY else f"{network.name} has no batch normalisation"
    said = f"{why}: AdamW, {_fits(plan.batch_size, images)}, {plan.pixels} x {plan.pixels} pixels"
    if not network.norms:
        said += "; without batch normalisation a lower rate, He's initialisation and no dropout"
    if plan.fits:
        return [said]
    small = [each for each in others if _plan(each, images, machine, minutes or MINUTES).fits]
    named = nearest(network.name, [each.name for each in small], SMALLER) or [fast.CIFAR10.model]
    too_large = (
        f"{network.name} is too large for {minutes or MINUTES:g} minutes here: {ENOUGH_STEPS} steps take about "
        f"{plan.seconds / 60:.0f} minutes by an estimate ({3e-9 * plan.batch_size * network.macs_at(plan.pixels):,.0f} "
        f"thousand million multiply-accumulates a step, {machine.macs_per_second / 1e9:,.0f} of them a second); "
        f"smaller networks: {', '.join(f'--model {name}' for name in named)}"
    )
    return [said, too_large]


def _fits(batch_size: int, images: Images) -> str:
    why = f"as large as leaves {STEPS_AN_EPOCH} steps an epoch, {BATCHES[0]} at least"
    if batch_size < BATCHES[0]:
        why = "all images to train on" if batch_size == images.count else "smaller, for the sake of time"
    return f"batches of {batch_size:,} ({why})"


def _photos_in_words(images: Images) -> str:
    return f"{images.count:,} images of {images.classes:,} classes"
