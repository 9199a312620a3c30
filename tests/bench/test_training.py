from __future__ import annotations

import torch

from cnnlab.bench import training as module
from cnnlab.bench.training import begun, noise, noise_parts, paper_rule, training

from .conftest import Here


def test_noise_is_the_same_each_time_and_has_all_classes() -> None:
    part = noise(20, pixels=8)
    assert part.images.shape == (20, 3, 8, 8)
    assert part.images.dtype is torch.uint8
    assert torch.equal(part.images, noise(20, pixels=8).images)
    assert part.labels.unique().tolist() == list(range(10))


def test_it_is_cnnlabs_own_training_and_goes_over_the_end_of_an_epoch() -> None:
    with begun(paper_rule("resnet20", 4), noise_parts(10)) as made:
        before = [each.clone() for each in made.network.parameters()]
        folder = made.run.path
        for _ in range(3):
            made.step()
        assert made.clock.step == 3
        assert made.batches.steps_per_epoch == 2
        assert any(not torch.equal(old, new) for old, new in zip(before, made.network.parameters(), strict=True))
    assert not folder.exists()


def test_the_work_is_steps_and_gives_seconds(here: Here) -> None:
    here_is = module.keep_freed_memory
    assert here_is() is None
    with training(paper_rule("resnet20", 4), images=8) as work:
        assert work(2) > 0
