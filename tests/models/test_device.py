from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.device import keep_freed_memory, place_network, resolve_device, return_freed_memory


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device() == resolve_device("auto")


def test_the_cpu_is_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu0", "auto "])
def test_a_device_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"no device '{name}' here; there is cpu.*; auto takes the fastest"):
        resolve_device(name)


def test_filters_lie_channels_last_and_answers_stay_the_same() -> None:
    torch.manual_seed(0)
    network, images = create_model("resnet20").eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = network(images)
        placed = place_network(network, torch.device("cpu"))
        after = placed(images)
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in placed.parameters() if each.ndim == 4)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_keeping_memory_can_be_asked_for_again_and_again_and_undone() -> None:
    keep_freed_memory()
    keep_freed_memory()
    return_freed_memory()
    assert torch.ones(2**20).sum() == 2**20
