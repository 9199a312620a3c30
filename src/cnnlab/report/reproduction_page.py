"""A paper's figure or table done again, as a page: the claim, our curves with the paper's values, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnnlab.report.page import Html, Section, element, grid, join, note, page, pairs, paragraph, table


@dataclass(frozen=True)
class Verdict:
    """Whether the paper's effect is seen here: `holds` is None where this budget cannot tell.

    `words` says it in a sentence, `evidence` by which test on which figures.
    """

    holds: bool | None
    words: str
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
        figures: charts, the paper's values as `charts.Mark`s on them.
        values: our figures beside the paper's.
        differences: what is not as in the paper, each in a sentence: budget, data, seeds.
        budget: names and values of what the runs had: steps, images, seeds, minutes.
    """
    tone = {True: "verdict good", False: "verdict bad", None: "verdict"}[verdict.holds]
    sign = {True: "Holds here. ", False: "Does not hold here. ", None: "Not shown at this budget. "}[verdict.holds]
    lead = join([element("p", {"class": tone}, sign, verdict.words), note(verdict.evidence)])
    rows = [(each.name, each.ours, each.paper or "–") for each in values]
    sections = [
        Section("The claim", join([paragraph(claim), note(paper)])),
        Section("What we see", join([grid(figures), note("Dashed levels and crosses are the paper's values.")])),
        Section(
            "Figures",
            table(("", "ours", "paper"), rows, caption="Our figures beside the paper's", numbers=("ours", "paper")),
        ),
        Section(
            "What differs from the paper", element("ul", None, *(element("li", None, each) for each in differences))
        ),
        Section("Budget", pairs(budget)),
    ]
    return page(title, paper, sections, lead=lead)
