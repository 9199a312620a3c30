from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.data.loader import Batches, eval_batches
from cnnlab.data.parts import Parts
from cnnlab.data.preprocess import measure
from cnnlab.data.stats import stats
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import UsageError


def top1_after(net: nn.Module, parts: Parts, epochs: int) -> float:
    preprocess = measure(parts.train.images)
    batches = Batches(parts.train, batch_size=50, seed=0, preprocess=preprocess)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for batch in (batch for epoch in range(epochs) for batch in batches.epoch(epoch)):
        optimizer.zero_grad()
        F.cross_entropy(net(batch.images), batch.labels).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = [net(b.images).argmax(1) == b.labels for b in eval_batches(parts.val, 250, preprocess)]
    return torch.cat(right).float().mean().item()


def test_the_set_is_balanced_and_repeats_itself() -> None:
    first, again = synthetic(200, 50, 50), synthetic(200, 50, 50)
    assert first.sha256 == again.sha256
    assert first.sha256 != synthetic(200, 50, 50, seed=1).sha256
    assert first.train.images.shape == (200, 3, 32, 32)
    counted = stats(first)
    assert all(set(counts) <= {20, 5} for counts in counted.counts.values())
    assert counted.num_leaks == counted.num_repeats == 0


def test_an_image_does_not_depend_on_the_sizes() -> None:
    assert torch.equal(synthetic(30, 0, 0).train.images[:10], synthetic(10, 5, 0).train.images)


def test_sizes_can_be_chosen() -> None:
    parts = synthetic(10, 0, 3, pixels=64)
    assert parts.train.images.shape == (10, 3, 64, 64)
    assert len(parts.val) == 0
    assert parts.test is not None
    assert len(parts.test) == 3
    for bad in ({"train_images": 0}, {"val_images": -1}, {"pixels": 4}):
        with pytest.raises(UsageError, match="give at least 1 train image"):
            synthetic(**bad)


def test_a_small_network_learns_it_and_a_linear_one_does_not() -> None:
    torch.manual_seed(0)
    parts = synthetic()
    blocks = [
        nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2))
        for i, o in ((3, 16), (16, 32), (32, 64))
    ]
    small = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    assert top1_after(small, parts, epochs=3) > 0.9
    assert top1_after(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), parts, epochs=3) < 0.7
