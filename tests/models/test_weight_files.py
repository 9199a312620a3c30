from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cnnlab.errors import DataError
from cnnlab.models import weight_files
from cnnlab.models.weight_files import read_weights

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2, dtype=torch.bfloat16)}


def is_state(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize(
    "name", ["a.pth", "a.pt", "a.th", "a.pth.tar", "a.t7", "a.bin", "a.ckpt", "a.pkl", "a", "a.model"]
)
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_the_bytes_decide_and_not_the_ending(tmp_path: Path, name: str, form: str) -> None:
    path = tmp_path / name
    if form == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=form == "zip")
    found = read_weights(path)
    assert is_state(found.tensors)
    assert found.format == ("safetensors" if form == "safetensors" else "torch")
    assert (found.wrapper, found.prefix, found.notes, found.others) == ("", "", (), ())
    assert str(found) == f"{path}: 2 tensors"


def test_a_file_says_its_sum(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pth")
    assert read_weights(tmp_path / "a.pth").sha256 == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in STATE.items()}


def test_what_was_taken_is_said(tmp_path: Path) -> None:
    averaged = {"n_averaged": torch.tensor(3), **prefixed("module.")}
    torch.save({"arch": "resnet50", "state_dict": prefixed("module."), "model_ema": averaged}, tmp_path / "a.pth")
    found = read_weights(tmp_path / "a.pth")
    assert is_state(found.tensors)
    assert (found.wrapper, found.prefix, found.others) == ("state_dict", "module.", ("model_ema",))
    assert found.values == {"arch": "resnet50"}
    averaged_too = "averaged weights are there too, under 'model_ema': --ema takes them"
    assert str(found).endswith(f"2 tensors; taken from 'state_dict'; names without 'module.'; {averaged_too}")
    for other in (read_weights(tmp_path / "a.pth", ema=True), read_weights(tmp_path / "a.pth", key="model_ema")):
        assert (other.wrapper, other.prefix) == ("model_ema", "module.")
        assert "they are averages over the training (EMA)" in other.notes


@pytest.mark.parametrize("form", ["torch", "safetensors"])
def test_averages_among_the_names_are_taken_on_demand(tmp_path: Path, form: str) -> None:
    both = {**prefixed("model."), **{name: tensor + 1 for name, tensor in prefixed("ema_model.").items()}}
    torch.save({"state_dict": both}, tmp_path / "a") if form == "torch" else save_file(both, tmp_path / "a")
    found = read_weights(tmp_path / "a")
    assert is_state(found.tensors)
    assert any("left out: ema_model (2)" in note for note in found.notes)
    found = read_weights(tmp_path / "a", ema=True)
    assert torch.equal(found.tensors["conv.weight"], STATE["conv.weight"] + 1)
    torch.save(STATE, tmp_path / "b")
    with pytest.raises(DataError, match="no averaged weights"):
        read_weights(tmp_path / "b", ema=True)


def test_of_several_weights_one_is_asked_for(tmp_path: Path) -> None:
    other = {name: tensor.clone() for name, tensor in prefixed("module.").items()}
    torch.save({"netG": STATE, "netD": other}, tmp_path / "gan.pth")
    with pytest.raises(DataError, match=r"gan\.pth: holds several weights: 'netG', 'netD'; say which: --key NAME"):
        read_weights(tmp_path / "gan.pth")
    found = read_weights(tmp_path / "gan.pth", key="netD")
    assert is_state(found.tensors)
    assert (found.wrapper, found.prefix, found.others) == ("netD", "module.", ("netG",))
    with pytest.raises(DataError, match="no weights under 'netX'; there are: 'netG', 'netD'"):
        read_weights(tmp_path / "gan.pth", key="netX")


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "folder.pth" / "model.safetensors").touch()
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html>not found</html>")
    (tmp_path / "page.safetensors").write_text("<html>not found</html>")
    for name, message in [
        ("a.pth", "does not exist"),
        ("folder.pth", "a folder; it holds model.safetensors"),
        ("page.pth", r"page\.pth: a web page"),
        ("page.safetensors", "a web page"),
    ]:
        with pytest.raises(DataError, match=message):
            read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a" * 301, "a" + ".b" * 31, "a\nb"])
def test_a_name_that_no_terminal_should_see_is_refused(tmp_path: Path, name: str) -> None:
    for save in (torch.save, save_file):
        save({name: torch.ones(1), "b.weight": torch.ones(1)}, tmp_path / "a")  # type: ignore[operator]
        with pytest.raises(DataError) as caught:
            read_weights(tmp_path / "a")
        assert str(caught.value).isprintable()


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
            read_weights(with_header(path, header, length, data))
    assert read_weights(with_header(path, entry(), None, bytes(8))).tensors["w"].tolist() == [0, 0]


@pytest.mark.parametrize("part", range(20))
def test_truncated_safetensors_are_named(tmp_path: Path, part: int) -> None:
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * part // 20])
    with pytest.raises(DataError, match=r"a\.safetensors: "):
        read_weights(path)


def test_too_many_tensors_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    monkeypatch.setattr(weight_files, "MAX_ENTRIES", 1)
    with pytest.raises(DataError, match="2 tensors ; accepted: 1 to 1"):
        read_weights(tmp_path / "a.safetensors")
