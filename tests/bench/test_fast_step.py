from __future__ import annotations

from dataclasses import replace

import pytest

from cnnlab.bench import fast_step, training
from cnnlab.bench.fast_step import AS_IT_IS, BATCH_ALONE, at, batches, measure, ways
from cnnlab.bench.row import Plan
from cnnlab.bench.training import begun, noise_parts

from .conftest import Here


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(fast_step.RECIPE, batch_size=32, model_options={"widths": (4, 8, 8)})
    monkeypatch.setattr(fast_step, "RECIPE", recipe)


@pytest.mark.parametrize("pixels", fast_step.PIXELS)
def test_all_steps_are_on_images_of_one_size(pixels: int) -> None:
    with begun(at(pixels), noise_parts(64)) as made:
        for _ in range(3):
            _, images, seen = made.images_of_step()
            assert tuple(images.shape) == (32, 3, pixels, pixels)
            assert seen == pixels
            made.step()


def test_the_batch_alone_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_step, "keep_freed_memory", lambda: None)
    monkeypatch.setattr("cnnlab.train.loop.Training.step", None)
    with batches(at(16), images=32) as work:
        assert work(2) > 0


def test_every_way_is_measured_at_every_size(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(fast_step)
    monkeypatch.setattr(fast_step, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(fast_step, "STEPS", 1)
    uncompiled = {
        pixels: {name: way for name, way in ways(pixels).items() if "compile" not in name} for pixels in (16, 32)
    }
    monkeypatch.setattr(fast_step, "PIXELS", (16, 32))
    monkeypatch.setattr(fast_step, "ways", uncompiled.__getitem__)
    found = measure(Plan(rounds=1))
    assert [case.name for case in found.cases] == ["16 pixels", "32 pixels"]
    for case in found.cases:
        assert list(case.values) == [AS_IT_IS, "float32", "no strips", "in 4 pieces", "in 16 pieces", BATCH_ALONE]
        assert case.ratio(AS_IT_IS) == 1.0
    assert found.figures["batch_share_at_16"] > 0
    assert "of a step" in found.notes[0]


@pytest.mark.parametrize("strips", [True, False])
def test_narrow_maps_are_laid_side_by_side_only_where_asked(strips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "keep_freed_memory", lambda: None)
    monkeypatch.setattr("cnnlab.models.precision.has_bf16", lambda device: True)
    monkeypatch.setattr("cnnlab.models.precision.has_matrix_tiles", lambda: True)
    widest: list[int] = []
    monkeypatch.setattr("cnnlab.models.strips.lay_beside", lambda maps, *_, **__: widest.append(maps.shape[3]) or maps)
    monkeypatch.setattr("cnnlab.models.strips.take_apart", lambda maps, *_: maps)
    with training.training(at(16), images=64, strips=strips) as work:
        work(1)
    assert bool(widest) == strips
