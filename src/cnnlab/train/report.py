"""A run's `report.html`: what the page needs from the catalogue, the network and the data, brought together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.evaluate.answers import Answers, worst_mistakes
from cnnlab.evaluate.classifier import read_config
from cnnlab.evaluate.locate import CONFIG
from cnnlab.evaluate.predict import original_image
from cnnlab.models.describe import count_macs
from cnnlab.recipes import recipe as recipes
from cnnlab.recipes.catalog import RECIPES
from cnnlab.report.run_page import MISTAKES, write_run_report


def report_run(folder: Path, answers: Answers | None = None, part: Part | Photos | None = None) -> Path:
    """Write `report.html` into a run folder, finished or not; returns its path.

    Args:
        folder: the run folder.
        answers: what its network says of the images of `part`; None takes what an earlier report was made of.
        part: the images, of which the worst mistakes are shown.

    Raises:
        UsageError: the folder is no run, or one of its files is not what cnnlab writes.
    """
    name = recipes.read(folder / "recipe.json").name
    worst = worst_mistakes(answers, MISTAKES) if answers is not None and part is not None else []
    return write_run_report(
        folder,
        predictions=asdict(answers) if answers is not None else None,
        images={index: original_image(part, index) for index in worst} if part is not None else None,
        named_recipe=recipes.to_dict(RECIPES[name]) if name in RECIPES else None,
        macs=_macs(folder),
    )


def _macs(folder: Path) -> int | None:
    """Multiply-accumulates of one image, where the run is finished and its images have one size."""
    if not (folder / CONFIG).is_file():
        return None
    config = read_config(folder)
    if config.preprocess.crop_pixels is None:
        return None
    pixels = config.preprocess.crop_pixels + 2 * config.preprocess.pad_pixels
    # One real image: torch's meta device takes seconds to import what it needs.
    return count_macs(config.build().eval(), torch.zeros(1, config.in_channels, pixels, pixels))
