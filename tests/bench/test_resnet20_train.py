from __future__ import annotations

import pytest
import torch

from cnnlab.bench import resnet20_train
from cnnlab.bench.resnet20_train import NATIVE, OURS, PilImages, measure, usual
from cnnlab.bench.row import Plan
from cnnlab.bench.training import noise
from cnnlab.measure import machine

from .conftest import Here


def test_images_come_one_by_one_cropped_and_normalised() -> None:
    part = noise(3)
    images = PilImages(part.images, part.labels)
    assert len(images) == 3
    image, label = images[1]
    assert (tuple(image.shape), image.dtype, label) == ((3, 32, 32), torch.float32, 1)


def test_the_usual_loop_takes_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet20_train, "BATCH", 8)
    monkeypatch.setattr(resnet20_train, "IMAGES", 16)
    with usual(0) as work:
        assert work(3) > 0  # the third is of the next epoch


def test_all_loops_are_measured_and_the_share_of_the_peak_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(resnet20_train)
    monkeypatch.setattr(resnet20_train, "STEPS", 1)
    monkeypatch.setattr(resnet20_train, "REST_SECONDS", 0.0)
    monkeypatch.setattr(resnet20_train, "MATRIX_SIDE", 128)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**20)
    without_workers = {name: way for name, way in resnet20_train.WAYS.items() if "2 workers" not in name}
    monkeypatch.setattr(resnet20_train, "WAYS", without_workers)
    found = measure(Plan(rounds=1))
    [case] = found.cases
    assert set(case.values) == {"usual loop, 0 workers", OURS, NATIVE}
    assert case.unit == "images/s"
    assert case.against == "usual loop, 0 workers"
    assert found.figures["share_of_matrix_product"] > 0
    assert "of the float32 matrix product" in found.notes[0]
