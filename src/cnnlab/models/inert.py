"""Values that a pickle describes and nobody makes: recorded to be looked at, never imported, called or compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle asks for: `module name`, two texts of the file and nothing else."""

    text: str

    def __str__(self) -> str:
        return dotted(self.text)


@dataclass(eq=False, slots=True)
class Inert:
    """An object of any class, as its pickle describes it.

    Attributes:
        name: `module name` of its class, or of the function that would have made it.
        arguments: what that would have been called with.
        state: what its attributes would have been set from; mostly a dict.
        items: what would have been appended to it, if anything.
        entries: what would have been set in it by key, if anything.
    """

    name: str
    arguments: tuple[object, ...] = ()
    state: object = None
    items: list[object] | None = None
    entries: dict[object, object] | None = None

    def __str__(self) -> str:
        return dotted(self.name)


@dataclass(eq=False, frozen=True, slots=True)
class OddKey:
    """A key of a dict that is neither text nor a small number; equal to itself only, so that its value is not hashed.

    Numbers can be chosen so that all of them hash alike, and the hash of nested tuples can take forever.
    """

    value: object


@dataclass(frozen=True, slots=True)
class UnreadTensor:
    """A tensor of a kind that is not read, and why."""

    why: str


def dotted(name: str) -> str:
    """`module name` as Python writes it, fit for a message."""
    return ascii(name.replace(" ", ".", 1)[:100])[1:-1]


def entries_of(value: object) -> Mapping[object, object] | None:
    """What a dict, or an object that the file describes, holds by name; None where it holds nothing by name."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Inert):
        return None
    states = value.state if isinstance(value.state, tuple) else (value.state,)  # a dict, or one and one of slots
    found: dict[object, object] = {}
    for each in (*states[:2], value.entries):
        found.update(each if isinstance(each, dict) else {})
    return found
