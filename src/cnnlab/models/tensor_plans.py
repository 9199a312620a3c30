"""Where in a torch file the numbers of a tensor lie, worked out from what its pickle says and checked."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnlab.errors import DataError
from cnnlab.models.inert import Name, UnreadTensor, dotted

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
"""The storages whose tensors are read."""

STORAGES = {
    **DTYPES,
    "torch ComplexFloatStorage": torch.complex64,
    "torch ComplexDoubleStorage": torch.complex128,
    "torch QInt8Storage": torch.qint8,
    "torch QUInt8Storage": torch.quint8,
    "torch QInt32Storage": torch.qint32,
    "torch UntypedStorage": torch.uint8,
    "torch.storage UntypedStorage": torch.uint8,
}
"""All storages whose length is known; in the older format, the numbers of the next begin where those of one end."""

VIEWS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
PARAMETERS = (
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_parameter_with_state",
    "torch.nn.parameter Parameter",  # as torch before 0.4 wrote it
    "torch.autograd.variable Variable",
)
FROM_TYPE = "torch._tensor _rebuild_from_type_v2"
PLAIN_TYPES = ("torch Tensor", "torch._tensor Tensor", "torch.nn.parameter Parameter", "torch.nn.parameter Buffer")
_KINDS = {
    "_rebuild_qtensor": "a quantised tensor",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "an empty ('meta') tensor",
}


@dataclass(frozen=True, slots=True)
class StoragePlan:
    """A run of `numel` numbers of one dtype, which the file keeps under `key`."""

    dtype: torch.dtype
    key: str
    numel: int


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """A tensor as a view of a storage, its extent checked; `offset` and `stride` count numbers, not bytes."""

    storage: StoragePlan
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def builds_tensor(function: str) -> bool:
    """Whether a pickle calls `function`, `module name`, for a tensor."""
    return function in PARAMETERS or function.startswith(("torch._utils _rebuild_", "torch._tensor _rebuild_"))


def plan_tensor(function: str, arguments: tuple[object, ...]) -> TensorPlan | UnreadTensor:
    """The tensor that `function` would make of `arguments`.

    Raises:
        DataError: the arguments are not such as torch writes, or reach beyond the storage.
    """
    if function in VIEWS:
        return _view(*arguments)
    if function in PARAMETERS and isinstance(arguments[0], TensorPlan | UnreadTensor):
        return arguments[0]
    if function in PARAMETERS:
        raise DataError(f"calls {dotted(function)!r} with other values than torch does")
    if function == FROM_TYPE and len(arguments) >= 3:
        made, kind, inner = arguments[:3]
        if isinstance(made, Name) and made.text in VIEWS and isinstance(kind, Name) and isinstance(inner, tuple):
            return _view(*inner) if kind.text in PLAIN_TYPES else UnreadTensor(f"a tensor of the class {kind}")
    if function.endswith("_rebuild_tensor_v3") and len(arguments) > 6:
        return UnreadTensor(f"a tensor of {arguments[6]}" if isinstance(arguments[6], Name) else "a tensor of no dtype")
    return UnreadTensor(_KINDS.get(function.rpartition(" ")[2], f"a tensor made by {dotted(function)}"))


def _view(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    hooks: object = None,
    metadata: object = None,
) -> TensorPlan | UnreadTensor:
    if isinstance(storage, UnreadTensor):
        return storage
    if not isinstance(storage, StoragePlan):
        return UnreadTensor("a tensor whose numbers do not lie in the file as torch.save writes them")
    if metadata:
        return UnreadTensor("a tensor that is a conjugate or negative view")
    sizes, strides, start = _counts(size), _counts(stride), count(offset)
    if len(sizes) != len(strides):
        raise DataError(f"a tensor of sizes {sizes!r:.60} and strides {strides!r:.60}, which is refused")
    numel, last = 1, start
    for length, step in zip(sizes, strides, strict=True):
        numel, last = numel * length, last + (length - 1) * step
    if numel and (last >= storage.numel or numel > storage.numel):
        raise DataError(f"a tensor of sizes {sizes!r:.60} reaches beyond its storage of {storage.numel} numbers")
    if storage.dtype not in DTYPES.values():
        return UnreadTensor(f"a tensor of {storage.dtype}")
    return TensorPlan(storage, start if numel else 0, sizes, strides)


def plan_storage(description: tuple[object, ...]) -> StoragePlan:
    """The storage of `("storage", type, key, location, numel)`, and what it is a view of in torch before 0.4.

    Raises:
        DataError: it is not described as torch does.
    """
    if len(description) not in (5, 6) or not isinstance(description[1], Name) or not isinstance(description[2], str):
        raise DataError("a storage that is not described as torch does, which is refused")
    if description[1].text not in STORAGES:
        raise DataError(f"a storage of the type {description[1]}, which is not known")
    return StoragePlan(STORAGES[description[1].text], description[2], count(description[4]))


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > 8:
        raise TypeError("sizes that are not a tuple of up to 8 counts")
    return tuple(count(value) for value in values)


def count(value: object) -> int:
    """`value`, if it is a count below 2**48.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError("not a count")
    return value
