from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cnnlab.data.mixing import beta_share, cutmix, mixup

Mix = Callable[..., tuple[torch.Tensor, torch.Tensor]]
LABELS = torch.tensor([0, 1, 2, 0])


def plain(count: int = 4, height: int = 10, width: int = 20) -> torch.Tensor:
    """Images of one value each: 1, 2, 4, …"""
    return torch.full((count, 3, height, width), 1.0) * (2.0 ** torch.arange(count)).view(-1, 1, 1, 1)


def test_mixup_blends_images_and_labels_by_one_share() -> None:
    images = plain()
    mixed, soft = mixup(images, LABELS, 0, 0, np.arange(4), 0.4, 3)
    share = beta_share(0, 0, 0, 0.4)
    torch.testing.assert_close(mixed, share * images + (1 - share) * images.flip(0))
    assert soft[1].tolist() == pytest.approx([0, share, 1 - share])
    assert soft[0].tolist() == pytest.approx([1, 0, 0])


def test_cutmix_pastes_one_rectangle_and_weighs_labels_by_area() -> None:
    for epoch in range(30):
        images = plain()
        mixed, soft = cutmix(images, LABELS, 0, epoch, np.arange(4), 1.0, 3)
        pasted = mixed[1, 0] != images[1, 0]
        assert torch.equal(mixed[1, 0][pasted], images[2, 0][pasted])
        rows, columns = pasted.any(1).sum(), pasted.any(0).sum()
        assert pasted.sum() == rows * columns
        assert float(soft[1, 2]) == pytest.approx(float(pasted.float().mean()), abs=1e-6)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_soft_labels_sum_to_one_and_nothing_given_is_changed(mix: Mix) -> None:
    images, before = plain(5), plain(5)
    labels = torch.tensor([0, 3, 1, 2, 2])
    mixed, soft = mix(images, labels, 7, 1, np.arange(5), 1.0, 4)
    assert torch.equal(images, before)
    assert (mixed.shape, soft.shape, soft.dtype) == (images.shape, (5, 4), torch.float32)
    torch.testing.assert_close(soft.sum(1), torch.ones(5))
    again, more = mix(mixed, soft, 8, 1, np.arange(5), 1.0, 4)
    torch.testing.assert_close(more.sum(1), torch.ones(5))
    assert again.shape == images.shape
    assert torch.equal(mix(images, labels, 7, 1, np.arange(5), 1.0, 4)[0], mixed)
    assert not torch.equal(mix(images, labels, 7, 2, np.arange(5), 1.0, 4)[0], mixed)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    drawn = np.array([beta_share(0, 0, index, alpha) for index in range(3000)])
    assert abs(drawn.mean() - 0.5) < 0.02
    assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)
