from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data import shards
from cnnlab.data.decode import decode
from cnnlab.data.listing import Entry
from cnnlab.data.photos import Photos
from cnnlab.data.shards import CLASS_FILE, scan_shards
from cnnlab.data.sources import load
from cnnlab.errors import DataError, ImageError
from cnnlab.types import Split

from .conftest import jpeg, photo


def write_shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def samples(first: int, count: int, num_classes: int = 3) -> dict[str, bytes]:
    members = {}
    for number in range(first, first + count):
        members[f"{number:06}.jpg"] = jpeg(photo(20 + number % 3, 24, number))
        members[f"{number:06}.cls"] = str(number % num_classes).encode()
    return members


def test_shards_are_read_at_random_by_their_index(tmp_path: Path) -> None:
    for number in range(2):
        write_shard(tmp_path / f"set-train-{number:06}.tar", samples(10 * number, 10))
    write_shard(tmp_path / "set-val-000000.tar", samples(20, 6))
    (tmp_path / CLASS_FILE).write_text("zebra\nape\ncat\n", encoding="utf-8")
    parts = load(tmp_path, photos=True)
    assert isinstance(parts.train, Photos)
    assert parts.class_names == ("zebra", "ape", "cat")
    assert (len(parts.train), len(parts.val), parts.test) == (20, 6, None)
    assert parts.train.labels.tolist() == [number % 3 for number in range(20)]
    assert parts.train.names[13] == "set-train-000001.tar/000013.jpg"
    assert parts.train.files.read(13) == samples(13, 1)["000013.jpg"]
    assert np.array_equal(parts.val.read(2), decode(samples(22, 1)["000022.jpg"]))  # type: ignore[union-attr]
    again = load(tmp_path, photos=True)
    assert again.sha256 == parts.sha256
    in_memory = load(tmp_path, pixels=16)
    assert in_memory.train.images.shape == (20, 3, 16, 16)  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its file open
def test_the_webdataset_package_sees_the_same_samples(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    write_shard(tmp_path / "a-000000.tar", samples(0, 5))
    listing, files = scan_shards(tmp_path)
    theirs = list(webdataset.WebDataset(str(tmp_path / "a-000000.tar"), shardshuffle=False))
    assert [files.read(index) for index in range(5)] == [each["jpg"] for each in theirs]
    assert [entry.label for entry in listing.entries] == [each["cls"].decode() for each in theirs]


def test_labels_in_json_and_classes_by_name(tmp_path: Path) -> None:
    image = jpeg(photo(16, 16))
    members = {"x/1.jpg": image, "x/1.json": json.dumps({"label": "dog"}).encode(), "x/2.png": image, "x/2.cls": b"cat"}
    write_shard(tmp_path / "photos.tar", members)
    listing, _ = scan_shards(tmp_path)
    assert listing.entries == (Entry("photos.tar/x/1.jpg", "dog", None), Entry("photos.tar/x/2.png", "cat", None))
    assert listing.classes is None


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-0.tar", Split.TRAIN),
        ("imagenet_val.00.tar", Split.VAL),
        ("validate.tar", None),
        ("x-test.tar", Split.TEST),
    ],
)
def test_the_split_is_a_word_of_the_name(name: str, split: Split | None, tmp_path: Path) -> None:
    write_shard(tmp_path / name, samples(0, 2))
    assert {entry.split for entry in scan_shards(tmp_path)[0].entries} == {split}


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.83, 0.99])
def test_a_shard_cut_short_is_named_with_the_byte(kept: float, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(0, 8))
    with tarfile.open(path) as tar:
        end = tar.getmembers()[-1].offset_data + 1
    path.write_bytes(path.read_bytes()[: int(kept * end)])
    said = r"train-0\.tar: cut short or damaged at byte [\d,]+ of [\d,]+ .*make this shard"
    with pytest.raises(DataError, match=said):
        scan_shards(tmp_path)


def test_a_shard_cut_between_two_members_is_noticed_too(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(0, 3))
    with tarfile.open(path) as tar:
        end = tar.getmembers()[-2].offset
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=rf"cut short or damaged at byte {end:,} of {end:,}"):
        scan_shards(tmp_path)


def test_a_damaged_header_and_what_is_no_tar(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(0, 3))
    with tarfile.open(path) as tar:
        place = tar.getmembers()[2].offset
    data = bytearray(path.read_bytes())
    data[place + 3] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"damaged at byte {place:,}"):
        scan_shards(tmp_path)
    path.write_bytes(b"\x1f\x8bnot plain")
    with pytest.raises(DataError, match="no readable tar file"):
        scan_shards(tmp_path)


def test_a_shard_shortened_after_its_index_was_made(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(0, 3))
    _, files = scan_shards(tmp_path)
    path.write_bytes(path.read_bytes()[: int(files.offset[2]) + 5])
    with pytest.raises(ImageError, match=rf"cut short within the member at byte {files.offset[2]}"):
        files.read(2)
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        files.read(0)


