"""What is tried for the fast recipe, on the validation images; the test images are not read.

python bench/fast_experiments.py baseline wide --seeds 0 1

Each experiment is a change to a recipe, with what was expected of it written down before it ran. Results are added to
bench/results/fast-experiments.json, from which docs/performance.md has its table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from cnnlab.data.augment import downsample
from cnnlab.data.loader import EpochOrder, eval_batches
from cnnlab.data.sampler import Indices, order
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.airnet import ResidualGroup
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import (
    AlternatingFlip,
    Ema,
    Erasing,
    Hardest,
    Multiply,
    Muon,
    OneCycle,
    PadCrop,
    Photometric,
    Recipe,
    Resolution,
    Sgd,
)
from cnnlab.train.average import averaged_copy, update_average
from cnnlab.train.loop import Training, fit
from cnnlab.train.record import RunFolder, processor_name
from cnnlab.train.run import Inputs, Settings
from cnnlab.train.watch import Watch

RESULT = Path(__file__).parent / "results" / "fast-experiments.json"
VIEWS = ("center", "flip", "shift6")
LEARN_FIRST, LOSS_PIXELS = 4, 16  # epochs before images are left out; how large they are when losses are looked up

MUON = Muon(
    lr=0.24,
    momentum=0.7,
    rest=Sgd(lr=27.0, momentum=0.85, nesterov=True, weight_decay=4e-5),
    linear=Sgd(lr=0.0052, momentum=0.85, nesterov=True, weight_decay=0.2),
)
BASE = replace(
    get_recipe("fast/cifar10"),
    name="bench/fast",
    cpu_minutes=None,
    epochs=8,
    batch_size=512,
    model_options={},
    optimizer=MUON,
)
WIDE: dict[str, Any] = {"widths": (64, 256, 256)}
LONG = replace(BASE, model_options=WIDE, epochs=12)


@dataclass(frozen=True)
class Experiment:
    """A recipe, and what was expected of it; `change` is made to the training before its first step."""

    recipe: Recipe
    expected: str
    change: Callable[[Training], None] | None = None


def _muon(**changes: Any) -> Recipe:
    return replace(BASE, optimizer=replace(MUON, **changes))


def _scaled(recipe: Recipe, batch_size: int, momentum: float) -> Recipe:
    """Another batch size, where biases and head take steps by the sum of their gradients, not by the mean."""
    times = batch_size / BASE.batch_size
    rest, linear = MUON.rest, MUON.linear
    assert isinstance(rest, Sgd)
    assert isinstance(linear, Sgd)
    rates = {"rest": replace(rest, lr=times * rest.lr), "linear": replace(linear, lr=times * linear.lr)}
    return replace(recipe, batch_size=batch_size, optimizer=replace(MUON, momentum=momentum, **rates))


LONG_1024 = _scaled(LONG, 1024, momentum=0.6)
LEVEL_95 = replace(
    _scaled(BASE, 1024, momentum=0.6),
    model_options={"widths": (128, 384, 384)},
    augment=(
        PadCrop(pixels=4, mode="reflect"),
        AlternatingFlip(),
        Erasing(probability=1.0, area=(0.14, 0.14), aspect=(1.0, 1.0)),
    ),
)

# Long trainings, on 40,000 images and looked at on 10,000: what a rate found for 200 steps does over 1,400.
LONG_RUN = replace(LONG_1024, epochs=36, val_images=10_000)
# Those of airbench96 (Jordan 2024), whose losses are sums over 1,024 images and whose logits are divided by 9: a step
# moves each weight by 9 / 7.67 times its gradient, biases by 64 times that, and decays all by 0.012 / 7.67.
RECORD_SGD = Sgd(lr=1.1735, momentum=0.85, nesterov=True, weight_decay=0.00133)
RECORD_RATES = (
    Multiply(parameters="*.bias", lr=64.0, decay=1 / 64),
    Multiply(parameters="fc.weight", lr=1 / 81, decay=81.0),
)

# What the last level does, on a narrower network: which of the record's ways makes a difference.
LAST_LEVEL = replace(
    LONG_RUN,
    epochs=24,
    resolutions=(),
    augment=get_recipe("fast/cifar10-96").augment,
    hardest=Hardest(share=0.5),
    optimizer=replace(LONG_RUN.optimizer, linear=Sgd(lr=0.0052, momentum=0.85, nesterov=True, weight_decay=0.2)),
)
THREE_DEEP = replace(LAST_LEVEL, model_options=WIDE | {"depth": 3}, epochs=16)


def _long_run(lr: float) -> Recipe:
    return replace(LONG_RUN, optimizer=replace(LONG_RUN.optimizer, lr=lr))


class HardOrder(EpochOrder):
    """A share of the images each epoch: any at first, then those with the highest losses, in a random order.

    The losses are those of the network as it is when the epoch begins, on small images; finding them is part of the
    training's time.
    """

    def __init__(self, training: Training, share: float) -> None:
        super().__init__(training.seed, len(training.parts.train))
        self._training, self._kept = training, int(share * len(training.parts.train))

    def _draw(self, epoch: int) -> tuple[Indices, Indices]:
        drawn = order(self._seed, epoch, self._count)
        if epoch >= LEARN_FIRST:
            hardest = np.argsort(-self._losses(), kind="stable")[: self._kept]
            drawn = drawn[np.isin(drawn, hardest)]
        return drawn, drawn

    def _losses(self) -> npt.NDArray[np.float32]:
        training, losses = self._training, []
        network = training.network.eval()
        with torch.inference_mode(), training.rule.precision.autocast():
            for batch in eval_batches(training.parts.train, 1024, training.preprocess):
                logits = network(downsample(batch.images, LOSS_PIXELS)).float()
                losses.append(F.cross_entropy(logits, batch.labels, reduction="none"))
        network.train()
        return torch.cat(losses).numpy()


def leave_out_easy(training: Training, share: float) -> None:
    """Let each epoch be of so many of the images; the training has as many steps as before."""
    training.batches._batches._order = HardOrder(training, share)
    training.batches.steps_per_epoch = int(share * len(training.parts.train)) // training.recipe.batch_size


def take_groups_of_the_record(training: Training) -> None:
    """Groups of three convolutions as in airbench96: one shortcut around the last two, an activation after it, GELU."""
    for group in (training.network.group1, training.network.group2, training.network.group3):
        group.forward = MethodType(_group_of_the_record, group)


def _group_of_the_record(group: ResidualGroup, images: Tensor) -> Tensor:
    first = F.gelu(group.bn1(F.max_pool2d(group.conv1(images), 2)))
    second = F.gelu(group.bn2(group.conv2(first)))
    return F.gelu(group.bn3(group.conv3(second)) + first)


def look_ahead(training: Training) -> None:
    """Every five steps, an average of the weights and statistics so far takes the network's place, as in airbench96."""
    average = averaged_copy(training.network)

    def update() -> None:
        if (training.clock.step + 1) % 5 == 0:
            kept = 0.95**5 * training.clock.share**3
            update_average(average, training.network, share=1 - kept)
            training.network.load_state_dict(average.state_dict())

    training._update_average = update


