from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.evaluate.locate import is_published, require_network, require_run, require_trained, require_weights


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, an unfinished one, a bundle, an empty folder and a file."""
    monkeypatch.chdir(tmp_path)
    for folder, files in {
        "run": ("recipe.json", "config.json"),
        "begun": ("recipe.json",),
        "bundle": ("config.json",),
        "empty": (),
    }.items():
        (tmp_path / folder).mkdir()
        for name in files:
            (tmp_path / folder / name).touch()
    (tmp_path / "a.pth").touch()
    return tmp_path


@pytest.mark.usefixtures("place")
def test_trained_networks_are_runs_bundles_files_and_published_names() -> None:
    for source in ("run", "bundle", "a.pth", "resnet50"):
        require_network(source)
        require_weights(source)
    for folder in ("run", "bundle"):
        require_trained(Path(folder))
    for folder in ("run", "begun"):
        require_run(Path(folder))


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("begun", "begun is an unfinished run; finish it with: cnnlab train --resume --run begun"),
        ("empty", "empty holds no trained network"),
        ("gone", "gone holds no trained network .there is no such folder."),
    ],
)
def test_what_is_none_is_refused_with_what_to_do(source: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_network(source)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", ["models/best.pth", "models/last.CKPT", "models/a.pth.tar"])
def test_a_file_of_weights_that_is_not_there_is_missed_as_a_file(name: str) -> None:
    for require in (require_network, require_weights):
        with pytest.raises(DataError, match=f"there is no file {name}"):
            require(name)


@pytest.mark.usefixtures("place")
def test_a_bundle_is_no_run_and_a_misspelt_name_no_weights() -> None:
    with pytest.raises(UsageError, match="bundle is not a run folder"):
        require_run(Path("bundle"))
    with pytest.raises(UnknownNameError, match=r"'resnet5O' is neither a run folder .* nor a file of weights"):
        require_weights("resnet5O")
    with pytest.raises(UsageError, match="unfinished"):
        require_weights("begun")


def test_published_names_are_those_of_networks_and_of_files() -> None:
    assert is_published("resnet50")
    assert is_published("resnet50-0676ba61.pth")
    assert not is_published("resnet5O")