def test_links_devices_and_paths_out_of_it_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "train-0.tar"
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(photo(8, 8)))
    with tarfile.open(path, "w") as tar:
        for name, data in samples(0, 2).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, kind in (("3.jpg", tarfile.SYMTYPE), ("4.jpg", tarfile.LNKTYPE), ("5.jpg", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(secret)
            tar.addfile(info)
        for name in ("../6.jpg", "/7.jpg"):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    assert [entry.path for entry in scan_shards(tmp_path)[0].entries] == [
        "train-0.tar/000000.jpg", "train-0.tar/000001.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"1.jpg": b"x"}, r"1\.jpg has no label"),
        ({"1.jpg": b"x", "1.json": b"{}"}, "no label in it"),
        ({"1.jpg": b"x", "1.json": b"[1"}, "no label in it"),
        ({"1.jpg": b"x", "1.json": b"[" * 60_000}, r"train\.tar: 1\.json: no label in it"),
        ({"1.jpg": b"x", "1.cls": b"\xff"}, "no label in it"),
        ({"1.jpg": b"x", "1.cls": b"1" * 5_000}, "accepted: 0 to 1, or a name"),
        ({"1.jpg": b"x", "1.cls": b"1" * 70_000}, "a label has up to"),
        ({"1.jpg": b"x", "1.cls": b"7"}, r"train\.tar/1\.jpg: class '7'; accepted: 0 to 1, or a name in classes\.txt"),
        ({"1.jpg": b"x", "1.cls": b"-1"}, "class '-1'"),
        ({"1.txt": b"x"}, "hold no images"),
    ],
)
def test_what_has_no_class_is_refused(members: dict[str, bytes], said: str, tmp_path: Path) -> None:
    write_shard(tmp_path / "train.tar", members)
    (tmp_path / CLASS_FILE).write_text("cat\ndog\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        scan_shards(tmp_path)


def test_labels_are_numbers_where_all_can_be_and_names_elsewhere(tmp_path: Path) -> None:
    (tmp_path / CLASS_FILE).write_text("2\n0\n3\n", encoding="utf-8")
    write_shard(tmp_path / "train.tar", {"1.jpg": b"x", "1.cls": b"2", "2.jpg": b"x", "2.cls": b"0"})
    assert [entry.label for entry in scan_shards(tmp_path)[0].entries] == ["3", "2"]
    write_shard(tmp_path / "val.tar", {"1.jpg": b"x", "1.cls": b"3"})
    assert [entry.label for entry in scan_shards(tmp_path)[0].entries] == ["2", "0", "3"]


def test_the_same_key_twice_is_refused_with_its_member(tmp_path: Path) -> None:
    path = tmp_path / "train-0.tar"
    with tarfile.open(path, "w") as tar:
        for label in (0, 1):
            for name, data in {"0.jpg": b"x%d" % label, "0.cls": b"%d" % label}.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with pytest.raises(DataError, match=r"train-0\.tar: 0\.jpg is there twice, with one key, '0' .*cannot be told"):
        scan_shards(tmp_path)


def test_the_same_key_in_two_shards_of_a_part_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-0.tar", samples(0, 3))
    write_shard(tmp_path / "val-0.tar", samples(0, 3))
    assert len(scan_shards(tmp_path)[0].entries) == 6
    write_shard(tmp_path / "train-1.tar", samples(2, 3))
    with pytest.raises(
        DataError, match=r"train-1\.tar: 000002\.jpg has the same key as an image of train-0\.tar; is one"
    ):
        scan_shards(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [("cat\ndog\ncat\n", "'cat' and 'cat'"), ("cat\nca\u200bt\n", r"'cat' and 'ca\\u200bt'")],
)
def test_class_names_that_are_there_twice_are_refused(tmp_path: Path, names: str, said: str) -> None:
    write_shard(tmp_path / "train-0.tar", samples(0, 3, 2))
    (tmp_path / CLASS_FILE).write_text(names, encoding="utf-8")
    with pytest.raises(DataError, match=f"classes.txt: .*{said}"):
        scan_shards(tmp_path)
    (tmp_path / CLASS_FILE).write_text("Cardigan\ncardigan\n", encoding="utf-8")
    assert scan_shards(tmp_path)[0].classes == ("Cardigan", "cardigan")


def test_a_class_number_without_end_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "train.tar", {"1.jpg": b"x", "1.cls": b"9" * 30})
    with pytest.raises(DataError, match="accepted: up to 999999"):
        scan_shards(tmp_path)


def test_the_index_is_kept_until_the_shard_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shard(tmp_path / "set" / "train.tar", samples(0, 4))
    first = scan_shards(tmp_path / "set")
    read: list[Path] = []
    monkeypatch.setattr(shards, "_read_shard", lambda path: read.append(path) or [])
    listing, files = scan_shards(tmp_path / "set")
    assert not read
    assert listing == first[0]
    assert np.array_equal(files.offset, first[1].offset)
    write_shard(path, samples(0, 5))
    with pytest.raises(DataError, match="hold no images"):
        scan_shards(tmp_path / "set")
    assert read == [path]
