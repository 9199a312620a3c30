"""Whether a path or a name leads to a trained network, or to several seeds of one: known before torch is imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnlab.errors import DataError, UnknownNameError, UsageError, command
from cnnlab.models.official_weights import OFFICIAL, find_weights

CONFIG = "config.json"
WEIGHT_ENDINGS = (".safetensors", ".pth", ".pt", ".th", ".ckpt", ".bin", ".t7", ".tar", ".pkl")
HELD_BY_RUNS = (CONFIG, "recipe.json")


def require_network(source: str | Path) -> None:
    """Refuse what can be no trained network: neither a finished run, a bundle, a file, nor a published name.

    Raises:
        UsageError: says what to do about it.
        DataError: it is called like a file of weights, and is not there.
    """
    path = Path(source)
    if path.is_dir():
        require_trained(path)
    elif not path.exists() and not is_published(str(source)):
        _require_file(path)
        raise UsageError(
            f"{source} holds no trained network (there is no such folder), nor are weights published under that name; "
            f"train one: {command('train', '--run', source)}, or see the column weights of: cnnlab models"
        )


def require_trained(folder: Path) -> None:
    """Refuse a folder that is neither a finished run nor a bundle.

    Raises:
        UsageError: says how to finish or to train it.
    """
    if (folder / CONFIG).is_file():
        return
    if (folder / "recipe.json").is_file():
        finish = command("train", "--resume", "--run", folder)
        raise UsageError(f"{folder} is an unfinished run; finish it with: {finish}")
    raise UsageError(
        f"{folder} holds no trained network (no {CONFIG}); cnnlab train --run runs/mine makes such a folder"
    )


def require_run(folder: Path) -> None:
    """Refuse a folder that is no run, finished or not; a bundle is none.

    Raises:
        UsageError: there is no recipe.json in it.
    """
    if not (folder / "recipe.json").is_file():
        raise UsageError(f"{folder} is not a run folder (no recipe.json); cnnlab train --run runs/mine makes one")


def require_weights(name: str) -> None:
    """Refuse what no first weights can be read from: neither a trained network's folder, a file, nor a published name.

    Raises:
        UnknownNameError: it is none of these; the message offers the nearest names.
        DataError: it is called like a file of weights, and is not there.
        UsageError: the folder holds no trained network.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        require_trained(path)
    elif not path.is_file():
        if path.parent != Path():
            _require_file(path)
        try:
            find_weights(name)
        except UnknownNameError as error:
            raise UnknownNameError(
                f"--pretrained {name!r} is neither a run folder (with {CONFIG}) nor a file of weights; {error}"
            ) from None


def _require_file(path: Path) -> None:
    if path.suffix.lower() in WEIGHT_ENDINGS and not path.exists():
        raise DataError(f"there is no file {path}; give a file of weights, such as model.safetensors")


def is_published(name: str) -> bool:
    """Whether a network's or a file's name stands in the catalogue of published weights."""
    return any(name in (weights.name, weights.filename) for weights in OFFICIAL)


def seeds_of(folder: Path) -> list[Path]:
    """The runs in a folder of seeds, as `cnnlab train --runs` makes it, by seed; any other folder is itself the run."""
    if any((folder / name).is_file() for name in HELD_BY_RUNS):
        return [folder]
    seeds = [each for each in folder.glob("seed*") if each.name.removeprefix("seed").isdigit() and each.is_dir()]
    return sorted(seeds, key=lambda each: int(each.name.removeprefix("seed"))) or [folder]


def runs_and_data(paths: Sequence[str]) -> tuple[list[Path], str | None]:
    """Tell runs from data: the last of `paths` is data where it is no run and two runs come before it."""
    *runs, last = paths
    if len(runs) < 2 or any((seed / name).is_file() for seed in seeds_of(Path(last)) for name in HELD_BY_RUNS):
        return [Path(each) for each in paths], None
    return [Path(each) for each in runs], last
