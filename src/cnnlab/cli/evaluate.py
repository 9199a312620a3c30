"""Test a trained network, or several that answer together, by the protocols of the papers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import PAGE, require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, add_out
from cnnlab.cli.strangers import RUN_HELP, add_file_flags, check_file_flags, opened
from cnnlab.cli.train import set_threads, share
from cnnlab.errors import UsageError, command
from cnnlab.evaluate.locate import HELD_BY_RUNS, is_published

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.data.parts import Part, Parts
    from cnnlab.data.photos import Photos
    from cnnlab.evaluate.classifier import Classifier
    from cnnlab.types import Split

Row = dict[str, Any]

SHOWN_CONFUSIONS = 10
SHOWN_MISTAKES = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab eval` takes."""
    add = parser.add_argument
    add("run", metavar="RUN", help=f"{RUN_HELP}, such as resnet50")
    add(
        "others",
        nargs="*",
        metavar="RUN|DATA",
        help="more runs, to answer together with the first; then a data set or a folder (default: the run's own)",
    )
    add(
        "--protocol",
        action="append",
        metavar="NAME[,NAME…]",
        help="center, flip, shift6, shift18, 10crop, 12crop, 144crop, 150crop, dense, multiscale, multiscale_fixed, "
        "multiscale_resnet or 320; a row each (default: the run's own)",
    )
    add("--snapshots", action="store_true", help="let the checkpoints that each run keeps answer together")
    add("--fast", action="store_true", help="fold norms and pack filters first; answers are equal but for rounding")
    add("--per-class", action="store_true", help="precision, recall, F1 and AUC of each class, and what is mistaken")
    add("--calibration", action="store_true", help="how far probabilities can be believed, before and after scaling")
    add_out(parser, "--report", metavar="FILE", help="write all of it as an HTML page too, class by class")
    add("--split", metavar="NAME", help="train, val or test (default: test, or val where there is no test part)")
    add("--skip-unknown", action="store_true", help="leave out images of classes that the network does not know")
    add(
        "--max-bad", type=share, default=0.01, metavar="F", help="share of unreadable images to let pass (default 0.01)"
    )
    add("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set")
    add_file_flags(parser)
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_split(args.split)
    early.require_protocols(name for given in args.protocol or () for name in given.split(","))
    early.require_networks([args.run])
    check_file_flags(args, args.run)
    folders, data = runs_and_data(args.run, args.others)
    early.require_networks(folders)
    if data is None and not all(each.exists() for each in folders):
        _own_data(folders)
    early.require_data(data, args.data_folder)
    require_output("--out", args.report, PAGE)


