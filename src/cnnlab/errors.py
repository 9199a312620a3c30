"""What can go wrong, each with the exit code the command line ends with.

A message says four things: what happened, the value seen, what is accepted, what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CnnlabError(Exception):
    """Anything cnnlab reports on purpose; shown as one message, without a traceback."""

    exit_code = 1


class UsageError(CnnlabError):
    """The request itself is wrong: a misspelt name, contradictory flags, a folder in use."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not in its catalogue; the message offers the nearest ones."""


class DataError(CnnlabError):
    """Data that cannot be used: missing, damaged, or not what it claims to be."""

    exit_code = 3


class ImageError(DataError):
    """One image file that is refused: unreadable, truncated, of another format, or too large."""


class CheckpointError(CnnlabError):
    """A checkpoint that is missing, incomplete, or whose bytes differ from its manifest."""


class NonFiniteLossError(CnnlabError):
    """The loss became NaN or infinite; training stopped before that step's update."""


class RankError(CnnlabError):
    """One of several processes that train together is gone, or keeps the others waiting for too long."""


class InterruptedRunError(CnnlabError):
    """Training was asked to stop, and everything is saved to go on later."""

    exit_code = 75


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The up to `count` names in `known` that look most like `name`, best first."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a `kind` ("model", "recipe", …) called `name` that is not among `known`."""
    names = [str(each) for each in known]
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return UnknownNameError(f"no {kind} {name!r}; {hint}known: {', '.join(names)}")
