"""Which part of a torch file's value is the network's weights, and which of several to take.

Training scripts save weights under many names, beside optimizers, averages and arguments, and some save whole modules.
Every mapping that looks like a state_dict is found; where there are several, the usual names and the caller's `key`
decide, never the order in the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeGuard

from cnnlab.errors import DataError
from cnnlab.models.inert import Inert, UnreadTensor, entries_of
from cnnlab.models.tensor_plans import TensorPlan
from cnnlab.models.weight_kinds import STATE

MAX_ENTRIES = 50_000
"""The most members of an archive, storages of a file, and entries of a state_dict."""

MAX_DEPTH, MAX_NODES, MAX_LOOKED = 6, 10_000, 500_000  # of the search for state_dicts
MAX_ITEMS = 100  # of a list are looked at
MAX_FOUND = 16  # are told apart
MAX_VALUES = 100  # plain values that are reported

WRAPPERS = (
    *("state_dict", "model", "model_state_dict", "model_state", "model_dict", "model_weights", "net", "net_state_dict"),
    *("net_state", "net_dict", "network", "network_state_dict", "weights", "params", "parameters", "module", "ema"),
)
"""Where training scripts put the weights; of several that look like weights, the one so called is taken."""

_AVERAGED = re.compile(r"(^|[._-])(ema|swa|shadow|averaged?|avg)([._-]|$)|^(model|net)_?ema|^ema", re.IGNORECASE)
_NOT_WEIGHTS = re.compile(
    r"optim|(^|_)(opt|lr|scheduler|schedulers|scaler|amp|rng|criterion|loss_fn|callbacks|loops|history)(_|$)"
    r"|^(hyper_?parameters|hparams)$",
    re.IGNORECASE,
)
_SETTINGS = ("args", "opt", "config", "cfg", "hparams", "hyper_parameters", "meta")


@dataclass(frozen=True)
class StateDict:
    """Weights in a file's value.

    Attributes:
        wrapper: the keys that lead to them, joined by dots; empty where they are the value itself.
        entries: plans of tensors by name; before it is chosen, of anything else as well.
        module: the class of a whole module that was saved; empty for a state_dict.
    """

    wrapper: str
    entries: Mapping[object, object]
    module: str = ""

    @property
    def averaged(self) -> bool:
        """Whether its key says that these are averages over the training."""
        return is_averaged(self.wrapper)


@dataclass(frozen=True)
class Choice:
    """The weights that were chosen, their plans by name, and the keys of the others.

    `prefix` is what `key` asked for beyond the state_dict: a beginning of names in it.
    """

    chosen: StateDict
    plans: dict[str, TensorPlan]
    others: tuple[str, ...]
    prefix: str = ""


def is_averaged(key: str) -> bool:
    """Whether a key or a beginning of names says: averages over the training, such as `state_dict_ema`."""
    return _AVERAGED.search(key) is not None


def choose_state(value: object, *, key: str | None = None, ema: bool = False) -> Choice:
    """Choose the weights in a file's value.

    Args:
        value: what its pickle describes.
        key: the `wrapper` of those to take, and after it, where only some of its names are wanted, their beginning.
        ema: take averaged weights, where the file has them under a key of their own.

    Raises:
        DataError: there are none, several and none of them the usual ones, or an entry is not a tensor with a name.
    """
    found = find_states(value)
    if not found:
        raise DataError(_nothing(value))
    chosen, prefix = _by_key(found, key) if key else (_usual(found, ema), "")
    others = tuple(each.wrapper for each in found if each is not chosen and each.wrapper)
    return Choice(chosen, _plans(chosen), others, prefix)


def find_states(value: object) -> list[StateDict]:
    """Everything in a file's value that looks like weights, the outermost first; no more than `MAX_FOUND`.

    Raises:
        DataError: there is more to look through than any file of weights has.
    """
    found: list[StateDict] = []
    queue: list[tuple[tuple[str, ...], object]] = [((), value)]
    seen: dict[int, StateDict | None] = {}
    num_looked = 0
    for path, node in queue:  # which grows
        if len(seen) >= MAX_NODES or len(found) >= MAX_FOUND:
            break
        if id(node) in seen:  # the same weights under another key, such as averages before they part
            state = seen[id(node)]
            found += [] if state is None else [replace(state, wrapper=".".join(path))]
            continue
        entries = _inside(node)
        num_looked += len(entries)
        if num_looked > MAX_LOOKED:  # many objects may hold the same large dict
            raise DataError(f"more than {MAX_LOOKED:,} values to look for weights among, which is refused")
        state = seen[id(node)] = _state(node, entries, path)
        if state is not None:
            found.append(state)
        elif len(path) < MAX_DEPTH:
            children = _children(entries, isinstance(node, list | tuple))
            queue += [((*path, name), child) for name, child in islice(children, max(MAX_NODES - len(queue), 0))]
    return found


def _state(node: object, entries: Mapping[object, object], path: tuple[str, ...]) -> StateDict | None:
    """The weights that `node`, to which `path` leads, is; None where it is none."""
    if is_module(node):
        return StateDict(".".join(path), dict(_of_module(node)), str(node))
    if not isinstance(node, list | tuple) and looks_like_state(entries, path):
        return StateDict(".".join(path), entries)
    return None


def _inside(node: object) -> Mapping[object, object]:
    """The entries of a dict or object by name, the first items of a list by number."""
    return dict(enumerate(node[:MAX_ITEMS])) if isinstance(node, list | tuple) else entries_of(node) or {}


def _children(entries: Mapping[object, object], in_list: bool) -> Iterator[tuple[str, object]]:
    for name, child in entries.items():
        if not isinstance(child, dict | Inert | list | tuple):
            continue
        if in_list or (_is_text(name) and _is_short(name) and not _NOT_WEIGHTS.search(name)):
            yield str(name), child


def looks_like_state(entries: Mapping[object, object], path: tuple[str, ...] = ()) -> bool:
    """Whether the entries that `path` leads to are a state_dict, perhaps a spoilt one: not all of them are tensors."""
    tensors = {name: each for name, each in entries.items() if isinstance(each, TensorPlan | UnreadTensor)}
    if any(_is_text(name) and name.endswith((".weight", ".bias")) for name in tensors):
        return True
    usual = path[-1:] and path[-1] in WRAPPERS
    if not tensors or 2 * len(tensors) < len(entries) or (len(tensors) < len(entries) and not usual):
        return False
    return (
        not path or bool(usual) or any(isinstance(each, TensorPlan) and len(each.size) > 1 for each in tensors.values())
    )


def is_module(node: object) -> TypeGuard[Inert]:
    """Whether an object is described with all that a module of torch has."""
    state = node.state if isinstance(node, Inert) else None
    return isinstance(state, dict) and all(isinstance(state.get(part), dict) for part in ("_parameters", "_modules"))


def _of_module(module: Inert) -> Iterator[tuple[str, object]]:
    """What the state_dict of a saved module would hold, in its order."""
    stack, num_seen = [("", module)], 0
    while stack:
        prefix, inner = stack.pop()
        assert isinstance(inner.state, dict)
        left_out = _texts(inner.state.get("_non_persistent_buffers_set"))
        own = [*inner.state["_parameters"].items(), *(entries_of(inner.state.get("_buffers")) or {}).items()]
        children = [(name, each) for name, each in inner.state["_modules"].items() if is_module(each)]
        num_seen += len(own) + len(left_out) + len(inner.state["_modules"])
        if num_seen > MAX_ENTRIES or len(prefix) > 1000:
            raise DataError(f"a module of more than {MAX_ENTRIES:,} entries or without end, which is refused")
        yield from ((f"{prefix}{_text(name)}", each) for name, each in own if each is not None and name not in left_out)
        stack += [(f"{prefix}{_text(name)}.", each) for name, each in reversed(children)]


def _texts(held: object) -> set[str]:
    """The texts in a set, as any protocol of pickle describes it."""
    if not isinstance(held, Inert):
        return set()
    items = held.items or (held.arguments[0] if held.arguments else ())
    return {each for each in items if _is_text(each)} if isinstance(items, list | tuple) else set()


def _text(name: object) -> str:
    return name[:1000] if _is_text(name) else "?"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _usual(found: list[StateDict], ema: bool) -> StateDict:
    """The only weights, or of several those under the name that is usual."""
    pool = [each for each in found if each.averaged == ema] or found
    tensors = [list(each.entries.values()) for each in pool]  # a module and its state_dict hold the same
    distinct = [each for place, each in enumerate(pool) if tensors[place] not in tensors[:place]]
    usual = [each for each in distinct if not each.wrapper or each.wrapper.rpartition(".")[2] in WRAPPERS]
    if len(distinct) > 1 and len(usual) != 1:
        raise DataError(f"holds several weights: {_listed(pool)}; say which: --key NAME (key= in Python)")
    return usual[0] if len(distinct) > 1 else distinct[0]


def _by_key(found: list[StateDict], key: str) -> tuple[StateDict, str]:
    """The weights that `key` leads to, and what is left of it: a beginning of names in there."""
    leading = [each for each in found if f"{key}.".startswith(f"{each.wrapper}." if each.wrapper else "")]
    ending = [each for each in found if f".{each.wrapper}".endswith(f".{key}")]
    if leading:
        longest = max(leading, key=lambda each: len(each.wrapper))
        return longest, key[len(longest.wrapper) :].lstrip(".")
    if len(ending) == 1:
        return ending[0], ""
    inside = [each for each in found if any(f"{key}." in str(name)[:1000] for name in each.entries)]
    if len(inside) == 1:
        return inside[0], key
    raise DataError(f"holds no weights under {key[:100]!r}; there are: {_listed(found)}")


def _plans(chosen: StateDict) -> dict[str, TensorPlan]:
    """The entries of a state_dict, each of which has to be a tensor with a name."""
    others = {name: each for name, each in chosen.entries.items() if not isinstance(each, TensorPlan)}
    others |= {name: each for name, each in chosen.entries.items() if not (_is_text(name) and is_fit_name(name))}
    if others:
        where = f" under {chosen.wrapper!r}" if chosen.wrapper else ""
        raise DataError(f"a state_dict{where} with entries that are not tensors with a name: {_some(others)}; {STATE}")
    if len(chosen.entries) > MAX_ENTRIES:
        raise DataError(f"a state_dict of {len(chosen.entries):,} entries; accepted: up to {MAX_ENTRIES:,}")
    return {str(name): each for name, each in chosen.entries.items() if isinstance(each, TensorPlan)}


def is_fit_name(name: str) -> bool:
    """Whether an entry may be called so: printable, up to 300 letters, up to 30 dots."""
    return name.isprintable() and len(name) <= 300 and name.count(".") <= 30


def plain_values(value: object) -> dict[str, str | int | float | bool]:
    """Up to a hundred plain values beside the weights, such as `epoch` and `args.arch`."""
    found: dict[str, str | int | float | bool] = {}
    top = entries_of(value) or {}
    for where, entries in (("", top), *((f"{name}.", entries_of(top.get(name)) or {}) for name in _SETTINGS)):
        for name, each in entries.items():
            if _is_text(name) and _is_short(name) and _is_plain(each) and len(found) < MAX_VALUES:
                found[where + name] = each
    return found


def _is_plain(value: object) -> TypeGuard[str | int | float]:
    if isinstance(value, int):
        return abs(value) < 2**63
    return _is_short(value) if isinstance(value, str) else isinstance(value, float) and math.isfinite(value)


def _is_short(text: str) -> bool:
    return len(text) <= 200 and text.isprintable()


def _nothing(value: object) -> str:
    entries = entries_of(value)
    if entries is None:
        alone = isinstance(value, TensorPlan | UnreadTensor)
        what = "single tensor" if alone else value if isinstance(value, Inert) else type(value).__name__
        return f"holds a {what}; expected a state_dict; {STATE}"
    if any(isinstance(each, TensorPlan | UnreadTensor) for each in entries.values()):
        odd = {name: each for name, each in entries.items() if not isinstance(each, TensorPlan) or not _is_text(name)}
        return f"a state_dict with entries that are not tensors with a name: {_some(odd)}; {STATE}"
    kind = value if isinstance(value, Inert) else "dict"
    usual = ", ".join(map(repr, WRAPPERS[:4]))
    return f"holds a {kind} with {_some(entries)}; expected a state_dict, alone or in a dict as {usual} or the like"


def _some(entries: Mapping[object, object]) -> str:
    """Ten names, with what is wrong with a tensor that is not read, and of what class another object is."""
    listed = [
        f"{ascii(name[:60] if _is_text(name) else type(name).__name__ if not isinstance(name, int) else name)[:80]}"
        + (f" ({each.why})" if isinstance(each, UnreadTensor) else f" (a {each})" if isinstance(each, Inert) else "")
        for name, each in list(entries.items())[:10]
    ]
    return (", ".join(listed) or "no entries") + (f" and {len(entries) - 10} more" if len(entries) > 10 else "")


def _listed(found: list[StateDict]) -> str:
    names = [repr(each.wrapper[:100]) if each.wrapper else "the file's own" for each in found]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
