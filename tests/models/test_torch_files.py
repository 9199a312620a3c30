"""Both formats of torch.save: read exactly, bounded by the file's size, and refused by name otherwise."""

from __future__ import annotations

import argparse
import datetime
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab.errors import DataError
from cnnlab.models import state_dicts, torch_files
from cnnlab.models.torch_files import naming, read_torch_file

FORMATS = {"zip": True, "legacy": False}


def save(path: Path, value: object, form: str, **options: Any) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=FORMATS[form], **options)
    return path


def tensors() -> dict[str, Tensor]:
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "whole": base,
        "view": base[1:3, ::2],
        "turned": base.t(),
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "double": torch.randn(2, 2, 2, 2).double(),
        "count": torch.tensor(7),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "flags": torch.tensor([True, False]),
        "empty": torch.empty(0, 3),
        "last": base.to(memory_format=torch.contiguous_format).clone().unsqueeze(0),
    }


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_kind_of_tensor_comes_back(tmp_path: Path, form: str) -> None:
    wanted = tensors()
    found = read_torch_file(save(tmp_path / "a.pth", wanted, form)).tensors
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_protocol_is_read(tmp_path: Path, form: str, protocol: int) -> None:
    found = read_torch_file(save(tmp_path / "a.pth", tensors(), form, pickle_protocol=protocol)).tensors
    assert torch.equal(found["view"], tensors()["view"])


def test_tensors_that_shared_a_storage_still_do(tmp_path: Path, form: str) -> None:
    found = read_torch_file(save(tmp_path / "a.pth", tensors(), form)).tensors
    found["whole"][1, 0] = 99.0
    assert found["view"][0, 0] == 99.0


