"""Read the pickle in a torch file with a machine that has no way to call anything.

A pickle is a program. `pickletools` only takes it apart into instructions; the machine here carries out the
few that torch writes for weights, on values of its own: dict, list, tuple, str, int, float, bool, None, and
plans that say where a tensor's numbers lie in the file. The functions and storage types that a pickle of weights asks
for are names to it, not objects, and every other name or instruction is refused. Neither `pickle` nor `torch.load`
takes part.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from cnnlab.errors import DataError

MAX_STEPS = 2_000_000
"""The most instructions one pickle may have; the weights of ResNet-1202 take 300,000."""

DTYPES = {
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
FUNCTIONS = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)


@dataclass(frozen=True)
class StoragePlan:
    """A run of `numel` numbers of one dtype, which the file keeps under `key`."""

    dtype: torch.dtype
    key: str
    numel: int


@dataclass(frozen=True)
class TensorPlan:
    """A tensor as a view of a storage, its extent checked; `offset` and `stride` count numbers, not bytes."""

    storage: StoragePlan
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class Unpickled:
    """The value of one pickle, with plans for tensors, and every storage it mentions by key."""

    value: object
    storages: dict[str, StoragePlan]


def read_pickle(stream: io.BytesIO) -> Unpickled:
    """Read one pickle from where `stream` stands to its end.

    Raises:
        DataError: damaged, longer than `MAX_STEPS`, or asking for anything but plain values and tensors, which
            the message names; nothing of it has run then.
    """
    machine = _Machine()
    try:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if step >= MAX_STEPS:
                raise DataError(f"a pickle of more than {MAX_STEPS:,} instructions, which is refused")
            machine.carry_out(opcode.name, argument)
        (value,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise DataError(f"its pickle is damaged ({type(error).__name__}: {str(error)[:100]})") from None
    return Unpickled(value, machine.storages)


@dataclass(frozen=True)
class _Name:
    """One of the names that may be asked for; nothing can be done with it but compare it."""

    name: str


@dataclass
class _Machine:
    stack: list[object] = field(default_factory=list)
    below: list[list[object]] = field(default_factory=list)  # the stacks below each open mark
    memo: dict[int, object] = field(default_factory=dict)
    storages: dict[str, StoragePlan] = field(default_factory=dict)
    spent: int = 0  # values looked at by calls

    def carry_out(self, name: str, argument: object) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _WITHOUT_EFFECT:
            called = f" ({str(argument)[:100]!r})" if name == "INST" else ""
            raise DataError(f"uses the pickle instruction {name}{called}, which is refused")

    def mark(self, _: object) -> None:
        self.below.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[object]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def pop(self, _: object = None) -> object:
        return self.stack.pop()

    def pop_mark(self, _: object) -> None:
        self.to_mark()

    def keep_as(self, index: object) -> None:
        self.memo[_count(index)] = self.stack[-1]

    def keep_next(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def recall(self, index: object) -> None:
        self.stack.append(self.memo[_count(index)])

    def empty_list(self, _: object) -> None:
        self.stack.append([])

    def empty_dict(self, _: object) -> None:
        self.stack.append({})

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("the stack is too short for a tuple")
        cut = len(self.stack) - count
        self.stack[cut:] = [tuple(self.stack[cut:])]

    def tuple_to_mark(self, _: object) -> None:
        items = self.to_mark()
        self.stack.append(tuple(items))

    def append(self, _: object) -> None:
        item = self.stack.pop()
        _as_list(self.stack[-1]).append(item)

    def appends(self, _: object) -> None:
        items = self.to_mark()
        _as_list(self.stack[-1]).extend(items)

    def set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _fill(self.stack[-1], [key, value])

    def set_items(self, _: object) -> None:
        items = self.to_mark()
        _fill(self.stack[-1], items)

    def name(self, argument: object) -> None:
        self.stack.append(_named(str(argument)))

    def name_from_stack(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self.stack.append(_named(f"{module} {name}"))

    def apply(self, _: object) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise DataError(f"calls a {type(function).__name__}, which is refused")
        self.spent += len(arguments) + sum(len(each) for each in arguments if isinstance(each, list | tuple))
        if self.spent > MAX_STEPS:  # the same long list again and again
            raise DataError(f"calls with more than {MAX_STEPS:,} values, which is refused")
        self.stack.append(_applied(function.name, arguments))

    def state(self, _: object) -> None:
        """Drop the attributes of an OrderedDict (versions of modules, in a state_dict); others are refused."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise DataError(f"sets attributes of a {type(self.stack[-1]).__name__}, which is refused")

    def storage(self, _: object) -> None:
        plan = _storage(self.stack.pop())
        if self.storages.setdefault(plan.key, plan) != plan:
            raise DataError(f"storage {plan.key!r} is described twice and differently")
        self.stack.append(plan)


