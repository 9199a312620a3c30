from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.cli.parser import (
    Parser,
    add_device,
    add_json,
    add_out,
    integer,
    number,
    one_of,
    positive_float,
    positive_int,
)
from cnnlab.errors import UsageError


@pytest.fixture
def parser() -> Parser:
    made = Parser(prog="cnnlab test")
    made.add_argument("data", nargs="?")
    made.add_argument("--size", type=positive_int)
    add_device(made)
    add_json(made)
    return made


def test_what_is_given_is_parsed_and_the_rest_has_defaults(parser: Parser) -> None:
    found = parser.parse(["x", "--size", "3"])
    assert vars(found) == {"data": "x", "size": 3, "device": "auto", "threads": None, "json": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--sizes", "3"],
            r"^cnnlab test: no option --sizes; did you mean --size( or --device)?\? all 5: cnnlab test --help$",
        ),
        (["--qqqq"], "no option --qqqq; all 5: cnnlab test --help"),
        (["a", "b"], "one argument too many: 'b'; see cnnlab test --help"),
        (["--size"], "expected one argument; see cnnlab test --help"),
        (["--size", "0"], "0 is not above 0"),
        (["--size", "x"], "argument --size: 'x' is not a whole number"),
        (["--siz", "3"], r"did you mean --size\?"),
        (["-q"], "no option -q"),
    ],
)
def test_a_mistake_raises_a_usage_error(arguments: list[str], message: str, parser: Parser) -> None:
    with pytest.raises(UsageError, match=message):
        parser.parse(arguments)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf"])
def test_numbers_that_are_not_above_0_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        positive_int(text)
    with pytest.raises(argparse.ArgumentTypeError, match="not above 0"):
        positive_float(text)


def test_a_name_that_is_no_choice_gets_the_nearest() -> None:
    choose = one_of("action", ("get", "stats", "split"))
    assert choose("stats") == "stats"
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"no action 'stat'; did you mean 'stats'\? known: get, stats, spl"
    ):
        choose("stat")


@pytest.mark.parametrize(("read", "text"), [(integer, "1.5"), (integer, "one"), (number, "1,5"), (number, "")])
def test_text_that_is_no_number_is_told_in_words(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{text!r} is not a "):
        read(text)


def test_numbers_above_0_are_taken() -> None:
    assert (positive_int("7"), positive_float("0.5"), positive_float("1e3")) == (7, 0.5, 1000.0)


def test_an_old_flag_still_works_and_says_its_new_name(capsys: pytest.CaptureFixture[str]) -> None:
    made = Parser(prog="cnnlab test")
    add_out(made, "--report", metavar="FILE", help="a page")
    assert made.parse(["--out", "a.html"]).report == Path("a.html")
    assert capsys.readouterr().err == ""
    assert made.parse(["--report", "a.html"]).report == Path("a.html")
    assert capsys.readouterr().err == "cnnlab: --report is called --out now\n"
    assert "--report" not in made.format_help()
    with pytest.raises(UsageError, match="no option --repor; all 2"):
        made.parse(["--repor", "a.html"])
