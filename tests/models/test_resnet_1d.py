"""ResNet-18 for signals: no other library's network to compare with, so the 2-D one, one pixel high, is the check."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.describe import cost
from cnnlab.models.resnet import resnet18
from cnnlab.models.resnet_1d import resnet18_1d


def test_counts_by_hand():
    widths = [64, 64, 128, 256, 512]
    parameters, macs, length = 7 * 64 + 128, 512 * 7 * 64, 256
    for number, (before, width) in enumerate(pairwise(widths)):
        length = 256 // 2**number
        weights = 3 * before * width + 3 * 3 * width * width + (before * width if number else 0)
        parameters += weights + 2 * width * (5 if number else 4)
        macs += weights * length
    found = cost(resnet18_1d(), 1, (1024,))
    assert (found.parameters, found.macs) == (parameters + 5130, macs + 5120)
    assert length == 32


def test_lengths():
    features = resnet18_1d().features(torch.randn(2, 1, 1024))
    shapes = [tuple(maps.shape[1:]) for maps in features.values()]
    assert shapes == [(64, 256), (64, 256), (128, 128), (256, 64), (512, 32), (512,)]


def test_agrees_with_resnet18_on_images_one_pixel_high():
    torch.manual_seed(0)
    flat, signals = resnet18(num_classes=5, in_channels=2).eval(), resnet18_1d(num_classes=5, in_channels=2).eval()
    state = {}
    for name, tensor in flat.state_dict().items():  # of a 2-D kernel only the middle row meets the image
        state[name] = tensor[:, :, tensor.shape[2] // 2] if tensor.ndim == 4 else tensor
    signals.load_state_dict(state)
    images = torch.rand(2, 2, 1, 90)
    with torch.no_grad():
        torch.testing.assert_close(signals(images[:, :, 0]), flat(images), rtol=1e-4, atol=1e-5)


def test_images_are_refused():
    with pytest.raises(UsageError, match=r"takes \(N, 1, L\)"):
        resnet18_1d()(torch.randn(1, 1, 32, 32))
