from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from cnnlab.data.names import Names

TEXTS = ["a/b.jpg", "", "caf\u00e9/1.png", os.fsdecode(b"\xff.png"), "z"]


def test_names_come_back_as_they_were() -> None:
    names = Names(TEXTS)
    assert list(names) == TEXTS
    assert (len(names), names[-1], names[1]) == (5, "z", "")
    assert list(names[1:4]) == TEXTS[1:4]
    assert list(names.take(np.array([4, 0, 0]))) == ["z", "a/b.jpg", "a/b.jpg"]
    assert list(names.take(np.array([4, 0]))[1:]) == ["a/b.jpg"]
    assert "caf\u00e9/1.png" in names
    assert not len(Names(()))
    with pytest.raises(IndexError):
        names[5]


def test_many_names_take_little_memory() -> None:
    texts = [f"train/n{i % 1000:08d}/n{i % 1000:08d}_{i}.JPEG" for i in range(20_000)]
    names = Names(texts)
    ours = len(names._bytes) + names._starts.nbytes + names._ends.nbytes
    assert ours < 0.6 * (sum(map(sys.getsizeof, texts)) + sys.getsizeof(texts))
