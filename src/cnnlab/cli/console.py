"""What people see: progress bars on a terminal, plain lines in a pipe, one JSON object when asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from cnnlab.cli.called import as_called
from cnnlab.text import printable
from cnnlab.train.watch import Moment, Watch

PLAIN_SECONDS = 10.0  # between two plain progress lines
BAR_SECONDS = 0.2  # between two changes of a line on a terminal
PIPE_WIDTH = 200  # columns of a table where no terminal sets them


class _Console(Console):
    """A console that shows commands `as_called`, and leaves a reader who went away to `cli.main`."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as rich does, with escapes in place of control characters in names; tables fitted to the width."""
        left_out = [title for each in objects if isinstance(each, FittedTable) for title in each.fit(self)]
        shown = (as_called(printable(each, keep="\n\t")) if isinstance(each, str) else each for each in objects)
        super().print(*shown, **how)
        if left_out:
            super().print(f"not shown for want of width: {', '.join(left_out)} (--json has them)")

    def on_broken_pipe(self) -> None:
        """Raise the error on, in place of rich's own exit with 1."""
        self.quiet = True
        raise BrokenPipeError


def console(*, json_output: bool) -> Console:
    """Where text for people goes: standard output, or standard error beside JSON; plain with NO_COLOR."""
    plain = False if os.environ.get("NO_COLOR") else None
    made = _Console(stderr=json_output, highlight=False, soft_wrap=True, force_terminal=plain)
    if not made.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        made.width = PIPE_WIDTH
    return made


def print_json(values: object) -> None:
    """Print `values` as the command's one JSON object."""
    print(json.dumps(values, indent=1))


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage with two decimals."""
    return f"{100 * share:.2f}%"


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


class FittedTable(Table):
    """A table that is shown without its `optional` columns, the last first, where they are too wide together."""

    optional: tuple[str, ...] = ()

    def fit(self, out: Console) -> list[str]:
        """Leave out columns until it fits; gives their titles. What is still too wide wraps within its columns."""
        names = [cell_len(str(each)) for each in self.columns[0].cells]
        self.columns[0].min_width = min(max(names, default=0), 3 * out.width // 4)
        wide = out.options.update(max_width=10 * PIPE_WIDTH)
        left_out: list[str] = []
        for title in reversed(self.optional):
            if Measurement.get(out, wide, self).maximum <= out.width:
                break
            self.columns = [column for column in self.columns if column.header != title]
            left_out.insert(0, title)
        return left_out


def table(*columns: str, optional: Sequence[str] = ()) -> FittedTable:
    """An empty table with these column titles: names, in the first, are never cut, `optional` ones left out first."""
    made = FittedTable(box=None, pad_edge=False, header_style="bold")
    made.optional = tuple(optional)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def macs(count: float) -> str:
    """Multiply-accumulates in millions."""
    return f"{count / 1e6:,.1f} M"


def describe(moment: Moment) -> str:
    """A moment of a training in words."""
    return (
        f"epoch {moment.epoch + 1}  step {moment.step}  loss {moment.loss:.3f}  train {percent(moment.top1)}  "
        f"{moment.pixels}px  {moment.images_per_second:.0f} images/s  {clock(moment.seconds_left)} left"
    )


class PlainWatch(Watch):
    """A line every ten seconds and one a validation, for pipes and log files."""

    def __init__(self, out: Console) -> None:
        self.out = out
        self._printed = 0.0

        self._report = download_report(out)

    def loading(self, done: int, total: int | None) -> None:
        """Print how far the data is."""
        self._report(done, total)

    def started(self, title: str) -> None:
        """Print the title."""
        self.out.print(title, markup=False)
        self._printed = time.monotonic()

    def stepped(self, moment: Moment) -> None:
        """Print a line if ten seconds are over."""
        if time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._printed = time.monotonic()
            self.out.print(f"{100 * moment.share:5.1f}%  {describe(moment)}")

    def validated(self, epoch: int, top1: float, loss: float) -> None:
        """Print the validation's figures."""
        self.out.print(f"epoch {epoch + 1}: validation {percent(top1)}, loss {loss:.3f}")

    def said(self, message: str) -> None:
        """Print the message."""
        self.out.print(message, markup=False)


class BarWatch(PlainWatch):
    """A progress bar, with a line above it for each validation."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def started(self, title: str) -> None:
        """Print the title and show the bar."""
        self.out.print(title, markup=False)
        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.description}"),
            console=self.out,
        )
        self._task = self._bar.add_task("starting", total=1.0)
        self._bar.start()

    def stepped(self, moment: Moment) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=moment.share, description=describe(moment))

    def ended(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def watch_for(out: Console) -> Watch:
    """The looker-on that fits: a bar on a terminal, lines elsewhere."""
    return BarWatch(out) if out.is_terminal else PlainWatch(out)


def download_report(out: Console) -> Callable[[int, int | None], None]:
    """A progress callback (done, total or None) for downloads and decoding: a line now and then.

    What is over before the first line is due goes unmentioned.
    """
    pause = BAR_SECONDS if out.is_terminal else PLAIN_SECONDS
    printed, begun = time.monotonic(), False

    def report(done: int, total: int | None) -> None:
        nonlocal printed, begun
        finished = done == total
        if time.monotonic() - printed < pause and not (finished and begun):
            return
        printed, begun = time.monotonic(), True
        share = f"{100 * done / total:.0f}% of {total:,}" if total else f"{done:,}"
        end = "\r" if out.is_terminal and not finished else "\n"
        print(f"  loading: {share}", end=end, file=out.file, flush=True)

    return report
