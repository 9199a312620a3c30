"""Find what is wrong with a training: a few real steps, watched by depth, with verdicts and remedies.

MODEL starts with new weights; RUN goes on from its own, with its own loss, optimizer and data, and is not changed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import PICTURE, require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, add_out, integer, number, one_of, positive_float, positive_int
from cnnlab.errors import UsageError

if TYPE_CHECKING:
    import torch
    from rich.console import Console

    from cnnlab.data.parts import Part
    from cnnlab.explain.chain_rule import Chain
    from cnnlab.explain.flow import LayerFlow, StepFlow
    from cnnlab.explain.trial import Trial
    from cnnlab.explain.verdict import Verdict
    from cnnlab.models.layers import Network
    from cnnlab.train.losses import LossFunction
    from cnnlab.types import Preprocess

LR = 0.01
# As `models.initialise.Initialisation` has them; a test holds both against each other.
INITS = (
    *("own", "gaussian", "lecun", "xavier", "caffe_xavier", "he_fan_in", "he_fan_out", "truncated_normal"),
    *("orthogonal", "zero_gamma"),
)
CHECKED_IMAGES = 1_000  # for the check of labels
MOST_ROWS = 30
BLOCKS = "▁▂▃▄▅▆▇█"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab diagnose` takes."""
    add = parser.add_argument
    add("target", nargs="?", metavar="MODEL|RUN", help="a network, see cnnlab models, or a finished run's folder")
    add("data", nargs="?", metavar="DATA", help="a data set or a folder (default: synthetic; of a run, its own)")
    add("--steps", type=positive_int, default=20, metavar="N", help="training steps to take (default 20)")
    add("--batch-size", type=positive_int, default=32, metavar="N", help="images a step (default 32)")
    add("--lr", type=positive_float, metavar="F", help=f"learning rate (default: of a run its median, else {LR})")
    add(
        "--init",
        type=one_of("initialisation", INITS),
        default="own",
        metavar="NAME",
        help="initial weights of MODEL: own (default), he_fan_in, xavier, …",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        dest="settings",
        help="an option of MODEL, such as norm=false, which leaves batch normalisation out",
    )
    add("--seed", type=integer, default=0, metavar="N", help="of the weights and the choice of images (default 0)")
    add_out(parser, "--picture", metavar="FILE", help="also draw depth against step, as PNG")
    add("--all", action="store_true", help="a row for every layer, block, gate and norm")
    add("--replay", type=Path, metavar="RUN", help="take a run's last bad step again: where it goes wrong, no MODEL")
    add("--chain-rule", action="store_true", help="the textbook's network instead: one neuron a layer, no MODEL")
    add("--depth", type=positive_int, default=50, metavar="N", help="layers of the chain-rule network (default 50)")
    add("--weight", type=number, default=1.0, metavar="W", help="its weights (default 1)")
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    require_output("--out", args.picture, PICTURE)
    if args.chain_rule:
        return
    if args.replay is not None:
        if not (args.replay / "bad-step.json").is_file():
            raise UsageError(f"nothing to replay in {args.replay}: no step there had a loss or gradient gone wild")
    elif args.target is None:
        raise UsageError("cnnlab diagnose: give a network or a run folder, --replay RUN or --chain-rule; see --help")
    else:
        early.require_model_or_network(args.target)
        if args.settings and Path(args.target).is_dir():
            raise UsageError("--set is for a new network; a run keeps the options it was trained with")
        early.require_data(args.data)


