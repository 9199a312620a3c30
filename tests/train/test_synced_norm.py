"""In one process; that two count as one is shown in test_distributed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from cnnlab.train.synced_norm import SyncedNorm, with_synced_norms


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_alone_it_is_a_batch_norm_with_its_gradient_and_statistics(affine: bool, momentum: float | None) -> None:
    torch.manual_seed(0)
    plain, synced = (nn.BatchNorm2d(3, affine=affine, momentum=momentum) for _ in range(2))
    synced = with_synced_norms(nn.Sequential(synced), torch.device("cpu"))[0]
    assert isinstance(synced, SyncedNorm)
    for _ in range(2):
        images = (torch.randn(4, 3, 5, 5) * 2 + 1).requires_grad_()
        weight, gradients, outputs = torch.randn(4, 3, 5, 5), [], []
        for norm in (plain, synced):
            made = norm(images)
            gradients.append(torch.autograd.grad((made * weight).sum(), [images, *norm.parameters()]))
            outputs.append(made)
        torch.testing.assert_close(*outputs)
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert plain.state_dict().keys() == synced.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, synced.state_dict()[name])
    plain.eval()
    synced.eval()
    torch.testing.assert_close(plain(images), synced(images))
