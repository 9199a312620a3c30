from __future__ import annotations

import torch

from cnnlab.measure.memory import peak_bytes


def test_the_peak_rises_with_what_is_held_and_does_not_fall() -> None:
    before = peak_bytes()
    held = torch.ones(2**28, dtype=torch.uint8)
    during = peak_bytes()
    assert during >= before
    assert during >= held.nbytes
    del held
    assert peak_bytes() == during
