from __future__ import annotations

import io
import os
import warnings

import pytest

import cnnlab.text
from cnnlab.text import drawable, printable


@pytest.mark.parametrize("text", ["plain.jpg", "猫", "дог", "naïve é", "می‌خواهم", "👩‍🚀", "back\\slash", "a b"])
def test_what_can_be_shown_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", r"two\nlines"),
        ("red\x1b[31m", r"red\x1b[31m"),
        ("tab\t\r", r"tab\t\r"),
        ("nul\0", r"nul\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u2028b", r"a\u2028b"),
        (os.fsdecode(b"caf\xe9"), r"caf\udce9"),
    ],
)
def test_what_cannot_is_shown_by_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    printable(text).encode()


def test_some_may_be_kept() -> None:
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_letters_that_no_font_has_are_drawn_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnnlab.text, "_letters", lambda: frozenset(range(32, 0x500)))
    assert drawable("кошка, naïve") == "кошка, naïve"
    assert drawable("猫 (cat)") == r"\u732b (cat)"
    assert drawable("two\nlines") == r"two\nlines"


def test_long_names_are_shortened_in_the_middle() -> None:
    shown = drawable("a" * 200 + "the end")
    assert len(shown) <= cnnlab.text.NAME_LETTERS
    assert shown.startswith("aaa")
    assert shown.endswith("athe end")
    assert drawable("x" * 90, 100) == "x" * 90


@pytest.mark.parametrize("name", ["猫", "$a$", "_x", "👩‍🚀", "שלום", os.fsdecode(b"caf\xe9"), "a\tb", "c" * 300])
def test_what_is_drawable_is_drawn_without_a_warning(name: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 2))
    figure.suptitle(drawable(name), parse_math=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png")
