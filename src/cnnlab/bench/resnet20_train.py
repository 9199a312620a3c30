"""ResNet-20 on images of CIFAR-10's size, batch 128: cnnlab's training step against the usual loop.

The usual loop is that of `usual_loop`. cnnlab's is what `cnnlab train --recipe resnet2015/cifar10` does at each step,
its records included; `native` computes convolutions in bf16 on CPUs that have it. All train the same network by the
paper's rule; the images are noise, which costs as much.
"""

from __future__ import annotations

import statistics
from functools import partial

import torch

from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.training import BATCH, CPU, paper_rule, training
from cnnlab.bench.turns import Way, own_processes, take_turns
from cnnlab.bench.usual_loop import usual
from cnnlab.measure.machine import measure_machine
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost

IMAGES = 5_120
STEPS = 8  # a turn
REST_SECONDS = 1.5  # the usual loop's workers fetch ahead for a moment after their turn
MATRIX_SIDE = 4096  # of the product whose speed is the peak that facts/performance.md uses
OURS, NATIVE = "cnnlab", "cnnlab, precision native"


WAYS: dict[str, Way] = {
    "usual loop, 0 workers": partial(usual, "resnet20", IMAGES, workers=0),
    "usual loop, 2 workers": partial(usual, "resnet20", IMAGES, workers=2),
    OURS: partial(training, paper_rule("resnet20", BATCH), images=IMAGES),
    NATIVE: partial(training, paper_rule("resnet20", BATCH, precision="native"), images=IMAGES),
}


def measure(plan: Plan) -> Found:
    """Images a second of each loop, and the share of the machine's best that ours reaches."""
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    with own_processes(WAYS, plan.threads) as works:
        plan.say("resnet20-train: starting the trainings")
        asked = {name: partial(work, STEPS) for name, work in works.items()}
        seconds = take_turns(asked, plan.rounds, rest_seconds=REST_SECONDS)
        peak = measure_machine(CPU, torch.float32, side=MATRIX_SIDE).macs_per_second
    speeds = {name: [BATCH * STEPS / each for each in values] for name, values in seconds.items()}
    best = max((name for name in WAYS if name not in (OURS, NATIVE)), key=lambda name: statistics.median(speeds[name]))
    macs = 3 * cost(create_model("resnet20"), 3, 32).macs  # forward, and twice that backward
    share = statistics.median(speeds[OURS]) * macs / peak
    return Found(
        cases=(Case(f"batch {BATCH}", "images/s", speeds, against=best),),
        figures={"matrix_product_gflops": 2e-9 * peak, "share_of_matrix_product": share},
        notes=(f"cnnlab reaches {share:.0%} of the float32 matrix product, {1e-9 * peak:.0f} GMAC/s just now.",),
    )