def _named(name: str) -> _Name:
    if name not in FUNCTIONS and name not in DTYPES:
        raise DataError(
            f"asks for {name.replace(' ', '.', 1)[:100]!r}, which is refused: only tensors and plain values are read; "
            "where you trust the file, save its state_dict alone as safetensors"
        )
    return _Name(name)


def _applied(function: str, arguments: tuple[object, ...]) -> object:
    if function == "collections OrderedDict":
        return _ordered(*arguments)
    if function in ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"):
        return _tensor(*arguments)
    if function == "torch._utils _rebuild_parameter" and isinstance(arguments[0], TensorPlan):
        return arguments[0]
    raise DataError(f"calls {function.replace(' ', '.')!r} with other values than torch does")


def _ordered(pairs: object = ()) -> dict[object, object]:
    """An OrderedDict: empty, or, as Python 2 wrote it, made from a list of pairs."""
    if not isinstance(pairs, list | tuple):
        raise TypeError("an OrderedDict of something else than pairs")
    found: dict[object, object] = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeError("an OrderedDict of something else than pairs")
        _fill(found, list(pair))
    return found


def _tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    hooks: object = None,
    metadata: object = None,
) -> TensorPlan:
    if not isinstance(storage, StoragePlan) or metadata:
        raise DataError("a tensor that is not a plain view of a storage, which is refused")
    sizes, strides, start = _counts(size), _counts(stride), _count(offset)
    if len(sizes) != len(strides):
        raise DataError(f"a tensor of sizes {sizes!r:.60} and strides {strides!r:.60}, which is refused")
    numel, last = 1, start
    for length, step in zip(sizes, strides, strict=True):
        numel, last = numel * length, last + (length - 1) * step
    if numel and (last >= storage.numel or numel > storage.numel):
        raise DataError(f"a tensor of sizes {sizes!r:.60} reaches beyond its storage of {storage.numel} numbers")
    return TensorPlan(storage, start if numel else 0, sizes, strides)


def _storage(description: object) -> StoragePlan:
    """The storage of `("storage", type, key, location, numel)`, with one None more in the older format."""
    if not isinstance(description, tuple) or len(description) not in (5, 6) or description[0] != "storage":
        raise DataError("asks for an object outside the file, which is refused")
    kind, key, numel, view = description[1], description[2], description[4], description[5:]
    if not isinstance(kind, _Name) or kind.name not in DTYPES or not isinstance(key, str):
        raise DataError("a storage that is not described as torch does, which is refused")
    if any(each is not None for each in view):
        raise DataError("a view of another storage, as torch before 0.4 wrote it; save it again with a newer torch")
    return StoragePlan(DTYPES[kind.name], key, _count(numel))


def _fill(target: object, items: list[object]) -> object:
    """Put alternating keys and values into a dict; keys are str, or int that fits in 32 bits."""
    if not isinstance(target, dict) or len(items) % 2:
        raise TypeError("an entry for something else than a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < 2**32):
            raise DataError(f"a dict with a {type(key).__name__} as key, which is refused")
        target[key] = value
    return target


def _as_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("an item for something else than a list")
    return value


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > 8:
        raise TypeError("sizes that are no tuple of up to 8 counts")
    return tuple(_count(value) for value in values)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError("a count that is none")
    return value


# Instructions whose argument is the value itself, those that stand for one, and those that say nothing.
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}
_ACTIONS: dict[str, Callable[[_Machine, object], object]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "BINPUT": _Machine.keep_as,
    "LONG_BINPUT": _Machine.keep_as,
    "MEMOIZE": _Machine.keep_next,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "EMPTY_LIST": _Machine.empty_list,
    "EMPTY_DICT": _Machine.empty_dict,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": _Machine.tuple_to_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.apply,
    "BUILD": _Machine.state,
    "BINPERSID": _Machine.storage,
}
