import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.precision import has_bf16, resolve_precision

CPU = torch.device("cpu")


def test_auto_on_a_cpu_is_float32() -> None:
    assert resolve_precision("auto", CPU).half is None


def test_bf16_runs_matrix_products_in_bf16() -> None:
    with resolve_precision("bf16", CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16


def test_fp32_leaves_the_format_alone() -> None:
    with resolve_precision("fp32", CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_fp16_on_a_cpu_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="fp32"):
        resolve_precision("fp16", CPU)


def test_only_fp16_scales_gradients() -> None:
    assert not resolve_precision("bf16", CPU).scaler().is_enabled()


def test_native_is_bf16_where_the_cpu_computes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (resolve_precision("native", CPU).half is torch.bfloat16) == has_bf16(CPU)
    for found, half in (({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({}, None)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert resolve_precision("native", CPU).half is half
        assert resolve_precision("auto", CPU).half is None
