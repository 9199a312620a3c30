"""Read the pickle in a torch file with a machine that has no way to call anything.

A pickle is a program. `pickletools` only takes it apart into instructions; the machine here carries them out on values
of its own: dict, list, tuple, str, bytes, int, float, bool, None, plans that say where a tensor's numbers lie in the
file, and `Inert` for every other object. Classes and functions are names to it, not objects: nothing is imported.
Neither `pickle` nor `torch.load` takes part.
"""

from __future__ import annotations

import gc
import io
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cnnlab.errors import DataError
from cnnlab.models.inert import Inert, Name, OddKey, UnreadTensor
from cnnlab.models.tensor_plans import StoragePlan, TensorPlan, builds_tensor, count, plan_storage, plan_tensor

MAX_STEPS = 2_000_000
"""The most instructions one pickle may have; the weights of ResNet-1202 take 300,000."""

_RECONSTRUCTORS = ("copyreg _reconstructor", "copy_reg _reconstructor", "copyreg __newobj__", "copy_reg __newobj__")


@dataclass(frozen=True)
class Unpickled:
    """The value of one pickle, with plans for tensors, and every storage it mentions by key."""

    value: object
    storages: dict[str, StoragePlan]


def read_pickle(stream: io.BytesIO) -> Unpickled:
    """Read one pickle from where `stream` stands to its end.

    Raises:
        DataError: damaged, longer than `MAX_STEPS`, or with tensors that torch does not write; nothing of it has run
            then, as ever.
    """
    machine = _Machine()
    collecting = gc.isenabled()
    gc.disable()  # it would look again and again through what is being built: three quarters of the time
    try:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if step >= MAX_STEPS:
                raise DataError(f"a pickle of more than {MAX_STEPS:,} instructions, which is refused")
            machine.carry_out(opcode.name, argument)
        (value,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise DataError(f"its pickle is damaged ({type(error).__name__}: {str(error)[:100]})") from None
    finally:
        if collecting:
            gc.enable()
    return Unpickled(value, machine.storages)


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
            raise DataError(f"uses the pickle instruction {name}, which is refused")

    def mark(self, _: object) -> None:
        self.below.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[object]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def pop(self, _: object = None) -> object:
        return self.stack.pop() if self.stack else self.to_mark()  # POP may take a mark, too

    def pop_mark(self, _: object) -> None:
        self.to_mark()

    def twice(self, _: object) -> None:
        self.stack.append(self.stack[-1])

    def keep_as(self, index: object) -> None:
        self.memo[count(index)] = self.stack[-1]

    def keep_next(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def recall(self, index: object) -> None:
        self.stack.append(self.memo[count(index)])

    def empty_list(self, _: object) -> None:
        self.stack.append([])

    def empty_dict(self, _: object) -> None:
        self.stack.append({})

    def empty_set(self, _: object) -> None:
        self.stack.append(Inert("builtins set"))

    def list_to_mark(self, _: object) -> None:
        items = self.to_mark()
        self.stack.append(items)

    def dict_to_mark(self, _: object) -> None:
        items = self.to_mark()
        self.stack.append(_fill({}, items))

    def frozen_set(self, _: object) -> None:
        items = self.to_mark()
        self.stack.append(Inert("builtins frozenset", items=items))

    def tuple_of(self, length: int) -> None:
        if len(self.stack) < length:
            raise IndexError("the stack is too short for a tuple")
        cut = len(self.stack) - length
        self.stack[cut:] = [tuple(self.stack[cut:])]

    def tuple_to_mark(self, _: object) -> None:
        items = self.to_mark()
        self.stack.append(tuple(items))

    def append(self, _: object) -> None:
        item = self.stack.pop()
        _items_of(self.stack[-1]).append(item)

    def appends(self, _: object) -> None:
        items = self.to_mark()
        _items_of(self.stack[-1]).extend(items)

    def set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _fill(self.stack[-1], [key, value])

    def set_items(self, _: object) -> None:
        items = self.to_mark()
        _fill(self.stack[-1], items)

    def name(self, argument: object) -> None:
        self.stack.append(Name(str(argument)))

    def name_from_stack(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is not text")
        self.stack.append(Name(f"{module} {name}"))

    def apply(self, _: object) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple):
            raise TypeError("a call without a tuple of arguments")
        if not isinstance(function, Name):
            self.stack.append(_object(function, arguments))
            return
        self.spent += len(arguments) + sum(len(each) for each in arguments if isinstance(each, list | tuple))
        if self.spent > MAX_STEPS:  # the same long list again and again
            raise DataError(f"calls with more than {MAX_STEPS:,} values, which is refused")
        self.stack.append(_applied(function, arguments))

    def new_object(self, _: object) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.stack.append(_object(kind, arguments if isinstance(arguments, tuple) else (arguments,)))

    def new_object_with_names(self, _: object) -> None:
        names, arguments, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(_object(kind, (arguments, names)))

    def instance(self, argument: object) -> None:
        arguments = self.to_mark()
        self.stack.append(Inert(str(argument), tuple(arguments)))

    def object_to_mark(self, _: object) -> None:
        kind, *arguments = self.to_mark()
        self.stack.append(_object(kind, tuple(arguments)))

    def state(self, _: object) -> None:
        """Record attributes; those of an OrderedDict (versions of modules, in a state_dict) are dropped."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Inert):
            target.state = state
        elif isinstance(target, TensorPlan | UnreadTensor):
            _check_state_of_variable(state)
        elif not isinstance(target, dict):
            raise DataError(f"sets attributes of a {type(target).__name__}, which is refused")

    def outside(self, argument: object) -> None:
        """A persistent id: a storage of the file, the class of a module, or a stranger."""
        description = self.stack.pop() if argument is None else argument
        if isinstance(description, tuple) and description[:1] == ("storage",):
            self.stack.append(self.storage(description))
        elif isinstance(description, tuple) and description[:1] == ("module",) and isinstance(description[1], Name):
            self.stack.append(description[1])  # the rest is its source code
        else:
            self.stack.append(Inert("object outside", (description,)))

    def storage(self, description: tuple[object, ...]) -> StoragePlan | UnreadTensor:
        plan = plan_storage(description)
        if self.storages.setdefault(plan.key, plan) != plan:
            raise DataError(f"storage {plan.key[:60]!r} is described twice and differently")
        if description[5:] in ((), (None,)):
            return plan
        return UnreadTensor("a view of another storage, as torch before 0.4 wrote it; save it again with a newer torch")


def _object(kind: object, arguments: tuple[object, ...]) -> Inert:
    if not isinstance(kind, Name | Inert):
        raise DataError(f"calls a {type(kind).__name__}, which is refused")
    return Inert(kind.text if isinstance(kind, Name) else kind.name, arguments)


def _applied(function: Name, arguments: tuple[object, ...]) -> object:
    name = function.text
    if name == "collections OrderedDict":
        return _ordered(*arguments)
    if name == "torch Size" and len(arguments) == 1 and isinstance(arguments[0], tuple):
        return arguments[0]
    if builds_tensor(name):
        return plan_tensor(name, arguments)
    if name in _RECONSTRUCTORS and arguments and isinstance(arguments[0], Name):
        return Inert(arguments[0].text, arguments[1:])
    return Inert(name, arguments)


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


def _check_state_of_variable(state: object) -> None:
    """Torch before 0.4 set (requires_grad, volatile, hooks) of each parameter; other states would change numbers."""
    if not isinstance(state, tuple) or len(state) != 3 or not all(isinstance(each, bool) for each in state[:2]):
        raise DataError("sets attributes of a tensor, which is refused")


def _fill(target: object, items: list[object]) -> dict[object, object]:
    """Put alternating keys and values into a dict, or record them for an object; text and small int stay keys."""
    if isinstance(target, Inert) and target.entries is None:
        target.entries = {}
    entries = target.entries if isinstance(target, Inert) else target
    if not isinstance(entries, dict) or len(items) % 2:
        raise TypeError("an entry for something else than a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        plain = isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**32)
        entries[key if plain else OddKey(key)] = value
    return entries


def _items_of(value: object) -> list[object]:
    if isinstance(value, Inert) and value.items is None:
        value.items = []
    items = value.items if isinstance(value, Inert) else value
    if not isinstance(items, list):
        raise TypeError("an item for something else than a list")
    return items


# Instructions whose argument is the value itself, those that stand for one, and those that say nothing.
_VALUES = {
    *("INT", "LONG", "FLOAT", "STRING", "UNICODE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}
_ACTIONS: dict[str, Callable[[_Machine, object], object]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.twice,
    "PUT": _Machine.keep_as,
    "BINPUT": _Machine.keep_as,
    "LONG_BINPUT": _Machine.keep_as,
    "MEMOIZE": _Machine.keep_next,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "EMPTY_LIST": _Machine.empty_list,
    "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_SET": _Machine.empty_set,
    "LIST": _Machine.list_to_mark,
    "DICT": _Machine.dict_to_mark,
    "FROZENSET": _Machine.frozen_set,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": _Machine.tuple_to_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.apply,
    "NEWOBJ": _Machine.new_object,
    "NEWOBJ_EX": _Machine.new_object_with_names,
    "INST": _Machine.instance,
    "OBJ": _Machine.object_to_mark,
    "BUILD": _Machine.state,
    "PERSID": _Machine.outside,
    "BINPERSID": _Machine.outside,
}
