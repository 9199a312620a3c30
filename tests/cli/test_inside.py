from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Cli


def test_filters(cli: Cli, tiny_run: Path) -> None:
    found = cli("inspect", "filters", tiny_run, "--json").json
    assert (found["layer"], found["shape"]) == ("conv1", [16, 3, 3, 3])
    assert np.asarray(Image.open(found["picture"])).std() > 0
    assert cli("inspect", "filters", tiny_run).out == "16 filters of conv1, 3x3 -> filters.png\n"


def test_maps_of_the_default_and_of_a_named_layer(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    image = shapes / "disc" / "00.jpg"
    found = cli("inspect", "maps", tiny_run, image, "--json").json
    assert (found["layer"], found["shape"]) == ("layer3", [64, 4, 4])
    found = cli("inspect", "maps", tiny_run, image, "--layer", "conv1", "--out", "new/m.png", "--json").json
    assert (found["shape"], found["picture"]) == ([16, 16, 16], "new/m.png")
    assert Path("new/m.png").is_file()


def test_embeddings_of_a_folder_without_labels_and_of_the_runs_own_data(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    found = cli("inspect", "embed", tiny_run, shapes / "disc", "--tsne", "--json").json
    assert found["images"] == 12
    assert set(found["labels"]) == {3}  # unknown: a folder of images says no class
    assert "t-SNE" in found["text"]
    found = cli("inspect", "embed", tiny_run, "--layer", "layer1", "--json").json
    assert found["layer"] == "layer1"
    assert np.array(found["points"]).shape == (found["images"], 2)
    assert set(found["labels"]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("filters", "resnet20"), "is not a run folder"),
        (("maps", "RUN"), "needs an image"),
        (("maps", "RUN", "IMAGE", "--layer", "pooled"), "channels and places"),
        (("summary", "resnet20", "IMAGE"), "go with inspect filters, maps, embed"),
        (("graph", "resnet20", "--layer", "layer1"), "go with inspect filters, maps, embed"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], message: str, cli: Cli, tiny_run: Path, shapes: Path
) -> None:
    places = {"RUN": tiny_run, "IMAGE": shapes / "disc" / "00.jpg"}
    found = cli("inspect", *(places.get(each, each) for each in arguments))
    assert found.code == 2
    assert message in found.err
