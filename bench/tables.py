"""Write the tables of docs/ from the records in bench/results/, between their marks.

python bench/tables.py            # rewrite the pages
python bench/tables.py --check    # fail if a page differs from the records
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnlab.selftest.summary import COLUMNS, kind_rows, row

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RESULTS = ROOT / "bench" / "results"


def seeds_table(record: dict[str, Any]) -> str:
    """Several seeds of one command: each seed's accuracy and time, then mean and spread."""
    rows = ["| seed | test | validation | training time | epochs | images/s |", "|---|---|---|---|---|---|"]
    for run in record["runs"]:
        rows.append(
            f"| {run['seed']} | {percent(run['test']['top1'])} | {percent(run['val']['top1'])} "
            f"| {run['train_seconds'] / 60:.1f} min | {run['epochs']:.1f} | {run['images_per_second']:.0f} |"
        )
    slowest = max(run["train_seconds"] + run["test"]["seconds"] for run in record["runs"])
    low, high = (percent(each) for each in record["test"]["interval95"])
    mean, std = percent(record["test"]["mean"]), percent(record["test"]["std"])
    return "\n".join(rows) + (
        f"\n\nMean {mean}, standard deviation {std}, 95% interval of the mean {low} to {high}. Training and final test "
        f"together took at most {slowest / 60:.1f} min."
    )


def throughput_table(record: dict[str, Any]) -> str:
    """Images a second of each loop, with the ratio to the better of the usual ones."""
    rows = ["| loop | images/s, median | min | max |", "|---|---|---|---|"]
    for name, values in record["images_per_second"].items():
        rows.append(f"| {name} | {record['medians'][name]:.0f} | {min(values):.0f} | {max(values):.0f} |")
    return "\n".join(rows) + (
        f"\n\ncnnlab is {record['ratio']:.2f} times the better usual loop ({len(values)} rounds, interleaved); "
        f"it reaches {record['share_of_peak']:.0%} of the float32 matrix product "
        f"({record['matrix_peak_gflops']:.0f} GFLOP/s)."
    )


def overhead_table(record: dict[str, Any]) -> str:
    """What a checkpoint costs a training."""
    share, error = (record[name] / record["save_seconds"] for name in ("extra_seconds", "standard_error_seconds"))
    return (
        f"{record['model']} on {record['environment']['device']}, {len(record['pairs'])} pairs of {record['steps']} "
        f"steps: a checkpoint takes {1e3 * record['extra_seconds']:.0f} ms off them (standard error "
        f"{1e3 * record['standard_error_seconds']:.0f}), which is {share:.2%} (error {error:.2%}) of a training that "
        f"saves every {record['save_seconds']:.0f} s; its thread waited {1e3 * record['begin_seconds']:.1f} ms at most."
    )


def scaling_table(record: dict[str, Any]) -> str:
    """Images a second of one process and of two on the same cores."""
    rows = ["| | images/s, median | min | max | of one process |", "|---|--:|--:|--:|--:|"]
    for way, rates in record["rates"].items():
        share = record["efficiency"][way]
        rows.append(f"| {way} | {record['median'][way]:.0f} | {min(rates):.0f} | {max(rates):.0f} | {share:.0%} |")
    return "\n".join(rows) + (
        f"\n\n{record['model']}, batch {record['batch_size']} in all, gloo, {len(rates)} interleaved runs of "
        f"{record['steps']} steps on {record['cores']} cores ({record['processor']})."
    )


def startup_table(record: dict[str, Any]) -> str:
    """Seconds until `cnnlab --help` is printed."""
    ours, bare = record["help"], record["pass"]
    return (
        f"`cnnlab --help`: median {ours['median']:.2f} s ({ours['min']:.2f} to {ours['max']:.2f}, "
        f"{record['runs']} runs); `python -c pass`, interleaved with it: {bare['median']:.2f} s."
    )


def photos_table(record: dict[str, Any]) -> str:
    """Images a second of CPU time of each pipeline, with the ratio to torchvision's v1."""
    rows = ["| pipeline | images/s of one core, median | min | max |", "|---|---|---|---|"]
    for name, values in record["images_per_second"].items():
        rows.append(f"| {name} | {record['medians'][name]:.0f} | {min(values):.0f} | {max(values):.0f} |")
    return "\n".join(rows) + (
        f"\n\nJPEGs of {record['photos']}. cnnlab is {record['ratio']:.2f} times torchvision v1: the median ratio of "
        f"{len(values)} interleaved rounds."
    )


