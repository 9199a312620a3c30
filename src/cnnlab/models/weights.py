"""Load weights that others saved into our networks: torchvision, timm, CIFAR checkpoints, Cadene and our own.

Strict: every entry of the file and of the network has to be accounted for, by name and shape, before the first
number is copied. What may differ is written out: other names in `weight_names`, counters of batch
normalisation that old files lack, auxiliary heads that the network was built without, a fully-connected
layer saved as the convolution that sees its whole map, or the other way round, and biases that the norm after
their convolution makes idle, which its running mean takes in. On request the first layer is made to fit another
number of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from cnnlab.errors import DataError
from cnnlab.models.layers import Network
from cnnlab.models.lookalikes import looks_like
from cnnlab.models.recognise import Candidate
from cnnlab.models.torch_files import naming
from cnnlab.models.twins import lacking, with_twins
from cnnlab.models.weight_files import WeightsFile, read_weights
from cnnlab.models.weight_names import AUXILIARY, classifying, head_name, norm_after, rename

LISTED = 10  # names in a message, before "and N more"


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did; `str()` of it is a short account, `mapped` the whole.

    Attributes:
        path: the file.
        family: how its entries are named, one of `weight_names.FAMILIES`.
        mapped: every entry of the network that was loaded, with its name in the file.
        reshaped: those of them whose shape changed, between a fully-connected layer and a convolution.
        kept: entries of the network that stay as they were: a dropped head, counters that the file lacks.
        left_out: entries of the file that were not used: a dropped head, auxiliary heads.
        found: where in the file they were found, and what was decided there; empty where nothing had to be.
        folded: biases of the file that went into the running mean of the norm after their convolution.
        adapted: what was done to the first layer for another number of channels; empty where nothing was.
        twins: other networks that this file may be as well: the same entries, another function.
    """

    path: Path
    family: str
    mapped: dict[str, str]
    reshaped: tuple[str, ...]
    kept: tuple[str, ...]
    left_out: tuple[str, ...]
    found: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    adapted: str = ""
    twins: tuple[str, ...] = ()

    @property
    def renamed(self) -> dict[str, str]:
        """Those of `mapped` that the file calls otherwise."""
        return {ours: theirs for ours, theirs in self.mapped.items() if ours != theirs}

    def __str__(self) -> str:
        parts = [f"{self.path}: {len(self.mapped)} entries loaded, {self.family}", *self.found]
        parts += [f"{ours} from {theirs}" for ours, theirs in self.renamed.items()]
        lists = (("reshaped", self.reshaped), ("kept", self.kept), ("left out", self.left_out), ("folded", self.folded))
        for what, names in lists:
            parts += [f"{what}: {some(names)}"] if names else []
        parts += [self.adapted] if self.adapted else []
        parts += [f"the file may as well be: {'; or '.join(self.twins)}"] if self.twins else []
        return "\n".join(parts)


def load_weights(
    network: Network,
    path: str | Path | WeightsFile,
    *,
    drop_head: bool = False,
    adapt_channels: bool = False,
    key: str | None = None,
    ema: bool = False,
) -> LoadReport:
    """Load a file of weights into a network; on any error the network is as before.

    Args:
        network: one of ours, on any device and of any floating dtype; numbers are converted to it.
        path: a file of torch.save or of safetensors, whatever its ending. No code in it is run, whatever it holds.
            Or one that was read already; `key` and `ema` have been chosen then.
        drop_head: leave out the last layer of the classifier, and of auxiliary heads, so that the network keeps
            its own: for another number of classes.
        key: which weights to take, where the file holds several; see `WeightsFile.others`.
        ema: take the weights that were averaged over the training.
        adapt_channels: make the first layer fit where only its number of input channels differs: summed to one, or
            repeated and scaled, so that the same image in every channel gives the same maps.

    Raises:
        DataError: the file is missing, damaged or refused, or does not fit; the message lists what is missing,
            unexpected or of another shape, and says which network the file looks like.
    """
    found = path if isinstance(path, WeightsFile) else read_weights(Path(path), key=key, ema=ema)
    path, tensors = found.path, found.tensors
    wanted: dict[str, Tensor] = network.state_dict()
    with naming(path):
        renaming = rename(tensors, wanted, head_name(network))
    named = {ours: tensors[theirs] for ours, theirs in renaming.theirs.items()}
    named, folded = _fold_idle_biases(named, wanted) if network.idle_biases else (named, ())
    named, adapted = _adapt_first_layer(named, wanted) if adapt_channels else (named, "")
    match = _match(network, named, wanted, drop_head)
    if match.missing or match.unexpected or match.misfits:
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        advice = _advice(network, match, named, wanted) or _aside(found, match) or _lookalike(shapes, network)
        raise DataError(f"{path} does not fit this {type(network).__name__}: {match}{advice}")
    network.load_state_dict({**wanted, **match.fitted})
    return LoadReport(
        path=path,
        family=renaming.family,
        mapped={name: renaming.theirs[name] for name in match.fitted},
        reshaped=tuple(name for name, tensor in match.fitted.items() if tensor.shape != named[name].shape),
        kept=tuple(name for name in wanted if name not in match.fitted),
        left_out=tuple(renaming.theirs[name] for name in named if name not in match.fitted),
        found=found.said,
        folded=tuple(renaming.theirs[name] for name in folded),
        adapted=adapted,
        twins=twins_in_words(network),
    )


def twins_in_words(network: Network) -> tuple[str, ...]:
    """What else a file that fits `network` may be, each in a few words; nothing for networks without a name."""
    if network.made_as is None:
        return ()
    made = Candidate(*network.made_as)
    first, *others = with_twins([made])
    spelt = [f"{each} ({each.what})" for each in (first, *others) if str(each) != str(made)]
    return (*spelt, *(f"{each} (not in the catalogue)" for each in lacking([made])))


