"""Checkpoints with something hidden in them: hostile pickles where a reader tolerates strangers, and bombs.

A sound checkpoint holds `{"epoch": 3, "state_dict": {"conv.weight": four numbers, "conv.bias": one}}`. What is hidden
beside its state_dict may be left alone; what is hidden in it must be refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from cnnlab.selftest.payloads import pickles, torch_legacy, torch_zip

NUMBERS = struct.pack("<5f", 1, 2, 3, 4, 5)
WANTED = {"conv.weight": [[1.0, 2.0], [3.0, 4.0]], "conv.bias": [5.0]}

_STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0%sX\x03\0\0\0cpuK\x05tQ"
_REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
_NONE = b"N"


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _tensor(
    size: bytes = b"(K\x02K\x02t",
    stride: bytes = b"(K\x02K\x01t",
    offset: bytes = b"K\0",
    storage: bytes = _STORAGE % b"0",
    hooks: bytes = _NONE,
) -> bytes:
    return _REBUILD + b"(" + storage + offset + size + stride + b"\x89" + hooks + b"tR"


_BIAS = _tensor(b"(K\x01t", b"(K\x01t", b"K\x04")


def checkpoint(
    *, weight: bytes | None = None, beside: bytes = b"", inside: bytes = b"", after: bytes = b"", around: bytes = b""
) -> bytes:
    """The pickle of a checkpoint, with instructions in any of its places.

    They are entries beside or inside of the state_dict, what is done to the state_dict after it was filled, and what
    stands on the stack while it is read.
    """
    entries = _text("conv.weight") + (weight or _tensor()) + _text("conv.bias") + _BIAS + inside
    state = b"ccollections\nOrderedDict\n)R(" + entries + b"u" + after
    return b"\x80\x04" + around + b"}(" + _text("epoch") + b"K\x03" + _text("state_dict") + state + beside + b"u."


def in_zip(pickle: bytes) -> bytes:
    """A file of torch.save around it."""
    return torch_zip(pickle, {"data/0": NUMBERS})


def in_legacy(pickle: bytes) -> bytes:
    """The older format around it; the storage's count and numbers come last."""
    old = pickle.replace(b"K\x05tQ", b"K\x05NtQ")  # which says of each storage that it is no view
    return torch_legacy(old, 3).removesuffix(b"].") + b"](X\x01\0\0\x000e." + struct.pack("<q", 5) + NUMBERS


def _instructions(pickle: bytes) -> bytes:
    """Those of a whole pickle, to be put into another."""
    return pickle.removesuffix(b".").removeprefix(b"\x80\x04").removeprefix(b"\x80\x02")


def beside(command: str) -> dict[str, bytes]:
    """Pickles of checkpoints whose hostile part stands where strangers are tolerated: the weights are to be read."""
    made: dict[str, bytes] = {}
    for how, pickle in pickles(command).items():
        hostile = _instructions(pickle)
        made[f"{how}, beside the weights"] = checkpoint(beside=_text("args") + hostile)
        made[f"{how}, as a key"] = checkpoint(beside=_text("log") + b"}(" + hostile + b"Nu")
    evil = _instructions(pickles(command)["GLOBAL and REDUCE"])
    made |= {
        "as hooks of a tensor": checkpoint(weight=_tensor(hooks=evil)),
        "as the place of a storage": checkpoint(
            weight=_tensor(storage=(_STORAGE % b"0").replace(b"X\x03\0\0\0cpu", evil))
        ),
        "as attributes of the state_dict": checkpoint(after=b"}" + _text("_metadata") + evil + b"sb"),
        "in a set": checkpoint(beside=_text("x") + b"\x8f(" + evil + b"\x90"),
        "as the state of an object": checkpoint(beside=_text("x") + b"cos\nPathLike\n)\x81" + evil + b"b"),
        "as what a defaultdict makes": checkpoint(beside=_text("x") + b"ccollections\ndefaultdict\n" + evil + b"\x85R"),
        "as the source code of a module": checkpoint(
            beside=_text("x") + b"(" + _text("module") + b"cos\nsystem\n" + _text("a.py") + _text(command) + b"tQ)\x81"
        ),
        "as a pickle of tensors in bytes": checkpoint(
            beside=_text("x") + b"ctorch.storage\n_load_from_bytes\n" + _as_bytes(pickles(command)["eval"]) + b"\x85R"
        ),
    }
    return made


