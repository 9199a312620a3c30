from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data import tree
from cnnlab.data.tree import read_tree
from cnnlab.data.walk import Walk
from cnnlab.errors import DataError

from .conftest import touch
from .test_walk import forbid


def test_a_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    touch(tmp_path, "b/0.png", "a/0.png", "a/1.PNG", "a/deep/0.jpg", "read me.txt", "a/x.txt")
    (tmp_path / "empty").mkdir()
    root = read_tree(tmp_path).root
    assert (root.path, root.name, root.images, root.others, root.num_images) == ("", "", (), ("read me.txt",), 4)
    assert [(each.name, each.num_images) for each in root.folders] == [("a", 3), ("b", 1), ("empty", 0)]
    assert [each.name for each in root.filled] == ["a", "b"]
    assert root.image_paths() == ["a/0.png", "a/1.PNG", "a/deep/0.jpg", "b/0.png"]
    assert root.other_paths() == ["read me.txt", "a/x.txt"]
    assert [each.path for each in root.walk()] == ["", "a", "a/deep", "b", "empty"]
    assert root.join("x") == "x"
    assert root.folders[0].join("x") == "a/x"


def test_what_is_left_out_is_kept_with_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "cat/0.png", "dog/0.png", ".git/x", "cat/@eaDir/0.png")
    (tmp_path / "cow").symlink_to(tmp_path / "cat")
    forbid(monkeypatch, "dog")
    found = read_tree(tmp_path)
    assert found.root.image_paths() == ["cat/0.png"]
    assert [each.name for each in found.root.folders] == ["cat", "dog"]
    assert found.why_unreadable(found.root.folders[1]) == "cannot be read (Permission denied)"
    assert found.why_unreadable(found.root.folders[0]) is None
    assert f"{tmp_path}: left out, a link to another place in the same folder: cow" in found.notes(tmp_path)
    forbid(monkeypatch, tmp_path.name)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\); make it readable"):
        read_tree(tmp_path)


def test_runs_of_ours_are_no_classes(tmp_path: Path) -> None:
    run = ("recipe.json", "settings.json", "curves.png", "explained/1.png")
    touch(
        tmp_path,
        "cat/0.png",
        *(f"runs/{name}/{file}" for name in "ab" for file in run),
        *(f"dog/{file}" for file in run),
    )
    touch(tmp_path, "dog-2/0.png", "dog-2/recipe.json")
    found = read_tree(tmp_path)
    assert [each.path for each in found.root.walk()] == ["", "cat", "dog-2"]
    assert found.notes(tmp_path) == (f"{tmp_path}: left out, a run of cnnlab: dog, runs, runs/a and 1 more",)
    assert read_tree(tmp_path / "runs" / "a").root.num_images == 2  # asked for by itself


def test_a_folder_linked_twice_is_there_once(tmp_path: Path) -> None:
    touch(tmp_path / "outside", "0.jpg")
    for name in ("dog", "hound"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).symlink_to(tmp_path / "outside")
    assert [each.name for each in read_tree(tmp_path / "photos").root.folders] == ["dog"]


def test_folders_as_deep_as_they_go_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Walk(files=["d/" * 1_200 + "a.jpg"], folders=["/".join("d" * depth) for depth in range(1, 1_201)])
    monkeypatch.setattr(tree, "walk", lambda folder: found)
    root = read_tree(tmp_path).root
    assert root.num_images == 1
    assert root.image_paths() == ["d/" * 1_200 + "a.jpg"]
