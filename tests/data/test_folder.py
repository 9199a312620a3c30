from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data.decode import decode_file
from cnnlab.data.folder import available_bytes, load_folder, open_folder, split_folder
from cnnlab.data.layouts import scan
from cnnlab.data.listing import fill_splits
from cnnlab.data.manifest import write_manifest
from cnnlab.data.parts import file_of, in_memory, name_of
from cnnlab.data.preprocess import prepare
from cnnlab.errors import DataError, UsageError
from cnnlab.types import Preprocess, Split

from .conftest import jpeg, photo

Photos = Callable[..., Path]


def test_a_folder_with_its_own_splits(photos: Photos) -> None:
    folder = photos({"train/cat": 4, "train/dog": 3, "val/cat": 2, "test/dog": 1})
    told: list[tuple[int, int | None]] = []
    parts = load_folder(folder, pixels=16, report=lambda *a: told.append(a))
    assert (len(parts.train), len(parts.val)) == (7, 2)
    assert parts.test is not None
    assert parts.test.labels.tolist() == [1]
    assert parts.train.images.shape == (7, 3, 16, 16)
    assert parts.train.images.dtype == torch.uint8
    assert parts.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert parts.class_names == ("cat", "dog")
    assert told[-1] == (10, 10)
    assert parts.notes == ("val has no images of: dog", "test has no images of: cat")
    square = Preprocess(16, 16, (0.0,) * 3, (1.0,) * 3)
    first = prepare(decode_file(folder / "train/cat/000.png"), square)
    assert np.array_equal(parts.train.images[0].numpy(), first)


def test_a_folder_of_classes_alone_is_divided(photos: Photos) -> None:
    parts = load_folder(photos({"cat": 20, "dog": 20}), pixels=8)
    assert parts.test is not None
    assert (len(parts.train), len(parts.val), len(parts.test)) == (32, 4, 4)
    assert parts.test.labels.tolist() == [0, 0, 1, 1]


def test_final_puts_all_but_test_into_train(photos: Photos) -> None:
    folder = photos({"cat": 20, "dog": 20})
    usual, final = load_folder(folder, pixels=8), load_folder(folder, pixels=8, final=True)
    assert usual.test is not None
    assert final.test is not None
    assert (len(final.train), len(final.val)) == (36, 0)
    assert final.val.images.shape == (0, 3, 8, 8)
    assert torch.equal(final.test.images, usual.test.images)


def test_without_a_test_folder_there_is_no_test_part(photos: Photos) -> None:
    parts = load_folder(photos({"train/cat": 20, "train/dog": 20}), pixels=8)
    assert parts.test is None
    assert (len(parts.train), len(parts.val)) == (36, 4)


def test_a_manifest_is_obeyed(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 4, "dog": 4})
    entries = [replace(e, split=Split.TRAIN if "000" in e.path else Split.TEST) for e in scan(folder).entries]
    entries[1] = replace(entries[1], split=Split.VAL)
    write_manifest(tmp_path / "m.csv", entries)
    parts = load_folder(folder, manifest=tmp_path / "m.csv", pixels=8)
    assert parts.test is not None
    assert (len(parts.train), len(parts.val), len(parts.test)) == (2, 1, 5)
    assert parts.source == f"the manifest {tmp_path / 'm.csv'}"


def test_a_written_split_gives_the_same_parts(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 15, "dog": 12})
    write_manifest(tmp_path / "m.csv", fill_splits(scan(folder).entries))
    direct, listed = load_folder(folder, pixels=8), load_folder(folder, manifest=tmp_path / "m.csv", pixels=8)
    assert direct.sha256 == listed.sha256