def run(args: argparse.Namespace) -> int:
    """Test as the arguments say."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.evaluate.examine import require_protocol
    from cnnlab.evaluate.predict import original_image
    from cnnlab.evaluate.protocols import get_protocol
    from cnnlab.evaluate.tested_on import part_of, require_split, split_there
    from cnnlab.report.eval_page import eval_page
    from cnnlab.report.page import write_page
    from cnnlab.types import Split

    set_threads(args.threads)
    folders, data = runs_and_data(args.run, args.others)
    if args.split is not None:
        require_split(args.split)
    members = [opened(args, folder, data) for folder in folders]
    members = [each for member in members for each in _snapshots(member)] if args.snapshots else members
    members = [each.optimised() for each in members] if args.fast else members
    names = [name for given in args.protocol or [members[0].config.protocol] for name in given.split(",")]
    rules = [get_protocol(name) for name in names]
    data = data or _own_data(folders)
    parts = _parts(members, data, args)
    split = Split(args.split or split_there(parts))
    part = part_of(parts, split, data)
    for rule in rules[1:]:  # before the first of them has read an image
        require_protocol(members, rule, part)
    asked = Asked(data, parts, split, part, _fitted(members, parts, args))
    rows = [_row(members, asked, rule.name, args) for rule in rules]
    shared = {"run": str(folders[0]), "runs": list(map(str, folders)), "data": data, "split": str(split)}
    shared["part"] = asked.words
    record = {**shared, "members": len(members), **rows[0], **({"protocols": rows} if len(rows) > 1 else {})}
    images = {each["index"]: original_image(part, each["index"]) for each in rows[0].get("mistakes", ()) if args.report}
    problem = try_to_write(args.report, lambda path: write_page(path, eval_page(record, images, path.parent)))
    if args.json:
        print_json(with_problem(record, problem))
    else:
        _tell(console(json_output=False), members, asked, shared, rows)
    return told(problem)


@dataclass(frozen=True)
class Asked:
    """What is tested on: the data as it was named, its parts, and the one that was asked for.

    `fitted` has the validation images that a temperature is fitted on: the run's own where the data has none.
    """

    data: str
    parts: Parts
    split: Split
    part: Part | Photos
    fitted: Parts

    @property
    def words(self) -> str:
        """Which images these are: a part of divided data, or all there are."""
        whole = not len(self.parts.train) and not len(self.parts.val)
        return f"{'all' if whole else f'the {self.split} part'} of {self.data}"


def _parts(members: Sequence[Classifier], data: str, args: argparse.Namespace) -> Parts:
    """The parts of the data that the members may be tested on."""
    from cnnlab.evaluate.tested_on import load_for
    from cnnlab.types import Split

    splits = None if args.split is None else (Split(args.split),)
    how: dict[str, Any] = {"folder": args.data_folder, "max_bad": args.max_bad}
    return load_for(members, data, splits=splits, skip_unknown=args.skip_unknown, **how)


def _fitted(members: Sequence[Classifier], parts: Parts, args: argparse.Namespace) -> Parts:
    """The parts whose validation images a temperature is fitted on."""
    from cnnlab.evaluate.classifier import trained_on
    from cnnlab.evaluate.tested_on import load_for
    from cnnlab.types import Split

    run = members[0].folder
    if not args.calibration or len(parts.val) or run is None or not (run / "settings.json").is_file():
        return parts
    return load_for(members, trained_on(run), splits=(Split.VAL,), folder=args.data_folder, max_bad=args.max_bad)


def runs_and_data(run: str, others: Sequence[str]) -> tuple[list[Path], str | None]:
    """Tell runs from data: a run or a bundle is a folder with its files, and data comes last.

    Raises:
        UsageError: something before the last path is neither.
    """
    runs, data = list(others), None
    if others and not _is_run(Path(others[-1])):
        *runs, data = others
    for path in runs:
        if not _is_run(Path(path)):
            raise UsageError(f"{path} holds no trained network; give the runs first, then one data set or folder")
    return [Path(run), *map(Path, runs)], data


def _is_run(path: Path) -> bool:
    published = not path.exists() and is_published(str(path))
    return published or any((path / name).is_file() for name in HELD_BY_RUNS)


def _own_data(folders: Sequence[Path]) -> str:
    found = list(dict.fromkeys(_trained_on(folder) for folder in folders))
    if len(found) > 1:
        raise UsageError(
            f"the runs were trained on {' and on '.join(found)}; name the data last: cnnlab eval RUN RUN DATA"
        )
    return found[0]


def _trained_on(source: Path) -> str:
    from cnnlab.models.official_weights import find_weights

    if source.exists():
        from cnnlab.evaluate.classifier import trained_on

        return trained_on(source)
    data = find_weights(str(source)).trained_on
    if data == "imagenet":
        raise UsageError(
            f"{source} was trained on ImageNet; name your copy of it: {command('eval', source, 'imagenet/')}"
        )
    return data


def _snapshots(member: Classifier) -> list[Classifier]:
    """The run's kept checkpoints, the averaged weights where there are such, each as a classifier."""
    from cnnlab.evaluate.examine import with_weights
    from cnnlab.train import checkpoint

    if member.folder is None:
        raise UsageError("published weights are one network; --snapshots is for runs, which keep checkpoints")
    kept = checkpoint.list_checkpoints(member.folder / "checkpoints")
    if not kept:
        raise UsageError(f"{member.folder} keeps no checkpoints; test it without --snapshots")
    return [with_weights(member, checkpoint.load(each).tested_weights) for each in kept]


def _row(
    members: Sequence[Classifier],
    asked: Asked,
    protocol: str,
    args: argparse.Namespace,
) -> Row:
    """One protocol's figures, as plain values."""
    from dataclasses import asdict

    from cnnlab.data.photos import Photos
    from cnnlab.evaluate.answers import mistakes
    from cnnlab.evaluate.calibration import calibrate, judge, judge_in_halves
    from cnnlab.evaluate.examine import examine
    from cnnlab.evaluate.metrics import averages, class_metrics, confusion_matrix

    parts, part, fitted = asked.parts, asked.part, asked.fitted
    temperature = None  # no image both fits a temperature and judges it
    if args.calibration and part is not fitted.val:
        temperature = calibrate(members, fitted.val, fitted.name, protocol, max_bad=args.max_bad)
    why = command("eval", asked.data)
    tested, outcome = examine(members, part, protocol=protocol, split=asked.split, why=why, max_bad=args.max_bad)
    notes = (*parts.notes, *tested.notes, *(part.damaged.notes if isinstance(part, Photos) else ()))
    row: Row = {**asdict(tested), "notes": notes, "seconds_per_image": tested.seconds / max(1, tested.images)}
    if args.per_class or args.report:
        classes = class_metrics(outcome.probabilities, outcome.labels)
        named = zip(parts.class_names, classes, strict=True)
        row["per_class"] = [{"name": name, **asdict(each)} for name, each in named]
        row["averages"] = {name: asdict(each) for name, each in averages(classes).items()}
        row["confusion"] = confusion_matrix(outcome.probabilities, outcome.labels).tolist()
        row["mistakes"] = [asdict(each) for each in mistakes(outcome, part, parts.class_names, SHOWN_MISTAKES)]
    if args.calibration:
        row["calibration"] = asdict(judge_in_halves(outcome) if temperature is None else judge(temperature, outcome))
    return row


