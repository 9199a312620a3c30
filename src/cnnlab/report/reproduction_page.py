"""A paper's figure or table done again, as a page: the claim, our curves with the paper's values, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnnlab.report.page import Html, Section, element, grid, join, note, page, pairs, paragraph, table


@dataclass(frozen=True)
class Verdict:
    """Whether the paper's effect is seen here: `holds` is None where this budget cannot tell; `words` says it."""

    holds: bool | None
    words: str


@dataclass(frozen=True)
class Claim:
    """One thing that a paper says: whether it is so here (None: cannot be told), and by which test on which figures."""

    words: str
    holds: bool | None
    evidence: str


@dataclass(frozen=True)
class Value:
    """One figure beside the paper's: both as written, `paper` None where the paper has none."""

    name: str
    ours: str
    paper: str | None


def reproduction_page(
    *,
    title: str,
    claim: str,
    paper: str,
    verdict: Verdict,
    claims: Sequence[Claim],
    figures: Sequence[Html],
    values: Sequence[Value],
    differences: Sequence[str],
    budget: Mapping[str, object],
) -> str:
    """The page of one reproduction.

    Args:
        title: what is reproduced.
        claim: what the paper says, in a sentence.
        paper: where: authors, year, section, figure or table.
        verdict: what is seen here.
        claims: what the verdict is made of.
        figures: charts, the paper's values as `charts.Mark`s on them.
        values: our figures beside the paper's.
        differences: what is not as in the paper, each in a sentence: budget, data, seeds.
        budget: names and values of what the runs had: steps, images, seeds, minutes.
    """
    tone = {True: "verdict good", False: "verdict bad", None: "verdict"}[verdict.holds]
    sign = {True: "Holds here. ", False: "Does not hold here. ", None: "Not shown at this budget. "}[verdict.holds]
    lead = element("p", {"class": tone}, sign, verdict.words)
    seen = {True: "yes", False: "no", None: "cannot be told"}
    tested = [(each.words, seen[each.holds], each.evidence) for each in claims]
    printed = any(each.paper is not None for each in values)
    marks = note("Dashed levels and crosses, where there are any, are the paper's values.") if printed else None
    sections = [
        Section("The claim", join([paragraph(claim), note(paper)])),
        Section(
            "How it was tested",
            join(
                [
                    table(("", "so here?", "by"), tested, caption="What the claim comes to, and the test of each part"),
                    note("The verdict holds if every part does, each tested at 5%."),
                ]
            ),
        ),
        Section("What we see", join([grid(figures), marks])),
        Section("Figures", _figures(values, printed)),
        Section(
            "What differs from the paper", element("ul", None, *(element("li", None, each) for each in differences))
        ),
        Section("Budget", pairs(budget)),
    ]
    return page(title, paper, sections, lead=lead)


def _figures(values: Sequence[Value], printed: bool) -> Html:
    """Our figures, beside the paper's where it prints any."""
    if not printed:
        rows = [(each.name, each.ours) for each in values]
        return table(("", "ours"), rows, caption="Our figures; the paper prints none", numbers=("ours",))
    both = [(each.name, each.ours, each.paper or "–") for each in values]
    return table(("", "ours", "paper"), both, caption="Our figures beside the paper's", numbers=("ours", "paper"))
