"""Write what a named layer makes of images: one row an image, as .npy or .parquet."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output
from cnnlab.cli.parser import add_device, add_json
from cnnlab.cli.strangers import RUN_HELP, add_file_flags, check_file_flags, opened
from cnnlab.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.evaluate.classifier import Classifier
    from cnnlab.explain.embed import Pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab features` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("source", metavar="SRC", help="a data set, a folder of one class or of classes, an image file")
    parser.add_argument("--split", metavar="NAME", help="of divided data: train, val (default) or test")
    parser.add_argument("--layer", default="pooled", metavar="NAME", help="see cnnlab inspect summary (default pooled)")
    parser.add_argument("--places", action="store_true", help="keep maps (C, H, W); default: their mean, (C,)")
    parser.add_argument(
        "--out", type=Path, default=Path("features.npy"), metavar="FILE", help=".npy (default features.npy) or .parquet"
    )
    add_file_flags(parser)
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_networks([args.run])
    check_file_flags(args, args.run)
    early.require_split(args.split)
    require_output("--out", args.out, (".npy", ".parquet"))
    if args.out.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install pyarrow; or use .npy")
    if not Path(args.source).exists():
        early.require_data(args.source)


def run(args: argparse.Namespace) -> int:
    """Run the images and write their rows; files that cannot be read are named."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.errors import ImageError
    from cnnlab.explain.embed import features
    from cnnlab.explain.tables import write_npy, write_parquet

    set_threads(args.threads)
    classifier = opened(args, args.run)
    images = open_source(classifier, args.source, args.split, why="cnnlab features")
    found = features(
        classifier.network,
        images.read,
        len(images.names),
        classifier.config.preprocess,
        layer=args.layer,
        places=args.places,
        device=classifier.device,
    )
    if not len(found.values):
        raise ImageError(f"none of {len(images.names)} images could be read: {found.refused[0][1]}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write = write_parquet if args.out.suffix.lower() == ".parquet" else write_npy
    written = write(args.out, found, images.names, images.labels)
    told: dict[str, Any] = {
        "run": str(args.run),
        "layer": args.layer,
        "shape": list(found.values.shape),
        "files": [str(path) for path in written],
        "refused": [{"path": images.names[index], "reason": reason} for index, reason in found.refused],
        "left_out": list(images.notes),
    }
    if args.json:
        print_json(told)
        return ImageError.exit_code if found.refused else 0
    out = console(json_output=False)
    out.print(f"{' x '.join(map(str, told['shape']))} of {args.layer} -> {', '.join(told['files'])}", markup=False)
    for note in images.notes:
        out.print(f"note: {note}", markup=False)
    for bad in told["refused"]:
        out.print(f"refused: {bad['reason']}", markup=False)
    return ImageError.exit_code if found.refused else 0


@dataclass(frozen=True)
class Images:
    """Images to run: how to read each, what each is called, and its class where that is known."""

    read: Callable[[int], Pixels]
    names: list[str]
    labels: list[str | None]
    notes: tuple[str, ...] = ()


def open_source(classifier: Classifier, source: str, split: str | None, *, why: str) -> Images:
    """The images of a data set's part, a file or a folder; a reading of the run's test part is recorded with `why`."""
    from cnnlab.data.decode import decode_file, printable
    from cnnlab.data.named import is_name
    from cnnlab.data.parts import name_of, photos_of
    from cnnlab.evaluate.classifier import record_test_read
    from cnnlab.evaluate.predict import original_image
    from cnnlab.evaluate.predictions import find_images
    from cnnlab.evaluate.tested_on import load_for, part_of, require_split
    from cnnlab.types import Split

    known = classifier.config.labels.names
    if not is_name(source) and not _is_labelled(classifier, source):
        found = find_images([Path(source)])
        paths = found.files
        names = [printable(str(each)) for each in paths]
        return Images(lambda index: decode_file(paths[index]), names, [None] * len(paths), found.notes)
    if split is not None:
        require_split(split)
    parts = load_for([classifier], source, keep_known=True)
    chosen = Split(split or (Split.VAL if len(parts.val) else Split.TEST))
    part = part_of(parts, chosen, source)
    if chosen is Split.TEST and classifier.folder is not None:
        record_test_read(classifier.folder, "features", len(part), why)
    labels: list[str | None] = [known[label] for label in part.labels.tolist()]
    files = photos_of(part)
    every = range(len(part))
    names = [f"{source}/{chosen}/{index}" if files is None else name_of(part, index) for index in every]
    return Images(lambda index: original_image(part, index), names, labels, parts.notes)


def _is_labelled(classifier: Classifier, source: str) -> bool:
    """Whether a path is what the run was trained on, or a folder of the classes that the network knows."""
    from cnnlab.data.division import read_division
    from cnnlab.evaluate.tested_on import own_division

    division = None if classifier.folder is None else read_division(classifier.folder)
    if division is not None and own_division(division, source) is not None:
        return True
    return _has_classes(Path(source), classifier.config.labels.names)


def _has_classes(folder: Path, names: tuple[str, ...]) -> bool:
    """Whether a folder is laid out by the classes `names`, divided into train, val and test or not."""
    return any((place / name).is_dir() for place in (folder, folder / "train") for name in names)