def test_a_state_dict_with_its_versions_and_parameters(tmp_path: Path, form: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    saved = {"epoch": 3, "best": torch.tensor(0.9), "state_dict": network.state_dict(keep_vars=True), "note": None}
    found = read_torch_file(save(tmp_path / "a.pth", saved, form)).tensors
    assert found.keys() == network.state_dict().keys()
    assert torch.equal(found["0.weight"], network.state_dict()["0.weight"])
    assert not found["0.weight"].requires_grad


def strange_checkpoint(network: nn.Module, form: str) -> dict[Any, Any]:
    """A checkpoint with all that scripts save beside the weights."""
    network(torch.zeros(1, 3, 8, 8))
    moments = {number: {"step": torch.tensor(1.0), "exp_avg": each} for number, each in enumerate(network.parameters())}
    quantised = torch.quantize_per_tensor(torch.randn(2, 2), 0.1, 0, torch.qint8)
    return {
        "epoch": 3,
        "args": argparse.Namespace(arch="small", device=torch.device("cuda:0"), lr=0.1),
        "best": np.float32(0.5),
        "curve": np.arange(3.0),
        "log": defaultdict(list, loss=[1.0, np.float64(0.5)]),
        "when": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        "folder": PurePosixPath("runs"),
        "shape": torch.Size([1, 2]),
        "rng": torch.get_rng_state(),
        "odd": [{1, 2}, b"x", 1j, quantised, torch.eye(2).to_sparse(), torch.zeros(2, dtype=torch.complex64)],
        "new": torch.zeros(2).to(torch.float8_e4m3fn) if form == "zip" else 0.5,  # torch cannot read its own else
        (1, 2): {1.5: None, None: 1, 2**70: 2},
        "optimizer": {"state": {140231132644336: {"momentum": torch.zeros(3)}}, "groups": [{"params": [2**47]}]},
        "adam": {"state": moments, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}]},
        "state_dict": network.state_dict(),
    }


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return list(found) == list(wanted) and all(
        found[name].dtype == wanted[name].dtype and torch.equal(found[name], wanted[name]) for name in wanted
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_torch_reads_is_read_from_among_strangers(tmp_path: Path, form: str, protocol: int) -> None:
    path = save(tmp_path / "a.pth", strange_checkpoint(small(), form), form, pickle_protocol=protocol)
    oracle = torch.load(path, map_location="cpu", weights_only=False)
    found = read_torch_file(path)
    assert same(found.tensors, oracle["state_dict"])
    assert found.values == {"epoch": 3, "args.arch": "small", "args.lr": 0.1, **({} if form == "zip" else {"new": 0.5})}


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("value", [tensors(), {"model": tensors(), "epoch": 1}, OrderedDict(tensors())])
def test_what_torch_reads_without_trust_is_read_alike(tmp_path: Path, form: str, value: dict[str, Any]) -> None:
    path = save(tmp_path / "a.pth", value, form)
    oracle = torch.load(path, weights_only=True)
    assert same(read_torch_file(path).tensors, oracle.get("model", oracle))


class Cropped(nn.Module):
    """A module whose state_dict leaves out a buffer and shares a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.body = small()
        self.again = self.body[0]
        self.register_buffer("kept", torch.arange(3))
        self.register_buffer("passing", torch.zeros(3), persistent=False)
        self.register_parameter("nothing", None)
        self.notes = {"size": torch.Size([3]), "made": datetime.date(2020, 1, 1)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("wrap", [lambda net: net, nn.DataParallel, lambda net: {"net": net, "acc": 0.9}])
def test_of_a_whole_module_the_tensors_are_taken(tmp_path: Path, form: str, wrap: Any, protocol: int) -> None:
    network = Cropped()
    network.body(torch.zeros(1, 3, 8, 8))
    path = save(tmp_path / "a.pth", wrap(network), form, pickle_protocol=protocol)
    oracle = torch.load(path, weights_only=False)
    found = read_torch_file(path)
    assert same(found.tensors, network.state_dict())
    assert same(
        found.tensors, getattr(oracle["net"] if isinstance(oracle, dict) else oracle, "module", network).state_dict()
    )
    assert found.choice.chosen.module.rpartition(".")[2] in ("Cropped", "DataParallel")


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str) -> None:
    path = save(tmp_path / "a.pth", tensors(), form)
    monkeypatch.setattr(torch_files, "MAX_ENTRIES", 3)
    monkeypatch.setattr(state_dicts, "MAX_ENTRIES", 3)
    with pytest.raises(DataError, match="3"):
        read_torch_file(path)


class Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.canary}",)


def test_a_hostile_file_runs_nothing(tmp_path: Path, form: str) -> None:
    hostile = {"state_dict": OrderedDict(w=torch.zeros(1), evil=Touch(tmp_path / "canary"))}
    path = save(tmp_path / "a.pth", hostile, form)
    with pytest.raises(
        DataError, match=r"a\.pth: a state_dict under 'state_dict' .*not tensors .*'evil' \(a posix\.system\)"
    ):
        read_torch_file(path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("place", range(5))
def test_each_pickle_of_the_older_format_is_guarded(tmp_path: Path, place: int) -> None:
    head = [torch_files.MAGIC, torch_files.VERSION, {"little_endian": True}, {}, []]
    head[place] = Touch(tmp_path / "canary")
    path = tmp_path / "a.pth"
    path.write_bytes(b"".join(pickle.dumps(each, 2) for each in head))
    with pytest.raises(DataError, match=r"a\.pth: "):
        read_torch_file(path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "head", [["magic", 1001, {}], [torch_files.MAGIC, 1000, {}], [torch_files.MAGIC, 1001, []], [{}, {}, {}]]
)
def test_another_pickle_is_no_file_of_torch(tmp_path: Path, head: list[object]) -> None:
    (tmp_path / "a.pth").write_bytes(b"".join(pickle.dumps(each, 2) for each in head))
    with pytest.raises(DataError, match=r"torch\.save did not write|version that is not known"):
        read_torch_file(tmp_path / "a.pth")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    for data, message in [
        (b"", "not a file of weights"),
        (b"<html>not found</html>", "not a file of weights"),
        (b"\x80", "damaged"),
        (b"PK\x03\x04 and no more", "damaged or truncated"),
        (pickle.dumps({"w": b"\0" * 5_000}), "torch.save did not write"),
        (pickle.dumps({"w": "." * 5_000}, 2)[:4_000], "torch.save did not write"),
    ]:
        path.write_bytes(data)
        with pytest.raises(DataError, match=message):
            read_torch_file(path)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezipped(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def test_a_plain_zip_of_the_same_members_is_read(tmp_path: Path) -> None:
    contents = members(save(tmp_path / "a.pth", tensors(), "zip"))
    assert torch.equal(read_torch_file(rezipped(tmp_path / "b.pth", contents)).tensors["view"], tensors()["view"])


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    contents = members(save(tmp_path / "a.pth", {"w": torch.zeros(100_000)}, "zip"))
    path = rezipped(tmp_path / "b.pth", contents, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="is compressed"):
        read_torch_file(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a/data/0": None}, "storage '0' is missing"),
        ({"a/data/0": b"123"}, "storage '0' is of 3 bytes, where 48 bytes belong"),
        ({"a/data/0": bytes(52)}, "storage '0' is of 52 bytes"),
        ({"a/data.pkl": None}, "a zip archive around a/"),
        ({"b/data.pkl": b"N."}, "without one data.pkl"),
        ({"a/byteorder": b"big"}, "big-endian"),
        ({"a/constants.pkl": b"", "a/code/a.py": b""}, "TorchScript"),
    ],
)
def test_an_archive_that_torch_does_not_write(tmp_path: Path, change: dict[str, bytes | None], message: str) -> None:
    contents = {**members(save(tmp_path / "a.pth", {"w": torch.zeros(12)}, "zip")), **change}
    path = rezipped(tmp_path / "b.pth", {name: data for name, data in contents.items() if data is not None})
    with pytest.raises(DataError, match=message):
        read_torch_file(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"w": torch.zeros(12)}, "zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/data/0", bytes(48))
    with pytest.raises(DataError, match="of one name"):
        read_torch_file(path)


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    """Many names for the same bytes: a zip bomb without compression."""
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        archive.writestr("a/data/0", bytes(4000))
        first = archive.infolist()[1]
        for number in range(1, 50):
            again = zipfile.ZipInfo(f"a/data/{number}")
            again.file_size = again.compress_size = first.file_size
            again.CRC, again.header_offset = first.CRC, first.header_offset
            archive.filelist.append(again)
    with pytest.raises(DataError, match="claim more bytes"):
        read_torch_file(path)


def test_a_huge_table_of_contents_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rezipped(tmp_path / "a.pth", {f"a/data/{number}": b"" for number in range(1500)})
    monkeypatch.setattr(torch_files, "MAX_TABLE_BYTES", 70_000)
    with pytest.raises(DataError, match="table of contents"):
        read_torch_file(path)


def test_a_long_pickle_in_an_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.pth", {f"w{number}": torch.zeros(1) for number in range(20)}, "zip")
    monkeypatch.setattr(torch_files, "MAX_PICKLE_BYTES", 500)
    with pytest.raises(DataError, match=r"accepted: up to 500.* numpy arrays"):
        read_torch_file(path)


def test_a_flipped_bit_in_an_archive_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"w": torch.full((1000,), 1.0)}, "zip")
    data = bytearray(path.read_bytes())
    data[data.find(struct.pack("<f", 1.0) * 20) + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="Bad CRC"):
        read_torch_file(path)


def test_a_wrong_count_in_the_older_format_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"w": torch.zeros(12)}, "legacy")
    data = path.read_bytes()
    for count in (11, 13, -1, 2**62):
        path.write_bytes(data[: -12 * 4 - 8] + struct.pack("<q", count) + data[-12 * 4 :])
        with pytest.raises(DataError, match="where 12 belong"):
            read_torch_file(path)


@pytest.mark.parametrize("part", range(20))
def test_a_truncated_file_is_named(tmp_path: Path, form: str, part: int) -> None:
    path = save(tmp_path / "a.pth", tensors(), form)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * part // 20])
    with pytest.raises(DataError, match=r"a\.pth: "):
        read_torch_file(path)


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_file_without_its_last_bytes_is_named(tmp_path: Path, form: str, cut: int) -> None:
    path = save(tmp_path / "a.pth", {"w": torch.ones(12)}, form)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"a\.pth: "):
        read_torch_file(path)


def test_naming_hides_where_an_error_came_from() -> None:
    with (
        pytest.raises(DataError, match=r"^a: damaged or truncated, or no weights \(OSError: gone\)$"),
        naming(Path("a")),
    ):
        raise OSError("gone")
    with pytest.raises(DataError, match=r"^a: b$"), naming(Path("a")):
        raise DataError("b")


def test_a_stream_is_never_asked_for_more_than_the_file_has(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    with path.open("rb", buffering=0) as raw, torch_files._Careful(raw) as file:
        assert file.read(2**40) == b"123"
        file.seek(100)
        assert file.read() == b""
    assert io.DEFAULT_BUFFER_SIZE < torch_files.MAX_TABLE_BYTES
