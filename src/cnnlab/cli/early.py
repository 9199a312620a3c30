"""What can be refused before torch is imported, which takes seconds: misspelt names, paths that lead nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.errors import DataError, UsageError, unknown_name

if TYPE_CHECKING:
    from cnnlab.recipes.recipe import Recipe

# As `evaluate.protocols.PROTOCOLS` has them; a test holds both against each other.
PROTOCOLS = (
    *("center", "flip", "shift6", "shift18", "10crop", "12crop", "144crop", "150crop", "dense", "multiscale"),
    *("multiscale_fixed", "multiscale_resnet", "320"),
)


def require_protocols(names: Iterable[str]) -> None:
    """Refuse a protocol that is not known."""
    for name in names:
        if name not in PROTOCOLS:
            raise unknown_name("protocol", name, PROTOCOLS)


def require_split(name: str | None) -> None:
    """Refuse a split that is not train, val or test; None is the one there is."""
    from cnnlab.types import Split

    if name is not None and name not in list(Split):
        raise unknown_name("split", name, list(Split))


def require_model(name: str) -> None:
    """Refuse a network that the catalogue does not have."""
    from cnnlab.models.table import read_table

    names = [row.name for row in read_table()]
    if name not in names:
        raise unknown_name("model", name, names, see="cnnlab models")


def require_model_or_network(name: str) -> None:
    """Refuse what is neither a network of the catalogue nor the folder of a trained one."""
    from cnnlab.evaluate.locate import require_trained

    if Path(name).is_dir():
        require_trained(Path(name))
    else:
        require_model(name)


def require_networks(sources: Iterable[str | Path]) -> None:
    """Refuse what can be no trained network: neither a finished run, a bundle, a file, nor a published name."""
    from cnnlab.evaluate.locate import require_network

    for source in sources:
        require_network(source)


def require_data(data: str | None, folder: str | Path | None = None, manifest: str | Path | None = None) -> None:
    """Refuse data that cannot be: an unknown name, a path that leads nowhere, an empty folder."""
    from cnnlab.data.named import require_data as require

    if data is not None:
        require(data)
    if folder is not None and not Path(folder).expanduser().is_dir():
        raise DataError(f"--data-folder {folder}: there is no such folder; check the path")
    if manifest is not None and not Path(manifest).expanduser().is_file():
        raise DataError(f"--manifest {manifest}: there is no such file; make one: cnnlab data split")


def require_files(paths: Sequence[Path]) -> None:
    """Refuse images of which not one is there; where some are, the others are named beside their answers."""
    from cnnlab.evaluate.predictions import find_images

    if paths and not any(path.exists() for path in paths):
        raise DataError(f"{paths[0]}: cannot be read, there is no such file; give image files, or folders of them")
    for path in paths:
        if path.is_dir() and not any(files for _, _, files in os.walk(path, followlinks=True)):
            find_images([path])  # raises, as there is nothing to find


def require_weights(name: str | None) -> None:
    """Refuse `--pretrained` of what is no trained network; the published weights of --model need no look yet."""
    from cnnlab.evaluate.locate import require_weights as require

    if name not in (None, "official"):
        require(name)


def require_recipe(name: str | None, model: str | None, data: str | None, settings: Sequence[str]) -> Recipe:
    """Refuse a recipe, a network or a setting that is not known; returns the recipe with its settings.

    Without a name it is one of those that may be chosen, whichever takes the settings.
    """
    from cnnlab.recipes import fast, modern
    from cnnlab.recipes.catalog import get_recipe
    from cnnlab.recipes.recipe import with_settings

    if model is not None:
        require_model(model)
    candidates = [get_recipe(name)] if name else [fast.CIFAR10, modern.CIFAR10, modern.PHOTOS]
    settings = [*([f"model={model}"] if model else []), *settings]
    while True:
        try:
            recipe = with_settings(candidates.pop(0), settings)
            break
        except UsageError:
            if not candidates:
                raise
    require_model(recipe.model)
    return recipe


def require_run_folder(run: Path | None, resume: str | None) -> None:
    """Refuse a folder that a new run cannot be kept in, or that holds none to resume."""
    from cnnlab.train.record import require_begun, require_unused

    if resume is None and run is not None:
        require_unused(run)
    elif resume is not None and run is None:
        raise UsageError("--resume needs the run that is to be resumed: --run FOLDER")
    elif run is not None and resume != "auto":
        require_begun(run)
