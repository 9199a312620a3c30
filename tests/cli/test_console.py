from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cnnlab.cli.console import (
    BarWatch,
    PlainWatch,
    clock,
    console,
    describe,
    download_report,
    percent,
    print_json,
    table,
    watch_for,
)
from cnnlab.train.watch import Moment

MOMENT = Moment(
    step=7, epoch=1, share=0.25, loss=1.2345, top1=0.5, lr=0.1, pixels=24, images_per_second=1234.5, seconds_left=75
)


def test_text_goes_to_standard_output_and_beside_json_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    console(json_output=False).print("for people")
    console(json_output=True).print("beside")
    assert capsys.readouterr() == ("for people\n", "beside\n")


def test_a_console_in_a_pipe_writes_plain_text_of_any_length(capsys: pytest.CaptureFixture[str]) -> None:
    console(json_output=False).print("[bold]" + "long " * 100 + "[/bold]")
    assert capsys.readouterr().out == "long " * 100 + "\n"


def test_a_reader_who_goes_away_is_left_to_the_caller() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    out = console(json_output=False)
    out.file = Gone()
    with pytest.raises(BrokenPipeError):
        out.print("hello")


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, 2.5, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(("share", "text"), [(0, "0.00%"), (0.12345, "12.35%"), (1, "100.00%")])
def test_shares_are_shown_as_percentages(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (7325, "2:02:05")],
)
def test_times_are_shown_as_on_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_moment_in_words() -> None:
    assert describe(MOMENT) == "epoch 2  step 7  loss 1.234  train 50.00%  24px  1234 images/s  1:15 left"


def test_a_table_has_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    made = table("name", "size")
    made.add_row("a", "1")
    console(json_output=False).print(made)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["name", "size"], ["a", "1"]]


def screen(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=120, highlight=False), written


def test_a_pipe_is_told_of_each_validation_and_nothing_between(capsys: pytest.CaptureFixture[str]) -> None:
    watch = watch_for(console(json_output=False))
    assert type(watch) is PlainWatch
    watch.started("net on [photos]")
    watch.stepped(MOMENT)
    watch.validated(1, 0.5, 1.25)
    watch.said("note [x]")
    watch.ended()
    assert capsys.readouterr().out.splitlines() == [
        "net on [photos]",
        "epoch 2: validation 50.00%, loss 1.250",
        "note [x]",
    ]


def test_a_pipe_is_told_of_a_step_once_in_ten_seconds(now: list[float]) -> None:
    out, written = screen(terminal=False)
    watch = PlainWatch(out)
    watch.started("net")
    for now[0] in (105.0, 110.0, 112.0, 121.0):
        watch.stepped(MOMENT)
    assert written.getvalue().count("step 7") == 2
    assert " 25.0%  epoch 2" in written.getvalue()


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    out, written = screen(terminal=True)
    watch = watch_for(out)
    assert isinstance(watch, BarWatch)
    watch.stepped(MOMENT)
    watch.started("net on [photos]")
    watch.stepped(MOMENT)
    watch.ended()
    watch.ended()
    shown = written.getvalue()
    assert "net on [photos]" in shown
    assert "25%" in shown
    assert "epoch 2  step 7" in shown


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The console's clock, to be set by hand."""
    time = [100.0]
    monkeypatch.setattr("cnnlab.cli.console.time.monotonic", lambda: time[0])
    return time


def test_what_loads_at_once_goes_unmentioned(now: list[float]) -> None:
    out, written = screen(terminal=False)
    report = download_report(out)
    for done in (1, 50, 100):
        report(done, 100)
    assert written.getvalue() == ""


def test_what_takes_long_is_told_every_ten_seconds_and_at_its_end(now: list[float]) -> None:
    out, written = screen(terminal=False)
    report = download_report(out)
    for now[0], done in ((105.0, 1000), (111.0, 2000), (112.0, 2500), (112.5, 4000)):
        report(done, 4000)
    assert written.getvalue() == "  loading: 50% of 4,000\n  loading: 100% of 4,000\n"


def test_what_has_no_known_size_is_counted(now: list[float]) -> None:
    out, written = screen(terminal=False)
    report = download_report(out)
    now[0] += 11
    report(1234567, None)
    assert written.getvalue() == "  loading: 1,234,567\n"


def test_a_terminals_line_is_written_over(now: list[float]) -> None:
    out, written = screen(terminal=True)
    report = download_report(out)
    for now[0], done in ((100.1, 1), (100.3, 2), (100.4, 4)):
        report(done, 4)
    assert written.getvalue() == "  loading: 50% of 4\r  loading: 100% of 4\n"


def test_a_table_leaves_out_what_is_optional_where_it_is_too_wide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = table("name", "size", "paper", "note", optional=("paper", "note"))
    made.add_row("n" * 30, "1" * 20, "p" * 20, "x" * 20)
    monkeypatch.setenv("COLUMNS", "80")
    console(json_output=False).print(made)
    out = capsys.readouterr().out
    assert "p" * 20 in out
    assert "x" * 20 not in out
    assert "not shown for want of width: note (" in out


def test_a_name_is_folded_rather_than_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = table("name", "size")
    made.add_row("n" * 200, "1")
    monkeypatch.setenv("COLUMNS", "80")
    console(json_output=False).print(made)
    assert capsys.readouterr().out.count("n") == 201
