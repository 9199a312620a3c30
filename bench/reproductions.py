"""Write docs/reproductions.md from the records of `cnnlab reproduce`.

python bench/reproductions.py runs/reproduce   # take over the records of that folder, and rewrite the page
python bench/reproductions.py                  # rewrite the page from the records in bench/results/reproductions/
python bench/reproductions.py --check          # fail if the page differs from the records
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cnnlab.reproduce.catalog import REPRODUCTIONS
from cnnlab.reproduce.reproduction import RECORD

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reproductions.md"
RECORDS = ROOT / "bench" / "results" / "reproductions"
SEEN = {True: "**holds**", False: "does not hold", None: "not shown"}
ANSWERS = {True: "yes", False: "no", None: "cannot be told"}
HEAD = """\
# Reproductions

`cnnlab reproduce NAME` makes a paper's figure or table again and writes a page with our curves, the paper's values and
a verdict from a stated test; `cnnlab reproduce` makes all, and goes on where it was interrupted. `--runs 5` tests over
seeds, `--budget full` trains as the paper did, `--check` ends with exit code 1 unless every effect is shown.

What stands here is made by `bench/reproductions.py` from the records in `bench/results/reproductions/`. The quick
budget trains on a part of CIFAR-10 (or MNIST) with small images for minutes: errors are far above the papers', and only
the effects are compared. An effect **holds** if every part of it is significant at 5%; it does not hold if one part is
refuted; else it is not shown at this budget. Each test part is read once a run.
"""


def page(records: list[dict[str, Any]]) -> str:
    """The whole page: the table of all, then for each its parts and what differs."""
    rows = ["| name | paper | effect | verdict | ours | minutes |", "|---|---|---|---|---|--:|"]
    rows += [_row(each) for each in records]
    held = sum(each["verdict"]["holds"] is True for each in records)
    refuted = sum(each["verdict"]["holds"] is False for each in records)
    count = (
        f"{len(records)} reproductions: {held} hold, {refuted} do not, {len(records) - held - refuted} are not shown. "
        f"Minutes are of training and test, shared runs counted wherever they are used; {_machine(records)}."
    )
    parts = [line for each in records for line in _details(each)]
    return "\n".join([HEAD, *rows, "", count, *parts]) + "\n"


def _row(record: dict[str, Any]) -> str:
    minutes = f"{record['seconds'] / 60:.1f}" if record["runs"] else "counted"
    seen = SEEN[record["verdict"]["holds"]]
    cells = (
        f"[`{record['name']}`](#{record['name']})",
        record["paper"],
        record["effect"],
        seen,
        record["ours"],
        minutes,
    )
    return "| " + " | ".join(cells) + " |"


def _details(record: dict[str, Any]) -> list[str]:
    seeds = f", {record['seeds']} seed{'s' if record['seeds'] > 1 else ''} each" if record["seeds"] else ""
    rows = [f"| {each['words']} | {ANSWERS[each['holds']]} | {each['evidence']} |" for each in record["claims"]]
    return [
        *("", f"## {record['name']}", "", f"{record['title']}. Budget {record['budget']}{seeds}."),
        *("", "| claim | so here? | by |", "|---|---|---|", *rows),
        *("", f"What differs: {'; '.join(record['differences'])}." if record["differences"] else "Nothing differs."),
    ]


def _machine(records: list[dict[str, Any]]) -> str:
    used = {(each["environment"]["processor"], each["environment"]["threads"]) for each in records}
    return " and ".join(
        f"{processor}, {threads} thread{'s' if threads > 1 else ''}" for processor, threads in sorted(used)
    )


def take_over(folder: Path) -> None:
    """Copy the records of a folder of `cnnlab reproduce`, one file a reproduction."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    for found in sorted(folder.glob(f"*/{RECORD}")):
        (RECORDS / f"{found.parent.name}.json").write_text(found.read_text(encoding="utf-8"), encoding="utf-8")


def kept() -> list[dict[str, Any]]:
    """The records kept, in the catalogue's order."""
    paths = [RECORDS / f"{name}.json" for name in REPRODUCTIONS]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]


def main() -> None:
    given = [each for each in sys.argv[1:] if not each.startswith("-")]
    for each in given:
        take_over(Path(each))
    made = page(kept())
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    elif made != PAGE.read_text(encoding="utf-8"):
        raise SystemExit("docs/reproductions.md differs from its records; run python bench/reproductions.py")


if __name__ == "__main__":
    main()
