"""What a reproduction is, and its way: plans, runs, findings, a record and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from cnnlab.errors import command, reason_of
from cnnlab.report.page import Html, write_page
from cnnlab.report.reproduction_page import Claim, Value, reproduction_page
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget, Plan, what_differs
from cnnlab.reproduce.runs import Result, Results, make
from cnnlab.train.record import environment
from cnnlab.train.watch import Watch

RECORD, PAGE = "result.json", "report.html"


@dataclass(frozen=True)
class Findings:
    """What the runs say: the claims that the verdict is made of, figures beside the paper's, charts.

    `ours` is the headline in a few words, for a table of all reproductions.
    """

    claims: Sequence[Claim]
    values: Sequence[Value]
    figures: Sequence[Html]
    ours: str


@dataclass(frozen=True)
class Reproduction:
    """One figure or table of a paper.

    `effect` says in a few words what should be seen, `claim` in a sentence what the paper says; `plans` gives by label
    the trainings that a budget needs (none for what is counted), `read` what their results say. `differences` hold at
    every budget; those of data and length are said by the plans themselves.
    """

    name: str
    title: str
    effect: str
    claim: str
    paper: str
    plans: Callable[[Budget], Mapping[str, Plan]]
    read: Callable[[Results], Findings]
    differences: tuple[str, ...] = ()


def no_plans(_: Budget) -> Mapping[str, Plan]:
    """The plans of what is counted, not trained."""
    return {}


def reproduce(
    reproduction: Reproduction,
    folder: Path,
    *,
    budget: Budget = Budget.QUICK,
    seeds: int = 1,
    device: str = "auto",
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Make or take up the runs, and write `result.json` and `report.html` into `folder`/`name`.

    Runs lie in `folder`/runs, where every reproduction finds those it shares with others.

    Returns:
        The record, as in `result.json`; with `problem` where the files could not be written.

    Raises:
        InterruptedRunError: asked to stop; the same call goes on.
    """
    plans = reproduction.plans(budget)
    results = make(plans, seeds, folder / "runs", device=device, watch=watch or Watch())
    findings = reproduction.read(results)
    record = _record(reproduction, plans, results, findings, budget, seeds)
    place = folder / reproduction.name
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        write_page(place / PAGE, page_of(reproduction, findings, record))
    except OSError as error:  # what was found is told all the same
        record["problem"] = f"{place} could not be written: {reason_of(error)}; the figures above stand"
    return record


def _record(
    reproduction: Reproduction,
    plans: Mapping[str, Plan],
    results: Results,
    findings: Findings,
    budget: Budget,
    seeds: int,
) -> dict[str, Any]:
    runs = [_run(label, plans[label], each) for label, made in results.items() for each in made]
    return {
        "name": reproduction.name,
        "title": reproduction.title,
        "effect": reproduction.effect,
        "paper": reproduction.paper,
        "budget": budget.value,
        "seeds": seeds if plans else 0,
        "seconds": sum({each["run"]: each["seconds"] for each in runs}.values()),
        "verdict": asdict(verdict(findings.claims)),
        "claims": [asdict(each) for each in findings.claims],
        "ours": findings.ours,
        "values": [asdict(each) for each in findings.values],
        "differences": [*what_differs(list(plans.values())), *reproduction.differences],
        "runs": runs,
        "environment": _environment(),
    }


def _run(label: str, plan: Plan, result: Result) -> dict[str, Any]:
    return {
        "label": label,
        "run": result.folder.name,
        "model": plan.recipe.model,
        "seed": result.seed,
        "seconds": result.seconds,
        "diverged": result.diverged,
        "test_error": None if result.diverged else result.test_error,
        "train_error": None if result.diverged else result.train_error,
    }


def _environment() -> dict[str, Any]:
    found = environment(torch.device("cpu"))
    return {name: found[name] for name in ("time", "cnnlab", "packages", "processor", "cores", "threads", "git")}


def page_of(reproduction: Reproduction, findings: Findings, record: Mapping[str, Any]) -> str:
    """The page of a reproduction's findings."""
    seeds = ("--runs", record["seeds"]) if record["seeds"] > 1 else ()
    return reproduction_page(
        title=reproduction.title,
        claim=reproduction.claim,
        paper=reproduction.paper,
        verdict=verdict(findings.claims),
        claims=findings.claims,
        figures=findings.figures,
        values=findings.values,
        differences=record["differences"],
        budget={
            "Budget": record["budget"],
            "Runs": len({each["run"] for each in record["runs"]}) or "none: counted, not trained",
            "Seeds": record["seeds"] or None,
            "Training and test": f"{record['seconds'] / 60:.1f} minutes" if record["runs"] else None,
            "Processor": f"{record['environment']['processor']}, {record['environment']['threads']} threads",
            "Made by": command("reproduce", record["name"], "--budget", record["budget"], *seeds),
        },
    )
