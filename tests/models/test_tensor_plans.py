"""The plans of tensors: checked against their storage, and named where they are of a kind that is not read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.errors import DataError
from cnnlab.models.inert import Name, UnreadTensor
from cnnlab.models.tensor_plans import (
    DTYPES,
    FROM_TYPE,
    PARAMETERS,
    STORAGES,
    VIEWS,
    StoragePlan,
    TensorPlan,
    builds_tensor,
    count,
    plan_storage,
    plan_tensor,
)

STORAGE = StoragePlan(torch.float32, "0", 12)
PLAN = TensorPlan(STORAGE, 4, (2, 2), (4, 1))
WHOLE: tuple[Any, ...] = (STORAGE, 4, (2, 2), (4, 1))


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_a_storage(view: str) -> None:
    assert plan_tensor(view, WHOLE) == PLAN
    assert plan_tensor(view, (*WHOLE, True, {}, None)) == PLAN


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_its_tensor(name: str) -> None:
    assert plan_tensor(name, (PLAN, True, {})) == PLAN
    assert plan_tensor(name, (UnreadTensor("why"), True)) == UnreadTensor("why")
    with pytest.raises(DataError, match="other values"):
        plan_tensor(name, (3,))


def test_tensors_with_attributes_are_read_and_other_classes_named() -> None:
    for kind in ("torch Tensor", "torch.nn.parameter Parameter"):
        assert plan_tensor(FROM_TYPE, (Name(VIEWS[1]), Name(kind), WHOLE, {"note": 1})) == PLAN
    found = plan_tensor(FROM_TYPE, (Name(VIEWS[1]), Name("torchao Scaled"), WHOLE, {}))
    assert found == UnreadTensor("a tensor of the class torchao.Scaled")
    assert isinstance(plan_tensor(FROM_TYPE, (Name("os system"), Name("torch Tensor"), ("x",), {})), UnreadTensor)
    assert isinstance(plan_tensor(FROM_TYPE, ("touch",)), UnreadTensor)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("torch._utils _rebuild_qtensor", "a quantised tensor"),
        ("torch._utils _rebuild_sparse_tensor", "a sparse tensor"),
        ("torch._utils _rebuild_meta_tensor_no_storage", "an empty ('meta') tensor"),
        ("torch._utils _rebuild_wrapper_subclass", "a tensor made by torch._utils._rebuild_wrapper_subclass"),
    ],
)
def test_a_kind_that_is_not_read_is_named(name: str, why: str) -> None:
    assert builds_tensor(name)
    assert plan_tensor(name, ()) == UnreadTensor(why)


def test_a_dtype_without_a_storage_of_its_own_is_named() -> None:
    arguments = (*WHOLE, False, {}, Name("torch float8_e4m3fn"))
    assert plan_tensor("torch._utils _rebuild_tensor_v3", arguments) == UnreadTensor("a tensor of torch.float8_e4m3fn")
    complex64 = StoragePlan(torch.complex64, "0", 12)
    assert plan_tensor(VIEWS[1], (complex64, *WHOLE[1:])) == UnreadTensor("a tensor of torch.complex64")
    assert plan_tensor(VIEWS[1], (*WHOLE, False, {}, {"conj": True})) == UnreadTensor(
        "a tensor that is a conjugate or negative view"
    )


def test_a_storage_that_is_none() -> None:
    assert plan_tensor(VIEWS[1], (UnreadTensor("why"), *WHOLE[1:])) == UnreadTensor("why")
    for posing in (None, "0", ("storage",), Name("torch FloatStorage")):
        found = plan_tensor(VIEWS[1], (posing, *WHOLE[1:]))
        assert isinstance(found, UnreadTensor)
        assert "do not lie in the file" in found.why


def test_no_other_function_builds_tensors() -> None:
    for name in ("os system", "torch load", "torch.storage _load_from_bytes", "collections OrderedDict"):
        assert not builds_tensor(name)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (13,), (1,)), (1, (12,), (1,)), (0, (2**40,), (0,)), (0, (2,), (12,)), (0, (2, 2), (1,))],
)
def test_what_reaches_beyond_its_storage_is_refused(offset: int, size: object, stride: object) -> None:
    with pytest.raises(DataError):
        plan_tensor(VIEWS[0], (STORAGE, offset, size, stride))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(-1, (1,), (1,)), (0, (-1,), (1,)), (11, (2,), (-1,)), (0, (True,), (1,)), (0, (1.0,), (1,)), (0, 3, (1,))],
)
def test_what_is_not_a_count_is_refused(offset: int, size: object, stride: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        plan_tensor(VIEWS[0], (STORAGE, offset, size, stride))


@given(st.integers(0, 15), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=4))
def test_a_plan_never_reaches_beyond_its_storage(offset: int, axes: list[tuple[int, int]]) -> None:
    size, stride = tuple(length for length, _ in axes), tuple(step for _, step in axes)
    storage = torch.arange(12.0)
    try:
        found = plan_tensor(VIEWS[1], (STORAGE, offset, size, stride))
    except DataError:
        return
    assert isinstance(found, TensorPlan)
    view = storage.as_strided(found.size, found.stride, found.offset)  # torch refuses what reaches beyond
    assert view.shape == size


def test_storages_are_described_as_torch_does() -> None:
    assert plan_storage(("storage", Name("torch FloatStorage"), "0", "cuda:0", 12)) == STORAGE
    assert plan_storage(("storage", Name("torch FloatStorage"), "0", "cpu", 12, None)) == STORAGE
    assert set(DTYPES) < set(STORAGES)
    for odd in (("storage",), ("storage", "float", "0", "cpu", 1), ("storage", Name("torch FloatStorage"), 0, "", 1)):
        with pytest.raises(DataError, match="not described"):
            plan_storage(odd)
    with pytest.raises(DataError, match=r"type torch\.NewStorage"):
        plan_storage(("storage", Name("torch NewStorage"), "0", "cpu", 12))


@pytest.mark.parametrize("odd", [-1, 2**48, True, 1.0, "1", None])
def test_a_count_is_a_count(odd: object) -> None:
    with pytest.raises(ValueError, match="not a count"):
        count(odd)
    assert count(2**48 - 1) == 2**48 - 1
