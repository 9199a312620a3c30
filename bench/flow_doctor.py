"""Make sick and healthy short trainings and let the flow doctor judge them; the record behind docs/diagnose.md.

uv run python bench/flow_doctor.py --data synthetic cifar10 --seeds 0 1 --out bench/results/flow-doctor.json
uv run python bench/flow_doctor.py --page    # write the tables of docs/diagnose.md

The thresholds of `explain/verdict.py` were chosen on the synthetic set with seed 0; everything else is a test of them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.data import sources
from cnnlab.data.parts import Parts
from cnnlab.data.preprocess import measure, normalise
from cnnlab.evaluate.intervals import wilson
from cnnlab.explain import verdict
from cnnlab.explain.flow import EVERY_STEPS, Flow
from cnnlab.explain.labels import LabelCheck, check_labels
from cnnlab.explain.trial import Trial, run_trial
from cnnlab.explain.trial import measure as boil_down
from cnnlab.explain.verdict import judge
from cnnlab.models.catalog import create_model
from cnnlab.models.initialise import Initialisation, initialise
from cnnlab.models.precision import resolve_precision
from cnnlab.recipes.recipe import AdamW, Optimizer, Sgd
from cnnlab.train.optim import build_optimizers
from cnnlab.train.step import Rule, plain_forward, train_step

ROOT = Path(__file__).resolve().parent.parent
PAGE, RECORD = ROOT / "docs" / "diagnose.md", ROOT / "bench" / "results" / "flow-doctor.json"
CPU = torch.device("cpu")
BATCH, STEPS = 16, 16
LABELLED = 1000  # images for the check of labels


@dataclass(frozen=True)
class Data:
    """Training images float32 (N, C, H, W), normalised, labels (N,), and whether these go together."""

    images: Tensor
    labels: Tensor
    num_classes: int
    check: LabelCheck | None


USUAL = Sgd(lr=0.05)


@dataclass(frozen=True)
class Case:
    """One short training: how its network is built, what is done to it or to the data, and what must be said.

    `expected` is the verdict that must be among those given; None for a healthy training, where none may be.
    """

    name: str
    build: Callable[[], nn.Module]
    expected: str | None = None
    optimizer: Optimizer = USUAL
    change_data: Callable[[Data], Data] | None = None
    change_network: Callable[[nn.Module, Data], None] | None = None
    steps: int = STEPS


# -- networks and what makes them sick ---------------------------------------------------------------------------


class Reshape(nn.Module):
    """Maps averaged to (N, C)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W)."""
        return maps.mean(dim=(2, 3))


def chain(layers: int, activation: Callable[[], nn.Module], width: int = 16, pooled: int = 3) -> nn.Sequential:
    """`layers` - 1 convolutions 3x3 without norms, the first `pooled` of stride 2, averaged, and a linear layer."""
    modules: list[nn.Module] = []
    for index in range(layers - 1):
        stride = 2 if index < pooled else 1
        modules += [nn.Conv2d(3 if index == 0 else width, width, 3, stride=stride, padding=1), activation()]
    return nn.Sequential(*modules, Reshape(), nn.Linear(width, 10))


def model(name: str, how: Initialisation = "own", **options: object) -> Callable[[], nn.Module]:
    """A network of the catalogue, three channels in and ten classes out, initialised as said."""

    def build() -> nn.Module:
        network = create_model(name, **options)
        initialise(network, how)
        return network

    return build


def started(build: Callable[[], nn.Module], how: Initialisation, std: float | None = None) -> Callable[[], nn.Module]:
    """`build`'s network with other initial weights."""

    def made() -> nn.Module:
        network = build()
        initialise(network, how, std=std)
        return network

    return made


