"""Write the tables of docs/ from the records in bench/results/, between their marks.

python bench/tables.py            # rewrite the pages
python bench/tables.py --check    # fail if a page differs from the records
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cnnlab.report.bench_page import COLUMNS as BENCH_COLUMNS
from cnnlab.report.bench_page import cells
from cnnlab.selftest.summary import COLUMNS, kind_rows, row

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RESULTS = ROOT / "bench" / "results"


def bench_table(record: dict[str, Any]) -> str:
    """What `cnnlab bench` measured: a line a way, with the ratio to the way that the others are held against."""
    several = len(record["rows"]) > 1
    columns = ("row", *BENCH_COLUMNS) if several else BENCH_COLUMNS
    lines = [f"| {' | '.join(columns)} |", "|---" * (len(columns) - 4) + "|--:" * 4 + "|"]
    for each in record["rows"]:
        lines += [f"| {' | '.join((each['row'], *line) if several else line)} |" for line in cells(each)]
    rounds = " or ".join(sorted({str(each["rounds"]) for each in record["rows"]}))
    held, best = record["environment"], record["machine"]
    where = (
        f"{rounds} rounds on {held['threads']} threads of an {held['processor']} ({held['cpu_capability']}; matrix "
        f"product {2e-9 * best['macs_per_second']:.0f} GFLOP/s, copy {1e-9 * best['bytes_per_second']:.0f} GB/s), "
        f"torch {held['packages']['torch']}, {held['time'][:10]}."
    )
    return "\n".join([*lines, "", *(said for each in record["rows"] for said in each["notes"]), where])


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


def photos_table(record: dict[str, Any]) -> str:
    """Images a second of CPU time of each pipeline, with the ratio to torchvision's v1."""
    rows = ["| pipeline | images/s of one core, median | min | max |", "|---|---|---|---|"]
    for name, values in record["images_per_second"].items():
        rows.append(f"| {name} | {record['medians'][name]:.0f} | {min(values):.0f} | {max(values):.0f} |")
    return "\n".join(rows) + (
        f"\n\nJPEGs of {record['photos']}. cnnlab is {record['ratio']:.2f} times torchvision v1: the median ratio of "
        f"{len(values)} interleaved rounds."
    )


