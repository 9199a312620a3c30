"""The reader of torch's pickles: what it reads, what it refuses, and that nothing ever runs."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.errors import DataError
from cnnlab.models import unpickle_weights
from cnnlab.models.unpickle_weights import StoragePlan, TensorPlan, read_pickle

PLAIN = {
    "a": [1, -2, 300, 70_000, 2**40, -(2**70), 2.5],
    "b": (None, True, False, ()),
    "c": {"d": "text", 3: (1, 2, 3, 4)},
}


def read(data: bytes) -> object:
    return read_pickle(io.BytesIO(data)).value


class Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.canary}",)


class TensorPickler(pickle.Pickler):
    """Writes tensors as torch does, storages as persistent ids."""

    def persistent_id(self, value: object) -> object:
        if isinstance(value, torch.storage.TypedStorage):
            kind = getattr(torch, value._pickle_storage_type())
            return ("storage", kind, "0", "cuda:0", value._size())
        return None


def pickled(value: object, protocol: int = 2) -> bytes:
    stream = io.BytesIO()
    TensorPickler(stream, protocol).dump(value)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_read(protocol: int) -> None:
    assert read(pickle.dumps(PLAIN, protocol)) == PLAIN


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(plain_values, st.sampled_from([2, 4]))
def test_whatever_pickle_writes_of_plain_values_comes_back(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


def test_an_ordered_dict_is_a_dict_and_its_attributes_are_dropped() -> None:
    state = OrderedDict(b=1, a=2)
    state._metadata = {"version": 1}  # type: ignore[attr-defined]
    found = read(pickle.dumps(state, 2))
    assert type(found) is dict
    assert list(found.items()) == [("b", 1), ("a", 2)]


def test_an_ordered_dict_of_python_2_is_read() -> None:
    assert read(b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.") == {"a": 1}


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_become_plans(protocol: int) -> None:
    tensor = torch.arange(12.0).reshape(3, 4)[1:, :2]
    parameter = torch.nn.Parameter(tensor)
    storage = StoragePlan(torch.float32, "0", 12)
    plan = TensorPlan(storage, 4, (2, 2), (4, 1))
    found = read_pickle(io.BytesIO(pickled({"w": tensor, "p": parameter}, protocol)))
    assert found.value == {"w": plan, "p": plan}
    assert found.storages == {"0": storage}


@pytest.mark.parametrize("dtype", unpickle_weights.DTYPES.values())
def test_every_dtype_has_its_storage(dtype: torch.dtype) -> None:
    plan = read(pickled(torch.zeros(3, dtype=dtype)))
    assert isinstance(plan, TensorPlan)
    assert plan.storage.dtype == dtype


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    hostile = pickle.dumps({"state_dict": {"conv1.weight": Touch(tmp_path / "canary")}}, protocol)
    with pytest.raises(DataError, match="refused"):
        read(hostile)
    assert not (tmp_path / "canary").exists()


DISGUISES = {  # each would run COMMAND in a reader that calls what it is told
    "GLOBAL": (b"\x80\x02cposix\nsystem\nU%cCOMMAND\x85R.", r"'posix\.system', which is refused"),
    "GLOBAL of a module within": (b"\x80\x02ctorch._utils\nos.system\nU%cCOMMAND\x85R.", r"os\.system"),
    "STACK_GLOBAL": (b"\x80\x04\x8c\x05posix\x8c\x06system\x93U%cCOMMAND\x85R.", r"posix\.system"),
    "dotted STACK_GLOBAL": (b"\x80\x04\x8c\x05torch\x8c\x10serialization.os\x93U%cCOMMAND\x85R.", r"serialization\.os"),
    "INST": (b"(U%cCOMMANDiposix\nsystem\n.", "INST .'posix system'"),
    "OBJ": (b"(cposix\nsystem\nU%cCOMMANDo.", r"posix\.system"),
    "NEWOBJ": (b"\x80\x02csubprocess\nPopen\nU%cCOMMAND\x85\x81.", r"subprocess\.Popen"),
    "NEWOBJ of an allowed name": (b"\x80\x02ccollections\nOrderedDict\nU%cCOMMAND\x85\x81.", "NEWOBJ"),
    "eval": (b"\x80\x02cbuiltins\neval\nU%c__import__('os').system('COMMAND')\x85R.", r"builtins\.eval"),
    "getattr": (b"\x80\x02cbuiltins\ngetattr\nctorch\nos\nU%cCOMMAND\x86R.", r"builtins\.getattr"),
    "torch.load": (b"\x80\x02ctorch\nload\nU%cCOMMAND\x85R.", r"torch\.load"),
    "torch.hub": (b"\x80\x02ctorch.hub\nload\nU%cCOMMAND\x85R.", r"torch\.hub\.load"),
    "rebuild from a type": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nU%cCOMMAND\x85R.",
        "_rebuild_from_type_v2",
    ),
    "BUILD on a name": (b"\x80\x02ccollections\nOrderedDict\n}U\x0c__setstate__U%cCOMMANDsb.", "sets attributes"),
    "a name with a line": (b"\x80\x04\x8c\x0ctorch\nsystem\x8c\x06system\x93U%cCOMMAND\x85R.", "refused"),
    "EXT1": (b"\x80\x02\x82\x01U%cCOMMAND\x85R.", "EXT1"),
    "PERSID": (b"PCOMMAND\n.", "PERSID"),
    "a call of a call": (b"\x80\x02ccollections\nOrderedDict\n)RU%cCOMMAND\x85R.", "calls a dict"),
    "a call of text": (b"\x80\x02U\x06systemU%cCOMMAND\x85R.", "calls a str"),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_call_in_disguise_runs_nothing(name: str, tmp_path: Path) -> None:
    data, message = DISGUISES[name]
    command = b"touch %s/canary" % bytes(tmp_path)
    length = len(command) + data.count(b"__import__") * len(b"__import__('os').system('')")
    with pytest.raises(DataError, match=message):
        read(data.replace(b"%c", bytes([length])).replace(b"COMMAND", command))
    assert list(tmp_path.iterdir()) == []


FLOAT = b"ctorch\nFloatStorage\n"
STORAGE = b"(U\x07storage" + FLOAT + b"U\x010U\x03cpuK\x0ctQ"
REBUILD = b"\x80\x02ctorch._utils\n_rebuild_tensor\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"junk", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02K\x01K\x02.", "damaged"),
        (b"\x80\x02]q\x00", "damaged"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02(K\x01\x87.", "damaged"),
        (b"\x80\x02K\x01K\x02a.", "damaged"),
        (b"\x80\x02X\xff\xff\xff\xffa.", "damaged"),
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.", "damaged"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged"),
        (b"\x80\x02}\x85K\x01s.", "damaged"),
        (b"\x80\x02}])K\x01s.", "damaged"),
        (b"\x80\x02})K\x01s.", "a tuple as key"),
        (b"\x80\x02}\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01K\x01s.", "a int as key"),
        (b"\x80\x02}G\x00\x00\x00\x00\x00\x00\x00\x00K\x01s.", "a float as key"),
        (b"\x80\x02U\x02idQ.", "outside the file"),
        (b"\x80\x02(U\x06moduleU\x01aNNNtQ.", "outside the file"),
        (b"\x80\x02" + STORAGE.replace(FLOAT, b"U\x05float") + b".", "not described as torch does"),
        (b"\x80\x02" + STORAGE.replace(FLOAT, b"ctorch\nQInt8Storage\n") + b".", r"torch\.QInt8Storage"),
        (b"\x80\x02" + STORAGE.replace(b"K\x0c", b"J\xff\xff\xff\xff") + b".", "damaged"),
        (b"\x80\x02" + STORAGE.replace(b"K\x0c", b"\x88") + b".", "damaged"),
        (b"\x80\x02" + STORAGE.replace(b"tQ", b"K\x01tQ") + b".", "before 0.4"),
        (b"\x80\x02" + STORAGE + b"0" + STORAGE.replace(b"K\x0c", b"K\x0d") + b".", "described twice"),
        (REBUILD + b"(" + b"K\x01K\x00K\x01\x85K\x01\x85tR.", "not a plain view"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0d\x85K\x01\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x01K\x0c\x85K\x01\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0d\x85K\x00\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0c\x85)tR.", "strides"),
        (REBUILD + b"(" + STORAGE + b"K\x00J\xff\xff\xff\xff\x85K\x01\x85tR.", "damaged"),
        (REBUILD + b"(" + STORAGE + b"tR.", "damaged"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\nK\x01\x85R.", "other values"),
        (b"\x80\x02ctorch\nFloatStorage\nK\x01\x85R.", "other values"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "damaged"),
    ],
)
def test_what_torch_does_not_write_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(data)


def test_a_long_pickle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickle_weights, "MAX_STEPS", 100)
    with pytest.raises(DataError, match="more than 100 instructions"):
        read(b"\x80\x02" + b"]0" * 100 + b"N.")
    monkeypatch.setattr(unpickle_weights, "MAX_STEPS", 200)
    pairs = b"\x80\x02](" + b"]U\x01aaK\x01a" * 20 + b"eq\x000" + b"ccollections\nOrderedDict\nh\x00\x85R0" * 15
    with pytest.raises(DataError, match="more than 200 values"):
        read(pairs + b"N.")


def test_values_that_grow_by_doubling_are_read_without_being_written_out() -> None:
    doubled = b"\x80\x02]q\x00" + b"".join(b"]h%ch%c\x86aq%c" % (i, i, i + 1) for i in range(100))
    with pytest.raises(DataError, match="damaged"):
        read(doubled + b"h\x64N\x93.")
    with pytest.raises(DataError, match="damaged"):
        read(REBUILD + b"(" + STORAGE + doubled[2:] + b"K\x01\x85K\x01\x85tR.")


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_random_bytes_never_end_otherwise(data: bytes) -> None:
    with contextlib.suppress(DataError):
        read(b"\x80\x02" + data)


def test_every_truncation_is_refused() -> None:
    data = pickled({"w": torch.zeros(2, 3), "plain": PLAIN})
    for end in range(len(data)):
        with pytest.raises(DataError):
            read(data[:end])
