from pathlib import Path

import torch
from torch import nn

from cnnlab.train.state import KeptBuffers, put_back, snapshot
from tests.train.conftest import TrainingIn


def test_a_snapshot_put_back_undoes_steps(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run")
    training.step()
    taken = snapshot(training)
    before = {group: {name: each.clone() for name, each in tensors.items()} for group, tensors in taken.tensors.items()}
    training.step()
    saved = type(taken)(before, taken.state)
    assert put_back(training, saved).averaged == 1
    after = snapshot(training).tensors
    assert {"network", "optimizer", "average"} == after.keys()
    assert all(torch.equal(after[group][name], each) for group in before for name, each in before[group].items())


def test_running_statistics_are_put_back_to_the_last_bit() -> None:
    norm = nn.BatchNorm2d(3)
    kept = KeptBuffers(norm)
    norm(torch.randn(4, 3, 2, 2))
    kept.keep()
    before = {name: each.clone() for name, each in norm.named_buffers()}
    norm(torch.full((4, 3, 2, 2), float("nan")))
    assert norm.running_mean.isnan().all()
    kept.put_back()
    assert all(torch.equal(each, before[name]) for name, each in norm.named_buffers())


def test_a_network_without_statistics_needs_none() -> None:
    kept = KeptBuffers(nn.Linear(2, 2))
    kept.keep()
    kept.put_back()
