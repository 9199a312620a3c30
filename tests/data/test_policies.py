from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from cnnlab.data.policies import rand_augment, trivial_augment
from cnnlab.data.sampler import hashes
from cnnlab.errors import UsageError


def rand(images: torch.Tensor, seed: int, epoch: int, indices: np.ndarray) -> torch.Tensor:
    return rand_augment(images, seed, epoch, indices, 2, 9)


Policy = Callable[[torch.Tensor, int, int, np.ndarray], torch.Tensor]


def images(count: int = 10) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("policy", [rand, trivial_augment])
def test_an_image_is_changed_by_its_own_numbers_alone(policy: Policy) -> None:
    pixels, before, indices = images(), images(), np.arange(10)
    whole = policy(pixels, 1, 2, indices)
    assert (whole.dtype, whole.shape) == (torch.uint8, pixels.shape)
    assert torch.equal(pixels, before)
    assert torch.equal(policy(pixels[3:6], 1, 2, indices[3:6]), whole[3:6])
    assert not torch.equal(policy(pixels, 1, 3, indices), whole)


@pytest.mark.parametrize("policy", [rand, trivial_augment])
def test_torchs_own_generator_is_given_back_as_it_was(policy: Policy) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    policy(images(), 0, 0, np.arange(10))
    assert torch.equal(torch.rand(3), expected)


def test_it_is_torchvisions_policy() -> None:
    pixels = images(1)
    changed = rand_augment(pixels, 4, 5, np.array([6]), 3, 20)
    torch.manual_seed(int(hashes(4, 5, [6], 350)[0] >> np.uint64(1)))
    assert torch.equal(changed[0], v2.RandAugment(3, 20)(pixels[0]))


@pytest.mark.parametrize("policy", [rand, trivial_augment])
def test_normalised_images_are_refused(policy: Policy) -> None:
    with pytest.raises(UsageError, match="come first, on uint8 images"):
        policy(images().float(), 0, 0, np.arange(10))
