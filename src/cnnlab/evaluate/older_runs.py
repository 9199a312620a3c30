"""Runs that began before divisions were written down: their data is known only where its fingerprint proves it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.data.division import Division, division_of, read_division
from cnnlab.data.named import is_name
from cnnlab.data.parts import Parts
from cnnlab.data.paths import same_path
from cnnlab.data.smaller import with_pixels, with_train_images
from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError


@dataclass(frozen=True)
class _Asked:
    """What a run was asked to train on: `settings.json` and `recipe.json`, and the fingerprint of what it was given."""

    settings: dict[str, Any]
    recipe: dict[str, Any]
    sha256: str

    @classmethod
    def of(cls, run: Path) -> _Asked | None:
        """What the run in a folder was asked; None for a bundle, which does not say."""
        try:
            settings, recipe, data = (
                json.loads((run / name).read_text(encoding="utf-8"))
                for name in ("settings.json", "recipe.json", "data.json")
            )
            return cls({**settings, "data": str(settings["data"])}, dict(recipe), str(data["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def may_be(self, data: str) -> bool:
        """Whether `data` may be what the run was given: that was named from a working folder that is not known."""
        own = self.settings["data"]
        return not is_name(own) and (same_path(own, data) or Path(own).name == Path(data).name)


def was_given_a_published_set(run: Path) -> bool:
    """Whether a run was trained on a set that has a name, and so on no folder's images."""
    asked = _Asked.of(run)
    return asked is not None and is_name(asked.settings["data"])


def older_division(run: Path, data: str) -> Division | None:
    """How an older run divided `data`, by its settings; None where that is no data of its own, and for a bundle.

    Raises:
        DataError: it may be its own data, but is not proved to be by the fingerprint that the run kept.
    """
    asked = _Asked.of(run)
    if asked is None or read_division(run) is not None or not asked.may_be(data):
        return None
    manifest = asked.settings.get("manifest")
    if manifest is not None and not Path(manifest).is_file():
        raise _not_known(run, data, f"the manifest {manifest} is gone")
    parts = _divide_again(asked, data, manifest)
    if parts.sha256 != asked.sha256:
        raise _not_known(run, data, "its images are not those that the run was given, or not divided as they were")
    return division_of(parts, Path(manifest) if manifest else None)


def _divide_again(asked: _Asked, data: str, manifest: str | None) -> Parts:
    settings, recipe = asked.settings, asked.recipe
    parts = load_data(
        Path(data),
        manifest=Path(manifest) if manifest else None,
        final=bool(settings.get("final")),
        pixels=int(recipe.get("folder_pixels", 64)),
        photos=recipe.get("crop") is not None,
        max_bad=1.0,
    )
    if settings.get("train_images") is not None:
        parts = with_train_images(parts, int(settings["train_images"]))
    return parts if settings.get("pixels") is None else with_pixels(parts, int(settings["pixels"]))


def _not_known(run: Path, data: str, why: str) -> DataError:
    return DataError(
        f"which images of {data} are new to {run} cannot be known: the run began with a version of cnnlab that did not "
        f"write down which it was given, and {why}; put the data back as it was then, test on images that the network "
        "cannot have seen (in a folder of another name), or train again"
    )
