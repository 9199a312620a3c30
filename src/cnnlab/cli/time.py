"""Time a network: each layer's forward and backward pass, its work, its memory, and how near the machine's best it is.

Everything is measured here and now, with random weights and images; nothing is kept unless `--out` names a file.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import PAGE, require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, add_out, one_of, positive_int

if TYPE_CHECKING:
    import torch
    from rich.console import Console

    from cnnlab.measure.cost import Cost
    from cnnlab.measure.machine import Machine
    from cnnlab.measure.operations import Timing

DTYPES = ("float32", "bfloat16", "float16")
LARGEST_PIXELS = 64  # up to which a batch of 64 is the usual, above it one of 8
NOTES = (
    "Times are medians over the rounds of a training pass: forward, and backward from a random gradient of the logits. "
    "Loss and update are left out.",
    "Bytes are the least that must be read and written, each tensor once an operation; kept is what autograd holds "
    "for the backward pass.",
    "The roof is the larger of MACs over the speed of a matrix product and bytes over the speed of a copy, both "
    "measured just before. Other work on the machine lowers both; data that stays in the cache can pass 100%.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab time` takes."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a network, see: cnnlab models")
    add("--batch-size", type=positive_int, metavar="N", help="images a batch (default: 64 small ones, 8 large ones)")
    add("--pixels", type=positive_int, metavar="N", help="another side of the images (default: the paper's)")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", dest="settings", help="an option of the network")
    add("--sweep", action="store_true", help="also batches of 1, 2, 4, … up to the batch size")
    add("--depth", type=positive_int, default=2, metavar="N", help="a row a module so many names deep (default 2)")
    add("--rounds", type=positive_int, default=5, metavar="N", help="passes to take medians of (default 5)")
    add(
        "--dtype",
        type=one_of("number format", DTYPES),
        default="float32",
        metavar="NAME",
        help=f"{', '.join(DTYPES)} (default float32)",
    )
    add_out(parser, "--report", metavar="FILE.html", help="write a page with charts")
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_model(args.model)
    require_output("--out", args.report, PAGE)


def run(args: argparse.Namespace) -> int:
    """Measure, then print the tables or the JSON object, and write the page."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.report.page import write_page
    from cnnlab.report.time_page import time_page

    out = console(json_output=args.json)
    record = _measure(args, out)
    problem = try_to_write(args.report, lambda path: write_page(path, time_page(record)))
    if args.json:
        print_json(with_problem(record, problem))
        return told(problem)
    _print(out, record)
    if args.report is not None and problem is None:
        out.print(f"page: {args.report}", markup=False)
    return told(problem)


def _measure(args: argparse.Namespace, out: Console) -> dict[str, Any]:
    import torch

    from cnnlab.cli.inspect import network_options
    from cnnlab.cli.train import set_threads
    from cnnlab.measure.cost import parameter_bytes, time_network
    from cnnlab.measure.machine import measure_machine
    from cnnlab.models.catalog import create_model, require_model
    from cnnlab.models.device import resolve_device

    set_threads(args.threads)
    device, dtype = resolve_device(args.device), getattr(torch, args.dtype)
    sizes = require_model(args.model).sizes
    sizes = sizes if args.pixels is None else sizes[:-2] + (args.pixels,) * min(len(sizes), 2)
    network = create_model(args.model, **network_options(args.model, args.settings))
    batch_size = args.batch_size or (64 if max(sizes) <= LARGEST_PIXELS else 8)
    machine = measure_machine(device, dtype)
    timings = []
    for size in _batch_sizes(batch_size, sweep=args.sweep):
        out.print(f"timing batches of {size}", markup=False, style="dim")
        timings.append(time_network(network, sizes, size, device, dtype, args.rounds))
    record = _record(timings[-1], machine, args.depth)
    image = "x".join(map(str, (network.in_channels, *sizes)))
    threads = torch.get_num_threads()
    where = f"{device} with {threads} thread{'s' * (threads > 1)}" if device.type == "cpu" else _gpu(device)
    return {
        "model": args.model,
        "title": f"{args.model}, batches of {batch_size} images {image}, {args.dtype}, {where}",
        "device": str(device),
        "threads": threads,
        "dtype": args.dtype,
        "input": image,
        "parameter_bytes": parameter_bytes(network),
        **record,
        "sweep": [_point(each) for each in timings] if args.sweep else [],
        "notes": NOTES,
    }


def _gpu(device: torch.device) -> str:
    import torch

    return torch.cuda.get_device_name(device)


def _batch_sizes(largest: int, *, sweep: bool) -> list[int]:
    """1, 2, 4, … and `largest` with `sweep`, else `largest` alone."""
    powers = [2**power for power in range(largest.bit_length()) if 2**power < largest]
    return [*(powers if sweep else ()), largest]


def _record(timing: Timing, machine: Machine, depth: int) -> dict[str, Any]:
    from dataclasses import asdict

    from cnnlab.measure.cost import by_kind, by_layer, sum_cost

    summed = sum_cost("sum", timing.operations, machine)
    whole = {"forward_seconds": timing.forward_seconds, "backward_seconds": timing.backward_seconds}
    return {
        **_point(timing),
        "whole": {**whole, "seconds": timing.forward_seconds + timing.backward_seconds},
        "sum": _as_json(summed),
        "covered": timing.covered,
        "of_roof": summed.of_roof,
        "machine": asdict(machine),
        "layers": [_as_json(each) for each in by_layer(timing, machine, depth)],
        "kinds": [_as_json(each) for each in by_kind(timing, machine)],
    }


def _as_json(cost: Cost) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(cost), "seconds": cost.seconds}


def _point(timing: Timing) -> dict[str, Any]:
    seconds = timing.forward_seconds + timing.backward_seconds
    return {
        "batch_size": timing.batch_size,
        "seconds": seconds,
        "images_per_second": timing.batch_size / seconds,
        "kept_bytes": timing.kept_bytes,
    }


def _print(out: Console, record: dict[str, Any]) -> None:
    from cnnlab.cli.console import table
    from cnnlab.report.time_page import COLUMNS, cost_cells, share

    out.print(record["title"], markup=False)
    for title in ("layers", "kinds"):
        made = table(title, *COLUMNS, optional=("MB kept", "MB moved"))
        for column in made.columns[1:]:
            column.justify = "right"
        for row in record[title]:
            made.add_row(row["name"], *cost_cells(row, record["sum"]["seconds"]))
        if title == "kinds":
            made.add_row("sum", *cost_cells(record["sum"], record["sum"]["seconds"]))
        out.print(made)
        out.print()
    whole, machine = record["whole"], record["machine"]
    out.print(
        f"whole, unwatched: {1e3 * whole['forward_seconds']:.2f} ms forward, {1e3 * whole['backward_seconds']:.2f} ms "
        f"backward; the rows cover {record['covered']:.0%} of the watched passes; "
        f"{record['images_per_second']:.0f} images/s; {share(record['of_roof'])} of the roof "
        f"({machine['macs_per_second'] / 1e9:.0f} GMAC/s, {machine['bytes_per_second'] / 1e9:.1f} GB/s measured here)",
        markup=False,
    )
    if record["sweep"]:
        made = table("batch", "ms a step", "images/s", "MB kept")
        for row in record["sweep"]:
            made.add_row(
                str(row["batch_size"]),
                f"{1e3 * row['seconds']:.2f}",
                f"{row['images_per_second']:.1f}",
                f"{row['kept_bytes'] / 1e6:.1f}",
            )
        out.print(made)
