from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.cli.explain import picture_names

from ..conftest import CLASSES
from .conftest import Cli


def test_a_picture_an_image(cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path) -> None:
    found = cli("explain", tiny_run, shapes / "disc" / "00.jpg", shapes / "checks" / "01.jpg", "--out", "new", "--json")
    assert found.code == 0
    first, second = found.json["explained"]
    assert first["class"] == next(iter(first["probabilities"]))
    assert first["probability"] == pytest.approx(first["probabilities"][first["class"]])
    assert first["layer"] == "layer3"
    assert Path(second["picture"]) == Path("new/01-grad-cam.png")
    assert np.asarray(Image.open(tmp_path / second["picture"])).std() > 0


def test_people_see_a_line_an_image(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    [line] = cli("explain", tiny_run, shapes / "disc" / "00.jpg", "--method", "occlusion").out.splitlines()
    assert line.endswith("-> 00-occlusion.png")


def test_images_of_one_name_have_a_picture_each(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    images = (shapes / "disc" / "00.jpg", shapes / "checks" / "00.jpg")
    told = cli("explain", tiny_run, *images, "--method", "gradient", "--json").json["explained"]
    assert [each["picture"] for each in told] == ["00-gradient.png", "00-2-gradient.png"]
    assert Path("00-gradient.png").read_bytes() != Path("00-2-gradient.png").read_bytes()


def test_pictures_are_numbered_where_a_name_is_taken() -> None:
    paths = map(Path, ("a/x.jpg", "b/x.png", "x-2.jpg", "c/X.jpg", "y.jpg"))
    assert picture_names(paths) == ["x", "x-2", "x-2-2", "X-3", "y"]


def test_another_class_method_and_layer(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    image = shapes / "disc" / "00.jpg"
    for name in CLASSES:
        [told] = cli("explain", tiny_run, image, "--target", name, "--layer", "layer1.0.conv1", "--json").json[
            "explained"
        ]
        assert (told["class"], told["layer"]) == (name, "layer1.0.conv1")
    [told] = cli("explain", tiny_run, image, "--method", "gradient", "--json").json["explained"]
    assert told["layer"] is None


def test_all_methods_in_one_picture_and_the_sanity_check(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    found = cli("explain", tiny_run, shapes / "disc" / "00.jpg", "--method", "all", "--sanity", "--json")
    [told] = found.json["explained"]
    assert Path(told["picture"]).name == "00-all.png"
    with Image.open(told["picture"]) as picture:
        assert picture.width > 2000
    assert told["sanity"][0]["layer"] == "fc"
    assert told["sanity"][-1]["layer"] == "conv1"
    assert "rank correlation" in told["sanity_text"]


def test_a_broken_image_is_named_and_the_others_explained(
    cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_text("text", encoding="utf-8")
    found = cli("explain", tiny_run, "bad.jpg", shapes / "disc" / "00.jpg", "--json")
    assert found.code == 3
    assert [Path(each["path"]).name for each in found.json["explained"]] == ["00.jpg"]
    assert [each["path"] for each in found.json["refused"]] == ["bad.jpg"]
    assert "refused: " in cli("explain", tiny_run, "bad.jpg").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "dsic"), "did you mean 'disc'"),
        (("--layer", "layer9"), "no layer 'layer9'"),
        (("--layer", "pooled"), "channels and places"),
        (("--method", "magic"), "no method 'magic'"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], message: str, cli: Cli, tiny_run: Path, shapes: Path
) -> None:
    found = cli("explain", tiny_run, shapes / "disc" / "00.jpg", *arguments)
    assert found.code == 2
    assert message in found.err


def test_pictures_of_odd_names_have_names_that_every_system_takes() -> None:
    paths = [Path("n" * 251 + ".jpg"), Path("N" * 251 + ".jpg"), Path("猫" * 84 + ".jpg"), Path("two\nlines.jpg")]
    names = picture_names(paths)
    assert all(len(f"{name}-integrated-gradients.png".encode()) <= 255 for name in names)
    assert names[1].endswith("-2")
    assert names[3] == r"two\nlines"


def test_explain_and_predict_agree_and_a_single_view_is_told_apart(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    photo = shapes / "disc" / "03.jpg"
    [answer] = cli("predict", tiny_run, photo, "--json").json["predictions"]
    [told] = cli("explain", tiny_run, photo, "--json").json["explained"]
    assert told["class"] == answer["names"][0]
    assert told["probability"] == pytest.approx(answer["probabilities"][0], abs=1e-6)
    assert list(told["probabilities"]) == answer["names"]
    assert told["protocol"] == "flip"
    shown = cli("explain", tiny_run, photo).out
    other = abs(told["one_view"] - told["probability"]) >= 0.00005
    assert (
        f"protocol flip averages views; the map is of one alone, which says {told['one_view']:.2%}" in shown
    ) is other


def test_by_one_view_both_say_the_same(cli: Cli, own_run: Path, shapes: Path) -> None:
    config = json.loads((own_run / "config.json").read_text(encoding="utf-8"))
    (own_run / "config.json").write_text(json.dumps({**config, "protocol": "center"}), encoding="utf-8")
    found = cli("explain", own_run, shapes / "checks" / "00.jpg")
    assert found.code == 0
    assert "averages views" not in found.out
