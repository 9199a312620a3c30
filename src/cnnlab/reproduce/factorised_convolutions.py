"""What factorising a convolution saves: 5x5 as two 3x3, 7x7 as 1x7 and 7x1 (Szegedy et al. 2015, sections 3.1, 3.2)."""

from __future__ import annotations

import statistics
import time

import torch
from torch import Tensor, nn

from cnnlab.evaluate.paired import mcnemar
from cnnlab.models.describe import count_macs, count_parameters
from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Claim, Value
from cnnlab.reproduce.judge import exact, fact
from cnnlab.reproduce.reproduction import Findings, Reproduction, no_plans
from cnnlab.reproduce.runs import Results

CHANNELS, PIXELS, IMAGES = 128, 17, 8  # of maps as in the middle of Inception v3
ROUNDS = 15
Kernel = tuple[int, int]


def stack(*kernels: Kernel) -> nn.Sequential:
    """Convolutions with these kernels one after the other, all of equal width, without bias."""
    return nn.Sequential(
        *(nn.Conv2d(CHANNELS, CHANNELS, each, padding=(each[0] // 2, each[1] // 2), bias=False) for each in kernels)
    )


STACKS: dict[str, tuple[Kernel, ...]] = {
    "5x5": ((5, 5),),
    "two 3x3": ((3, 3), (3, 3)),
    "7x7": ((7, 7),),
    "1x7 and 7x1": ((1, 7), (7, 1)),
}
PAIRS = (("two 3x3", "5x5", 18 / 25), ("1x7 and 7x1", "7x7", 14 / 49))  # factorised, whole, share of its weights


def read(_: Results) -> Findings:
    """Count parameters and MACs, and time the four, interleaved."""
    stacks = {name: stack(*kernels) for name, kernels in STACKS.items()}
    maps = torch.randn(IMAGES, CHANNELS, PIXELS, PIXELS).to(memory_format=torch.channels_last)
    weights = {name: count_parameters(each) for name, each in stacks.items()}
    macs = {name: count_macs(each, maps[:1]) for name, each in stacks.items()}
    seconds = time_stacks(stacks, maps)
    claims = [claim for pair in PAIRS for claim in _claims(pair, weights, macs, seconds)]
    values = [
        Value(
            f"{part} over {whole}, {what}",
            f"{counted[part] / counted[whole]:.3f}",
            None if paper is None else f"{paper:.3f}",
        )
        for part, whole, share in PAIRS
        for what, counted, paper in (
            ("weights", weights, share),
            ("MACs", macs, share),
            ("median time", {name: statistics.median(each) for name, each in seconds.items()}, None),
        )
    ]
    bars = [Row(name, 1000 * statistics.median(each) / IMAGES) for name, each in seconds.items()]
    ours = "; ".join(
        f"{part} {weights[part] / weights[whole]:.0%} of the weights of {whole}" for part, whole, _ in PAIRS
    )
    return Findings(
        claims,
        values,
        [
            row_chart("Weights", [Row(name, each) for name, each in weights.items()], bars=True),
            row_chart("Milliseconds an image, forward", bars, bars=True),
        ],
        ours,
    )


def _claims(
    pair: tuple[str, str, float], weights: dict[str, int], macs: dict[str, int], seconds: dict[str, list[float]]
) -> list[Claim]:
    part, whole, share = pair
    faster = sum(one < other for one, other in zip(seconds[part], seconds[whole], strict=True))
    return [
        exact(f"weights of {part}", weights[part], round(share * weights[whole])),
        exact(f"MACs of {part}", macs[part], round(share * macs[whole])),
        fact(
            f"{part} is faster than {whole}",
            faster > ROUNDS / 2 and sign_p(faster, ROUNDS) < 0.05,
            f"in {faster} of {ROUNDS} interleaved rounds, sign test",
        ),
    ]


def sign_p(wins: int, rounds: int) -> float:
    """The exact two-sided p of the sign test: McNemar's of as many wins and losses."""
    return mcnemar(wins, rounds - wins)


@torch.inference_mode()
def time_stacks(stacks: dict[str, nn.Sequential], maps: Tensor) -> dict[str, list[float]]:
    """Seconds of each stack on `maps`, `ROUNDS` times, one after the other so that disturbances meet all alike."""
    found: dict[str, list[float]] = {name: [] for name in stacks}
    for round_number in range(ROUNDS + 1):  # the first warms up
        for name, each in stacks.items():
            started = time.perf_counter()
            each(maps)
            if round_number:
                found[name].append(time.perf_counter() - started)
    return found


REPRODUCTION = Reproduction(
    name="factorised-convolutions",
    title="Factorised convolutions",
    effect="two 3x3 cost 72% of a 5x5; 1x7 and 7x1 cost 29% of a 7x7, and both save time",
    claim="Two 3x3 convolutions see what a 5x5 sees for 18/25 of its cost; an n x n factorised into 1 x n and n x 1 "
    "costs 2/n of it.",
    paper="Szegedy et al. 2015 (arXiv:1512.00567), sections 3.1 and 3.2, Figures 1 and 3; the shares follow from the "
    "kernels",
    plans=no_plans,
    read=read,
    differences=(
        f"{CHANNELS} channels on {PIXELS} x {PIXELS} maps, at equal width throughout; time on this machine's CPU",
    ),
)