def test_split_folder_writes_what_load_obeys(photos: Photos) -> None:
    folder = photos({"cat": 20, "dog": 20})
    manifest = folder / "manifest.csv"
    counts = split_folder(folder, manifest, val=0.2, test=0.1)
    assert counts == {"train": 28, "val": 8, "test": 4}
    parts = load_folder(folder, manifest=manifest, pixels=8)
    assert parts.test is not None
    assert (len(parts.train), len(parts.val), len(parts.test)) == (28, 8, 4)
    assert split_folder(folder, manifest, val=0.2, test=0) == {"train": 32, "val": 8, "test": 0}
    with pytest.raises(UsageError, match="sum is below 1"):
        split_folder(folder, manifest, val=0.5, test=0.5)
    with pytest.raises(DataError, match="there is no folder"):
        split_folder(folder / "none", manifest)


def spoil(folder: Path) -> None:
    (folder / "cat" / "text.jpg").write_text("I am no picture")
    (folder / "cat" / "empty.png").write_bytes(b"")
    (folder / "cat" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "cat" / "pipe.jpg")
    data = (folder / "cat" / "000.png").read_bytes()
    (folder / "cat" / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "cat" / os.fsdecode(b"\xff.png")).write_bytes(data)


def test_bad_files_are_named_and_left_out(photos: Photos) -> None:
    folder = photos({"cat": 10, "dog": 10})
    spoil(folder)
    parts = load_folder(folder, pixels=8, max_bad=0.3)
    assert parts.test is not None
    assert len(parts.train) + len(parts.val) + len(parts.test) == 21
    assert [reason.split(":")[0] for reason in parts.skipped] == [
        "cat/cut.png", "cat/empty.png", "cat/gone.png", "cat/pipe.jpg", "cat/text.jpg",
    ]  # fmt: skip


def test_a_bad_file_does_not_change_the_split_of_the_others(photos: Photos) -> None:
    folder = photos({"cat": 30, "dog": 30})
    whole = load_folder(folder, pixels=8)
    (folder / "dog" / "029.png").write_bytes(b"")
    less = load_folder(folder, pixels=8)
    assert sorted((len(whole.train) - len(less.train), len(whole.val) - len(less.val))) in ([0, 0], [0, 1])
    kept = {image.numpy().tobytes() for image in less.train.images}
    assert kept <= {image.numpy().tobytes() for image in whole.train.images}


def test_too_many_bad_files_stop_with_the_first_ten(photos: Photos) -> None:
    folder = photos({"cat": 10, "dog": 10})
    for i in range(12):
        (folder / "cat" / f"bad{i:02}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load_folder(folder, pixels=8)
    said = str(caught.value)
    assert "12 of 32 images cannot be read, accepted: 1 (max_bad 0.01)" in said
    assert "cat/bad09.png" in said
    assert "cat/bad10.png" not in said
    assert "and 2 more" in said


def test_one_bad_file_passes_unless_none_may(photos: Photos) -> None:
    folder = photos({"cat": 5, "dog": 5})
    (folder / "cat" / "bad.png").write_bytes(b"")
    assert len(load_folder(folder, pixels=8).skipped) == 1
    with pytest.raises(DataError, match="accepted: 0"):
        load_folder(folder, pixels=8, max_bad=0)


def test_a_class_without_readable_images_is_named(photos: Photos) -> None:
    folder = photos({"train/cat": 5, "train/dog": 1})
    (folder / "train" / "dog" / "000.png").write_bytes(b"")
    with pytest.raises(DataError, match="without a single readable image in train: dog"):
        load_folder(folder, pixels=8)


def test_what_does_not_fit_in_memory_is_refused_beforehand(photos: Photos) -> None:
    assert (available_bytes() or 0) > 1_000_000
    with pytest.raises(DataError, match=r"2 images of 10000000 x 10000000 pixels need .* GB"):
        load_folder(photos({"cat": 1, "dog": 1}), pixels=10_000_000)


def test_photos_stay_on_disk_in_the_same_parts_as_in_memory(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 20, "dog": 12})
    in_memory, on_disk = load_folder(folder, pixels=20), open_folder(folder)
    square = Preprocess(20, 20, (0.0,) * 3, (1.0,) * 3)
    for mine, theirs in (
        (on_disk.train, in_memory.train),
        (on_disk.val, in_memory.val),
        (on_disk.test, in_memory.test),
    ):
        assert torch.equal(mine.labels, theirs.labels)
        assert all(np.array_equal(prepare(mine.read(i), square), theirs.images[i].numpy()) for i in range(len(mine)))
    final = open_folder(folder, final=True)
    assert (len(final.train), len(final.val)) == (len(on_disk.train) + len(on_disk.val), 0)
    write_manifest(tmp_path / "m.csv", fill_splits(scan(folder).entries))
    assert open_folder(folder, manifest=tmp_path / "m.csv").sha256 == on_disk.sha256


