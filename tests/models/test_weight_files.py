from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from cnnlab.errors import DataError
from cnnlab.models import weight_files
from cnnlab.models.weight_files import WRAPPED_NAMES, read_weight_file, read_weights, without_wrappers

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2, dtype=torch.bfloat16)}


def is_state(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".safetensors"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_file(STATE, path) if suffix == ".safetensors" else torch.save(STATE, path)
    assert is_state(read_weight_file(path))


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pth")
    found = read_weights(tmp_path / "a.pth")
    assert is_state(found.tensors)
    assert found.sha256 == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    assert str(found) == f"{tmp_path}/a.pth: 2 tensors"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(WRAPPED_NAMES), max_size=4).map("".join))
def test_any_wrapping_reads_the_same(prefix: str) -> None:
    assert is_state(without_wrappers({prefix + name: tensor for name, tensor in STATE.items()}))


def test_a_prefix_that_only_some_names_have_belongs_to_them() -> None:
    names = {"module.weight": torch.ones(1), "weight": torch.ones(1)}
    assert without_wrappers(names) == names
    assert without_wrappers({}) == {}


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    for name, message in [
        ("a.pth", "does not exist"),
        ("folder.pth", "is no file"),
        ("a.pt2", r"accepted: .safetensors, .pth, .pt, .th"),
        ("a", "is no file of weights"),
    ]:
        with pytest.raises(DataError, match=message):
            read_weight_file(tmp_path / name)


def with_header(path: Path, header: bytes, length: int | None = None, data: bytes = b"") -> Path:
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + data)
    return path


def entry(**changes: object) -> bytes:
    return json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}).encode()


def test_damaged_safetensors_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for header, length, data in [
        (b"", None, b""),
        (b"{}", None, b""),
        (b"not json", None, b""),
        (entry(), 10**15, bytes(8)),
        (entry(), 9_000_000, bytes(9_000_000)),
        (entry(), None, bytes(7)),
        (entry(), None, bytes(9)),
        (entry(shape=[3]), None, bytes(8)),
        (entry(dtype="F8_E4M3", data_offsets=[0, 2]), None, bytes(2)),
        (entry(dtype="no such"), None, bytes(8)),
    ]:
        with pytest.raises(DataError, match=r"a\.safetensors: "):
            read_weight_file(with_header(path, header, length, data))
    assert read_weight_file(with_header(path, entry(), None, bytes(8)))["w"].tolist() == [0, 0]


@pytest.mark.parametrize("part", range(20))
def test_truncated_safetensors_are_named(tmp_path: Path, part: int) -> None:
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * part // 20])
    with pytest.raises(DataError, match=r"a\.safetensors: "):
        read_weight_file(path)


def test_too_many_tensors_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    monkeypatch.setattr(weight_files, "MAX_ENTRIES", 1)
    with pytest.raises(DataError, match="2 tensors ; accepted: 1 to 1"):
        read_weight_file(tmp_path / "a.safetensors")
