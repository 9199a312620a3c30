from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.report.page import (
    Html,
    Section,
    between,
    element,
    facts,
    folded,
    gallery,
    join,
    page,
    pairs,
    paragraph,
    percent,
    policy,
    table,
    write_page,
)

from .reading import dangers, read

HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(1)"> & "quoted" \'single\''
any_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", {"class": 'a"b'}, "<b>", element("i", None, "x")) == '<p class="a&quot;b">&lt;b&gt;<i>x</i></p>'
    assert join(["<", Html("<br>"), None, 3]) == "&lt;<br>3"


def test_an_element_without_an_end_has_none() -> None:
    assert element("img", {"alt": "a cat"}) == '<img alt="a cat">'


def whole(text: str) -> str:
    """A page with `text` wherever text can stand."""
    body = join(
        [
            paragraph(text),
            table((text, "n"), [(text, text)], caption=text, numbers=("n",)),
            pairs({text: text, "left out": None}),
            folded(text, paragraph(text)),
            gallery([("data:image/png;base64,AA==", text, (text,))]),
        ]
    )
    return page(text, text, [Section(text, body)], lead=facts([(text, text, text)]))


@given(any_text)
def test_whatever_the_text_it_is_only_text(text: str) -> None:
    made, plain = whole(text), whole("plain")
    assert dangers(made) == []
    assert [tag for tag, _ in read(made).elements] == [tag for tag, _ in read(plain).elements]
    assert read(made).texts == [text if each == "plain" else each for each in read(plain).texts]


def test_hostile_text_is_seen_as_it_is() -> None:
    made = whole(HOSTILE)
    assert dangers(made) == []
    assert HOSTILE in read(made).texts
    assert {each["alt"] for each in read(made).named("img")} == {HOSTILE}


def test_the_check_for_dangers_finds_them() -> None:
    made = whole("x").replace(
        "</body>", '<script>1</script><a href="http://a.b">y</a><p onclick="z" style="q">t</p></body>'
    )
    assert dangers(made) == ["script", "a href=http://a.b", "p onclick", "p style"]


@pytest.mark.parametrize("text", ["caf\udce9", "a\x00b\x1bc"])
def test_what_no_page_may_hold_becomes_a_mark(text: str, tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", whole(text))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", path.read_text(encoding="utf-8"))


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    made = whole("x")
    [style] = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [told] = [each["content"] for each in read(made).named("meta") if "http-equiv" in each]
    assert told == policy(style)
    assert told.split("; ")[:3] == ["default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:"]
    assert "url(" not in style
    assert "@import" not in style


def test_every_section_is_in_the_contents_and_has_its_heading() -> None:
    made = read(page("t", "s", [Section("One", paragraph("1")), Section("Two", paragraph("2"))]))
    targets = {each["id"] for _, each in made.elements if "id" in each}
    links = [each["href"] for each in made.named("a")]
    assert links == ["#content", "#section-1", "#section-2"]
    assert {link[1:] for link in links if link} <= targets
    assert all(each["aria-labelledby"] in targets for each in made.named("section"))


def test_a_tables_columns_of_numbers_are_set_as_such() -> None:
    made = read(table(("a", "b", "c"), [("x", "1", "y"), ("z", "2", "w")], caption="t", numbers=("b",)))
    assert [each.get("class") for each in made.named("td")] == ["number", None] * 2
    assert [each["scope"] for each in made.named("th")] == ["col"] * 3 + ["row"] * 2
    with pytest.raises(ValueError, match="zip"):
        table(("a", "b"), [("x", "1", "y")], caption="t")


def test_a_page_is_written_aside_first(tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", "one")
    assert write_page(path, "two") == path
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text(encoding="utf-8") == "two"


def test_shares_in_words() -> None:
    assert (percent(0.90845), percent(1, 0), percent(None)) == ("90.84%", "100%", "–")
    assert between((0.9, 0.915), 1) == "90.0% to 91.5%"