def run(args: argparse.Namespace) -> int:
    """Diagnose, or show the chain rule."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.cli.train import set_threads

    out = console(json_output=args.json)
    set_threads(args.threads)
    if args.chain_rule:
        return _chain_rule(args, out)
    if args.replay is not None:
        return _replay(args, out)
    from cnnlab.explain.verdict import judge

    subject = _run_subject(args) if Path(args.target).is_dir() else _model_subject(args)
    trial = _try(subject, args)
    verdicts = judge(trial)
    problem = try_to_write(args.picture, lambda path: _draw(path, trial, subject.title))
    if args.json:
        print_json(with_problem(_as_json(args, subject, trial, verdicts), problem))
        return told(problem)
    _print_trial(out, subject, trial, verdicts, args)
    return told(problem)


# -- what is trained ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """A network, how it is updated, and the images it takes a few steps on."""

    title: str
    network: Network
    loss: LossFunction
    optimizers: list[torch.optim.Optimizer]
    part: Part
    preprocess: Preprocess
    num_classes: int
    device: torch.device


def _model_subject(args: argparse.Namespace) -> Subject:
    """A new network of the catalogue, as wide as the data has channels and classes."""
    import torch

    from cnnlab.cli.inspect import network_options
    from cnnlab.data.parts import in_memory
    from cnnlab.data.preprocess import measure, normalise
    from cnnlab.data.sources import load
    from cnnlab.data.synthetic import synthetic
    from cnnlab.explain.sample import sample
    from cnnlab.models.catalog import create_model, require_model
    from cnnlab.models.device import place_network, resolve_device
    from cnnlab.models.initialise import initialise
    from cnnlab.recipes.recipe import CrossEntropy, Sgd
    from cnnlab.train.losses import build_loss
    from cnnlab.train.optim import build_optimizers

    entry = require_model(args.target)
    count = _images_needed(args)
    parts = load(args.data, pixels=entry.pixels) if args.data else synthetic(count, 0, 0, min(entry.pixels, 512))
    train = in_memory(parts.train)
    preprocess = measure(train.images)
    torch.manual_seed(args.seed)
    num_classes = len(parts.class_names)
    options = network_options(args.target, args.settings)
    named = " ".join([args.target, *args.settings])
    shape = {"num_classes": num_classes, "in_channels": train.images.shape[1]}
    network = create_model(args.target, **{**shape, **options})
    initialise(network, args.init)
    if network.image_axes != 2:
        raise UsageError(f"{args.target} does not take images; diagnose knows data sets of images only")
    device = resolve_device(args.device)
    network = place_network(network, device)
    part = sample(train, count, preprocess, args.seed)
    network.calibrate(normalise(part.images.to(device), preprocess))
    lr = args.lr or LR
    return Subject(
        f"{named}, new weights ({args.init}), on {parts.name}; SGD with momentum 0.9, learning rate {lr:g}",
        network,
        build_loss(CrossEntropy()),
        build_optimizers(Sgd(lr=lr), network, decay_norms_and_biases=True),
        part,
        preprocess,
        num_classes,
        device,
    )


def _run_subject(args: argparse.Namespace) -> Subject:
    """A run's own weights, preprocessing, loss, optimizer and training images."""
    from statistics import median

    from cnnlab.evaluate.classifier import load, trained_on
    from cnnlab.evaluate.tested_on import load_for, part_of
    from cnnlab.explain.sample import sample
    from cnnlab.recipes import recipe as recipes
    from cnnlab.train.losses import build_loss
    from cnnlab.train.optim import build_optimizers, set_lr
    from cnnlab.train.record import read_records
    from cnnlab.types import Split

    folder = Path(args.target)
    classifier = load(folder, device=args.device)
    recipe = recipes.read(folder / "recipe.json")
    data = args.data or trained_on(folder)
    parts = load_for([classifier], data, splits=(Split.TRAIN,), keep_known=True)
    part = parts.train if len(parts.train) else part_of(parts, None, data)
    rates = [record["lr"] for record in read_records(folder) if record.get("lr")]
    lr = args.lr or (median(rates) if rates else recipe.optimizer.lr)
    optimizers = build_optimizers(
        recipe.optimizer,
        classifier.network,
        decay_norms_and_biases=recipe.decay_norms_and_biases,
        multiply=recipe.multiply,
    )
    set_lr(optimizers, lr / recipe.optimizer.lr)
    return Subject(
        f"{recipe.model} as trained in {folder}, on {parts.name}; {recipe.optimizer.kind}, learning rate {lr:g}",
        classifier.network,
        build_loss(recipe.loss, label_smoothing=recipe.label_smoothing),
        optimizers,
        sample(part, _images_needed(args), classifier.config.preprocess, args.seed),
        classifier.config.preprocess,
        len(parts.class_names),
        classifier.device,
    )


def _images_needed(args: argparse.Namespace) -> int:
    wanted: int = args.steps * args.batch_size
    return max(CHECKED_IMAGES, min(wanted, 10 * CHECKED_IMAGES))


