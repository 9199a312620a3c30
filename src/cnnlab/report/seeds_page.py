"""Several seeds of one recipe as a page: the mean with its interval, each seed, their curves, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnlab.report.charts import Row, row_chart
from cnnlab.report.overlay import Records, overlay
from cnnlab.report.page import Html, Section, between, element, facts, join, note, page, paragraph, percent, table
from cnnlab.report.run_page import duration

Record = Mapping[str, Any]
PARTS = {"test": "Test", "val": "Validation"}


def seeds_page(record: Record, curves: Mapping[str, Records]) -> str:
    """The page of a folder of seeds.

    Args:
        record: the folder's `result.json`: `runs` are the results of those that ended, `failed` the others.
        curves: the records of each seed's `metrics.jsonl`.
    """
    runs, failed = record["runs"], record["failed"]
    sections = [Section("Seeds", _seeds(record))] if runs else []
    if failed:
        sections.append(Section("Not finished", _failed(record)))
    sections.append(Section("Curves", overlay(curves) if curves else note("No seed has got to a record.")))
    title = f"{len(runs)} of {record['asked']} seeds of {record['recipe']}"
    subtitle = f"{record['model']} on {record['data']}; run folder {record['run']}"
    return page(title, subtitle, sections, lead=_headline(record) if runs else None)


def _headline(record: Record) -> Html:
    tiles: list[tuple[str, object, object]] = []
    for part, name in PARTS.items():
        if "mean" not in record.get(part, {}):
            continue
        found, runs = record[part], record["runs"]
        by = f"{found['images']:,} images, protocol {found['protocol']}"
        if len(runs) > 1:
            sure = f"mean of {len(runs)} seeds, deviation {percent(found['std'])}; "
            sure += f"95% interval of the mean {between(found['interval95'])}, kept within 0 to 100%"
        else:
            sure = "one seed, which says nothing of the spread"
        tiles.append((f"{name} accuracy", percent(found["mean"]), f"{sure}; {by}"))
    seconds = sum(each["train_seconds"] for each in record["runs"])
    tiles.append(("Training", duration(seconds), f"all of {len(record['runs'])} together"))
    return facts(tiles)


def _seeds(record: Record) -> Html:
    part = next((part for part in PARTS if all(part in each for each in record["runs"])), None)
    columns = ("seed", "accuracy", "95% interval", "epochs", "training", "page")
    rows, drawn = [], []
    for each in record["runs"]:
        found = each[part] if part else {}
        interval = found.get("interval95")
        link = element("a", {"href": f"seed{each['seed']}/report.html"}, f"seed{each['seed']}/report.html")
        sure = between(interval) if interval else "–"
        time = duration(each["train_seconds"])
        rows.append((str(each["seed"]), percent(found.get("top1")), sure, f"{each['epochs']:.1f}", time, link))
        if found:
            drawn.append(Row(f"seed {each['seed']}", found["top1"], tuple(interval) if interval else None))
    said = note("Intervals of single seeds are over images (Wilson 1927). Seeds differ by luck alone: none is better.")
    chart = row_chart(f"{PARTS[part]} accuracy", drawn, shares=True) if part else None
    whole = table(columns, rows, caption="Each seed", numbers=columns[1:5])
    return join([each for each in (chart, said, whole) if each is not None])


def _failed(record: Record) -> Html:
    return join(paragraph(f"seed {each['seed']}: {each['error']}") for each in record["failed"])
