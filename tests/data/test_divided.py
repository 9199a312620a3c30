from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data import divided
from cnnlab.data.divided import find_divided, lies_in, load_divided
from cnnlab.data.division import Division, division_of
from cnnlab.data.pack import pack
from cnnlab.data.parts import in_memory
from cnnlab.data.sources import load
from cnnlab.errors import DataError
from cnnlab.types import Split

Photos = Callable[..., Path]


@pytest.fixture
def division(photos: Photos) -> Division:
    found = division_of(load(photos({"cat": 20, "dog": 20}), photos=True))
    assert found is not None
    return found


def of(division: Division, split: Split) -> list[str]:
    return [division.paths[place] for place in division.places(split).tolist()]


def kept(division: Division, folder: Path | None = None) -> dict[Split, list[str]]:
    found, _ = find_divided(division, folder or division.folder)
    return {split: [found.photos.names[place] for place in places] for split, places in found.places.items()}


def test_where_nothing_changed_all_is_there_and_in_its_order(division: Division) -> None:
    found, changes = find_divided(division, division.folder)
    assert (changes.lost, changes.notes) == ((), ())
    assert kept(division) == {split: of(division, split) for split in Split}
    again = load_divided(division, found, pixels=8, photos=False)
    before = load(division.folder, pixels=8)
    assert again.sha256 == before.sha256
    assert torch.equal(in_memory(again.train).images, in_memory(before.train).images)
    assert load_divided(division, found, pixels=8, photos=True).sha256 == load(division.folder, photos=True).sha256


def test_what_was_added_is_not_divided_anew_but_named(division: Division) -> None:
    for number in range(30):
        shutil.copy(division.folder / "cat/000.png", division.folder / f"cat/a{number:02}.png")
        with (division.folder / f"cat/a{number:02}.png").open("ab") as file:
            file.write(b"%d" % number)
    found, changes = find_divided(division, division.folder)
    assert kept(division) == {split: of(division, split) for split in Split}
    assert changes.lost == ()
    assert len(changes.added) == 30
    [note] = changes.notes
    assert note == (
        "left out, 30 images that the run was not given, added since: "
        "cat/a00.png, cat/a01.png, cat/a02.png, cat/a03.png, cat/a04.png and 25 more"
    )
    assert len(found.photos) == 40


def test_what_is_gone_altered_or_moved_is_left_out_and_named(division: Division) -> None:
    gone, shorter, flipped, moved = of(division, Split.TRAIN)[:4]
    folder = division.folder
    (folder / gone).unlink()
    (folder / shorter).write_bytes(b"short")
    data, times = (folder / flipped).read_bytes(), (folder / flipped).stat()
    (folder / flipped).write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    os.utime(folder / flipped, ns=(times.st_atime_ns, times.st_mtime_ns))  # neither size nor time tells
    (folder / moved).rename(folder / "dog/was_a_cat.png")
    _, changes = find_divided(division, folder)
    assert (changes.missing, changes.altered) == ((gone,), (shorter, flipped))
    assert changes.moved == ((moved, "dog/was_a_cat.png"),)
    assert changes.added == ()
    assert changes.lost == (
        f"1 image no longer there: {gone}",
        f"2 images altered since: {shorter}, {flipped}",
        f"1 image moved since: {moved} (now dog/was_a_cat.png)",
    )
    assert kept(division)[Split.TRAIN] == of(division, Split.TRAIN)[4:]
    assert kept(division)[Split.TEST] == of(division, Split.TEST)


def test_only_the_contents_of_what_is_asked_for_are_read(division: Division) -> None:
    path = division.folder / of(division, Split.TRAIN)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    assert find_divided(division, division.folder, (Split.TEST,))[1].lost == ()
    assert find_divided(division, division.folder, (Split.TRAIN,))[1].lost


def test_of_a_large_set_only_what_is_asked_for_is_looked_at(
    division: Division, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divided, "MAX_QUICK_IMAGES", 39)
    (division.folder / of(division, Split.TRAIN)[0]).unlink()
    (division.folder / "cat/new.png").write_bytes(b"new")
    assert find_divided(division, division.folder, (Split.TEST,))[1].notes == ()
    assert len(find_divided(division, division.folder, (Split.TRAIN,))[1].missing) == 1


def test_a_label_changed_in_the_manifest_is_named(photos: Photos, tmp_path: Path) -> None:
    folder, manifest = photos({"cat": 4, "dog": 4}), tmp_path / "some.csv"
    rows = [f"{kind}/{number:03}.png,{kind},{split}" for kind in ("cat", "dog")
            for number, split in enumerate(("train", "train", "val", "test"))]  # fmt: skip
    manifest.write_text("\n".join(["path,label,split", *rows]) + "\n", encoding="utf-8")
    division = division_of(load(folder, manifest=manifest, photos=True), manifest)
    assert division is not None
    text = manifest.read_text(encoding="utf-8").replace("cat/003.png,cat,", "cat/003.png,dog,")
    manifest.write_text(text, encoding="utf-8")
    found, changes = find_divided(division, folder)
    assert changes.lost == ("1 image given another label since: cat/003.png",)
    assert len(found.places[Split.TEST]) == 1
    manifest.unlink()  # it need not exist any more
    assert find_divided(division, folder)[1].notes == ()


def test_a_copy_of_the_data_is_found_and_a_folder_of_the_same_names_is_not(photos: Photos, division: Division) -> None:
    copy = Path(shutil.copytree(division.folder, division.folder.with_name("copy")))
    assert lies_in(division, copy)
    assert kept(division, copy) == {split: of(division, split) for split in Split}
    other = photos({"dog": 20, "cat": 20}, "elsewhere/photos")
    assert not lies_in(division, other)
    (copy / of(division, Split.TEST)[0]).unlink()
    assert not lies_in(division, copy)


def test_a_folder_that_is_gone_is_named(division: Division) -> None:
    division.folder.rename(division.folder.with_name("moved"))
    with pytest.raises(DataError, match=r"photos, which the run was trained on, is gone; put it back, or give the"):
        find_divided(division, division.folder)


def test_members_of_shards_are_found_by_their_names(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 20, "dog": 20})
    packed = tmp_path / "packed"
    pack(load(folder, photos=True), packed, pixels=8)
    parts = load(packed, photos=True)
    division = division_of(parts)
    assert division is not None
    assert division.shards
    assert all(".tar/" in path for path in division.paths)
    found, changes = find_divided(division, packed)
    assert changes.notes == ()
    assert load_divided(division, found, pixels=8, photos=True).sha256 == parts.sha256
    photo = parts.train.read(3)  # type: ignore[union-attr]
    moved = Path(shutil.move(packed, tmp_path / "moved"))
    assert lies_in(division, moved)
    assert np.array_equal(find_divided(division, moved)[0].photos.read(3), photo)
    next(moved.glob("*test*.tar")).unlink()
    assert not lies_in(division, moved)
    assert len(find_divided(division, moved)[1].missing) == len(of(division, Split.TEST))