def _try(subject: Subject, args: argparse.Namespace) -> Trial:
    """The watched steps, by cnnlab's own training step, without augmentation."""
    import torch

    from cnnlab.data.preprocess import normalise
    from cnnlab.explain.labels import check_labels
    from cnnlab.explain.trial import run_trial
    from cnnlab.models.precision import resolve_precision
    from cnnlab.train.step import Rule, plain_forward, train_step

    images = subject.part.images
    labels = subject.part.labels.to(subject.device)
    size = min(args.batch_size, len(labels))
    rule = Rule(subject.loss, resolve_precision("fp32", subject.device))
    scaler = rule.precision.scaler()
    network = subject.network.train()

    def take_step(step: int) -> tuple[float, float]:
        chosen = (torch.arange(size) + step * size) % len(images)
        batch = normalise(images[chosen].to(subject.device), subject.preprocess)
        torch.manual_seed(args.seed + step)  # dropout
        result = train_step(network, plain_forward(network), batch, labels[chosen], subject.optimizers, scaler, rule)
        return result.loss_of_update, result.correct / size

    checked = check_labels(normalise(images[:CHECKED_IMAGES], subject.preprocess), subject.part.labels[:CHECKED_IMAGES])
    every = max(1, args.steps // 20)
    return run_trial(network, take_step, steps=args.steps, num_classes=subject.num_classes, labels=checked, every=every)


# -- what is shown -----------------------------------------------------------------------------------------------


def _draw(path: Path, trial: Trial, title: str) -> None:
    from cnnlab.explain.flow_pictures import flow_picture
    from cnnlab.explain.pictures import save

    save(flow_picture(trial.flows, title=title), path)


def _as_json(args: argparse.Namespace, subject: Subject, trial: Trial, verdicts: list[Verdict]) -> dict[str, Any]:
    from dataclasses import asdict

    from cnnlab.explain.flow import to_dict
    from cnnlab.explain.trial import measure

    found: dict[str, Any] = _finite(
        {
            "target": args.target,
            "title": subject.title,
            "verdicts": [asdict(each) for each in verdicts],
            "losses": trial.losses,
            "top1": trial.top1,
            "measures": asdict(measure(trial)),
            "flows": [to_dict(each) for each in trial.flows],
            "picture": str(args.picture) if args.picture else None,
        }
    )
    return found


def _finite(value: Any) -> Any:
    """The same values with None in place of numbers that JSON does not know."""
    import math

    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_trial(
    out: Console, subject: Subject, trial: Trial, verdicts: list[Verdict], args: argparse.Namespace
) -> None:
    first, last = trial.flows[0], trial.flows[-1]
    out.print(subject.title, markup=False)
    out.print(
        f"loss {trial.losses[0]:.3f} to {trial.losses[-1]:.3f} in {len(trial.losses)} steps of "
        f"{min(args.batch_size, len(subject.part))} images; below: step {last.step}",
        markup=False,
    )
    _print_layers(out, last, everything=args.all)
    _print_parts(out, last, everything=args.all)
    out.print("gradient norm by depth, first layer on the left, gates left out:")
    for flow in (first, last)[: len(trial.flows)]:
        out.print(f"  step {flow.step:>4}  {strip([each.gradient_norm for each in flow.without_gates])}")
    out.print()
    for verdict in verdicts:
        out.print(f"[bold red]{verdict.ailment}[/bold red]")
        out.print(f"  evidence: {verdict.evidence}\n  remedy:   {verdict.remedy}", markup=False)
    if not verdicts:
        out.print("[bold green]nothing wrong found[/bold green]")
    if args.picture is not None:
        out.print(f"picture: {args.picture}", markup=False)


def strip(values: list[float], most: int = 60) -> str:
    """Positive numbers as bars of their logarithms, the smallest and the largest named."""
    import math

    logs = [math.log10(min(max(each, 1e-30), 1e30)) if each == each else 30.0 for each in values]
    step = max(1, math.ceil(len(logs) / most))
    low, high = min(logs), max(logs)
    bars = (BLOCKS[min(7, int(8 * (log - low) / max(high - low, 1.0)))] for log in logs[::step])
    return f"{''.join(bars)}  {10**low:.0e} to {10**high:.0e}"


def _print_layers(out: Console, flow: StepFlow, *, everything: bool) -> None:
    from rich.markup import escape

    from cnnlab.cli.console import table

    layers = list(flow.layers) if everything else flow.without_gates
    every = 1 if everything else max(1, -(-len(layers) // MOST_ROWS))
    made = table("layer", "kind", "then", "gradient", "weight", "update/weight", "mean", "deviation", "differs", "dead",
                 "saturated", optional=("then", "mean", "deviation", "kind"))  # fmt: skip
    for column in made.columns[3:]:
        column.justify = "right"
    for layer in layers[::every]:
        made.add_row(*map(escape, _cells(layer)))
    out.print(made)
    if len(layers[::every]) < len(flow.layers):
        out.print(f"{len(layers[::every])} of {len(flow.layers)} layers; --all shows all")


def _cells(layer: LayerFlow) -> tuple[str, ...]:
    return (
        layer.name,
        layer.kind,
        layer.activation,
        f"{layer.gradient_norm:.1e}",
        f"{layer.weight_norm:.3g}",
        f"{layer.update_ratio:.1e}",
        f"{layer.mean:.2g}",
        f"{layer.deviation:.2g}",
        f"{layer.variation:.0%}",
        f"{layer.dead:.0%}" if layer.activation == "relu" else "",
        f"{layer.saturated:.0%}" if layer.activation in ("sigmoid", "tanh") else "",
    )


def _print_parts(out: Console, flow: StepFlow, *, everything: bool) -> None:
    """Blocks, gates and norms: a line each kind, or with `everything` a line each."""
    ratios = {each.name: each.branch / max(each.shortcut, 1e-30) for each in flow.blocks}
    kinds = {
        "residual blocks, branch over shortcut": ratios,
        "highway gates, openness": {each.name: each.openness for each in flow.gates},
        "batch norms, drift of the mean in running deviations": {each.name: each.mean_drift for each in flow.norms},
    }
    for title, values in kinds.items():
        if values:
            out.print(f"{len(values)} {title}: {min(values.values()):.2g} to {max(values.values()):.2g}")
        for name, value in values.items() if everything else ():
            out.print(f"  {name}: {value:.3g}", markup=False)


# -- a bad step taken again --------------------------------------------------------------------------------------


def _replay(args: argparse.Namespace, out: Console) -> int:
    from dataclasses import asdict

    from cnnlab.cli.console import print_json, watch_for
    from cnnlab.train.replay import replay

    found = replay(args.replay, watch=watch_for(out))
    if args.json:
        print_json(_finite({"run": str(args.replay), **asdict(found)}))
        return 0
    out.print(f"step {found.step} of {args.replay}: {found.wrong}", markup=False)
    out.print(f"its images: {', '.join(found.names)}", markup=False)
    if found.where is None:
        out.print(f"taken again, all values are finite: loss {found.loss:.4g}, gradient {found.gradient_norm or 0:.3g}")
    else:
        first = f"in the {found.where}{f' of {found.name}' if found.name else ''}"
        out.print(f"taken again, the first value that is no number is {first}", markup=False)
    return 0


# -- the chain rule ----------------------------------------------------------------------------------------------


def _chain_rule(args: argparse.Namespace, out: Console) -> int:
    from dataclasses import asdict

    from cnnlab.cli.console import print_json
    from cnnlab.explain.chain_rule import all_chains

    chains = all_chains(depth=args.depth, weight=args.weight)
    if args.picture is not None:
        from cnnlab.explain.flow_pictures import chain_picture
        from cnnlab.explain.pictures import save

        save(chain_picture(chains), args.picture)
    if args.json:
        told = {"depth": args.depth, "weight": args.weight, "picture": str(args.picture) if args.picture else None}
        print_json(_finite({**told, "chains": [asdict(each) for each in chains]}))
        return 0
    out.print(
        f"one neuron a layer, weight {args.weight:g}, bias 0, input 0.5: derivative of the output by the input, "
        "the product of one factor a layer"
    )
    _print_chains(out, chains, args.depth)
    if args.picture is not None:
        out.print(f"picture: {args.picture}", markup=False)
    return 0


def _print_chains(out: Console, chains: list[Chain], depth: int) -> None:
    from cnnlab.cli.console import table

    made = table("depth", *(f"{each.activation}{' + shortcut' if each.shortcut else ''}" for each in chains))
    for column in made.columns:
        column.justify = "right"
    for row in sorted({1, 2, 5, 10, 20, 50, 100, depth}):
        if row <= depth:
            made.add_row(str(row), *(f"{each.products[row - 1]:.3g}" for each in chains))
    out.print(made)
