"""Settings of a training that mean nothing without another one; refused before torch is imported."""

from __future__ import annotations

from cnnlab.errors import UsageError


def require_companions(
    *,
    unfreeze_at: float | None,
    freeze: str | None,
    layer_lr: float | None,
    pretrained: str | None,
    key: str | None = None,
    ema: bool = False,
) -> None:
    """Refuse `--unfreeze-at` without `--freeze`, and `--layer-lr`, `--key` or `--ema` without `--pretrained`.

    Raises:
        UsageError: says what to add.
    """
    if unfreeze_at is not None and freeze is None:
        raise UsageError(f"--unfreeze-at {unfreeze_at:g} says from when on to train what --freeze keeps; add --freeze")
    if layer_lr is not None and pretrained is None:
        raise UsageError(
            f"--layer-lr {layer_lr:g} is for layers that start trained; add --pretrained RUN, FILE or NAME"
        )
    if pretrained is None and (key is not None or ema):
        raise UsageError(
            f"{'--ema' if key is None else '--key'} chooses among the weights in a file: --pretrained FILE"
        )
