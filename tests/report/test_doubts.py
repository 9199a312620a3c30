from __future__ import annotations

from cnnlab.report.doubts import doubts


def test_a_run_that_learned_has_no_doubts() -> None:
    assert doubts({"learned": True, "warnings": [], "try": []}) == []
    assert doubts({}) == []


def test_a_run_that_did_not_learn_says_so_with_what_to_try() -> None:
    (section,) = doubts({"learned": False, "warnings": ["the loss is <high>"], "try": ["--lr 0.1"]})
    assert section.title == "It has not learned"
    assert "The loss is &lt;high&gt;." in str(section.body)
    assert "<li>--lr 0.1</li>" in str(section.body)


def test_what_cannot_be_told_is_a_question() -> None:
    (section,) = doubts({"learned": None, "warnings": ["2 test images are too few to tell"], "try": []})
    assert section.title == "Did it learn?"
