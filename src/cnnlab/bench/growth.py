"""How time and memory of a training step grow: predicted from counts, then measured.

| growth     | time, predicted                                   | memory, predicted                                   |
|------------|---------------------------------------------------|-----------------------------------------------------|
| FLOPs x2   | by the roofline, summed over the operations: the  | what autograd keeps for the backward pass, counted  |
|            | longer of multiply-accumulates over a matrix      | by `saved_tensors_hooks`; and two numbers a         |
|            | product's speed, and bytes over a copy's          | parameter, the weight and its momentum              |
| images x10 | ten times                                         | two bytes a pixel and channel: the images as they   |
|            |                                                   | are loaded, and as batches are gathered from them   |
| batch x2   | twice                                             | what autograd keeps, as above                       |

Memory is the peak of a fresh process after three steps, and growths are compared: what Python and torch take beforehand
cancels. There freed memory goes back to the system at once (`return_freed_memory`), so that the peak is what a step
needs; `cnnlab train` keeps it, which is faster and holds more.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from cnnlab.bench.row import Case, Curve, Found, Plan, Plot
from cnnlab.bench.training import BATCH, CPU, begun, noise, noise_parts, paper_rule, training
from cnnlab.bench.turns import Way, Work, own_processes, take_turns
from cnnlab.measure.cost import parameter_bytes, time_network
from cnnlab.measure.machine import Machine, measure_machine
from cnnlab.measure.memory import peak_bytes
from cnnlab.models.catalog import create_model
from cnnlab.models.device import return_freed_memory
from cnnlab.recipes.recipe import Recipe

DEPTHS = ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")
HALF, DOUBLE = "resnet56", "resnet110"  # 125.5 and 252.9 million multiply-accumulates
BATCHES = (64, 128, 256)
STEPS = 4  # a turn
FEW_IMAGES = 5 * BATCH  # an epoch of five steps, and one of fifty
MANY_TIMES = 10
IN_MEMORY = 10_000  # images, and ten times as many: enough to see among everything else
IMAGE_COPIES = 2
PARAMETER_COPIES = 2  # at the peak, the end of a forward pass: weight and momentum; gradients are not there yet
MEMORY_STEPS, MEMORY_ROUNDS = 3, 2
PREDICTED, MEASURED = "predicted", "measured"


@dataclass(frozen=True)
class Count:
    """What is counted of a training pass: multiply-accumulates, the least seconds, bytes kept, bytes of parameters."""

    macs: int
    floor_seconds: float
    kept_bytes: int
    parameter_bytes: int

    @property
    def held_bytes(self) -> int:
        """All that a step holds at its peak and that depends on the network or the batch."""
        return self.kept_bytes + PARAMETER_COPIES * self.parameter_bytes


def count(model: str, batch_size: int, machine: Machine) -> Count:
    """Count a training pass of `model` on a batch of 32x32 images."""
    network = create_model(model)
    timing = time_network(network, (32, 32), batch_size, CPU, torch.float32, rounds=1)
    floors = (
        machine.floor_seconds(each.forward_macs, each.forward_bytes)
        + machine.floor_seconds(each.backward_macs, each.backward_bytes)
        for each in timing.operations
    )
    macs = sum(each.forward_macs + each.backward_macs for each in timing.operations)
    return Count(macs, sum(floors), timing.kept_bytes, parameter_bytes(network))


def measure(plan: Plan) -> Found:
    """Every growth of the table above, predicted and measured, with the plots."""
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    machine = measure_machine(CPU, torch.float32)
    plan.say("growth: counting")
    depths = {model: count(model, BATCHES[0], machine) for model in DEPTHS}
    batches = {size: count(DEPTHS[0], size, machine) for size in BATCHES}
    step, memory = _step_seconds(plan), _memory(plan)
    few, many = _epoch_seconds(plan)
    small, large = BATCHES[-2:]
    deeper, larger = f"FLOPs x2 ({HALF} to {DOUBLE})", f"batch x2 ({small} to {large} images)"
    flops = depths[DOUBLE].floor_seconds / depths[HALF].floor_seconds
    held = depths[DOUBLE].held_bytes - depths[HALF].held_bytes
    pixels = IMAGE_COPIES * noise(IN_MEMORY).images.nbytes * (MANY_TIMES - 1)
    kept = batches[large].kept_bytes - batches[small].kept_bytes
    cases = (
        _times(f"{deeper}: seconds a step", flops, step[HALF], step[DOUBLE]),
        _times(f"images x{MANY_TIMES}: seconds an epoch", MANY_TIMES, few, many),
        _times(f"{larger}: seconds a step", 2, step[str(small)], step[str(large)]),
        _grown(f"{deeper}: memory gained", held, memory[HALF], memory[DOUBLE]),
        _grown(f"images x{MANY_TIMES}: memory gained", pixels, memory["few images"], memory["many images"]),
        _grown(f"{larger}: memory gained", kept, memory[str(small)], memory[str(large)]),
    )
    return Found(cases, _plots(depths, batches, step, memory))


# -- measured ----------------------------------------------------------------------------------------------------


def _step_seconds(plan: Plan) -> dict[str, list[float]]:
    """Seconds a step by what is varied: the network at the least batch, and the batch with the least network."""
    ways: dict[str, Way] = {
        model: partial(training, paper_rule(model, BATCHES[0]), images=STEPS * BATCHES[0]) for model in DEPTHS
    }
    ways |= {str(size): partial(training, paper_rule(DEPTHS[0], size), images=STEPS * size) for size in BATCHES[1:]}
    plan.say(f"growth: steps of {len(ways)} trainings")
    with own_processes(ways, plan.threads) as works:
        seconds = take_turns({name: partial(work, STEPS) for name, work in works.items()}, plan.rounds)
    steps = {name: [each / STEPS for each in values] for name, values in seconds.items()}
    return {**steps, str(BATCHES[0]): steps[DEPTHS[0]]}


def _epoch_seconds(plan: Plan) -> tuple[list[float], list[float]]:
    """Seconds of an epoch of a few images, and of many times as many."""
    plan.say("growth: epochs")
    many = FEW_IMAGES * MANY_TIMES
    ways: dict[str, Way] = {
        str(images): partial(training, paper_rule(DEPTHS[0], BATCH), images=images) for images in (FEW_IMAGES, many)
    }
    with own_processes(ways, plan.threads) as works:
        epochs = {name: partial(work, int(name) // BATCH) for name, work in works.items()}
        seconds = take_turns(epochs, plan.rounds)
    return seconds[str(FEW_IMAGES)], seconds[str(many)]


def _memory(plan: Plan) -> dict[str, list[float]]:
    """Peak bytes of a fresh process that takes a few steps, by what is varied."""
    ways: dict[str, Way] = {
        model: partial(peak, paper_rule(model, BATCHES[0]), images=2 * BATCHES[0]) for model in (HALF, DOUBLE)
    }
    ways |= {str(size): partial(peak, paper_rule(DEPTHS[0], size), images=2 * BATCHES[-1]) for size in BATCHES}
    images = {"few images": IN_MEMORY, "many images": IN_MEMORY * MANY_TIMES}
    ways |= {name: partial(peak, paper_rule(DEPTHS[0], BATCH), images=number) for name, number in images.items()}
    plan.say(f"growth: memory of {len(ways)} trainings")
    return {name: [_peak_of(name, way, plan.threads) for _ in range(MEMORY_ROUNDS)] for name, way in ways.items()}


def _peak_of(name: str, way: Way, threads: int | None) -> float:
    with own_processes({name: way}, threads) as works:
        return works[name](MEMORY_STEPS)


@contextmanager
def peak(recipe: Recipe, *, images: int) -> Iterator[Work]:
    """A training that lets freed memory go: the peak of its process, in bytes, after as many steps as asked for."""
    return_freed_memory()
    with begun(recipe, noise_parts(images)) as made:

        def work(count: int) -> float:
            for _ in range(count):
                made.step()
            return peak_bytes()

        yield work


# -- told --------------------------------------------------------------------------------------------------------


def _times(name: str, predicted: float, before: Sequence[float], after: Sequence[float]) -> Case:
    """How many times as long it takes, a value a round."""
    measured = [late / early for early, late in zip(before, after, strict=True)]
    return Case(name, "times", {PREDICTED: [float(predicted)] * len(measured), MEASURED: measured}, against=PREDICTED)


def _grown(name: str, predicted: float, before: Sequence[float], after: Sequence[float]) -> Case:
    """How many megabytes more it takes, a value a round."""
    measured = [1e-6 * (late - early) for early, late in zip(before, after, strict=True)]
    return Case(name, "MB", {PREDICTED: [1e-6 * predicted] * len(measured), MEASURED: measured}, against=PREDICTED)


def _plots(
    depths: Mapping[str, Count],
    batches: Mapping[int, Count],
    step: Mapping[str, Sequence[float]],
    memory: Mapping[str, Sequence[float]],
) -> tuple[Plot, ...]:
    """Time against FLOPs, speed and memory against the batch; predictions begin at the first point measured."""
    median = statistics.median
    first, least = depths[DEPTHS[0]], batches[BATCHES[0]]
    flops = {model: 2e-9 * depths[model].macs for model in DEPTHS}
    seconds = {model: 1e3 * median(step[model]) for model in DEPTHS}
    roof = {model: seconds[DEPTHS[0]] * depths[model].floor_seconds / first.floor_seconds for model in DEPTHS}
    speed = {size: size / median(step[str(size)]) for size in BATCHES}
    peaks = {size: 1e-6 * median(memory[str(size)]) for size in BATCHES}
    kept = {size: peaks[BATCHES[0]] + 1e-6 * (batches[size].kept_bytes - least.kept_bytes) for size in BATCHES}
    by_flops = [
        Curve(PREDICTED, [(flops[model], roof[model]) for model in DEPTHS], dashed=True),
        Curve(MEASURED, [(flops[model], seconds[model]) for model in DEPTHS]),
    ]
    by_batch = [Curve(PREDICTED, [*kept.items()], dashed=True), Curve(MEASURED, [*peaks.items()])]
    even = Curve(PREDICTED, [(size, speed[BATCHES[0]]) for size in BATCHES], dashed=True)
    return (
        Plot(
            "time-by-flops",
            f"{DEPTHS[0]} to {DEPTHS[-1]}: a step of {BATCHES[0]} images",
            "GFLOPs a step",
            "milliseconds",
            by_flops,
        ),
        Plot(
            "speed-by-batch",
            f"{DEPTHS[0]}: training speed against batch size",
            "images a batch",
            "images/s",
            [even, Curve(MEASURED, [*speed.items()])],
        ),
        Plot(
            "memory-by-batch",
            f"{DEPTHS[0]}: peak memory of a training's process",
            "images a batch",
            "MB",
            by_batch,
            from_zero=False,
        ),
    )
