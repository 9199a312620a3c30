"""Numbers gone wild: values that are no numbers put into trainings, to be caught in the step they come in.

Hundreds of steps of a small network with batch norms and an average of its weights, on made images, once left alone
and then with a fault in a step: what the step leaves behind, and how well the network ends.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cnnlab.data import parts as data
from cnnlab.data.parts import Parts, in_memory
from cnnlab.data.preprocess import measure, normalise
from cnnlab.errors import CnnlabError
from cnnlab.recipes.recipe import Ema, OneCycle, Recipe, Sgd
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.train.bad_step import parse_on_bad_step
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder
from cnnlab.train.state import snapshot
from cnnlab.train.watch import Watch

STEPS = 480
FAULTS = 30
SPIKE = 50.0  # times the median loss or gradient norm; by chance batches of so easy images reach 10
RECIPE = Recipe(
    name="selftest/numbers",
    paper="none",
    model="resnet_matlab",
    model_options={"width": 8, "units": 1},
    data="synthetic",
    batch_size=32,
    steps=STEPS,
    optimizer=Sgd(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=OneCycle(peak_at=0.2),
    average=Ema(decay=0.9),
)
GOAL = Goal(
    "caught in the same step, nothing of the network changed by it, accuracy within 0.3 points",
    {"points_lost": 0.3},
)


@dataclass(frozen=True)
class Fault:
    """What goes wild in a step: a pixel, a number of the first layer's gradient, or all logits, multiplied."""

    step: int
    what: Literal["pixel", "gradient", "logits"]
    value: float

    @property
    def kind(self) -> str:
        """In words."""
        return f"{self.value} in a {self.what}" if self.what != "logits" else "spike of the loss"


def fault(number: int) -> Fault:
    """The fault of this number, 0 to 29: of five kinds in turn, at a step by chance, but spikes not before the 30th."""
    draw = random.Random(number)
    what, value = (
        ("pixel", math.nan),
        ("pixel", math.inf),
        ("gradient", math.nan),
        ("gradient", -math.inf),
        ("logits", -100.0),
    )[number % 5]
    return Fault(draw.randrange(30 if what == "logits" else 0, STEPS), what, value)  # type: ignore[arg-type]


@cache
def _parts() -> Parts:
    """Ten patterns of 8 x 8 pixels, an image one of them with much noise: learned in a few epochs, but not by heart."""
    draw = np.random.default_rng(0)
    patterns = draw.normal(0, 1, (10, 3, 8, 8))

    def part(count: int) -> data.Part:
        labels = np.arange(count) % 10
        images = 128 + 30 * patterns[labels] + 50 * draw.normal(0, 1, (count, 3, 8, 8))
        return data.Part(torch.from_numpy(images.clip(0, 255).astype(np.uint8)), torch.from_numpy(labels))

    return Parts("patterns", part(1280), part(0), part(2000), tuple("0123456789"), "made on the spot", "")


def _train(folder: Path, faults: Sequence[Fault], rule: str) -> tuple[Training, list[str]]:
    """A training with `faults`; gives it at its end, and what was not as promised at any of its steps."""
    parts, wrong = _parts(), []
    with RunFolder(folder, resume=False) as run, ExitStack() as hooks:
        training = Training(
            RECIPE,
            parts,
            measure(in_memory(parts.train).images),
            run,
            seed=0,
            device=torch.device("cpu"),
            minutes=None,
            compiled=False,
            save_seconds=math.inf,
            watch=Watch(),
            on_bad_step=parse_on_bad_step(rule, SPIKE),
        )
        for each in faults:
            _inject(training, each, hooks)
        at = {each.step for each in faults}
        while not training.done:
            wrong += _step(training, faulty=training.clock.step in at)
    return training, wrong


def _inject(training: Training, fault: Fault, hooks: ExitStack) -> None:
    """Let the fault happen when its step comes."""

    def now() -> bool:
        return training.clock.step == fault.step

    def poisoned(values: Tensor) -> Tensor:
        values = values.clone()
        values[(0,) * values.ndim] = fault.value
        return values

    network = training.network
    if fault.what == "gradient":
        weight = next(network.parameters())
        hooked = weight.register_hook(lambda gradient: poisoned(gradient) if now() else None)  # type: ignore[no-untyped-call]
    elif fault.what == "pixel":
        hooked = network.register_forward_pre_hook(lambda _, given: (poisoned(given[0]),) if now() else None)
    else:
        hooked = network.register_forward_hook(lambda _, __, logits: logits * fault.value if now() else None)
    hooks.callback(hooked.remove)


def _step(training: Training, *, faulty: bool) -> list[str]:
    """Take a step; what is not as promised of it."""
    number, before = training.clock.step, _all_numbers(training)
    if number % 25 == 0:
        training.save()  # for rules that go back
    training.step()
    after, noted = _all_numbers(training), training.progress.bad_steps[-1:] == [number]
    wrong = [] if noted == faulty else [f"step {number}: {'a fault was missed' if faulty else 'called bad'}"]
    if not torch.isfinite(after).all():
        wrong.append(f"step {number}: left values that are no numbers")
    if faulty and training.on_bad_step.action == "skip" and not torch.equal(before, after):
        wrong.append(f"step {number}: changed something")
    return wrong


def _all_numbers(training: Training) -> Tensor:
    """Every weight, running statistic, average and optimizer's memory, one after the other."""
    tensors = snapshot(training).tensors
    return torch.cat([each.flatten().double() for group in tensors.values() for each in group.values()])


@torch.no_grad()
def _top1(training: Training) -> float:
    """Accuracy in [0, 1] on the test part."""
    network, test = training.tested_network.eval(), _parts().test
    assert isinstance(test, data.Part)
    logits = network(normalise(test.images, training.preprocess))
    return float((logits.argmax(dim=1) == test.labels).float().mean())


def _run(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    clean = None
    for case in cases:
        with TemporaryDirectory(dir=work) as folder:
            if clean is None:
                clean = _top1(_train(Path(folder) / "clean", (), "skip")[0])
            yield _case(case, Path(folder) / "run", clean)


def _case(case: int, folder: Path, clean: float) -> Outcome:
    """Case 0 to 29: one fault; the last two: all that are at steps of their own, in one training."""
    started = time.monotonic()
    every = tuple({each.step: each for each in map(fault, range(FAULTS))}.values())
    faults = (fault(case),) if case < FAULTS else every
    rule = ("skip", f"rollback:{FAULTS}")[case % 2]
    try:
        training, wrong = _train(folder, faults, rule)
        lost = 100 * (clean - _top1(training))
    except CnnlabError as error:
        return Outcome(case, faults[0].kind, "STOPPED", False, str(error), time.monotonic() - started)
    kind = faults[0].kind if case < FAULTS else f"{len(faults)} faults in one training"
    seen = f"{rule}: steps {', '.join(str(each.step) for each in faults)}; {lost:.2f} points lost"
    return Outcome(
        case,
        kind,
        f"{'skipped' if rule == 'skip' else 'rolled back'}" if not wrong else "MISSED",
        not wrong,
        "; ".join([seen, *wrong]),
        time.monotonic() - started,
        {"points_lost": max(lost, 0.0)},
    )


NUMBERS = Part("numbers", GOAL, FAULTS + 2, range(0, FAULTS, 3), _run)  # both rules, every kind
