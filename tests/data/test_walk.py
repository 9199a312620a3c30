from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cnnlab.data.walk import LeftOut, images_below, told, walk


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make folders of these names unreadable, also to the superuser."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_files_come_by_path_folder_by_folder(tmp_path: Path) -> None:
    make(tmp_path, "b.jpg", "a/z.jpg", "a/b/c.jpg", "a-b.jpg", "a b/x.jpg")
    found = walk(tmp_path)
    assert found.files == ["a/b/c.jpg", "a/z.jpg", "a b/x.jpg", "a-b.jpg", "b.jpg"]
    assert found.left_out == []


@pytest.mark.parametrize(
    ("path", "left", "why"),
    [
        ("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "@eaDir", "thumbnails of a Synology NAS"),
        ("deep/__MACOSX/a.jpg", "deep/__MACOSX", "resource forks of macOS"),
        ("._a.jpg", "._a.jpg", "resource forks of macOS"),
        (".thumbnails/a.jpg", ".thumbnails", "thumbnails"),
        ("Thumbs.db", "Thumbs.db", "thumbnails of Windows"),
        (".DS_Store", ".DS_Store", "folder settings of macOS"),
        ("$RECYCLE.BIN/a.jpg", "$RECYCLE.BIN", "the recycle bin of Windows"),
        (".ipynb_checkpoints/a.jpg", ".ipynb_checkpoints", "hidden, their names beginning with a dot"),
    ],
)
def test_what_systems_put_beside_photos_is_left_out_and_named(tmp_path: Path, path: str, left: str, why: str) -> None:
    found = walk(make(tmp_path, path, "b.jpg"))
    assert found.files == ["b.jpg"]
    assert found.left_out == [LeftOut(left, why)]


def test_linked_folders_are_followed_wherever_they_lead(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "1.jpg", "deep/2.jpg")
    folder = make(tmp_path / "photos", "0.jpg")
    (folder / "more").symlink_to(outside)
    (folder / "relative").symlink_to("../outside/deep")
    (folder / "gone").symlink_to("nowhere")
    found = walk(folder)
    assert found.files == ["0.jpg", "more/1.jpg", "more/deep/2.jpg"]
    assert found.left_out == [
        LeftOut("gone", "a link that leads nowhere; is its disk connected?"),
        LeftOut("relative/", "a link to a folder that is read already"),
    ]


def test_links_that_loop_end_and_are_named(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "1.jpg")
    (outside / "again").symlink_to(outside)
    folder = make(tmp_path / "photos", "cat/0.jpg", "dog/1.jpg")
    (folder / "cat" / "up").symlink_to(tmp_path)
    (folder / "cat" / "back").symlink_to(folder)
    (folder / "cat" / "aside").symlink_to(folder / "dog")
    (folder / "cat" / "self").symlink_to("self")
    (folder / "cat" / "out").symlink_to(outside)
    found = walk(folder / "cat", folder)
    assert found.files == ["0.jpg", "out/1.jpg"]
    assert {each.path: each.why for each in found.left_out} == {
        "aside": "a link to another place in the same folder",
        "back": "a link back to a folder around it",
        "self": "a link that leads nowhere; is its disk connected?",
        "up": "a link back to a folder around it",
        "out/again/": "a link to a folder that is read already",
    }


def test_two_links_that_lead_into_each_other_end(tmp_path: Path) -> None:
    make(tmp_path / "a", "1.jpg")
    make(tmp_path / "b", "2.jpg")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    folder = make(tmp_path / "photos", "0.jpg")
    (folder / "a").symlink_to(tmp_path / "a")
    assert walk(folder).files == ["0.jpg", "a/1.jpg", "a/b/2.jpg"]


def test_an_unreadable_folder_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.jpg", "locked/b.jpg")
    forbid(monkeypatch, "locked")
    found = walk(tmp_path)
    assert found.files == ["a.jpg"]
    assert told(tmp_path, found.left_out) == (f"{tmp_path}: left out, cannot be read (Permission denied): locked",)
    assert found.folders == ["locked"]


def test_folders_as_deep_as_they_go_are_read(tmp_path: Path) -> None:
    deep = os.fspath(tmp_path)
    for _ in range(1_200):
        deep += "/d"
        os.mkdir(deep)  # noqa: PTH102
    Path(deep, "a.jpg").write_bytes(b"x")
    found = walk(tmp_path).files
    Path(deep, "a.jpg").unlink()
    os.removedirs(deep)  # shutil.rmtree, with which pytest tidies up, does not go so deep
    assert found == ["d/" * 1_200 + "a.jpg"]


def test_what_is_left_out_is_told_by_reason_in_names_that_can_be_printed(tmp_path: Path) -> None:
    left = [LeftOut(f"{number}/", "thumbnails") for number in range(5)] + [LeftOut("caf\udce9", "x")]
    assert told(tmp_path, left) == (
        f"{tmp_path}: left out, thumbnails: 0, 1, 2 and 2 more",
        f"{tmp_path}: left out, x: caf\\udce9",
    )


def test_images_are_told_from_other_files_by_their_endings(tmp_path: Path) -> None:
    make(tmp_path, "a.JPG", "b.txt", "c", "d/e.PnG", "f.txt")
    images, notes = images_below(tmp_path)
    assert images == ["a.JPG", "d/e.PnG"]
    assert notes == (f"{tmp_path}: left alone, being no images by their endings: 2 .txt, 1 no ending",)
