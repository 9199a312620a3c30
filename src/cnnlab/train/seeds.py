"""Several seeds of one recipe: what they say together, and the folder's own result and page, written in every case."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnnlab.errors import CnnlabError, InterruptedRunError, reason_of
from cnnlab.evaluate.intervals import spread
from cnnlab.report.overlay import read_curves
from cnnlab.report.page import write_page
from cnnlab.report.seeds_page import seeds_page
from cnnlab.train.disk import Disk, replace_file

RESULT, REPORT = "result.json", "report.html"
Result = dict[str, Any]


def run_seeds(
    seeds: Sequence[int],
    train: Callable[[int], Result],
    about: Result,
    folder: Path,
    say: Callable[[str], object],
) -> Result:
    """Train one seed after the other; after each, `result.json` and `report.html` of `folder` say how far all are.

    A seed that fails is named, and the next one begins. Asked to stop, none begins any more.

    Args:
        seeds: which.
        train: trains a seed in a folder of its own, and returns its result.
        about: `recipe`, `model` and `data`, for the page.
        folder: where the seeds' folders are.
        say: is told in words what went wrong.

    Returns:
        The first seed's result with `runs` (all results), `failed`, `asked`, and of each part that all were tested on
        the `mean`, `std` and `interval95` of the mean over seeds.

    Raises:
        InterruptedRunError: asked to stop.
        CnnlabError: no seed ended well; the first one's.
    """
    results: list[Result] = []
    failed: list[Result] = []
    first: CnnlabError | None = None
    for seed in seeds:
        try:
            results.append(train(seed))
        except (CnnlabError, KeyboardInterrupt) as error:
            failed.append({"seed": seed, "error": str(error) or "interrupted"})
            if not isinstance(error, CnnlabError) or isinstance(error, InterruptedRunError):
                _write(folder, {**about, "asked": len(seeds)}, results, failed, say)
                raise
            first = first or error
            if len(seeds) > 1 and results:
                say(f"seed {seed} failed: {error}")
        _write(folder, {**about, "asked": len(seeds)}, results, failed, say)
        if first is not None and not results and not any(folder.glob("seed*")):
            raise first  # it could not even begin, and neither could another
    if first is not None and not results:
        raise first
    return summary(folder, {**about, "asked": len(seeds)}, results, failed)


def summary(folder: Path, about: Result, results: Sequence[Result], failed: Sequence[Result]) -> Result:
    """What the seeds say together, as `run_seeds` returns it."""
    found: Result = {**about, **(results[0] if results else {}), "run": str(folder)}
    found |= {"runs": list(results), "failed": list(failed), **_worst_verdict(results)}
    for part in ("test", "val"):
        if results and all(part in each for each in results):
            over_seeds = spread([each[part]["top1"] for each in results])
            own = found[part].get("interval95")
            interval = list(over_seeds.interval95) if over_seeds.interval95 is not None else own
            found[part] = {**found[part], "mean": over_seeds.mean, "std": over_seeds.std, "interval95": interval}
    return found


def _worst_verdict(results: Sequence[Result]) -> Result:
    """What the seed that learned least says of its learning: one that did not, else one of which it cannot be told."""
    worst = next((each for verdict in (False, None) for each in results if each.get("learned", True) is verdict), {})
    return {name: worst[name] for name in ("learned", "warnings", "try") if name in worst}


def _write(
    folder: Path, about: Result, results: Sequence[Result], failed: Sequence[Result], say: Callable[[str], object]
) -> None:
    """Write the folder's result and page; of seeds that never began nothing is."""
    if not folder.is_dir():
        return
    found = summary(folder, about, results, failed)
    curves = read_curves({each.name: each for each in sorted(folder.glob("seed*")) if each.is_dir()})
    try:
        replace_file(folder / RESULT, json.dumps(found, indent=1).encode(), Disk())
        write_page(folder / REPORT, seeds_page(found, curves))
    except OSError as error:
        say(f"{folder / REPORT} could not be written: {reason_of(error)}; each seed's folder has its own result")
