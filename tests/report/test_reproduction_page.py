from __future__ import annotations

import pytest

from cnnlab.report.charts import Line, Mark, line_chart
from cnnlab.report.reproduction_page import Claim, Value, Verdict, reproduction_page

from .reading import dangers, read
from .records import HOSTILE


def made(holds: bool | None, text: str = "text", paper: str | None = "8.75%") -> str:
    chart = line_chart(
        "Error", [Line("ours", [(20, 0.3)])], x_label="layers", shares=True, marks=[Mark("paper", 0.0875, 20)]
    )
    return reproduction_page(
        title=text,
        claim=text,
        paper=text,
        verdict=Verdict(holds, text),
        claims=[Claim(f"{text} again", holds, f"by {text}")],
        figures=[chart],
        values=[Value(text, "27.0%", paper), Value("ours alone", "1", None)],
        differences=[text, "2 epochs in place of 164"],
        budget={text: text, "seeds": 3},
    )


@pytest.mark.parametrize(
    ("holds", "words", "tone"),
    [(True, "Holds here. ", "good"), (False, "Does not hold here. ", "bad"), (None, "Not shown at this budget. ", "")],
)
def test_the_verdict_is_said_first(holds: bool | None, words: str, tone: str) -> None:
    page = read(made(holds))
    [verdict] = [each for each in page.named("p") if (each.get("class") or "").startswith("verdict")]
    assert verdict["class"] == f"verdict {tone}".strip()
    assert page.text.index(f"{words}text") < page.text.index("The claim")


def test_the_papers_values_and_what_differs_are_shown() -> None:
    text = read(made(None)).text
    for expected in ("paper 8.75%", "27.0%", "8.75%", "–", "2 epochs in place of 164", "seeds"):
        assert expected in text


@pytest.mark.parametrize(("holds", "said"), [(True, "yes"), (False, "no"), (None, "cannot be told")])
def test_each_part_of_the_claim_is_shown_with_its_test(holds: bool | None, said: str) -> None:
    page = read(made(holds))
    assert [each.get("class") for each in page.named("p")].count("note") >= 2
    for expected in ("text again", said, "by text"):
        assert expected in page.text


def test_where_the_paper_prints_no_figure_it_has_no_column() -> None:
    text = read(made(None, paper=None)).text
    assert "the paper prints none" in text
    assert "crosses are the paper's" not in text


def test_whatever_the_text_it_is_only_text() -> None:
    assert dangers(made(True, HOSTILE)) == []
    assert HOSTILE in read(made(True, HOSTILE)).text