def _fold_idle_biases(named: dict[str, Tensor], wanted: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The entries without the biases that a norm follows; its running mean takes them in, so nothing else changes."""
    after = {name: norm for name in named if (norm := norm_after(name, wanted)) is not None}
    changed = {name: tensor for name, tensor in named.items() if name not in after}
    for name, norm in after.items():
        mean = changed.get(f"{norm}.running_mean")
        if mean is None or mean.shape != named[name].shape:
            return named, ()
        changed[f"{norm}.running_mean"] = mean - named[name]
    return changed, tuple(after)


def _adapt_first_layer(named: dict[str, Tensor], wanted: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The entries with the first convolution made for our number of channels, and what was done to it."""
    name = next((each for each, tensor in wanted.items() if tensor.ndim == 4), "")
    theirs, ours = named.get(name), wanted.get(name)
    if theirs is None or ours is None or theirs.ndim != 4 or theirs.shape[1] == ours.shape[1]:
        return named, ""
    had, wants = theirs.shape[1], ours.shape[1]
    if wants == 1:
        adapted, how = theirs.sum(1, keepdim=True), f"its {had} input channels are summed to 1"
    else:
        turns = -(-wants // had)
        adapted = theirs.repeat(1, turns, 1, 1)[:, :wants] * (had / wants)
        how = f"its {had} input channels are repeated to {wants}, times {had}/{wants}"
    return {**named, name: adapted}, f"the first layer, {name.removesuffix('.weight')}, is adapted: {how}"


@dataclass(frozen=True)
class _Match:
    """A file's entries, under our names, laid beside a network's."""

    fitted: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misfits: dict[str, str]  # by name: what it is, and what it should be

    def __str__(self) -> str:
        parts = [f"{len(self.missing)} missing in the file: {some(self.missing)}"] if self.missing else []
        parts += [f"{len(self.unexpected)} unexpected: {some(self.unexpected)}"] if self.unexpected else []
        misfits = [f"{name} {what}" for name, what in self.misfits.items()]
        parts += [f"{len(misfits)} of another shape: {some(misfits)}"] if misfits else []
        return "; ".join(parts)


def some(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(name[:200] for name in names[:LISTED]) + more


def _match(network: Network, named: dict[str, Tensor], wanted: dict[str, Tensor], drop_head: bool) -> _Match:
    head = head_name(network)
    dropped = {name for name in {*named, *wanted} if drop_head and classifying(name, head)}
    without_aux = getattr(network, "aux_heads", None) is False
    unused = dropped | {name for name in named if without_aux and name.startswith(AUXILIARY)}
    used = {name: tensor for name, tensor in named.items() if name not in unused}
    fitted = {name: _fitted(tensor, wanted[name]) for name, tensor in used.items() if name in wanted}
    return _Match(
        fitted={name: tensor for name, tensor in fitted.items() if tensor is not None},
        missing=tuple(
            name
            for name in wanted
            if name not in named and name not in dropped and not name.endswith(".num_batches_tracked")
        ),
        unexpected=tuple(name for name in used if name not in wanted),
        misfits={
            name: f"{_kind(named[name])}, ours {_kind(wanted[name])}"
            for name, tensor in fitted.items()
            if tensor is None
        },
    )


def _fitted(tensor: Tensor, wanted: Tensor) -> Tensor | None:
    """The tensor in the shape of `wanted`, or None where it is another one."""
    if tensor.is_floating_point() != wanted.is_floating_point():
        return None
    if tensor.shape == wanted.shape:
        return tensor
    if {tensor.ndim, wanted.ndim} == {2, 4} and tensor.flatten(1).shape == wanted.flatten(1).shape:
        return tensor.reshape(wanted.shape)  # a linear layer (K, C * H * W), a convolution (K, C, H, W)
    return None


def _kind(tensor: Tensor) -> str:
    dtype = "" if tensor.is_floating_point() else f"{tensor.dtype} ".removeprefix("torch.")
    return dtype + str(tuple(tensor.shape))


def _advice(network: Network, match: _Match, named: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """What to do, where the classifier's size or the auxiliary heads are all that differs."""
    if match.missing and not (match.unexpected or match.misfits):
        if all(name.startswith(AUXILIARY) for name in match.missing):
            return "; create the network with aux_heads=False"
        return ""
    head = head_name(network)
    shapes = [(named[name].shape, wanted[name].shape) for name in match.misfits if classifying(name, head)]
    sizes = {(a[:1].numel(), b[:1].numel()) for a, b in shapes if a[1:].numel() == b[1:].numel()}
    if match.missing or match.unexpected or len(shapes) != len(match.misfits) or len(sizes) != 1:
        return ""
    theirs, ours = sizes.pop()
    return (
        f"; the file has {theirs} classes, the network {ours}: pass drop_head=True to load everything else and train a "
        f"new last layer, or create the network with num_classes={theirs}"
    )


def _aside(found: WeightsFile, match: _Match) -> str:
    """What to do, where entries that are not the network's are all that is too much: those of a trainer, mostly."""
    if match.missing or match.misfits:
        return ""
    if not found.prefix:
        return "; if they are not part of the network, save the weights without them"
    return (
        f"; to leave out what does not begin with {found.prefix!r}: --key {found.prefix.rstrip('.')} (key= in Python)"
    )


def _lookalike(shapes: dict[str, tuple[int, ...]], network: Network) -> str:
    names = looks_like(shapes, network)
    return f"; the file looks like {' or '.join(names)}" if names else ""
