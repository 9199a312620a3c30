"""Find a learning rate: it rises over a hundred steps, and the loss says where it is too high.

Nothing is kept; `cnnlab train --lr auto` does the same and goes on with the rate.
"""

from __future__ import annotations

import argparse

from cnnlab.cli import early
from cnnlab.cli.outputs import PICTURE, require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, add_out, integer, positive_float, positive_int
from cnnlab.errors import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab lr-find` takes."""
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="cifar10 (default), mnist, fashion_mnist, synthetic, or a folder")
    add("--recipe", metavar="NAME", help="how it is trained, see: cnnlab recipes (default: as cnnlab train)")
    add("--model", metavar="NAME", help="another network for the recipe, see: cnnlab models")
    add("--batch-size", type=positive_int, metavar="N", help="images a step")
    add("--set", action="append", default=[], metavar="A.B=V", dest="settings", help="set any field of the recipe")
    add("--start", type=positive_float, default=1e-6, metavar="F", help="the lowest rate (default 1e-6)")
    add("--end", type=positive_float, default=10.0, metavar="F", help="the highest (default 10)")
    add("--steps", type=positive_int, default=100, metavar="N", help="from one to the other (default 100)")
    add("--seed", type=integer, default=0, metavar="N", help="of the initial weights and the order of the images")
    add_out(parser, "--plot", metavar="FILE", help="draw loss against learning rate, as PNG")
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_recipe(args.recipe, args.model, args.data, args.settings)
    early.require_data(args.data)
    require_output("--out", args.plot, PICTURE)


def run(args: argparse.Namespace) -> int:
    """Run the test, and say and draw what it found."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, print_json, watch_for
    from cnnlab.cli.train import own_data, set_model, set_threads
    from cnnlab.recipes.catalog import get_recipe
    from cnnlab.recipes.recipe import with_settings
    from cnnlab.report.lr_plot import draw_lr_range
    from cnnlab.train.chosen import recipe_for
    from cnnlab.train.run import Settings, try_lrs

    out = console(json_output=args.json)
    set_threads(args.threads)
    chosen = [f"model={args.model}"] if args.model else []
    chosen += [f"batch_size={args.batch_size}"] if args.batch_size else []
    if args.recipe:
        recipe = get_recipe(args.recipe)
    else:
        recipe = recipe_for(args.data or "cifar10", args.model or set_model(args.settings), device=args.device)
    recipe = with_settings(recipe, [*chosen, *args.settings])
    settings = Settings(data=args.data or own_data(recipe), seed=args.seed, device=args.device)
    found = try_lrs(recipe, settings, lowest=args.start, highest=args.end, steps=args.steps, watch=watch_for(out))
    title = f"{recipe.model} on {settings.data}, {recipe.optimizer.kind}, batches of {recipe.batch_size:,}"
    problem = try_to_write(args.plot, lambda path: draw_lr_range(path, title, **asdict(found)))
    if args.json:
        plot = str(args.plot) if args.plot and problem is None else None
        said = {"model": recipe.model, "recipe": recipe.name, "data": settings.data, "seed": args.seed, "plot": plot}
        print_json(with_problem({**said, **asdict(found)}, problem))
        return told(problem)
    out.print(title, markup=False)
    out.print(found.said, markup=False)
    if args.plot is not None and problem is None:
        out.print(f"plot: {args.plot}", markup=False)
    given = [word for flag in _given(args) for word in flag]
    following = command("train", settings.data, *given, "--lr", f"{found.lr:g}")
    out.print(f"next: {following}", markup=False)
    return told(problem)


def _given(args: argparse.Namespace) -> list[tuple[str, str]]:
    """What else was said of the training, as `cnnlab train` takes it."""
    single = (("--recipe", args.recipe), ("--model", args.model), ("--batch-size", args.batch_size))
    return [(flag, str(value)) for flag, value in (*single, *(("--set", each) for each in args.settings)) if value]