def _as_bytes(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def inside(command: str) -> dict[str, bytes]:
    """Pickles of checkpoints whose state_dict holds something else than tensors as torch writes them: to be refused."""
    made = {
        f"{how}, among the weights": checkpoint(inside=_text("evil.weight") + _instructions(pickle))
        for how, pickle in pickles(command).items()
    }
    evil = _instructions(pickles(command)["GLOBAL and REDUCE"])
    view = b"(" + _STORAGE % b"0" + b"K\0(K\x02K\x02t(K\x02K\x01t\x89Nt"
    made |= {
        "an object that poses as a tensor": checkpoint(weight=_REBUILD + view + b"\x81"),
        "a tensor of another class": checkpoint(
            weight=b"ctorch._tensor\n_rebuild_from_type_v2\n(" + _REBUILD + b"cos\nsystem\n" + view + b"}tR"
        ),
        "a storage that is a call": checkpoint(weight=_tensor(storage=evil)),
        "a storage of an unknown type": checkpoint(
            weight=_tensor(storage=(_STORAGE % b"0").replace(b"ctorch\nFloatStorage\n", b"cos\nsystem\n"))
        ),
        "a storage whose key is a path": checkpoint(weight=_tensor(storage=_STORAGE.replace(b"%s", b"/"))),
        "a size that is a call": checkpoint(weight=_tensor(size=evil)),
        "a negative size": checkpoint(weight=_tensor(size=b"(J\xff\xff\xff\xffK\x02t")),
        "a negative stride": checkpoint(weight=_tensor(stride=b"(J\xff\xff\xff\xffK\x01t")),
        "a negative offset": checkpoint(weight=_tensor(offset=b"J\xff\xff\xff\xff")),
        "a size of 2 ** 80": checkpoint(weight=_tensor(size=b"(\x8a\x0b" + bytes(10) + b"\1K\x02t")),
        "four numbers spread over a terabyte": checkpoint(
            weight=_tensor(size=b"(\x8a\x06\0\0\0\0\0\1K\1t", stride=b"(K\0K\0t")
        ),
        "a tensor beyond its storage": checkpoint(weight=_tensor(offset=b"K\x02")),
        "a storage described twice": checkpoint(
            weight=_tensor(storage=(_STORAGE % b"0").replace(b"FloatStorage", b"DoubleStorage"))
        ),
        "a storage longer than the file": checkpoint().replace(b"K\x05tQ", b"\x8a\x06\0\0\0\0\0\1tQ"),
        "a tensor that is set from a state": checkpoint(weight=_tensor() + b"(" + _STORAGE % b"0" + b"K\1))tb"),
        "a sparse tensor": checkpoint(weight=b"ctorch._utils\n_rebuild_sparse_tensor\n(NtR"),
        "a name that is a call": checkpoint(inside=evil + _tensor()),
        "a name that colours the terminal": checkpoint(inside=_text("\x1b[31mred.weight") + _tensor()),
        "a name of a megabyte": checkpoint(inside=_text("n" * 1_000_000 + ".weight") + _tensor()),
        "the state_dict in itself": checkpoint(after=b"\x94" + _text("again.weight") + b"h\0s"),
    }
    return made


def _long(value: int) -> bytes:
    return b"\x8a\x0c" + value.to_bytes(12, "little")


def bombs() -> dict[str, Callable[[], bytes]]:
    """Pickles that keep a careless reader busy, or fill its memory; they may be read or refused, but soon."""
    alike = (2**61 - 1) * 3  # Python hashes numbers modulo 2 ** 61 - 1
    module, parts = b"cm\nNet\n)\x81", _text("_parameters") + b"}" + _text("_modules") + b"}"
    return {
        "100,000 keys that hash alike": lambda: _beside(
            b"}(" + b"".join(_long(number * alike) + b"N" for number in range(100_000)) + b"u"
        ),
        "a key of tuples that doubles": lambda: _beside(b"})" + _doubling(b"\x86") + b"Ns"),
        "a list that doubles": lambda: _beside(b"]" + _doubling(b"\x86")),
        "objects that double": lambda: _beside(b")" + b"".join(_twice(n, b"cm\nC\n", b"\x86\x81") for n in range(100))),
        "a set that doubles": lambda: _beside(b"\x8f" + b"".join(_twice(n, b"\x8f(", b"\x90") for n in range(100))),
        "lists nested 500,000 deep": lambda: _beside(b"]" * 500_000 + b"a" * 499_999),
        "objects nested 300,000 deep": lambda: _beside(b"cm\nC\n)\x81" * 300_000 + b"b" * 299_999),
        "1,900,000 sets": lambda: checkpoint(around=b"\x8f" * 1_900_000),
        "1,900,000 marks": lambda: b"\x80\x04" + b"(" * 1_900_000 + b".",
        "instructions without end": lambda: checkpoint(around=b"N0" * 4_000_000),
        "a number of 30 MB": lambda: _beside(b"\x8b" + struct.pack("<i", 30_000_000) + b"\x7f" * 30_000_000),
        "a number of 30 MB as a key": lambda: _beside(
            b"}\x8b" + struct.pack("<i", 30_000_000) + b"\x7f" * 30_000_000 + b"Ns"
        ),
        "a number of a million digits": lambda: _beside(b"L" + b"9" * 1_000_000 + b"L\n"),
        "a module in itself": lambda: b"\x80\x04" + module + b"\x94}(" + parts + _text("x") + b"h\0sub.",
        "modules that double": lambda: (
            b"\x80\x04"
            + module
            + b"".join(_twice(n, module + b"}(" + parts + b"(" + _text("a"), b"uub", _text("b")) for n in range(60))
            + b"."
        ),
        "one large dict in 300,000 objects": lambda: (
            b"\x80\x04"
            + b"}\x94("
            + b"".join(_text(f"k{number}") + b"]" for number in range(100_000))
            + b"u0]("
            + b"cm\nC\n)\x81h\0b" * 300_000
            + b"e."
        ),
        "weights in 10,000 places": lambda: (
            b"\x80\x04"
            + _tensor()
            + b"\x940}("
            + b"".join(_text(f"k{number}") + b"}" + _text("w.weight") + b"h\0s" for number in range(10_000))
            + b"u."
        ),
    }


def _beside(hidden: bytes) -> bytes:
    return checkpoint(beside=_text("x") + hidden)


def _twice(number: int, before: bytes, after: bytes, between: bytes = b"") -> bytes:
    """Keep what stands on the stack as `number`, and make something of it, put down twice."""
    recall = b"h" + bytes([number])
    return b"\x940" + before + recall + between + recall + after


def _doubling(tuple_of_two: bytes) -> bytes:
    return b"".join(_twice(number, b"", tuple_of_two) for number in range(200))
