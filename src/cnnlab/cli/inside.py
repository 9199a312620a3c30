"""`cnnlab inspect filters|maps|embed`: first-layer filters, feature maps, embeddings, as pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import PICTURE, require_output
from cnnlab.errors import UsageError, command
from cnnlab.evaluate.locate import require_trained

if TYPE_CHECKING:
    from cnnlab.evaluate.classifier import Classifier

ACTIONS = ("filters", "maps", "embed")
MOST_MAPS = 64
MOST_IMAGES = 2_000  # of an embedding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only these actions take."""
    parser.add_argument("source", nargs="?", metavar="SRC", help="maps: an image; embed: a data set (default: its own)")
    parser.add_argument("--layer", metavar="NAME", help="maps, embed: a named layer or a module (embed: pooled)")
    parser.add_argument("--tsne", action="store_true", help="embed: t-SNE in place of the two principal components")
    parser.add_argument("--split", metavar="NAME", help="embed: train, val (default) or test")


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    require_output("--out", args.out, PICTURE)
    if not Path(args.name).is_dir():
        raise UsageError(f"{args.name} is not a run folder; inspect {args.action} needs one, as cnnlab train makes it")
    require_trained(Path(args.name))
    if args.action == "maps":
        if args.source is None:
            raise UsageError(f"inspect maps needs an image: {command('inspect', 'maps', args.name, 'photo.jpg')}")
        early.require_files([Path(args.source)])
    early.require_split(args.split)


def run(args: argparse.Namespace, picture: Path | None) -> int:
    """Draw one of the pictures from a run's network, to `picture` or a file here named for the action."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.evaluate.pretrained import load

    classifier = load(args.name)
    path = picture or Path(f"{args.action}.png")
    draw = {"filters": _filters, "maps": _maps, "embed": _embed}[args.action]
    told = {"run": args.name, "picture": str(path), **draw(classifier, args, path)}
    if args.json:
        print_json(told)
        return 0
    console(json_output=False).print(f"{told['text']} -> {path}", markup=False)
    return 0


def _filters(classifier: Classifier, args: argparse.Namespace, path: Path) -> dict[str, Any]:
    from cnnlab.explain.layers import first_filters
    from cnnlab.explain.pictures import filters, save

    name, weights = first_filters(classifier.network)
    text = f"{len(weights)} filters of {name}, {weights.shape[2]}x{weights.shape[3]}"
    save(filters(weights.numpy(), title=f"{classifier.config.architecture}: {text}"), path)
    return {"layer": name, "shape": list(weights.shape), "text": text}


def _maps(classifier: Classifier, args: argparse.Namespace, path: Path) -> dict[str, Any]:
    from cnnlab.data.decode import decode_file
    from cnnlab.explain.embed import features
    from cnnlab.explain.layers import default_layer
    from cnnlab.explain.pictures import maps, save

    image = decode_file(Path(args.source))
    preprocess = classifier.config.preprocess
    pixels = preprocess.crop_pixels or min(image.shape[:2])
    layer = args.layer or default_layer(classifier.network, (pixels, pixels))
    found = features(
        classifier.network, lambda _: image, 1, preprocess, layer=layer, places=True, device=classifier.device
    )
    values = found.values[0]
    if values.ndim != 3:
        raise UsageError(f"layer {layer!r} gives {tuple(values.shape)}; maps need channels and places, (C, H, W)")
    text = f"{min(len(values), MOST_MAPS)} of {len(values)} maps of {layer}, {values.shape[1]}x{values.shape[2]}"
    save(maps(values[:MOST_MAPS].numpy(), title=f"{Path(args.source).name}: {text}"), path)
    return {"layer": layer, "shape": list(values.shape), "text": text}


def _embed(classifier: Classifier, args: argparse.Namespace, path: Path) -> dict[str, Any]:
    import torch

    from cnnlab.cli.features import open_source
    from cnnlab.evaluate.classifier import trained_on
    from cnnlab.explain.embed import features, neighbours, principal_components
    from cnnlab.explain.pictures import save, scatter

    images = open_source(classifier, args.source or trained_on(Path(args.name)), args.split, why="cnnlab inspect embed")
    chosen = torch.randperm(len(images.names), generator=torch.Generator().manual_seed(0))[:MOST_IMAGES].tolist()
    layer = args.layer or "pooled"
    found = features(
        classifier.network,
        lambda index: images.read(chosen[index]),
        len(chosen),
        classifier.config.preprocess,
        layer=layer,
        device=classifier.device,
    )
    if args.tsne:
        points, how = neighbours(found.values), "t-SNE"
    else:
        points, shares = principal_components(found.values)
        how = f"two principal components, {float(shares.sum()):.0%} of the variance"
    labels = [images.labels[chosen[index]] or "unknown" for index in found.indices.tolist()]
    names = tuple(dict.fromkeys((*classifier.config.labels.names, *labels)))
    numbers = [names.index(label) for label in labels]
    text = f"{len(points)} images by {layer}: {how}"
    figure = scatter(points.numpy(), torch.tensor(numbers).numpy(), names, title=text)
    save(figure, path)
    return {"layer": layer, "images": len(points), "points": points.tolist(), "labels": numbers, "text": text}