def bands_table(record: dict[str, Any]) -> str:
    """Recipes cut short: what was predicted, and what came; then fine-tuning against a start from scratch."""
    rows = ["| recipe | network | epochs | predicted | test accuracy | |", "|---|---|---|---|---|---|"]
    for each in record["bands"]:
        (low, high), result = each["band"], each["result"]
        top1 = result["test"]["top1"]
        verdict = "within" if low <= top1 <= high else "below" if top1 < low else "above"
        cut = "; " + ", ".join(f"`{setting}`" for setting in each["settings"]) if each["settings"] else ""
        rows.append(
            f"| {each['recipe']} | {each['model']} | {result['epochs']:g}{cut} | {percent(low)} to {percent(high)} "
            f"| {percent(top1)} | {verdict} |"
        )
    moved = record["transfer"]
    pretrained, scratch = moved["pretrained"], moved["scratch"]
    return "\n".join(rows) + (
        f"\n\nFine-tuning on {moved['train_images']} held-out images of {len(moved['classes'])} classes, tested on "
        f"{moved['test_images']} others, {len(pretrained['test'])} seeds: {percent(pretrained['mean'])} (deviation "
        f"{percent(pretrained['std'])}) from the ResNet-20 above, {percent(scratch['mean'])} (deviation "
        f"{percent(scratch['std'])}) from scratch by the same recipe, {moved['recipe']}."
    )


def networks_table(record: dict[str, Any]) -> str:
    """Each shared network's time as a ratio to the other library's."""
    rows = ["| network | beside | forward | training step |", "|---|---|--:|--:|"]
    for name, found in record["networks"].items():
        rows.append(
            f"| {name} | {found['peer']} | {found['forward']['ratio']:.3f} | {found['training']['ratio']:.3f} |"
        )
    ratios = [found[what]["ratio"] for found in record["networks"].values() for what in ("forward", "training")]
    slow = sum(ratio > 1.03 for ratio in ratios)
    again = [f"{name} {each['training']['ratio']:.3f}" for name, each in record["again"].items()]
    return "\n".join(rows) + (
        f"\n\nMedian over {record['rounds']} interleaved rounds of cnnlab's time / theirs, batch "
        f"{record['batch_size']}: above 1 is slower. {len(ratios) - slow} of {len(ratios)} are within 3% or faster; "
        f"the median of all is {statistics.median(ratios):.3f}. Those that were not, again on a quieter machine "
        f"(training step): {', '.join(again)}."
    )


def reliability_table(record: dict[str, Any]) -> str:
    """A part of the fault campaign: its line of the self-test's table, then its kinds of fault."""
    columns = COLUMNS[1:]
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", f"| {' | '.join(row(record)[1:])} |"]
    kinds = ["| fault | cases | how they ended |", "|---|--:|---|"]
    kinds += [f"| {' | '.join(each)} |" for each in kind_rows(record)]
    held = record["environment"]
    where = f"cnnlab {held['cnnlab']}, torch {held['packages']['torch']}, {held['processor']}, {held['time'][:10]}"
    return "\n".join([*rows, "", *kinds, "", f"{record['seconds'] / 60:.0f} minutes in all; {where}."])


TABLES: dict[str, dict[str, Callable[[Any], str]]] = {
    "performance.md": {
        "first-run": seeds_table,
        "three-minutes": seeds_table,
        "resnet20-throughput": throughput_table,
        "startup": startup_table,
        "network-speed": networks_table,
        "cifar-bands": bands_table,
    },
    "data.md": {"photo-pipeline": photos_table},
    "scale.md": {"scaling": scaling_table},
    "reliability.md": {
        "checkpoint-overhead": overhead_table,
        **{f"reliability/{path.stem}": reliability_table for path in sorted((RESULTS / "reliability").glob("*.json"))},
    },
}
"""For each page, its records and how each is shown."""


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.2f}%"


def with_tables(name: str, page: str) -> str:
    """The text of the page called `name` with each marked part made anew from its record."""
    for record_name, table in TABLES[name].items():
        record = json.loads((RESULTS / f"{record_name}.json").read_text(encoding="utf-8"))
        begin, end = f"<!-- begin {record_name} -->", f"<!-- end {record_name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{name} has no marks for {record_name}")
        page = f"{before}{begin}\n{table(record)}\n{end}{after}"
    return page


def main() -> None:
    for name in TABLES:
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        made = with_tables(name, page)
        if "--check" not in sys.argv:
            path.write_text(made, encoding="utf-8")
        elif made != page:
            raise SystemExit(f"{name} differs from its records; run python bench/tables.py")


if __name__ == "__main__":
    main()