def test_a_class_in_val_that_train_lacks_is_listed(photos: Photos) -> None:
    folder = photos({"train/cat": 2, "train/dog": 2, "val/cow": 1, "val/emu": 1})
    for load in (load_folder, open_folder):
        with pytest.raises(
            DataError, match="val has classes that train lacks: cow, emu; train has: cat, dog"
        ) as caught:
            load(folder)
        assert caught.value.exit_code == 3


def test_one_in_twenty_damaged_is_counted_and_the_rest_goes_on(photos: Photos) -> None:
    folder = photos({"cat": 50, "dog": 50})
    for i in range(0, 50, 10):
        (folder / "cat" / f"{i:03}.png").write_bytes(b"damaged")
    parts = load_folder(folder, pixels=8, max_bad=0.05)
    assert len(parts.skipped) == 5
    with pytest.raises(DataError, match="5 of 100 images cannot be read, accepted: 4"):
        load_folder(folder, pixels=8, max_bad=0.04)


def test_images_in_memory_keep_the_files_they_came_from(photos: Photos) -> None:
    folder = photos({"cat": 20, "dog": 20})
    (folder / "cat/003.png").write_bytes(b"no image")
    parts = load_folder(folder, pixels=8, max_bad=0.1)
    for part in (parts.train, parts.val, parts.test):
        assert part is not None
        for index in range(len(part)):
            name = name_of(part, index)
            assert parts.class_names[int(part.labels[index])] == name.partition("/")[0]
            assert file_of(part, index) == folder / name
            square = Preprocess(8, 8, (0.0,) * 3, (1.0,) * 3)
            assert np.array_equal(in_memory(part).images[index].numpy(), prepare(decode_file(folder / name), square))
    final = load_folder(folder, pixels=8, max_bad=0.1, final=True)
    assert name_of(final.train, 35) == name_of(parts.val, 3)  # train, then val


def test_damaged_photos_are_used_and_named(photos: Photos) -> None:
    folder = photos({"cat": 4, "dog": 4})
    data = jpeg(photo(60, 80))
    middle = len(data) // 2
    (folder / "cat" / "spoilt.jpg").write_bytes(data[:middle] + bytes(64) + data[middle + 64 :])
    parts = load_folder(folder, pixels=8)
    assert parts.skipped == ()
    assert sum(len(part) for part in (parts.train, parts.val, parts.test) if part is not None) == 9
    assert any(note.startswith("1 damaged photos are used as far as they can be read") for note in parts.notes)
    assert any("cat/spoilt.jpg: Corrupt JPEG data" in note for note in parts.notes)


def test_splitting_again_does_not_obey_what_was_written_before(photos: Photos) -> None:
    folder = photos({"cat": 10, "dog": 10})
    for name in ("cat", "dog"):
        for path in sorted((folder / name).iterdir()):
            path.rename(folder / f"{name}_{path.name}")
        (folder / name).rmdir()
    out = folder / "manifest.csv"
    assert split_folder(folder, out, val=0.2, test=0.2) == {"train": 12, "val": 4, "test": 4}
    before = out.read_text()
    assert split_folder(folder, out, val=0.2, test=0.2, seed=1) == {"train": 12, "val": 4, "test": 4}
    assert out.read_text() != before
    assert split_folder(folder, out, val=0.1, test=0) == {"train": 18, "val": 2, "test": 0}
