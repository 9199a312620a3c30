"""What can go wrong, each with the exit code the command line ends with.

A message says four things: what happened, the value seen, what is accepted, what to do next.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


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


MOST_SHOWN = 8  # names that a message lists in full; of more, the nearest three
_WORSE = 0.2  # by which a second suggestion may be less like the name than the first
_LONGEST = 100  # letters of a name that are looked at


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The up to `count` names in `known` that look most like `name`, best first; case and separators do not count."""
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(_plain(name))
    likeness: dict[str, float] = {}
    for each in known:
        matcher.set_seq1(_plain(each))
        likeness[each] = matcher.ratio()
    least = max(0.5, max(likeness.values(), default=0.0) - _WORSE)
    close = [each for each, alike in likeness.items() if alike >= least]
    return sorted(close, key=lambda each: -likeness[each])[:count]


def _plain(name: str) -> str:
    return name[:_LONGEST].casefold().translate({ord(letter): None for letter in "-_ ."})


def either(names: Sequence[str]) -> str:
    """Names as a choice in words: `'a', 'b' or 'c'`."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} or {last}" if first else last


def command(*words: object) -> str:
    """A command to type, each of its words quoted for a shell where it needs to be: `cnnlab eval 'my run'`."""
    return shlex.join(["cnnlab", *map(str, words)])


def unknown_name(kind: str, name: str, known: Iterable[str], see: str = "") -> UnknownNameError:
    """The error for a `kind` ("model", "recipe", …) called `name` that is not among `known`.

    Few known names are all listed; of many the nearest are offered, and `see` says where all stand.
    """
    return UnknownNameError(f"no {kind} {name!r}; {offer(name, known, see)}")


def offer(name: str, known: Iterable[str], see: str = "") -> str:
    """What to type in place of `name`: the nearest of `known`, then all where they are few, else where to look."""
    names = [str(each) for each in known]
    close = nearest(name, names)
    hint = f"did you mean {either(close)}? " if close else ""
    if see and len(names) > MOST_SHOWN:
        return f"{hint}all {len(names)}: {see}"
    if close and len(names) > MOST_SHOWN:
        return hint.rstrip()
    more = f", … ({len(names)} in all)" if len(names) > MOST_SHOWN else ""
    return f"{hint}known: {', '.join(names[:MOST_SHOWN])}{more}"


# What a value must be, for the kinds of problems that pydantic finds; {…} is filled from its `ctx`.
_MUST_BE = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "finite_number": "must be a finite number",
    "union_tag_not_found": "has no {discriminator}, which says what it is",
    "too_short": "must have {min_length} values or more",
    "too_long": "must have {max_length} values at most",
    "json_invalid": "is not JSON",
}
_MUST_BE_A = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "tuple": "must be a list",
    "list": "must be a list",
    "dict": "must be an object with named fields",
    "dataclass": "must be an object with named fields",
    "none": "must be null",
}
_LONGEST_SEEN = 100


def value_problem(problem: Mapping[str, Any]) -> str:
    """One entry of a pydantic `ValidationError.errors()` in our own words: which field, what it must be, what was seen.

    Unknown fields are for the caller, who knows which there are.
    """
    place = ".".join(map(str, problem["loc"])) or "the value"
    kind, context, seen = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "missing":
        return f"field {place!r} is missing"
    if "expected_tags" in context or "expected" in context:
        choices = re.findall("'([^']*)'", context.get("expected_tags", context.get("expected", "")))
        seen = context.get("tag", seen)
        return f"{place}: no such choice, seen {seen!r}; {offer(str(seen), choices)}"
    rule = _MUST_BE.get(kind) or _MUST_BE_A.get(kind.partition("_")[0]) or problem["msg"]
    return f"{place}: {rule.format_map(context) if kind in _MUST_BE else rule}; seen {_shortened(seen)}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SEEN else f"{text[:_LONGEST_SEEN]}…"


def reason_of(error: Exception) -> str:
    """Why a file could not be read or written, in a few words of ours for the usual reasons."""
    usual: dict[type[Exception], str] = {
        FileNotFoundError: "there is no such file",
        IsADirectoryError: "it is a folder",
        NotADirectoryError: "a part of its path is a file",
        PermissionError: "no permission",
        RecursionError: "nested too deeply",
    }
    if type(error) in usual:
        return usual[type(error)]
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON from line {error.lineno}, column {error.colno} on"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 from byte {error.start} on"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return words.splitlines()[0]
