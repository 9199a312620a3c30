"""What `cnnlab bench` found, as a page and as the rows of a table: each way, its spread, and its ratio to another's."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.report.charts import Line, line_chart
from cnnlab.report.page import Html, Section, grid, join, note, page, pairs, table

Record = Mapping[str, Any]
COLUMNS = ("case", "way", "median", "min", "max", "ratio")
NUMBERS = COLUMNS[2:]


def bench_page(record: Record) -> str:
    """The page of one `cnnlab bench`, from its JSON record."""
    sections = [Section(each["row"], _section(each)) for each in record["rows"]]
    sections.append(Section("Where it ran", pairs(_machine(record))))
    return page("Side by side", "cnnlab bench", sections, lead=join(map(note, notes(record))))


def notes(record: Record) -> list[str]:
    """What a reader of the table must know."""
    said = [
        "Ways of one case take turns, so that what else the machine does hits all. Ratio: how many times as fast as "
        "the way it is 1 for, or as much as was predicted; the median over the rounds."
    ]
    return said + [f"Not installed here, so not measured: {name} ({how})" for name, how in record["missing"].items()]


def cells(row: Record) -> list[tuple[str, ...]]:
    """The lines of a row's table, under `COLUMNS`: one for each way of each case."""
    return [
        (case["name"], way, *_spread(values, case["unit"]), f"{case['ratios'][way]:.2f}")
        for case in row["cases"]
        for way, values in case["values"].items()
    ]


def _spread(values: Sequence[float], unit: str) -> tuple[str, str, str]:
    shown = [figure(value) for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} {unit}", shown[1], shown[2]


def figure(value: float) -> str:
    """A measured value with three digits that count, more where it is larger than 1,000."""
    digits = max(0, 2 - len(f"{abs(value):.0f}") + 1) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def _section(row: Record) -> Html:
    charts = [_chart(plot) for plot in row["plots"]]
    said = [note(each) for each in row["notes"]]
    whole = table(COLUMNS, cells(row), caption=f"{row['what']}; {row['rounds']} rounds", numbers=NUMBERS)
    return join([whole, *said, grid(charts) if charts else None])


def _chart(plot: Record) -> Html:
    colours = {label: number for number, label in enumerate(dict.fromkeys(each["label"] for each in plot["curves"]))}
    lines = [
        Line(each["label"], each["points"], colours[each["label"]], dashed=each["dashed"]) for each in plot["curves"]
    ]
    names = {"x_label": plot["x_label"], "y_label": plot["y_label"]}
    how = {name: plot[name] for name in ("log_x", "shares", "from_zero")}
    return line_chart(plot["title"], lines, **names, **how)


def _machine(record: Record) -> dict[str, object]:
    held, best = record["environment"], record["machine"]
    return {
        "Processor": held["processor"],
        "Cores, threads": f"{held['cores']}, {held['threads']}",
        "Matrix product": f"{1e-9 * best['macs_per_second']:.0f} GMAC/s in float32",
        "Memory": f"{1e-9 * best['bytes_per_second']:.1f} GB/s read or written",
        "Packages": ", ".join(f"{name} {version}" for name, version in held["packages"].items()),
        "When": held["time"][:16].replace("T", " ") + " UTC",
    }
