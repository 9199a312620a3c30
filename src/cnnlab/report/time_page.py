"""The page of `cnnlab time`: where a training step's time goes, and how time and memory grow with the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.page import Html, Section, facts, grid, join, note, page, table

Record = Mapping[str, Any]
COLUMNS = ("forward ms", "backward ms", "share", "GMACs", "MB moved", "MB kept", "of the roof")


def time_page(record: Record) -> str:
    """The page of one `cnnlab time`, from its JSON record."""
    whole, total = record["whole"], record["sum"]
    lead = facts(
        (
            ("training step", f"{1e3 * whole['seconds']:.1f} ms", f"a batch of {record['batch_size']}"),
            ("images a second", f"{record['images_per_second']:.0f}", record["device"]),
            ("kept for backward", f"{record['kept_bytes'] / 1e6:.1f} MB", f"{record['dtype']}"),
            ("of the roof", share(record["of_roof"]), "least time over ours"),
        )
    )
    sections = [
        Section("Where the time goes", join([_kinds(record["kinds"]), rows_table("By kind", record["kinds"], total)])),
        Section("By layer", rows_table("By layer", record["layers"], total)),
    ]
    if record["sweep"]:
        sections.append(Section("With the batch", _sweep(record["sweep"])))
    sections.append(Section("How it was measured", join(note(each) for each in record["notes"])))
    return page(f"{record['model']}: time", record["title"], sections, lead=lead)


def _kinds(kinds: Sequence[Record]) -> Html:
    rows = [Row(each["name"], 1e3 * each["seconds"]) for each in kinds if each["seconds"] > 0]
    return row_chart("Milliseconds by kind of operation", rows, bars=True, write=lambda value: f"{value:.2f}")


def rows_table(caption: str, rows: Sequence[Record], total: Record) -> Html:
    """Costs as a table, each with its share of the `total`."""
    cells = [(each["name"], *cost_cells(each, total["seconds"])) for each in rows]
    return table(("", *COLUMNS), cells, caption=caption, numbers=COLUMNS)


def cost_cells(cost: Record, total_seconds: float) -> tuple[str, ...]:
    """One row's figures as written under `COLUMNS`."""
    return (
        f"{1e3 * cost['forward_seconds']:.2f}",
        f"{1e3 * cost['backward_seconds']:.2f}",
        f"{cost['seconds'] / total_seconds:.1%}",
        f"{cost['macs'] / 1e9:.3f}",
        f"{cost['moved_bytes'] / 1e6:.1f}",
        f"{cost['kept_bytes'] / 1e6:.1f}",
        share(cost["of_roof"]),
    )


def share(value: float | None) -> str:
    """A share of the roof as a whole percentage."""
    return "–" if value is None else f"{value:.0%}"


def _sweep(sweep: Sequence[Record]) -> Html:
    sizes = [each["batch_size"] for each in sweep]
    speeds = Line("images a second", list(zip(sizes, [each["images_per_second"] for each in sweep], strict=True)))
    kept = [each["kept_bytes"] / 1e6 for each in sweep]
    memory = Line("kept for backward", list(zip(sizes, kept, strict=True)))
    return grid(
        (
            line_chart("Speed against batch size", [speeds], x_label="images a batch", y_label="images/s", log_x=True),
            line_chart("Memory against batch size", [memory], x_label="images a batch", y_label="MB"),
        )
    )