# -- for people ------------------------------------------------------------------------------------------------


def _tell(out: Console, members: Sequence[Classifier], asked: Asked, shared: Row, rows: Sequence[Row]) -> None:
    from cnnlab.cli.console import macs, percent, table

    who = f"an ensemble of {len(members)}" if len(members) > 1 else shared["run"]
    out.print(f"{who} on {asked.words}: {rows[0]['images']:,} images", markup=False)
    for note in rows[0]["notes"]:
        out.print(note, markup=False)
    titles = ("protocol", "accuracy", "95% interval", "top-5", "loss", "views", "MACs/image", "ms/image")
    made = table(*titles, optional=("loss", "top-5", "ms/image"))
    for column in made.columns[1:]:
        column.justify = "right"
    for row in rows:
        low, high = map(percent, row["interval95"])
        cost = (macs(row["macs"]), f"{1000 * row['seconds_per_image']:.3g}")
        figures = (percent(row["top1"]), f"{low} to {high}", percent(row["top5"]), f"{row['loss']:.3f}")
        made.add_row(row["protocol"], *figures, str(row["views"]), *cost)
    out.print(made)
    for row in rows:
        _tell_more(out, members[0], row, asked.parts.class_names)


def _tell_more(out: Console, member: Classifier, row: Row, class_names: Sequence[str]) -> None:
    from cnnlab.cli.console import percent

    for line in _notes(member, row["protocol"]):
        out.print(line, markup=False)
    for each in row["skipped"]:
        out.print(f"left out: {each}", markup=False)
    if "calibration" in row:
        found = row["calibration"]
        before, after = (
            f"NLL {each['nll']:z.3f}, Brier {each['brier']:z.3f}, ECE {percent(each['ece'])}"
            for each in (found["before"], found["after"])
        )
        out.print(f"{row['protocol']}, probabilities as they are: {before}")
        out.print(
            f"{row['protocol']}, at temperature {found['temperature']:.3f}, fitted on {found['fitted_on']}: {after}"
        )
    if "per_class" in row:
        _tell_classes(out, row, class_names)


def _notes(member: Classifier, protocol: str) -> list[str]:
    """What a reader of the figures must know of how the views were made."""
    from cnnlab.evaluate.protocols import PAPER_CROP, get_protocol, shorter_sides

    rule, preprocess = get_protocol(protocol), member.config.preprocess
    notes = [f"{protocol}: {rule.note}"] if rule.note else []
    if not rule.keeps_to_the_crop and preprocess.crop_pixels != PAPER_CROP:
        sides = ", ".join(map(str, shorter_sides(rule, preprocess)))
        notes.append(
            f"{protocol}: shorter side {sides}, the papers' in proportion: "
            f"this network was trained on crops of {preprocess.crop_pixels} pixels, theirs on {PAPER_CROP}"
        )
    if rule.dense:
        notes.append(f"{protocol}: MACs of a square image; longer ones cost more")
    return notes


def _tell_classes(out: Console, row: Row, class_names: Sequence[str]) -> None:
    from rich.text import Text

    from cnnlab.cli.console import percent, table
    from cnnlab.evaluate.class_match import some_names

    out.print()
    made = table(f"class ({row['protocol']})", "images", "precision", "recall", "F1", "AUC")
    for column in made.columns[1:]:
        column.justify = "right"
    for each in (*row["per_class"], *({"name": f"{name} mean", **mean} for name, mean in row["averages"].items())):
        auc = "–" if each["auc"] is None else f"{each['auc']:.4f}"
        shares = ("–" if each[name] is None else percent(each[name]) for name in ("precision", "recall", "f1"))
        made.add_row(Text(each["name"]), f"{each['images']:,}", *shares, auc)
    out.print(made)
    if empty := [each["name"] for each in row["per_class"] if not each["images"]]:
        out.print(f"the means leave out classes without images here: {some_names(empty)}", markup=False)
    confusions = sorted(
        ((count, label, guess) for label, counts in enumerate(row["confusion"]) for guess, count in enumerate(counts)),
        reverse=True,
    )
    for count, label, guess in [each for each in confusions if each[0] and each[1] != each[2]][:SHOWN_CONFUSIONS]:
        out.print(f"{class_names[label]} taken for {class_names[guess]}: {count:,}", markup=False)
    for each in row["mistakes"][:SHOWN_CONFUSIONS]:
        said = f"{each['name']}: {each['label']} taken for {each['guess']}, {percent(each['confidence'])} sure"
        out.print(said, markup=False)