EXPERIMENTS = {
    "baseline": Experiment(BASE, "92.0% in one view: 91.2% were seen after 7.3 epochs"),
    "float32": Experiment(replace(BASE, precision="fp32"), "the same accuracy; bf16 rounds less than batches differ"),
    "wide": Experiment(replace(BASE, model_options=WIDE), "0.6 points better for 1.7 times the time"),
    "wide, 12 epochs": Experiment(LONG, "1.0 points better than 8 epochs, for 1.5 times the time"),
    "wide, 12 epochs, batch 1024": Experiment(
        replace(LONG, batch_size=1024), "no difference: half the updates are enough"
    ),
    "wide, 12 epochs, batch 1024, rates with it": Experiment(
        LONG_1024, "0.2 points better: the biases and the head learn as fast as in the record"
    ),
    "wide, 12 epochs, batch 2048, rates with it": Experiment(
        _scaled(LONG, 2048, momentum=0.6), "no difference to 1024; these are the record's own rates"
    ),
    "wide, 12 epochs, most at 24": Experiment(
        replace(LONG, resolutions=(Resolution(until=0.2, pixels=16), Resolution(until=0.8, pixels=24))),
        "the same accuracy in 0.9 times the time",
    ),
    "wide, 12 epochs, less decay": Experiment(
        replace(_muon(rest=replace(MUON.rest, weight_decay=0.0)), model_options=WIDE, epochs=12), "no difference"
    ),
    "one size": Experiment(replace(BASE, resolutions=()), "0.3 points better for 1.8 times the time"),
    "short at 16": Experiment(
        replace(BASE, resolutions=(Resolution(until=0.15, pixels=16), Resolution(until=0.6, pixels=24))),
        "0.2 points better for 1.15 times the time",
    ),
    "momentum 0.6": Experiment(_muon(momentum=0.6), "no difference"),
    "faster": Experiment(_muon(lr=0.34), "a little worse at 8 epochs"),
    "batch 1024": Experiment(replace(BASE, batch_size=1024), "0.3 points worse: half the updates"),
    "light": Experiment(
        replace(
            BASE,
            augment=(
                Photometric(brightness=0.1, contrast=0.1, saturation=0),
                PadCrop(pixels=2, mode="reflect"),
                AlternatingFlip(),
            ),
        ),
        "0.1 points better, as the record's authors report for theirs",
    ),
    "smoothing 0.1": Experiment(replace(BASE, label_smoothing=0.1), "no difference"),
    "head decays less": Experiment(
        _muon(linear=Sgd(lr=0.0052, momentum=0.85, nesterov=True, weight_decay=0.05)), "no difference"
    ),
    "wide, 12 epochs, batch 1024, rates with it, one size": Experiment(
        replace(LONG_1024, resolutions=()), "0.4 points better for 1.6 times the time: what small images cost"
    ),
    "wide, 12 epochs, batch 1024, rates with it, half at 24": Experiment(
        replace(LONG_1024, resolutions=(Resolution(until=0.5, pixels=24),)),
        "0.3 points better for 1.3 times the time",
    ),
    "128/384/384, squares erased, 25 epochs": Experiment(
        replace(LEVEL_95, epochs=25),
        "95.0% in six views: without squares all images and 20 epochs came to 94.8% of the test, 99.3% of their own",
    ),
    "128/384/384, squares erased, 18 epochs, three convolutions": Experiment(
        replace(LEVEL_95, epochs=18, model_options=LEVEL_95.model_options | {"depth": 3}),
        "the same in the same time: depth pays as much as length",
    ),
    "wide, 12 epochs, batch 1024, rates with it, averaged weights": Experiment(
        replace(LONG_1024, average=Ema(decay=0.98)), "no difference: the rate has fallen to 0, which averages as well"
    ),
    "wide, 12 epochs, batch 1024, rates with it, constant rates and averaged weights": Experiment(
        replace(LONG_1024, schedule=OneCycle(peak_at=0.0, final_factor=1.0), average=Ema(decay=0.98)),
        "0.5 points worse: an average over 50 steps takes out most of the noise, and not all that it has led to",
    ),
    "wide, 12 epochs, batch 1024, rates with it, easy quarter left out": Experiment(
        replace(LONG_1024, epochs=None, steps=12 * (45_000 // 1024)),
        "0.1 points better in 1.05 times the time, as many steps on the images that are not learned yet",
        change=partial(leave_out_easy, share=0.75),
    ),
    "wide, 12 epochs, batch 1024, rates with it, faster": Experiment(
        replace(LONG_1024, optimizer=replace(LONG_1024.optimizer, lr=0.34)), "no difference"
    ),
    "wide, 36 epochs, SGD": Experiment(
        replace(
            LONG_RUN, optimizer=RECORD_SGD, multiply=RECORD_RATES, schedule=OneCycle(peak_at=0.1, start_factor=0.2)
        ),
        "0.2 points better than Muon at 0.24: the record's rates for 37 epochs",
    ),
    "last level, narrower": Experiment(LAST_LEVEL, "94.5% in six views of 10,000 images, after 40,000"),
    "last level, narrower, SGD": Experiment(
        replace(
            LAST_LEVEL,
            # The record's loss is a sum over half the images, at the rate of a whole batch.
            optimizer=replace(RECORD_SGD, lr=RECORD_SGD.lr / 2, weight_decay=2 * RECORD_SGD.weight_decay),
            multiply=RECORD_RATES,
            schedule=OneCycle(peak_at=0.1, start_factor=0.2),
        ),
        "0.2 points better than Muon: the record's rates, and its 96.00% where Muon has 95.84%",
    ),
    "last level, narrower, rate 0.5": Experiment(
        replace(LAST_LEVEL, optimizer=replace(LAST_LEVEL.optimizer, lr=0.5)),
        "0.2 points better: a rate of 0.1 was 0.5 points worse, so large steps keep from overfitting",
    ),
    "last level, narrower, rate 0.15": Experiment(
        replace(LAST_LEVEL, optimizer=replace(LAST_LEVEL.optimizer, lr=0.15)),
        "0.1 points better: of 0.1 (in another training), 0.24 and 0.5 a parabola is best at 0.19",
    ),
    "last level, narrower, the record's groups": Experiment(
        THREE_DEEP,
        "0.2 points better than ours of three convolutions: sums are bounded by an activation, and GELU is sharper",
        change=take_groups_of_the_record,
    ),
    "last level, narrower, three convolutions": Experiment(THREE_DEEP, "as good as two for 24 epochs, in as much time"),
    "last level, narrower, lookahead": Experiment(
        LAST_LEVEL,
        "0.1 points better: in the record it saves a tenth of the epochs",
        change=look_ahead,
    ),
    "last level, narrower, the last quarter on whole batches": Experiment(
        replace(LAST_LEVEL, hardest=Hardest(share=0.5, until=0.75)),
        "0.3 points better in 1.2 times the time: tests are of all images, and among the hardest are the mislabelled",
    ),
    "last level, narrower, the last quarter on whole batches, rate 0.1": Experiment(
        replace(
            LAST_LEVEL,
            hardest=Hardest(share=0.5, until=0.75),
            optimizer=replace(LAST_LEVEL.optimizer, lr=0.1),
        ),
        "0.2 points better than at 0.24: 0.15 was 0.2 better on the harder half alone, and the best is broad",
    ),
    "last level, narrower, the last half on whole batches": Experiment(
        replace(LAST_LEVEL, hardest=Hardest(share=0.5, until=0.5)),
        "0.1 points better than the last quarter, in 1.2 times its time: most of it is won at the end",
    ),
    "wide, 36 epochs": Experiment(LONG_RUN, "94.5% in six views of 10,000 images, after 40,000"),
    "wide, 36 epochs, hard half": Experiment(
        replace(LONG_RUN, hardest=Hardest(share=0.5)), "0.1 points worse in 0.65 times the time, as the record has it"
    ),
    "wide, 54 epochs, hard half": Experiment(
        replace(LONG_RUN, epochs=54, hardest=Hardest(share=0.5)), "0.15 points better in as much time"
    ),
    "wide, 36 epochs, rate 0.1": Experiment(
        _long_run(lr=0.1), "0.3 points better: seven times the steps, and what steps of 0.24 find is soon lost again"
    ),
    "wide, 36 epochs, rate 0.5": Experiment(
        _long_run(lr=0.5), "0.3 points better: a rate of 0.1 was 0.5 points worse, so large steps keep from overfitting"
    ),
}


def run(name: str, seed: int, networks: Path | None) -> dict[str, Any]:
    """Train once; what came of it on the validation images. Its network is kept in `networks`, where that is given."""
    experiment = EXPERIMENTS[name]
    settings = Settings(seed=seed, device="cpu", save_seconds=1e9)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", resume=False) as folder_of_run:
        inputs = Inputs.gather(experiment.recipe, settings, folder_of_run, Watch())
        training = inputs.training(experiment.recipe, settings, Watch())
        if experiment.change is not None:
            experiment.change(training)
        fit(training)
        network = training.final_network.eval()
        if networks is not None:
            weights = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
            save_file(weights, networks / f"{name}, seed {seed}.safetensors")
        top1 = {}
        for views in VIEWS:
            found = predict_part(network, inputs.parts.val, get_protocol(views), inputs.preprocess, inputs.device)
            top1[views] = float((found.probabilities.argmax(dim=1) == found.labels).float().mean())
    return {
        "name": name,
        "expected": experiment.expected,
        "seed": seed,
        "top1": top1,
        "epochs": training.clock.step / (len(training.parts.train) // training.recipe.batch_size),
        "train_seconds": training.clock.used_seconds,
        "step_seconds": training.progress.step_seconds,
        "processor": processor_name(),
        "bf16": training.rule.precision.half is torch.bfloat16,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=EXPERIMENTS, metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--networks", type=Path, metavar="FOLDER", help="keep the trained networks here")
    args = parser.parse_args()
    if args.networks is not None:
        args.networks.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for name in args.names:
            found = run(name, seed, args.networks)
            held = json.loads(RESULT.read_text()) if RESULT.is_file() else []
            RESULT.write_text(json.dumps([*held, found], indent=1) + "\n")
            shown = ", ".join(f"{views} {value:.2%}" for views, value in found["top1"].items())
            print(f"{name}, seed {seed}: {shown}; {found['train_seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
