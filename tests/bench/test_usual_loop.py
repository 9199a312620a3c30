from __future__ import annotations

import torch

from cnnlab.bench.training import BATCH, noise
from cnnlab.bench.usual_loop import PilImages, usual, usual_steps


def test_images_come_one_by_one_cropped_and_normalised() -> None:
    part = noise(3)
    images = PilImages(part.images, part.labels)
    assert len(images) == 3
    image, label = images[1]
    assert (tuple(image.shape), image.dtype, label) == ((3, 32, 32), torch.float32, 1)


def test_steps_go_over_the_end_of_an_epoch() -> None:
    steps = usual_steps("resnet20", 16, 8, workers=0)
    for _ in range(3):
        next(steps)


def test_the_work_is_steps_and_gives_seconds() -> None:
    with usual("resnet20", BATCH, workers=0) as work:
        assert work(1) > 0
