"""Show where a trained network looked: a picture of each image with a heat map and the classes' probabilities."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output_folder
from cnnlab.cli.parser import add_device, add_json, one_of
from cnnlab.cli.strangers import RUN_HELP, add_file_flags, check_file_flags, opened
from cnnlab.errors import UsageError
from cnnlab.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnlab.evaluate.classifier import Classifier
    from cnnlab.explain.methods import Explanation, Method

METHODS = ("grad-cam", "grad-cam++", "layer-cam", "integrated-gradients", "gradient", "occlusion", "all")
TOP = 5
_STEM_BYTES = 200  # of a picture's name, which has the method and a number behind it: systems take 255


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab explain` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files")
    parser.add_argument(
        "--method",
        type=one_of("method", METHODS),
        default="grad-cam",
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default grad-cam)",
    )
    parser.add_argument("--layer", metavar="NAME", help="for the CAM methods (default: the last maps that tell places)")
    parser.add_argument("--target", metavar="CLASS", help="a class, by name (default: the most probable one)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")
    parser.add_argument(
        "--sanity", action="store_true", help="also say how much the map changes where the weights are random"
    )
    add_file_flags(parser)
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_networks([args.run])
    check_file_flags(args, args.run)
    if folders := [path for path in args.images if path.is_dir()]:
        shown = printable(str(folders[0]))
        raise UsageError(f"{shown} is a folder; explain draws a picture for each photo: name them, as in {shown}/*.jpg")
    early.require_files(args.images)
    require_output_folder("--out", args.out)


def run(args: argparse.Namespace) -> int:
    """Explain; files that cannot be read are named, the others explained."""
    from cnnlab.cli.console import console, percent, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.errors import ImageError

    set_threads(args.threads)
    classifier = opened(args, args.run)
    out = console(json_output=args.json)
    found: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for path, name in zip(args.images, picture_names(args.images), strict=True):
        try:
            found.append(_explain(classifier, path, args.out / f"{name}-{args.method}.png", args))
        except ImageError as error:
            refused.append({"path": str(path), "reason": str(error)})
    if args.json:
        print_json({"run": str(args.run), "method": args.method, "explained": found, "refused": refused})
        return ImageError.exit_code if refused else 0
    for each in found:
        out.print(
            f"{printable(each['path'])}: {each['class']} {percent(each['probability'])} -> {each['picture']}",
            markup=False,
        )
        if note := _why_other(each):
            out.print(f"  {note}", markup=False)
        if args.sanity:
            out.print(f"  {each['sanity_text']}", markup=False)
    for bad in refused:
        out.print(f"refused: {bad['reason']}", markup=False)
    return ImageError.exit_code if refused else 0


def picture_names(paths: Iterable[Path]) -> list[str]:
    """The name of each image without its ending, numbered from 2 on where it is taken: x, y, x-2."""
    names: dict[str, str] = {}  # by what a file system that ignores case holds them to be
    for path in paths:
        stem = printable(path.stem).encode()[:_STEM_BYTES].decode(errors="ignore")
        number, name = 1, stem
        while name.casefold() in names:
            number += 1
            name = f"{stem}-{number}"
        names[name.casefold()] = name
    return list(names.values())


def _explain(classifier: Classifier, path: Path, picture: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One image's picture, and what it shows as plain values."""
    from cnnlab.data.decode import decode_file
    from cnnlab.data.preprocess import normalise
    from cnnlab.explain.embed import ready
    from cnnlab.explain.methods import Method, explain

    answer = _answer(classifier, path)
    seen = ready(decode_file(path), classifier.config.preprocess)
    image = normalise(seen[None].to(classifier.device), classifier.config.preprocess)[0]
    names = classifier.config.labels.names
    target = _class_number(next(iter(answer)) if args.target is None else args.target, names)
    methods = [Method(each) for each in METHODS if each != "all" and args.method in (each, "all")]
    found = explain(classifier.network, image, methods=methods, target=target, layer=args.layer)
    told: dict[str, Any] = {
        "path": str(path),
        "class": names[found.target],
        "probability": answer[names[found.target]],
        "protocol": classifier.config.protocol,
        "one_view": float(found.probabilities[found.target]),
        "layer": found.layer,
        "probabilities": dict(list(answer.items())[:TOP]),
    }
    told["picture"] = str(_draw(seen, told, found, picture))
    return {**told, **(_sanity(classifier, image, found, methods[0]) if args.sanity else {})}


def _answer(classifier: Classifier, path: Path) -> dict[str, float]:
    """What `cnnlab predict` says of an image, by the run's own protocol: every class's probability, highest first."""
    from cnnlab.errors import ImageError

    [found] = classifier.predict_files([path], len(classifier.config.labels.names))
    if isinstance(found, ImageError):
        raise found
    return dict(zip(found.names, found.probabilities, strict=True))


def _why_other(told: dict[str, Any]) -> str | None:
    """Why the map is of a slightly other answer: it explains one view, where the protocol averages several."""
    if abs(told["one_view"] - told["probability"]) < 0.00005:
        return None
    return f"protocol {told['protocol']} averages views; the map is of one alone, which says {told['one_view']:.2%}"


def _draw(seen: Tensor, told: dict[str, Any], found: Explanation, path: Path) -> Path:
    from cnnlab.explain.pictures import overlay, save

    image = seen.permute(1, 2, 0).numpy()
    figure = overlay(
        image.repeat(3, axis=2) if image.shape[2] == 1 else image,
        {caption: heat.numpy() for caption, heat in found.heats.items()},
        title=f"{Path(told['path']).name}: why {told['class']} ({100 * told['probability']:.1f}%)?",
        probabilities=told["probabilities"],
        target=told["class"],
    )
    return save(figure, path)


def _sanity(classifier: Classifier, image: Tensor, found: Explanation, method: Method) -> dict[str, Any]:
    import torch

    from cnnlab.explain.sanity import LEARNED, sanity

    targets = torch.tensor([found.target], device=image.device)
    rows = sanity(classifier.network, image[None], targets, method=method, layer=found.layer)
    last = rows[-1][1]
    learned = "it depends on what was learned" if abs(last) < LEARNED else "it does not depend on what was learned"
    text = f"sanity: with all {len(rows)} layers random, the map's rank correlation is {last:+.2f}; {learned}"
    return {"sanity": [{"layer": name, "correlation": value} for name, value in rows], "sanity_text": text}


def _class_number(name: str, names: tuple[str, ...]) -> int:
    from cnnlab.errors import unknown_name

    if name in names:
        return names.index(name)
    raise unknown_name("class", name, names)
