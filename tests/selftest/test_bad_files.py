from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnlab.data.folder import load_folder
from cnnlab.data.parts import Part
from cnnlab.errors import DataError
from cnnlab.selftest.bad_files import BAD_FILES, SEEDS, points_lost, run_bad_files, write_folder


def images(count: int) -> Part:
    generator = torch.Generator().manual_seed(0)
    return Part(torch.randint(0, 256, (count, 3, 8, 8), generator=generator).byte(), torch.arange(count) % 2)


def test_a_twentieth_of_the_training_files_is_left_out_by_name(tmp_path: Path) -> None:
    bad = write_folder(tmp_path, images(80), images(20), damaged=True)
    assert bad == 4
    parts = load_folder(tmp_path, pixels=8, max_bad=0.1)
    assert (len(parts.train), len(parts.val)) == (76, 20)
    assert len(parts.skipped) == 4
    assert all(reason.startswith("train/class") for reason in parts.skipped)
    with pytest.raises(DataError, match="images cannot be read"):
        load_folder(tmp_path, pixels=8)


def test_the_sound_folder_holds_the_same_pixels(tmp_path: Path) -> None:
    assert write_folder(tmp_path, images(20), images(4), damaged=False) == 0
    parts = load_folder(tmp_path, pixels=8)
    assert sorted(parts.train.images.flatten(1).tolist()) == sorted(images(20).images.flatten(1).tolist())  # type: ignore[union-attr]


def test_the_last_case_is_the_mean_of_the_seeds(tmp_path: Path) -> None:
    for seed in range(SEEDS):
        lost = 0.001 * seed
        (tmp_path / f"seed-{seed}.json").write_text(
            f'{{"sound": {{"top1": 0.8, "skipped": 0}}, "damaged": {{"top1": {0.8 - lost}, "skipped": 2250}}}}'
        )
    first, mean = run_bad_files([2, SEEDS], tmp_path)
    assert first.passed
    assert "+0.20 points lost" in first.seen
    assert mean.figures["mean_points_lost"] == pytest.approx(0.35)
    assert not mean.passed
    assert BAD_FILES.goal.limits == {"mean_points_lost": 0.2}
    assert points_lost({"sound": {"top1": 0.5}, "damaged": {"top1": 0.6}}) == pytest.approx(-10)
