"""What wrappers put before the names of a state_dict, and what else they put beside the network's own entries.

A network that was trained inside DistributedDataParallel, a LightningModule, MoCo or mmpretrain's classifier has other
names than the same network alone. `unwrap` undoes that, in any nesting, and says what it did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cnnlab.errors import DataError
from cnnlab.models.state_dicts import is_averaged

ANYWHERE = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
"""What data parallelism and torch.compile put in, which may wrap a part of the network too: `features.module.0`."""

AT_FRONT = (
    *("model", "net", "network", "backbone", "encoder_q", "base_model", "base_encoder", "encoder", "student"),
    *("_model", "_net", "resnet", "cnn", "ema_model", "model_ema", "ema", "feature_extractor", "trunk"),
)
"""What trainers call the network inside them."""

QUERY = "encoder_q"  # of MoCo, the network that is trained; encoder_k is its average, beside a queue
ASIDE = re.compile(
    r"(criterion|loss|loss_fn|loss_func|metric|metrics|(train|val|valid|test)_\w+|queue|queue_ptr|encoder_k"
    r"|(momentum|target)_\w+|teacher|data_preprocessor|normali[sz]er?|step|steps|initted|n_averaged|attacker"
    r"|acc|accuracy|auroc|f1|f1_score|precision|recall|confmat|confusion_matrix|(class|loss|pos)_weights?"
    r"|(project|predict)(ion|or)(_head|_mlp)?|prototypes)$"
)
"""What trainers keep in the same state_dict and no network has."""

COUNTS = ("total_ops", "total_params")
"""What thop, which counts multiplications, leaves in every layer of a network."""

_OWN = ("features", "classifier", "layers", "layer", "stages", "blocks", "body", "main", "conv", "convs")  # of networks
_LAYERS = 8  # of wrappers, one in another


@dataclass(frozen=True)
class Unwrapped:
    """The network's entries.

    Attributes:
        theirs: each name without what wrappers put before it, with the name in the file.
        prefix: what was taken off the front, outermost first, such as `module.encoder_q.`.
        notes: what else was changed or left out, one sentence each.
    """

    theirs: dict[str, str]
    prefix: str = ""
    notes: tuple[str, ...] = ()


def unwrap(names: Iterable[str], *, only: str = "", ema: bool = False) -> Unwrapped:
    """Take off what wrappers put before the names of a network's entries, and leave out what they put beside them.

    Args:
        names: of a state_dict.
        only: the beginning of those to take, such as `module.encoder_k`, where its usual choice is not wanted.
        ema: take averaged weights that are among them, such as those that begin with `ema_model.`.

    Raises:
        DataError: no name begins with `only`, or none says that it is averaged.
    """
    now = _without_counts(names)
    if ema:
        only = _averaged_part(now.theirs)
    if only:
        now = _only(now, only.strip("."))
    for _ in range(_LAYERS):
        further = _without_front(now) or _without_inside(now)
        if further is None:
            return now
        now = further
    return now


def _without_counts(names: Iterable[str]) -> Unwrapped:
    all_names = list(names)
    kept = {name: name for name in all_names if name.rpartition(".")[2] not in COUNTS} or dict(
        zip(all_names, all_names, strict=True)
    )
    num_counts = len(all_names) - len(kept)
    return Unwrapped(kept, notes=(f"left out: {' and '.join(COUNTS)} of thop ({num_counts})",) if num_counts else ())


def _only(now: Unwrapped, part: str) -> Unwrapped:
    start = f"{part}."
    inside = {name: theirs for name, theirs in now.theirs.items() if f".{start}" in f".{name}"}
    if not inside:
        raise DataError(f"no entry of its weights begins with {start[:100]!r}; they begin with {fronts_of(now.theirs)}")
    prefix = next(iter(inside)).partition(start)[0] + start
    if not all(name.startswith(prefix) for name in inside):
        raise DataError(f"entries with {start[:100]!r} begin differently; give all that comes before it, too")
    return Unwrapped({name[len(prefix) :]: theirs for name, theirs in inside.items()}, prefix, now.notes)


def _averaged_part(names: Iterable[str]) -> str:
    """The beginning of the names of averaged weights among `names`, up to the part that says so."""
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(".")
        told = next((place for place, part in enumerate(parts[:-1]) if is_averaged(part)), None)
        if told is not None:
            found[".".join(parts[: told + 1])] = None
    if len(found) != 1:
        if found:
            raise DataError(f"holds several averaged weights (EMA): {', '.join(found)[:200]}; say which: --key NAME")
        raise DataError("holds no averaged weights (EMA); leave out --ema (ema= in Python)")
    return next(iter(found))


def _without_front(now: Unwrapped) -> Unwrapped | None:
    """Without the name that a trainer gave the network; None where there is none to be told."""
    fronts = dict.fromkeys(name.partition(".")[0] for name in now.theirs)
    aside = [front for front in fronts if ASIDE.match(front) or (is_averaged(front) and len(fronts) > 1)]
    named = [front for front in fronts if front in ANYWHERE + AT_FRONT and front not in aside]
    if QUERY in fronts:
        front = QUERY
        aside = [each for each in fronts if each != front]
    elif len(named) == 1:
        (front,) = named
    elif len(fronts) == 1 and _wraps(next(iter(fronts)), now.theirs):
        (front,) = fronts
    else:
        return None
    kept = {name: each for name, each in now.theirs.items() if name.partition(".")[0] not in aside}
    shorter = {name.removeprefix(f"{front}."): each for name, each in kept.items()}
    shorter, notes = _plain_head(shorter, front)
    if len(shorter) < len(kept) or front in shorter:
        return None
    if "n_averaged" in aside:
        aside.remove("n_averaged")
        notes += ("an average of several models (AveragedModel)",)
    notes += (f"left out: {_counted(now.theirs, aside)}",) if aside else ()
    notes += ("they are averages over the training (EMA)",) if is_averaged(front) else ()
    notes += ("--ema takes the averaged ones",) if any(map(is_averaged, aside)) and front != QUERY else ()
    return Unwrapped(shorter, f"{now.prefix}{front}.", now.notes + notes)


def _without_inside(now: Unwrapped) -> Unwrapped | None:
    """Without `ANYWHERE` inside of names; None where no name has it or two names would be one."""
    shorter = {_without_parts(name): each for name, each in now.theirs.items()}
    met = [part for name in now.theirs for part in name.split(".")[:-1] if part in ANYWHERE]
    if not met or len(shorter) < len(now.theirs):
        return None
    return Unwrapped(shorter, now.prefix, (*now.notes, f"names without {met[0]!r} inside"))


def _without_parts(name: str) -> str:
    *parts, last = name.split(".")
    return ".".join([*(part for part in parts if part not in ANYWHERE), last])


def _plain_head(names: dict[str, str], front: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The `backbone.` of mmpretrain has its classifier beside it in `head.`, which goes as well."""
    heads = [name for name in names if name.startswith("head.")]
    if front != "backbone" or not heads or any(name.count(".") < 2 for name in heads):
        return names, ()
    return {name.removeprefix("head."): each for name, each in names.items()}, ("names without 'head.', too",)


def _wraps(front: str, names: Iterable[str]) -> bool:
    """Whether `front`, which begins all names, is the name of a whole network rather than of a part of it."""
    inside = {name.partition(".")[2].partition(".")[0] for name in names}
    return front not in _OWN and not front.isdigit() and len(inside) > 1 and not any(map(str.isdigit, inside))


def _counted(names: Iterable[str], fronts: list[str]) -> str:
    begins = [name.partition(".")[0] for name in names]
    return ", ".join(f"{front} ({begins.count(front)})" for front in fronts[:10]) + (" …" if len(fronts) > 10 else "")


def fronts_of(names: Iterable[str]) -> str:
    """What comes before the first dot of the names, up to ten of them."""
    fronts = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return ", ".join(fronts[:10])[:500] + (f" and {len(fronts) - 10} more" if len(fronts) > 10 else "")
