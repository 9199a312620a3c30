"""Several runs side by side as a page: from the record that `cnnlab compare --json` prints, and some images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.report.charts import Row, row_chart
from cnnlab.report.file_links import file_link
from cnnlab.report.images import thumbnail
from cnnlab.report.overlay import Records, overlay
from cnnlab.report.page import (
    Html,
    Section,
    between,
    element,
    folded,
    gallery,
    grid,
    join,
    note,
    page,
    paragraph,
    percent,
    table,
)
from cnnlab.report.run_page import short

Record = Mapping[str, Any]
Images = Mapping[int, npt.NDArray[np.uint8]]
MOST_CLASSES_DRAWN = 24
OPEN_PAIRS = 3  # pairs whose classes are shown at once; more are folded


def compare_page(
    comparison: Record,
    images: Images,
    page_folder: Path | None = None,
    curves: Mapping[str, Records] | None = None,
) -> str:
    """The page of a comparison.

    Args:
        comparison: `evaluate.compare.Comparison` as a dictionary.
        images: the images its disagreements are about, by index, uint8 (H, W, C); others are not shown.
        page_folder: where the page will lie, to link to the photos from.
        curves: the records of each run's `metrics.jsonl`, by what the run is called; of seeds, the first's.
    """
    runs = comparison["runs"]
    title = " against ".join(each["run"] for each in runs) if len(runs) < 4 else f"{len(runs)} runs side by side"
    subtitle = f"{comparison['images']:,} images, the {comparison['split']} part of {comparison['data']}"
    verdicts = [element("p", {"class": "verdict"}, _sentence(pair)) for pair in comparison["pairs"]]
    sections = [
        Section("Accuracy", _accuracy(runs)),
        Section("Pairs", _pairs(comparison["pairs"])),
        Section("Classes", _classes(comparison)),
        *([Section("Curves", overlay(curves))] if curves else []),
        Section("Cost", _cost(runs)),
        Section("Where they disagree", _disagreements(comparison, images, page_folder)),
    ]
    return page(title, subtitle, sections, lead=join(verdicts))


def points(difference: float) -> str:
    """A difference of accuracies, in percentage points, with its sign."""
    return f"{difference:+.2f}".replace("-", "\N{MINUS SIGN}")


def p_value(p: float) -> str:
    """A p value in words, with two digits unless it is tiny: "= 0.012", "< 0.0001"."""
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def _sentence(pair: Record) -> str:
    whose = "" if pair["better"] is not None else f"{pair['first']} and {pair['second']}: "
    return f"{whose}{pair['words']} (p {p_value(pair['p_holm'])})."


def _accuracy(runs: Sequence[Record]) -> Html:
    rows = [Row(each["run"], each["top1"], tuple(each["interval95"]), index) for index, each in enumerate(runs)]
    cells = [
        (
            each["run"],
            percent(each["top1"]),
            between(each["interval95"]),
            _seeds(each),
            each["model"],
            each["recipe"] or "–",
            each["protocol"],
        )
        for each in runs
    ]
    columns = ("run", "accuracy", "95% interval", "seeds", "network", "recipe", "protocol")
    whole = table(columns, cells, caption="The runs", numbers=columns[1:3])
    said = (
        "Intervals are over images (Wilson) for a single run, and of the mean over seeds (Student, kept within 0 to "
        "100%) for several."
    )
    if len({each["protocol"] for each in runs}) > 1:
        said += " The runs were tested by different protocols, each by its own."
    return join([row_chart("Share of the images recognised", rows, shares=True), note(said), whole])


def _seeds(run: Record) -> str:
    if run["std"] is None:
        return "1"
    values = ", ".join(percent(each) for each in run["seeds"])
    return f"{len(run['seeds'])}: {values}; deviation {percent(run['std'])}"


def _pairs(pairs: Sequence[Record]) -> Html:
    counted = any(pair["only_first"] is not None for pair in pairs)
    columns = ["pair", "verdict", "difference, points", "95% interval"]
    columns += [*(["only first", "only second"] if counted else []), "p", "p, corrected"]
    rows = []
    for pair in pairs:
        low, high = pair["interval95"]
        only = [("–" if pair[key] is None else f"{pair[key]:,}") for key in ("only_first", "only_second")]
        rows.append(
            [
                f"{pair['first']}\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}{pair['second']}",
                pair["words"],
                points(100 * pair["difference"]),
                f"{points(100 * low)} to {points(100 * high)}",
                *(only if counted else []),
                p_value(pair["p"]).removeprefix("= "),
                p_value(pair["p_holm"]).removeprefix("= "),
            ]
        )
    tests = " and ".join(dict.fromkeys(pair["test"] for pair in pairs))
    said = (
        f"The verdict is by the test ({tests}) at 0.05, corrected for {len(pairs)} "
        f"{'pair' if len(pairs) == 1 else 'pairs'} (Holm 1979). The interval, of each pair by itself, is a paired "
        "bootstrap over the images, and over seeds where there are several. “Only first” counts the images that only "
        "the first run recognises. One run a side says which network is better, not which recipe: that takes seeds."
    )
    return join([table(columns, rows, caption="Each pair of runs", numbers=columns[2:]), note(said)])


def _classes(comparison: Record) -> Html:
    parts = []
    for pair in comparison["pairs"]:
        found = sorted((each for each in pair["per_class"] if each["images"]), key=lambda each: each["difference"])
        if len(found) > MOST_CLASSES_DRAWN:  # the ends are what one looks for
            found = [*found[: MOST_CLASSES_DRAWN // 2], *found[-MOST_CLASSES_DRAWN // 2 :]]
        rows = [_class_row(each) for each in found]
        title = f"{pair['first']} − {pair['second']}, points"
        parts.append(row_chart(title, rows, zero=True, write=points))
    classes = len(comparison["class_names"])
    said = (
        "Accuracy of the first run minus the second's, class by class, with paired 95% intervals (Bonett & Price "
        f"2012), each by itself: by chance alone {0.05 * classes:.2g} of {classes} would leave out 0."
    )
    shown, rest = grid([*parts[:OPEN_PAIRS], _class_table(comparison["runs"])]), parts[OPEN_PAIRS:]
    return join([shown, note(said), folded(f"{len(rest)} more pairs", grid(rest)) if rest else None])


def _class_table(runs: Sequence[Record]) -> Html:
    columns = ["class", "images", *(run["run"] for run in runs)]
    rows = []
    for scores in zip(*(run["per_class"] for run in runs), strict=True):
        shares = (each["recognised"] / each["images"] if each["images"] else None for each in scores)
        rows.append([scores[0]["name"], f"{scores[0]['images']:,}", *(percent(share, 1) for share in shares)])
    return table(columns, rows, caption="Accuracy by class", numbers=columns[1:])


def _class_row(found: Record) -> Row:
    low, high = found["interval95"]
    return Row(found["name"], 100 * found["difference"], (100 * low, 100 * high))


def _cost(runs: Sequence[Record]) -> Html:
    rows = [
        (
            each["run"],
            f"{each['parameters']:,}",
            f"{short(each['macs'])}",
            f"{1000 * each['latency_seconds']:.2f} ms",
            f"{each['latency_ratio']:.2f}",
        )
        for each in runs
    ]
    columns = ("run", "parameters", "MACs an image", "one image alone", f"ratio to {runs[0]['run']}")
    said = "Times are medians of interleaved rounds on this machine, one image and one view at a time; trust the ratio."
    return join([table(columns, rows, caption="What they cost", numbers=columns[1:]), note(said)])


def _disagreements(comparison: Record, images: Images, page_folder: Path | None) -> Html:
    count = comparison["disagreeing_images"]
    if not count:
        return paragraph("They recognise the same images.")
    pictures = []
    for each in comparison["disagreements"]:
        if each["index"] not in images:
            continue
        answers = [
            f"{run['run']}: {guess} {percent(confidence, 0)}"
            for run, guess, confidence in zip(comparison["runs"], each["guesses"], each["confidences"], strict=True)
        ]
        name = each.get("name") or f"image {each['index']}"
        lines = (element("strong", None, each["label"]), *answers, file_link(name, each.get("file"), page_folder))
        words = f"{name}, a {each['label']}; {'; '.join(answers)}"
        pictures.append((thumbnail(images[each["index"]]), words, lines))
    share = percent(count / comparison["images"], 1)
    said = f"{count:,} images ({share}) are recognised by some and not by others; here those that divide them most."
    return join([note(said), gallery(pictures)])