def without_norms(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """`build`'s network with every batch norm taken out."""

    def made() -> nn.Module:
        network = build()
        for module in list(network.modules()):
            for child, inner in list(module.named_children()):
                if isinstance(inner, nn.BatchNorm2d):
                    setattr(module, child, nn.Identity())
        return network

    return made


def scaled(build: Callable[[], nn.Module], factor: float, bias: float | None = None) -> Callable[[], nn.Module]:
    """`build`'s network with its weights times `factor`, and its biases at `bias`."""

    def made() -> nn.Module:
        network = build()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if parameter.ndim >= 2:
                    parameter.mul_(factor)
                elif bias is not None and name.endswith("bias"):
                    parameter.fill_(bias)
        return network

    return made


def norms_frozen(network: nn.Module, _: Data) -> None:
    """Batch norms in evaluation mode during training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def trained_first(network: nn.Module, data: Data, *, momentum: float | None = None) -> None:
    """Sixty steps at a learning rate that fits; `momentum` 0 makes norms that never learn their statistics."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and momentum is not None:
            module.momentum = momentum
    train(network, data, Sgd(lr=0.05), steps=60, watched=False)


def statistics_never_learned(network: nn.Module, data: Data) -> None:
    """As `trained_first` with momentum 0."""
    trained_first(network, data, momentum=0.0)


def shuffled(data: Data) -> Data:
    """Labels dealt out anew."""
    labels = data.labels[torch.randperm(len(data.labels))]
    return replace(data, labels=labels, check=check_labels(data.images[:LABELLED], labels[:LABELLED]))


def raw(scale: float) -> Callable[[Data], Data]:
    """Pixels of 0 to `scale`, as after forgetting to normalise."""

    def change(data: Data) -> Data:
        low, high = data.images.min(), data.images.max()
        return replace(data, images=(data.images - low) / (high - low) * scale)

    return change


RELU, SIGMOID, TANH = nn.ReLU, nn.Sigmoid, nn.Tanh


def plain(layers: int) -> Callable[[], nn.Module]:
    """A ReLU chain as torch initialises it."""
    return lambda: chain(layers, RELU)


def sigmoid(layers: int) -> Callable[[], nn.Module]:
    """A sigmoid chain as torch initialises it."""
    return lambda: chain(layers, SIGMOID)


def tanh(layers: int) -> Callable[[], nn.Module]:
    """A tanh chain as torch initialises it."""
    return lambda: chain(layers, TANH)


HEALTHY: tuple[Case, ...] = (
    Case("resnet20", model("resnet20", "he_fan_in")),
    Case("resnet56", model("resnet56", "he_fan_in")),
    Case("resnet20, lr 0.1", model("resnet20"), optimizer=Sgd(lr=0.1)),
    Case("resnet20, AdamW", model("resnet20"), optimizer=AdamW(lr=1e-3)),
    Case("resnet20, zero gamma", started(model("resnet20"), "zero_gamma")),
    Case("resnet20, already trained", model("resnet20"), change_network=trained_first),
    Case("plain20 with batch norm", model("plain20", "he_fan_in")),
    Case("highway19", model("highway19"), optimizer=Sgd(lr=0.02)),
    Case("highway32", model("highway32"), optimizer=Sgd(lr=0.02)),
    Case("resnet_matlab", model("resnet_matlab")),
    Case("airnet, AdamW", model("airnet"), optimizer=AdamW(lr=1e-3)),
    Case("nin_cifar, He", started(model("nin_cifar"), "he_fan_in"), optimizer=Sgd(lr=0.01)),
    Case("lenet5_modern", model("lenet5_modern", in_channels=3), optimizer=Sgd(lr=0.01)),
    Case("resnet20, shortcuts B", model("resnet20", "he_fan_in", shortcut="B")),
    Case("densenet_bc100_12", model("densenet_bc100_12")),
    Case("5 ReLU layers without norms, He", started(plain(5), "he_fan_in"), optimizer=Sgd(lr=0.02)),
    Case("8 ReLU layers without norms, He", started(plain(8), "he_fan_in"), optimizer=Sgd(lr=0.01)),
    Case("5 tanh layers, Xavier", started(tanh(5), "xavier")),
)

SICK: tuple[Case, ...] = (
    Case("50 sigmoid layers", sigmoid(50), "vanishing gradients"),
    Case("20 sigmoid layers", sigmoid(20), "vanishing gradients"),
    Case("50 ReLU layers without norms", plain(50), "vanishing gradients"),
    Case("50 ReLU layers without norms, He", started(plain(50), "he_fan_in"), "wrong initialisation"),
    Case("plain56 without its norms", without_norms(model("plain56")), "vanishing gradients"),
    Case("30 ReLU layers, weights twice He's", scaled(started(plain(30), "he_fan_in"), 2.0), "exploding gradients"),
    Case("resnet110 without its norms, He", without_norms(model("resnet110", "he_fan_in")), "exploding gradients"),
    Case("ReLU biases at -5", scaled(started(plain(6), "he_fan_in"), 1.0, -5.0), "dead units"),
    Case("8 tanh layers, weights 8 times Xavier's", scaled(started(tanh(8), "xavier"), 8.0), "saturated units"),
    Case("5 sigmoid layers, weights of deviation 3", started(sigmoid(5), "gaussian", 3.0), "saturated units"),
    Case("all weights 0", scaled(plain(5), 0.0, 0.0), "wrong initialisation"),
    Case("weights of deviation 1", started(plain(5), "gaussian", 1.0), "wrong initialisation"),
    Case("resnet20, lr 10", model("resnet20"), "learning rate too high", Sgd(lr=10.0)),
    Case("5 ReLU layers, lr 3", started(plain(5), "he_fan_in"), "learning rate too high", Sgd(lr=3.0)),
    Case("resnet20, lr 1e-7", model("resnet20"), "learning rate too low", Sgd(lr=1e-7)),
    Case("resnet20, AdamW lr 1e-8", model("resnet20"), "learning rate too low", AdamW(lr=1e-8)),
    Case("norms in evaluation mode", model("resnet20"), "batch norm in the wrong mode", change_network=norms_frozen),
    Case(
        "norm statistics never learned",
        model("resnet20"),
        "batch norm in the wrong mode",
        change_network=statistics_never_learned,
    ),
    Case("labels shuffled", model("resnet20"), "labels shuffled", change_data=shuffled),
    Case("labels shuffled, lenet", model("lenet5_modern", in_channels=3), "labels shuffled", change_data=shuffled),
    Case("pixels of 0 to 255", model("lenet5_modern", in_channels=3), "data not normalised", change_data=raw(255.0)),
    Case("pixels of 0 to 1", model("resnet20"), "data not normalised", change_data=raw(1.0)),
)


# -- one case ---------------------------------------------------------------------------------------------------


def train(network: nn.Module, data: Data, optimizer: Optimizer, *, steps: int, watched: bool = True) -> Trial | None:
    """Train for `steps` steps by cnnlab's own step; the trial, where it is watched."""
    optimizers = build_optimizers(optimizer, network, decay_norms_and_biases=True)
    rule = Rule(F.cross_entropy, resolve_precision("fp32", CPU))
    scaler = rule.precision.scaler()

    def take_step(step: int) -> tuple[float, float]:
        chosen = (torch.arange(BATCH) + step * BATCH) % len(data.labels)
        images, labels = data.images[chosen], data.labels[chosen]
        result = train_step(network, plain_forward(network), images, labels, optimizers, scaler, rule)
        return result.loss_of_update, result.correct / BATCH

    if watched:
        return run_trial(network, take_step, steps=steps, num_classes=data.num_classes, labels=data.check, every=5)
    for step in range(steps):
        take_step(step)
    return None


def run_case(case: Case, data: Data, seed: int) -> Trial:
    """The case's short training on `data`, with the weights and changes of `seed`."""
    torch.manual_seed(seed)
    network = case.build().train()
    data = case.change_data(data) if case.change_data is not None else data
    if case.change_network is not None:
        case.change_network(network, data)
    trial = train(network, data, case.optimizer, steps=case.steps)
    assert trial is not None
    return trial


def prepared(parts: Parts, seed: int) -> Data:
    """2,000 training images in an order of `seed`, normalised as their set is."""
    order = torch.randperm(len(parts.train), generator=torch.Generator().manual_seed(seed))[:2000]
    images = normalise(parts.train.images[order], measure(parts.train.images))
    labels = parts.train.labels[order]
    return Data(images, labels, len(parts.class_names), check_labels(images[:LABELLED], labels[:LABELLED]))


# -- the matrix ---------------------------------------------------------------------------------------------------


def judged(case: Case, data: Data, seed: int) -> dict[str, Any]:
    """One case as plain values: what was said, whether that is right, and every measure."""
    trial = run_case(case, data, seed)
    said = [each.ailment.value for each in judge(trial)]
    right = case.expected in said if case.expected else not said
    measures = {name: _number(value) for name, value in asdict(boil_down(trial)).items()}
    return {"case": case.name, "expected": case.expected, "said": said, "right": right, "measures": measures}


def _number(value: Any) -> Any:
    """A number that JSON knows: None for what is none or infinite, five digits else."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


# -- what sampling costs -------------------------------------------------------------------------------------------


def cost(rounds: int = 25) -> dict[str, Any]:
    """Seconds of a training step of ResNet-20, batch 128, watched and not, in turn; medians and what 1 in 100 costs."""
    torch.manual_seed(0)
    network = create_model("resnet20").train()
    optimizers = build_optimizers(USUAL, network, decay_norms_and_biases=True)
    rule = Rule(F.cross_entropy, resolve_precision("fp32", CPU))
    scaler = rule.precision.scaler()
    images, labels = torch.randn(128, 3, 32, 32), torch.arange(128) % 10
    flow = Flow(network, every=2)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for step in range(2 * rounds + 4):
        begin = time.perf_counter()
        flow.before_step(step)
        train_step(network, plain_forward(network), images, labels, optimizers, scaler, rule)
        flow.after_step(step)
        if step >= 4:
            seconds[flow.samples(step)].append(time.perf_counter() - begin)
    watched, plain = median(seconds[True]), median(seconds[False])
    return {
        "network": "resnet20",
        "batch": 128,
        "rounds": rounds,
        "plain_seconds": plain,
        "watched_seconds": watched,
        "every": EVERY_STEPS,
        "share": (watched / plain - 1) / EVERY_STEPS,
    }


def cost_table(record: dict[str, Any]) -> str:
    """What one watched step costs more, and the share of a training that comes to."""
    found = record["cost"]
    return (
        f"ResNet-20, batch {found['batch']}, one thread: a step takes {found['plain_seconds']:.3f} s, a watched one "
        f"{found['watched_seconds']:.3f} s (medians of {found['rounds']}, in turn); one step in {found['every']} "
        f"costs {found['share']:.2%} of a training."
    )


# -- the page -----------------------------------------------------------------------------------------------------

THRESHOLDS = {  # what the table of thresholds shows: measure, threshold, side of the sick, ailment
    "largest lever of the first layers, log10": (
        "first_lever",
        verdict.VANISHED_LEVER,
        "below",
        "vanishing gradients",
    ),
    "largest lever of all, log10": ("gradient", verdict.EXPLODED_GRADIENT, "above", "exploding gradients"),
    "dead ReLU channels": ("dead", verdict.DEAD_SHARE, "above", "dead units"),
    "values on flat ends": ("saturated", verdict.SATURATED_SHARE, "above", "saturated units"),
    "update over weight": ("update", verdict.HIGH_UPDATE, "above", "learning rate too high"),
    "share of the loss a step can take, log10": ("gain", verdict.LOW_GAIN, "below", "learning rate too low"),
    "drift of norms, running deviations": ("norm_drift", verdict.NORM_DRIFT, "above", "batch norm in the wrong mode"),
    "labels above chance, standard errors": ("labels_z", verdict.CHANCE_Z, "below", "labels shuffled"),
    "mean of the images, deviations": ("image_offset", verdict.IMAGE_OFFSET, "above", "data not normalised"),
}


def matrix_table(record: dict[str, Any]) -> str:
    """A row a case: what must be said, in how many runs it was, and what else was."""
    rows = ["| case | must say | right | also said |", "|---|---|---|---|"]
    for name in dict.fromkeys(run["case"] for run in record["runs"]):
        runs = [run for run in record["runs"] if run["case"] == name]
        expected = runs[0]["expected"]
        other = sorted({said for run in runs for said in run["said"]} - {expected})
        right = sum(run["right"] for run in runs)
        rows.append(f"| {name} | {expected or 'nothing'} | {right} of {len(runs)} | {', '.join(other)} |")
    return "\n".join([*rows, "", alarms(record)])


def alarms(record: dict[str, Any]) -> str:
    """How often a healthy training was wronged and a sick one's ailment missed, with 95% intervals (Wilson)."""
    healthy = [run for run in record["runs"] if run["expected"] is None]
    sick = [run for run in record["runs"] if run["expected"] is not None]
    wronged, missed = (sum(not run["right"] for run in runs) for runs in (healthy, sick))
    sets = sorted({f"{run['data']} (seed {run['seed']})" for run in record["runs"]})
    return (
        f"False alarms: {wronged} of {len(healthy)} healthy trainings ({_interval(wronged, len(healthy))}). "
        f"Missed: {missed} of {len(sick)} sick ones ({_interval(missed, len(sick))}). "
        f"{record['steps']} steps of {record['batch']} images each, on {', '.join(sets)}."
    )


def _interval(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return f"95% interval {100 * low:.1f}% to {100 * high:.1f}%"


def thresholds_table(record: dict[str, Any]) -> str:
    """Each threshold with the nearest healthy training and the sick ones of its ailment on its two sides."""
    rows = ["| measure | healthy, nearest | threshold | sick of it, nearest |", "|---|---|---|---|"]
    for title, (name, threshold, side, ailment) in THRESHOLDS.items():
        worst, mildest = (min, max) if side == "below" else (max, min)
        healthy = _values(record, name, None)
        beyond = [each for each in _values(record, name, ailment) if (each > threshold) == (side == "above")]
        rows.append(f"| {title} | {worst(healthy):.2g} | {side} {threshold:g} | {mildest(beyond):.2g} |")
    return "\n".join(rows)


def _values(record: dict[str, Any], name: str, expected: str | None) -> list[float]:
    runs = [run for run in record["runs"] if run["expected"] == expected]
    return [run["measures"][name] for run in runs if run["measures"][name] is not None]


def with_tables(page: str, record: dict[str, Any]) -> str:
    """The page with its tables made anew between their marks."""
    for name, table in {"matrix": matrix_table, "thresholds": thresholds_table, "cost": cost_table}.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE.name} has no marks for {name}")
        page = f"{before}{begin}\n{table(record)}\n{end}{after}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["synthetic"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cost", action="store_true", help="only measure what sampling costs; nothing else may run")
    parser.add_argument("--page", action="store_true", help="only write the tables of docs/diagnose.md")
    args = parser.parse_args()
    if args.page:
        PAGE.write_text(with_tables(PAGE.read_text(), json.loads(RECORD.read_text())))
        return
    torch.set_num_threads(1)
    if args.cost:
        RECORD.write_text(json.dumps({**json.loads(RECORD.read_text()), "cost": cost()}, indent=1) + "\n")
        return
    record = json.loads(args.out.read_text()) if args.out is not None and args.out.is_file() else {"runs": []}
    done = {(row["data"], row["seed"], row["case"]) for row in record["runs"]}
    for seed, name in product(args.seeds, args.data):
        data = prepared(sources.load(name), seed)
        for case in (case for case in (*SICK, *HEALTHY) if args.only in case.name):
            if (name, seed, case.name) in done:
                continue
            row = {"data": name, "seed": seed, **judged(case, data, seed)}
            print("right" if row["right"] else "WRONG", name, seed, case.name, row["said"], flush=True)
            record = {**record, "batch": BATCH, "steps": STEPS, "runs": [*record["runs"], row]}
            if args.out is not None:  # after each, so that a long list can be made in several sittings
                args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
