"""What stands for objects that nobody makes: readable, never called, never hashed."""

from __future__ import annotations

import pytest

from cnnlab.models.inert import Inert, Name, OddKey, UnreadTensor, dotted, entries_of


def test_entries_are_those_of_a_dict_or_an_object() -> None:
    assert entries_of({"a": 1}) == {"a": 1}
    assert entries_of(Inert("argparse Namespace", state={"a": 1})) == {"a": 1}
    assert entries_of(Inert("x Slotted", state=(None, {"b": 2}))) == {"b": 2}
    assert entries_of(Inert("collections defaultdict", entries={"c": 3})) == {"c": 3}
    assert entries_of(Inert("x Both", state={"a": 1}, entries={"a": 2})) == {"a": 2}
    assert entries_of(Inert("x Bare")) == {}
    for other in (None, 3, "text", [1], (1,), Name("os system"), UnreadTensor("why")):
        assert entries_of(other) is None


def test_a_name_in_a_message_is_short_and_plain() -> None:
    assert str(Name("os system")) == str(Inert("os system")) == "os.system"
    assert dotted("a \x1b[31m" + "b" * 1000) == "a.\\x1b[31m" + "b" * 93


def test_an_odd_key_equals_itself_only_and_hashes_nothing() -> None:
    class Unhashable:
        def __hash__(self) -> int:
            raise AssertionError

        def __eq__(self, other: object) -> bool:
            raise AssertionError

    one, other = OddKey(Unhashable()), OddKey(Unhashable())
    assert {one: 1, other: 2}[one] == 1
    assert OddKey(1) != OddKey(1)


def test_objects_are_told_apart_by_identity_so_that_no_comparison_is_deep() -> None:
    deep: tuple[object, ...] = ()
    for _ in range(100_000):
        deep = (Inert("x y", deep),)
    assert Inert("x y", deep) != Inert("x y", deep)
    with pytest.raises(AttributeError):
        Inert("x y").anything = 1  # type: ignore[attr-defined]
