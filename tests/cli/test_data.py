from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ..conftest import CLASSES, draw
from .conftest import Cli


def test_getting_says_what_was_got(cli: Cli) -> None:
    found = cli("data", "get", "synthetic", "--json")
    assert found.code == 0
    values = found.json
    assert (values["data"], values["train"], values["val"], values["test"]) == ("synthetic", 2000, 500, 500)
    assert len(values["sha256"]) == 64
    assert "verified" in found.err


def test_stats_count_every_class_and_find_an_image_that_is_there_twice(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shapes, tmp_path / "photos"))
    shutil.copy(folder / "disc" / "00.jpg", folder / "disc" / "again.jpg")
    values = cli("data", "stats", folder, "--pixels", "16", "--json").json
    assert values["class_names"] == list(CLASSES)
    assert [sum(counts) for counts in zip(*values["counts"].values(), strict=True)] == [12, 13, 12]
    assert values["image_shape"] == [3, 16, 16]
    assert values["num_repeats"] + values["num_leaks"] == 1
    [pair] = values["repeats"] + values["leaks"]
    assert {pair["first"], pair["second"]} == {"disc/00.jpg", "disc/again.jpg"}
    assert "disc/00.jpg" in cli("data", "stats", folder, "--pixels", "16").out


def test_people_see_the_table(cli: Cli, shapes: Path) -> None:
    lines = cli("data", "stats", shapes).out.splitlines()
    assert lines[0].split() == ["class", "train", "val", "test"]
    assert [line.split()[0] for line in lines[1:4]] == list(CLASSES)


def test_class_names_are_never_taken_for_markup(cli: Cli, tmp_path: Path) -> None:
    for name in ("[red]", "[bold]x[", "\\[b]"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(draw("disc", number)).save(tmp_path / "photos" / name / f"{number}.png")
    found = cli("data", "stats", tmp_path / "photos")
    assert found.code == 0
    assert "[red]" in found.out
    assert "[bold]x[" in found.out


@pytest.mark.parametrize("where", [None, "mine.csv"])
def test_splitting_writes_a_manifest_that_training_obeys(
    where: str | None, cli: Cli, shapes: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shapes, tmp_path / "photos"))
    more = () if where is None else ("--out", folder / where)
    found = cli("data", "split", folder, "--val", "0.25", "--test", "0.25", *more, "--json").json
    manifest = folder / (where or "manifest.csv")
    assert found["manifest"] == str(manifest)
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + 36
    assert found["train"] + found["val"] + found["test"] == 36
    got = cli("data", "get", manifest, "--json").json
    assert (got["train"], got["val"], got["test"]) == (found["train"], found["val"], found["test"])


def test_splitting_says_what_it_left_out(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shapes, tmp_path / "photos"))
    (folder / "disc" / "Thumbs.db").write_bytes(b"x")
    found = cli("data", "split", folder)
    assert f"note: {folder}: left out, thumbnails of Windows: disc/Thumbs.db" in found.out
    assert "next: cnnlab train" in found.out


def broken(folder: Path) -> Path:
    """Photos of which three are no images."""
    for number, content in enumerate((b"", b"text", b"\xff\xd8\xff")):
        (folder / "disc" / f"bad{number}.jpg").write_bytes(content)
    return folder


def test_too_many_bad_images_are_each_named_with_exit_code_3(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    found = cli("data", "get", broken(Path(shutil.copytree(shapes, tmp_path / "photos"))))
    assert (found.code, found.out) == (3, "")
    assert all(f"bad{number}.jpg" in found.err for number in range(3))


@pytest.mark.parametrize("classes", [(), ("disc",)])
def test_a_folder_without_two_classes_says_what_is_expected(classes: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in classes:
        (tmp_path / "photos" / name).mkdir()
        Image.fromarray(draw("disc", 0)).save(tmp_path / "photos" / name / "0.png")
    found = cli("data", "stats", tmp_path / "photos")
    assert found.code == 3
    assert "<class>" in found.err


def test_stats_of_photos_on_disk_give_the_axes_of_colour(cli: Cli, shapes: Path) -> None:
    values = cli("data", "stats", shapes, "--photos", "--pca", "--json").json
    assert values["image_shape"] == [3, 0, 0]
    assert values["num_measured"] == sum(values["counts"]["train"])
    assert len(values["eigenvalues"]) == 3
    assert [len(row) for row in values["eigenvectors"]] == [3, 3, 3]
    assert cli("data", "stats", shapes, "--pca").out.count("colour axis") == 3


def test_packing_says_the_size_beforehand_and_writes_shards_that_load(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    found = cli("data", "pack", shapes, "--pixels", "16", "--out", tmp_path / "packed", "--json").json
    assert (found["num_images"], found["skipped"]) == (36, [])
    assert found["estimated_bytes"] == pytest.approx(found["num_bytes"], rel=0.5)
    got = cli("data", "get", tmp_path / "packed", "--json").json
    before = cli("data", "get", shapes, "--json").json
    assert [got[split] for split in ("train", "val", "test")] == [before[split] for split in ("train", "val", "test")]
    again = cli("data", "pack", shapes, "--out", tmp_path / "packed")
    assert again.code == 2
    assert "exists already" in again.err


def test_a_shard_cut_short_is_named_with_exit_code_3(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    cli("data", "pack", shapes, "--pixels", "16", "--out", tmp_path / "packed")
    shard = next((tmp_path / "packed").glob("train*.tar"))
    shard.write_bytes(shard.read_bytes()[:5000])
    found = cli("data", "stats", tmp_path / "packed")
    assert found.code == 3
    assert f"{shard.name}: cut short or damaged at byte" in found.err
