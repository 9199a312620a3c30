"""The reader of torch's pickles: what it reads, what it refuses, and that nothing ever runs."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import enum
import functools
import io
import os
import pickle
import time
import types
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.errors import DataError
from cnnlab.models import unpickle_weights
from cnnlab.models.inert import Inert, Name, OddKey, UnreadTensor, entries_of
from cnnlab.models.tensor_plans import DTYPES, StoragePlan, TensorPlan
from cnnlab.models.unpickle_weights import read_pickle

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


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read(protocol: int) -> None:
    assert read(pickle.dumps(PLAIN, protocol)) == PLAIN


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(plain_values, st.sampled_from([3, 4, 5]))
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


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_every_dtype_has_its_storage(dtype: torch.dtype) -> None:
    plan = read(pickled(torch.zeros(3, dtype=dtype)))
    assert isinstance(plan, TensorPlan)
    assert plan.storage.dtype == dtype


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    hostile = pickle.dumps({"state_dict": {"conv1.weight": Touch(tmp_path / "canary")}}, protocol)
    found: Any = read(hostile)
    evil = found["state_dict"]["conv1.weight"]
    assert isinstance(evil, Inert)
    assert (evil.name, evil.arguments) == ("posix system", (f"touch {tmp_path}/canary",))
    assert not (tmp_path / "canary").exists()


class Color(enum.Enum):
    RED = 1


@dataclass
class Settings:
    lr: float = 0.1


STRANGERS: dict[str, object] = {  # what training scripts save beside weights
    "argparse Namespace": argparse.Namespace(arch="resnet50"),
    "types SimpleNamespace": types.SimpleNamespace(a=1),
    "numpy scalar": np.float64(0.5),
    "numpy array": np.arange(6.0).reshape(2, 3),
    "numpy array of objects": np.array([1, "a", None], dtype=object),
    "numpy dtype": np.dtype("float32"),
    "generator of numpy": np.random.default_rng(0).bit_generator.state,
    "defaultdict": defaultdict(list, a=[1]),
    "Counter": Counter("abca"),
    "path": PurePosixPath("/data"),
    "path of Windows": PureWindowsPath("c:/data"),
    "time": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta(3),
    "device": torch.device("cuda:0"),
    "dtype": torch.float16,
    "set": {1, "a"},
    "frozenset": frozenset("ab"),
    "bytes": b"\xff\0",
    "bytearray": bytearray(b"abc"),
    "complex": 1 + 2j,
    "decimal": Decimal("1.5"),
    "slice": slice(1, 2),
    "range": range(5),
    "ellipsis": ...,
    "partial": functools.partial(print, 1),
    "function": len,
    "class": int,
    "method of a class": dict.fromkeys,
    "enum": Color.RED,
    "dataclass": Settings(),
    "deque": deque([1, 2], maxlen=3),
    "exception": ValueError("x"),
}
ODD_KEYS = {1.5: 1, None: 2, (1, 2): 3, 2**70: 4, b"k": 5, -(2**40): 6, frozenset("a"): 7, torch.float16: 8}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_recorded_and_what_follows_is_read(stranger: str, protocol: int) -> None:
    found: Any = read(pickle.dumps({"x": STRANGERS[stranger], "after": [1, 2]}, protocol))
    assert found["after"] == [1, 2]
    known = Inert | Name | int | float | bytes | bytearray | dict
    assert isinstance(found["x"], known), type(found["x"])


@pytest.mark.parametrize("protocol", range(6))
def test_odd_keys_are_kept_apart(protocol: int) -> None:
    found: Any = read(pickle.dumps({"a": ODD_KEYS, "after": 1}, protocol))
    assert found["after"] == 1
    assert list(found["a"].values()) == list(ODD_KEYS.values())
    assert all(isinstance(key, OddKey) for key in found["a"])


def test_what_a_stranger_holds_can_be_looked_at() -> None:
    found: Any = read(pickle.dumps(argparse.Namespace(arch="resnet50", lr=0.1), 2))
    assert (str(found), entries_of(found)) == ("argparse.Namespace", {"arch": "resnet50", "lr": 0.1})
    assert entries_of(read(pickle.dumps(defaultdict(list, a=[1]), 2))) == {"a": [1]}
    found = read(pickle.dumps({1, 2}, 4))
    assert (found.name, sorted(found.items)) == ("builtins set", [1, 2])
    assert read(pickle.dumps(torch.Size([3, 4]), 2)) == (3, 4)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_the_attributes_of_slots_and_named_arguments(protocol: int) -> None:
    class_and_arguments = b"\x80\x04\x8c\x01m\x8c\x01C\x93K\x01\x85}\x8c\x01aK\x02s\x92."  # NEWOBJ_EX
    found: Any = read(class_and_arguments)
    assert (found.name, found.arguments) == ("m C", ((1,), {"a": 2}))
    assert isinstance(read(pickle.dumps(Settings(0.2), protocol)), Inert)


def test_what_torch_before_0_4_wrote_of_parameters() -> None:
    variable = b"ctorch.nn.parameter\nParameter\n("
    whole = b"\x80\x02" + variable + REBUILD[2:] + b"(" + STORAGE + b"K\x00(K\x03K\x04t(K\x04K\x01ttR\x88tR"
    plan = TensorPlan(StoragePlan(torch.float32, "0", 12), 0, (3, 4), (4, 1))
    assert read(whole + b"(\x88\x89}tb.") == plan
    for state in (b"}", b"(K\x00\x89}t", b"(\x88\x89}\x88t", b"N"):
        with pytest.raises(DataError, match="sets attributes of a tensor"):
            read(whole + state + b"b.")


# Each would run COMMAND in a reader that calls what it is told. Here it is recorded under the name it asks for, or,
# where no pickler writes such a thing, refused.
DISGUISES = {
    "GLOBAL": (b"\x80\x02cposix\nsystem\nU%cCOMMAND\x85R.", "posix system"),
    "GLOBAL of a module within": (b"\x80\x02ctorch._utils\nos.system\nU%cCOMMAND\x85R.", "torch._utils os.system"),
    "STACK_GLOBAL": (b"\x80\x04\x8c\x05posix\x8c\x06system\x93U%cCOMMAND\x85R.", "posix system"),
    "dotted STACK_GLOBAL": (
        b"\x80\x04\x8c\x05torch\x8c\x10serialization.os\x93U%cCOMMAND\x85R.",
        "torch serialization.os",
    ),
    "INST": (b"(U%cCOMMANDiposix\nsystem\n.", "posix system"),
    "OBJ": (b"(cposix\nsystem\nU%cCOMMANDo.", "posix system"),
    "NEWOBJ": (b"\x80\x02csubprocess\nPopen\nU%cCOMMAND\x85\x81.", "subprocess Popen"),
    "NEWOBJ_EX": (b"\x80\x04csubprocess\nPopen\nU%cCOMMAND\x85}\x92.", "subprocess Popen"),
    "NEWOBJ of a known name": (
        b"\x80\x02ccollections\nOrderedDict\nU%cCOMMAND\x85\x81.",
        "collections OrderedDict",
    ),
    "eval": (b"\x80\x02cbuiltins\neval\nU%c__import__('os').system('COMMAND')\x85R.", "builtins eval"),
    "getattr": (b"\x80\x02cbuiltins\ngetattr\nctorch\nos\nU%cCOMMAND\x86R.", "builtins getattr"),
    "a call of what getattr gives": (
        b"\x80\x02cbuiltins\ngetattr\nctorch\nos\nU\x06system\x86RU%cCOMMAND\x85R.",
        "builtins getattr",
    ),
    "torch.load": (b"\x80\x02ctorch\nload\nU%cCOMMAND\x85R.", "torch load"),
    "torch.hub": (b"\x80\x02ctorch.hub\nload\nU%cCOMMAND\x85R.", "torch.hub load"),
    "copyreg": (b"\x80\x02ccopyreg\n__newobj__\ncsubprocess\nPopen\nU%cCOMMAND\x86R.", "subprocess Popen"),
    "PERSID": (b"PCOMMAND\n.", "object outside"),
    "a set that is built": (b"\x80\x04\x8f(U%cCOMMAND\x90U%cCOMMANDb.", "builtins set"),
    "a call of a tensor's function": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nU%cCOMMAND\x85R.",
        "torch._tensor._rebuild_from_type_v2",
    ),
    "BUILD on a name": (b"\x80\x02ccollections\nOrderedDict\n}U\x0c__setstate__U%cCOMMANDsb.", None),
    "BUILD on text": (b"\x80\x02U\x01a}U\x0c__setstate__U%cCOMMANDsb.", None),
    "EXT1": (b"\x80\x02\x82\x01U%cCOMMAND\x85R.", None),
    "NEXT_BUFFER": (b"\x80\x05\x97U%cCOMMAND.", None),
    "a call of a dict": (b"\x80\x02ccollections\nOrderedDict\n)RU%cCOMMAND\x85R.", None),
    "a call of text": (b"\x80\x02U\x06systemU%cCOMMAND\x85R.", None),
    "a new object of text": (b"\x80\x02U\x06systemU%cCOMMAND\x85\x81.", None),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_call_in_disguise_runs_nothing(name: str, tmp_path: Path) -> None:
    data, asked = DISGUISES[name]
    command = b"touch %s/canary" % bytes(tmp_path)
    length = len(command) + data.count(b"__import__") * len(b"__import__('os').system('')")
    hostile = data.replace(b"%c", bytes([length])).replace(b"COMMAND", command)
    if asked is None:
        with pytest.raises(DataError, match="refused"):
            read(hostile)
    else:
        found = read(hostile)
        said = found.name if isinstance(found, Inert) else found.why if isinstance(found, UnreadTensor) else ""
        assert said.endswith(asked)
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
        (b"\x80\x02" + STORAGE.replace(FLOAT, b"U\x05float") + b".", "not described as torch does"),
        (b"\x80\x02" + STORAGE.replace(FLOAT, b"ctorch\nNewStorage\n") + b".", "not known"),
        (b"\x80\x02" + STORAGE.replace(b"K\x0c", b"J\xff\xff\xff\xff") + b".", "damaged"),
        (b"\x80\x02" + STORAGE.replace(b"K\x0c", b"\x88") + b".", "damaged"),
        (b"\x80\x02" + STORAGE + b"0" + STORAGE.replace(b"K\x0c", b"K\x0d") + b".", "described twice"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0d\x85K\x01\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x01K\x0c\x85K\x01\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0d\x85K\x00\x85tR.", "beyond its storage of 12"),
        (REBUILD + b"(" + STORAGE + b"K\x00K\x0c\x85)tR.", "strides"),
        (REBUILD + b"(" + STORAGE + b"K\x00J\xff\xff\xff\xff\x85K\x01\x85tR.", "damaged"),
        (REBUILD + b"(" + STORAGE + b"tR.", "damaged"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\nK\x01\x85R.", "other values"),
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


def many(part: bytes, times: int = 300_000) -> bytes:
    return b"\x80\x04" + part * times + b"N."


BOMBS = {  # each within the limit of instructions, or refused at it
    "numbers that hash alike, as keys": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + (number * (2**61 - 1)).to_bytes(10, "little") + b"N" for number in range(1, 100_000))
    + b"u.",
    "a key of tuples that doubles": b"\x80\x04})"
    + b"\x94h\x00h\x00\x86"
    + b"".join(b"\x94h%ch%c\x86" % (i, i) for i in range(1, 200))
    + b"Ns.",
    "nested lists": b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "nested objects": b"\x80\x04ca\nb\n\x940N" + b"\x85\x94h\x00h\x01\x81" * 100_000 + b".",
    "nested states": b"\x80\x04" + b"ca\nb\n)\x81" * 100_000 + b"b" * 99_999 + b".",
    "objects without end": many(b"\x8f"),
    "marks without end": many(b"("),
    "an object that holds itself": b"\x80\x04ca\nb\n)\x81\x94}\x8c\x01ah\x00sb.",
    "a set that holds itself": b"\x80\x04\x8f\x94(h\x00\x90.",
    "a dict that holds itself": b"\x80\x04}\x94\x8c\x01ah\x00s.",
    "a list as its own argument": b"\x80\x04]\x94h\x00aca\nb\nh\x00\x85R.",
    "a huge number": b"\x80\x02\x8b" + (4_000_000).to_bytes(4, "little") + b"\x7f" * 4_000_000 + b".",
    "a huge number as key": b"\x80\x02}\x8b" + (4_000_000).to_bytes(4, "little") + b"\x7f" * 4_000_000 + b"Ns.",
    "a huge number as text": b"I" + b"9" * 1_000_000 + b"\n.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_soon(bomb: str) -> None:
    began = time.process_time()
    with contextlib.suppress(DataError):
        read(BOMBS[bomb])
    assert time.process_time() - began < 5


def test_every_truncation_is_refused() -> None:
    data = pickled({"w": torch.zeros(2, 3), "plain": PLAIN})
    for end in range(len(data)):
        with pytest.raises(DataError):
            read(data[:end])
