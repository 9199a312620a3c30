"""argparse with errors that suggest; the standard library's, because `--help` must come within 0.3 s."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cnnlab.errors import UsageError, nearest, unknown_name

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")

MOST_COLUMNS = 120  # of a line of help


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`, with the nearest flag where one is misspelt."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=_filled(description or ""),
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments.

        Raises:
            UsageError: something is missing, of the wrong type, or unknown.
        """
        known, unknown = self.parse_known_args(arguments)
        if unknown:
            raise UsageError(self._unknown(unknown[0]))
        return known

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"{self.prog}: one argument too many: {argument!r}; see {self.prog} --help"
        flags = [flag for action in self._actions if action.help != argparse.SUPPRESS for flag in action.option_strings]
        flags = [flag for flag in flags if flag.startswith("--")]
        close = nearest(argument.partition("=")[0], flags)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return f"{self.prog}: no option {argument}; {hint}all {len(flags)}: {self.prog} --help"

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` in place of argparse's own way out."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def _filled(text: str) -> str:
    """Paragraphs, each filled to the width of the terminal."""
    width = min(shutil.get_terminal_size().columns - 2, MOST_COLUMNS)
    return "\n\n".join(textwrap.fill(" ".join(each.split()), width) for each in text.split("\n\n"))


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which every command has."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else on standard output")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device` and `--threads`."""
    parser.add_argument(
        "--device", type=device, default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, …"
    )
    parser.add_argument("--threads", type=positive_int, metavar="N", help="CPU threads (default: all cores)")


def device(text: str) -> str:
    """An argument that must name a kind of device, such as `cuda:1`; whether it is there, torch will say."""
    kind, colon, index = text.partition(":")
    if kind not in DEVICES or (colon and not index.isdecimal()):
        raise argparse.ArgumentTypeError(f"no device {text!r}; known: {', '.join(DEVICES)}, and cuda:1, …")
    return text


def one_of(kind: str, names: Sequence[str]) -> Callable[[str], str]:
    """An argument that must be one of `names`; another gets the nearest suggested."""

    def choose(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(str(unknown_name(kind, text, names)))
        return text

    return choose


def integer(text: str) -> int:
    """An argument that must be a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def number(text: str) -> float:
    """An argument that must be a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


class _OldFlag(argparse.Action):
    """A flag that has another name now: it still works, and says so."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, flag: str | None = None
    ) -> None:
        """Take the value."""
        print(f"cnnlab: {flag} is called --out now", file=sys.stderr)
        setattr(namespace, self.dest, values)


def add_out(parser: argparse.ArgumentParser, old: str, **how: Any) -> None:
    """Add `--out FILE`, and without help the flag `old` that it was called before; either sets what `old` sets."""
    dest = old.removeprefix("--")
    parser.add_argument("--out", dest=dest, type=Path, **how)
    hidden = {**how, "help": argparse.SUPPRESS}
    parser.add_argument(old, dest=dest, type=Path, action=_OldFlag, **hidden)


def positive_int(text: str) -> int:
    """An argument that must be a whole number above 0."""
    value = integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def positive_float(text: str) -> float:
    """An argument that must be a number above 0."""
    value = number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value
