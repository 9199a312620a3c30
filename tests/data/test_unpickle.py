from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.unpickle import read_pickled_batch
from cnnlab.errors import DataError


class Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.canary}",)


def python2_batch() -> bytes:
    """A batch as Python 2 wrote it: byte strings and numpy.core names, protocol 2."""
    raw = bytes(range(12))
    return (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x03K\x04\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x0c" + raw + b"tbU\x06labels](K\x03K\x01eu."
    )


def test_a_batch_written_by_python_2_is_read() -> None:
    batch = read_pickled_batch(python2_batch())
    assert (batch[b"data"] == np.arange(12, dtype=np.uint8).reshape(3, 4)).all()
    assert batch[b"labels"] == [3, 1]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_of_every_order_and_plain_values_are_read(protocol: int) -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    made = {b"c": array, "f": np.asfortranarray(array), b"list": [1, b"two", "three", None, 2.5, (True,)]}
    if protocol == 0:
        made.pop("f")
    batch = read_pickled_batch(pickle.dumps(made, protocol))
    assert np.array_equal(batch[b"c"], array)
    assert batch.get(b"f") is None or np.array_equal(batch[b"f"], array)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    hostile = pickle.dumps({b"data": Touch(tmp_path / "canary")}, protocol)
    with pytest.raises(DataError, match=r"system, which is refused"):
        read_pickled_batch(hostile)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",
        b"Pan id outside\n.",
        b"\x80\x02]q\x00.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02}r\xff\xff\xff\xffX",
        b"\x80\x02\x82\x01.",
        b"\x80\x02cnumpy\ndtype\n}U\x08__call__K\x01sb.",
        b"(" * 1000 + b"t" * 1000 + b".",
        python2_batch()[:-20],
        python2_batch().replace(b"U\x02u1", b"U\x02f8"),
        python2_batch().replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86"),
    ],
)
def test_what_is_no_plain_batch_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="data_batch_1"):
        read_pickled_batch(data, "data_batch_1")


def test_a_pickle_cannot_change_the_reader_for_the_next() -> None:
    poison = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}U\x0c__defaults__K\x01s\x86b."
    with pytest.raises(DataError):
        read_pickled_batch(poison)
    assert read_pickled_batch(python2_batch())[b"labels"] == [3, 1]


def test_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.data.unpickle.MAX_BYTES", 10)
    with pytest.raises(DataError, match="accepted: up to 10"):
        read_pickled_batch(python2_batch())
