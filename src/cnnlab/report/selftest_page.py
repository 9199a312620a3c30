"""What the self-test found, as a page: each part with what it must hold, how its cases ended, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.report.page import Html, Section, element, join, note, page, pairs, paragraph, table

Summary = Mapping[str, Any]
Rows = Sequence[Sequence[str]]


def selftest_page(
    summaries: Sequence[Summary], columns: Sequence[str], rows: Rows, kinds: Sequence[Rows], environment: Summary
) -> str:
    """The page of a campaign.

    Args:
        summaries: what each part's `<part>.json` holds.
        columns: the titles of the table of parts.
        rows: its rows, one a part.
        kinds: for each part its kinds of fault: name, cases, how they ended.
        environment: versions and machine, by name.
    """
    reached = [bool(each["reached"]) for each in summaries]
    passed, cases = (sum(each[name] for each in summaries) for name in ("passed", "cases"))
    whole = all(reached)
    words = "Everything held: " if whole else "Not everything held: "
    lead = join(
        [
            element(
                "p",
                {"class": "verdict good" if whole else "verdict bad"},
                words,
                f"{passed:,} of {cases:,} cases passed.",
            ),
            note("A quick run tries a slice of each part; cnnlab selftest --full tries them all."),
        ]
    )
    sections = [
        Section("All parts", table(columns, rows, caption="The parts of the self-test")),
        *(Section(each["part"], _part(each, rows)) for each, rows in zip(summaries, kinds, strict=True)),
        Section("Where it ran", pairs({name: _words(value) for name, value in environment.items()})),
    ]
    return page("What this cnnlab survives", "cnnlab selftest", sections, lead=lead)


def _part(summary: Summary, kinds: Rows) -> Html:
    parts = [
        paragraph(summary["claim"]),
        table(("fault", "cases", "how they ended"), kinds, caption=f"Faults of {summary['part']}", numbers=("cases",)),
    ]
    if summary["failures"]:
        rows = [(str(each["case"]), each["kind"], each["ended"], each["seen"]) for each in summary["failures"]]
        parts.append(table(("case", "fault", "ended", "what was seen"), rows, caption="Cases that failed"))
    return join(parts)


def _words(value: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)
