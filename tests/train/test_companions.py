from __future__ import annotations

import pytest

from cnnlab.errors import UsageError
from cnnlab.train.companions import require_companions


def test_settings_that_need_others_are_refused_without() -> None:
    require_companions(unfreeze_at=0.5, freeze="conv1", layer_lr=0.1, pretrained="resnet18")
    require_companions(unfreeze_at=None, freeze=None, layer_lr=None, pretrained=None)
    with pytest.raises(UsageError, match=r"--unfreeze-at 0.5 .*add --freeze"):
        require_companions(unfreeze_at=0.5, freeze=None, layer_lr=None, pretrained=None)
    with pytest.raises(UsageError, match=r"--layer-lr 0.1 .*add --pretrained"):
        require_companions(unfreeze_at=None, freeze=None, layer_lr=0.1, pretrained=None)
    with pytest.raises(UsageError, match=r"--key .*--pretrained FILE"):
        require_companions(unfreeze_at=None, freeze=None, layer_lr=None, pretrained=None, key="teacher")
    with pytest.raises(UsageError, match=r"--ema .*--pretrained FILE"):
        require_companions(unfreeze_at=None, freeze=None, layer_lr=None, pretrained=None, ema=True)
