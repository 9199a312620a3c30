"""How good a network is, as a page: from the record that `cnnlab eval --json` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.report.charts import Row, heat_map, row_chart
from cnnlab.report.images import thumbnail
from cnnlab.report.page import Html, Section, between, facts, gallery, grid, join, note, page, paragraph, percent, table
from cnnlab.report.run_page import mistake_picture, short

Record = Mapping[str, Any]
Images = Mapping[int, npt.NDArray[np.uint8]]
MOST_CLASSES_DRAWN = 24


def eval_page(record: Record, images: Images | None = None, page_folder: Path | None = None) -> str:
    """The page of a test: its protocols side by side, and what was asked of each of them.

    Args:
        record: what `cnnlab eval --json` prints; classes, mistakes and calibration are shown where it has them.
        images: the images of its mistakes, by index, uint8 (H, W, C); others are not shown.
        page_folder: where the page will lie, to link to the photos from.
    """
    rows: Sequence[Record] = record.get("protocols") or [record]
    who = record["run"] if record["members"] == 1 else f"An ensemble of {record['members']}"
    of = record.get("part") or f"the {record['split']} part of {record['data']}"
    subtitle = f"{rows[0]['images']:,} images, {of}"
    first = rows[0]
    by = f"protocol {first['protocol']}, {first['views']:,} {'view' if first['views'] == 1 else 'views'} per image"
    tiles = [
        ("accuracy", percent(first["top1"]), f"95% interval {between(first['interval95'])}; {by}"),
    ]
    if len(first.get("per_class", ())) > 5:  # else every answer is among the first five
        tiles.append(("top-5", percent(first["top5"]), by))
    sections = [Section("Protocols", _protocols(rows))]
    sections += [Section(f"Classes, {row['protocol']}", _classes(row)) for row in rows if "per_class" in row]
    if first.get("mistakes"):
        sections.append(Section("Most confident mistakes", _mistakes(first, images or {}, page_folder)))
    if any("calibration" in row for row in rows):
        sections.append(Section("Calibration", _calibration(rows)))
    if len(record["runs"]) > 1:
        sections.append(Section("Members", join(paragraph(run) for run in record["runs"])))
    if first.get("notes"):
        sections.append(Section("About the images", join(paragraph(each) for each in first["notes"])))
    if first["skipped"]:
        sections.append(Section("Images left out", join(paragraph(reason) for reason in first["skipped"])))
    return page(who, subtitle, sections, lead=facts(tiles))


def _protocols(rows: Sequence[Record]) -> Html:
    columns = ("protocol", "accuracy", "95% interval", "top-5", "loss", "views", "MACs/image", "ms/image")
    cells = [
        (
            row["protocol"],
            percent(row["top1"]),
            between(row["interval95"]),
            percent(row["top5"]),
            f"{row['loss']:.3f}",
            f"{row['views']:,}",
            short(row["macs"]),
            f"{1000 * row['seconds_per_image']:.3g}",
        )
        for row in rows
    ]
    drawn = [Row(row["protocol"], row["top1"], tuple(row["interval95"])) for row in rows]
    chart = row_chart("Accuracy by protocol", drawn, shares=True, write=lambda value: percent(value, 1))
    said = (
        "Intervals are over images (Wilson 1927). MACs are of all views; of a square image where views are whole ones."
    )
    return join([chart, table(columns, cells, caption="All protocols", numbers=columns[1:]), note(said)])


def _classes(row: Record) -> Html:
    columns = ("class", "images", "precision", "recall", "F1", "AUC")
    means = [{"name": f"{name} mean", **mean} for name, mean in row["averages"].items()]
    cells = [
        (
            each["name"],
            f"{each['images']:,}",
            *(percent(each[name]) for name in ("precision", "recall", "f1")),
            "–" if each["auc"] is None else f"{each['auc']:.4f}",
        )
        for each in (*row["per_class"], *means)
    ]
    parts = [table(columns, cells, caption="Each class against all others", numbers=columns[1:])]
    if any(not each["images"] for each in row["per_class"]):
        parts.append(note("The means leave out the classes without images here, of which nothing is known."))
    names = [each["name"] for each in row["per_class"]]
    if len(names) <= MOST_CLASSES_DRAWN:
        drawn = heat_map("What was taken for what", names, row["confusion"], rows="truth", columns="answer")
        parts.insert(0, drawn)
    return grid(parts)


def _mistakes(row: Record, images: Images, page_folder: Path | None) -> Html:
    pictures = [
        mistake_picture(
            thumbnail(images[each["index"]]),
            each["label"],
            each["guess"],
            each["confidence"],
            each["name"],
            each["file"],
            page_folder,
        )
        for each in row["mistakes"]
        if each["index"] in images
    ]
    said = f"The wrong answers that it was surest of, protocol {row['protocol']}."
    return join([note(said), gallery(pictures)])


def _calibration(rows: Sequence[Record]) -> Html:
    columns = ("protocol", "temperature", "NLL", "Brier", "ECE", "NLL, scaled", "Brier, scaled", "ECE, scaled")
    cells = []
    for row in rows:
        found = row["calibration"]
        measures = [
            text
            for each in (found["before"], found["after"])
            for text in (f"{each['nll']:.3f}", f"{each['brier']:.3f}", percent(each["ece"]))
        ]
        cells.append((row["protocol"], f"{found['temperature']:.3f}", *measures))
    where = dict.fromkeys(row["calibration"]["fitted_on"] for row in rows)
    said = f"The temperature is fitted on {'; '.join(where)} (Guo et al. 2017); accuracy does not change with it."
    return join([table(columns, cells, caption="How far to believe", numbers=columns[1:]), note(said)])
