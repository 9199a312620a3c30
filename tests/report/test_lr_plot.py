from __future__ import annotations

from pathlib import Path

from PIL import Image

from cnnlab.report.lr_plot import draw_lr_range


def test_the_plot_is_a_picture_in_the_folder_asked_for(tmp_path: Path) -> None:
    lrs, losses = [1e-4, 1e-3, 1e-2, 1e-1], [2.3, 2.2, 1.0, 4.0]
    path = draw_lr_range(
        tmp_path / "new" / "lr.png", "cost $5 \U0001f600", lrs=lrs, losses=losses, smoothed=losses, lr=1e-3
    )
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (910, 520))
        assert len(picture.convert("RGB").getcolors(10**6) or []) > 20