def folder_networks_table(record: dict[str, Any]) -> str:
    """What each network learned of a small folder of photos by the recipe chosen for it."""
    columns = (
        "network",
        "optimizer, rate",
        "pixels",
        "steps, of those chosen",
        "test accuracy",
        "95% interval",
        "CPU s",
    )
    rows = [f"| {' | '.join(columns)} |", "|---|---|--:|--:|--:|---|--:|"]
    trained = [each for each in record["networks"] if "top1" in each]
    for each in trained:
        low, high = (percent(bound) for bound in each["interval95"])
        cells = (
            *(f"`{each['model']}`", f"{each['optimizer']}, {each['lr']:g}", each["pixels"]),
            f"{each['steps']} of {each['chosen_steps']}",
            *(percent(each["top1"]), f"{low} to {high}", f"{each['cpu_seconds']:.0f}"),
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    held, too_large = record["environment"], [f"`{each['model']}`" for each in record["networks"] if "top1" not in each]
    learned = sum(each["learned"] is True for each in trained)
    told = (
        f"\n\n{record['photos']}: {record['train_images']} photos to train on, {record['val_images']} to validate, "
        f"{record['test_images']} to test, {record['classes']} classes. One seed, {record['threads']} thread of an "
        f"{held['processor']} that others used too, so seconds are of CPU time. {learned} of {len(trained)} are surely "
        "(95%) better than always answering the commonest class."
    )
    told += " Networks without a line were not trained by this command yet."
    if too_large:
        told += (
            f" Said beforehand to be too large for three minutes on {record['cores']} cores: {', '.join(too_large)}."
        )
    return "\n".join(rows) + told


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
    """Each shared network's time as a ratio to the other library's, forward and training."""
    [measured] = record["rows"]
    found: dict[str, dict[str, Any]] = {}
    for case in measured["cases"]:
        name, _, what = case["name"].partition(", ")
        found.setdefault(name, {"beside": case["against"]})[what] = 1 / case["ratios"]["cnnlab"]
    rows = ["| network | beside | forward | training step |", "|---|---|--:|--:|"]
    for name, each in found.items():
        rows.append(f"| {name} | {each['beside']} | {each['forward']:.3f} | {each['training step']:.3f} |")
    ratios = [each[what] for each in found.values() for what in ("forward", "training step")]
    slow = sum(ratio > 1.03 for ratio in ratios)
    return "\n".join([*rows, "", *measured["notes"]]) + (
        f" Median over {measured['rounds']} interleaved rounds of cnnlab's time / theirs: above 1 is slower. "
        f"{len(ratios) - slow} of {len(ratios)} are within 3% or faster; the median of all is "
        f"{statistics.median(ratios):.3f}."
    )


def race_table(record: dict[str, Any]) -> str:
    """Seconds of whole runs on a CPU, each turn's ratio to ours, and what accuracy was reached."""
    turns = record["turns"]
    names = [name for name in turns[0] if name != "seed"]
    ours = names[0]
    rows = ["| run | seconds, mean | deviation | ours / it, each turn | test accuracy |", "|---|--:|--:|---|---|"]
    for name in names:
        seconds = [turn[name]["seconds"] for turn in turns]
        ratios = [turn[ours]["seconds"] / turn[name]["seconds"] for turn in turns]
        shown = "" if name == ours else ", ".join(f"{each:.3f}" for each in ratios)
        told = f"| {name} | {statistics.mean(seconds):,.0f} | {statistics.stdev(seconds):,.1f} | {shown} "
        rows.append(f"{told}| {_race_accuracy(record, name)} |")
    held = record["environment"]
    return "\n".join(rows) + (
        f"\n\n{len(turns)} turns on {held['threads']} threads of an {held['processor']} ({held['cpu_capability']}), "
        f"torch {held['packages']['torch']}, {held['time'][:10]}."
    )


def _race_accuracy(record: dict[str, Any], name: str) -> str:
    """Of every run of ours, or of the one whole run of a script."""
    if "test" in record["turns"][0][name]:
        return _mean_of(turn[name]["test"]["top1"] for turn in record["turns"])
    whole = record["full"].get(name.rpartition(" ")[2])
    return f"{percent(whole[-1]['views_top1'])} (one whole run; six views)" if whole else ""


def experiments_table(record: list[dict[str, Any]]) -> str:
    """What was tried for the fast recipe, in the order it was: expected, and found on the validation images."""
    rows = ["| change | expected | seed | epochs | one view | mirrored too | six views | core-seconds |"]
    rows.append("|---|---|--:|--:|--:|--:|--:|--:|")
    for each in record:
        top1 = [percent(each["top1"][views]) for views in ("center", "flip", "shift6")]
        cells = [each["name"], each["expected"], str(each["seed"]), f"{each['epochs']:.0f}", *top1]
        rows.append(f"| {' | '.join(cells)} | {each['train_seconds']:.0f} |")
    return "\n".join(rows)


def views_table(record: list[dict[str, Any]]) -> str:
    """What more views of each image are worth: a line a network."""
    names = list(record[0]["top1"])
    rows = [
        f"| network of | seed | {' | '.join(f'`{name}`' for name in names)} |",
        "|---|--:" + "|--:" * len(names) + "|",
    ]
    for each in record:
        top1 = [percent(each["top1"][name]) for name in names]
        rows.append(f"| {each['name']} | {each['seed']} | {' | '.join(top1)} |")
    return "\n".join(rows)


def levels_table(record: list[dict[str, Any]]) -> str:
    """What the fast recipes reached: a line a recipe, images, epochs, sizes, views and processor, over its seeds."""
    groups: dict[tuple[str, str, float, str, int, str], list[dict[str, Any]]] = {}
    for each in record:
        share, last = each.get("trained_share", 1.0), 1 - each.get("whole_from", 1.0)
        images = f"{each['train_images']:,}" + (f", hardest {share:.0%} of a batch" if share < 1 else "")
        images += f", all in the last {last:.0%}" if share < 1 and last else ""
        pixels = ", ".join(f"{pixels}" for pixels in (*each["resolutions"], 32))
        held = each["environment"]
        processor = f"{held['processor']} ({held['cpu_capability']})"
        key = (each["recipe"], images, each["epochs"], pixels, each["test"]["views"], processor)
        groups.setdefault(key, []).append(each)
    columns = (
        "recipe | parameters | images | epochs | pixels | processor | minutes | validation, one view | views | test"
    )
    rows = [f"| {columns} |", "|---|--:|--:|--:|---|---|--:|---|--:|---|"]
    for (recipe, images, epochs, pixels, views, processor), runs in groups.items():
        minutes = statistics.mean(each["train_seconds"] + each["test"]["seconds"] for each in runs) / 60
        shown = [_mean_of(each[part]["top1"] for each in runs if part in each) for part in ("val", "test")]
        sizes = f"{runs[0]['parameters']:,} | {images} | {epochs:g} | {pixels} | {processor} | {minutes:.1f}"
        rows.append(f"| {recipe} | {sizes} | {f' | {views} | '.join(shown)} |")
    places = {
        f"{held['threads']} threads, {each['precision']} precision, torch {held['torch']}"
        for each in record
        for held in [each["environment"]]
    }
    return "\n".join([*rows, "", f"On {' or '.join(sorted(places))}. Minutes are of training and test."])


def _mean_of(shares: Iterable[float]) -> str:
    """One share as a percentage, or the mean of several with each of them."""
    found = list(shares)
    each = ", ".join(map(percent, found))
    return f"mean {percent(statistics.mean(found))} ({each})" if len(found) > 1 else each


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
        "cpu-race": race_table,
        "cpu-short": race_table,
        "fast-levels": levels_table,
        "time-to-accuracy": bench_table,
        "fast-experiments": experiments_table,
        "views": views_table,
        "fast-step": bench_table,
        "fast-step-amx": bench_table,
        "resnet20-train": bench_table,
        "growth": bench_table,
        "inference": bench_table,
        "predict-folder": bench_table,
        "startup": bench_table,
        "networks": networks_table,
        "cifar-bands": bands_table,
    },
    "data.md": {"photo-pipeline": photos_table, "folder-networks": folder_networks_table},
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
