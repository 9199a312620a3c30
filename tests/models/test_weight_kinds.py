"""What is not weights is told by its content, with what to do; what is weights is never taken for something else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from cnnlab.errors import DataError
from cnnlab.models.weight_files import read_weights
from cnnlab.models.weight_kinds import kind_of, kind_of_archive, kind_of_folder


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def tarred(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def torch_saved() -> bytes:
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, buffer)
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), buffer)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, w=np.zeros(2))
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2))
    return buffer.getvalue()


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message."""
    head = _varint(number << 3 | (0 if isinstance(value, int) else 2))
    return head + (_varint(value) if isinstance(value, int) else _varint(len(value)) + value)


def _varint(value: int) -> bytes:
    low = value & 127
    return bytes([low | 128]) + _varint(value >> 7) if value > 127 else bytes([low])


def darknet() -> bytes:
    return struct.pack("<iiiq", 0, 2, 0, 32013312) + np.ones(100, np.float32).tobytes()


def lua(text: bytes) -> bytes:
    return struct.pack("<iii", 4, 1, 3) + b"V 1" + struct.pack("<i", len(text)) + text


KINDS = {  # content, and what is said of it
    "nothing": (b"", "an empty file; download"),
    "zeros": (bytes(5000), "nothing but zeros"),
    "gzip": (gzip.compress(torch_saved()), "compressed with gzip; unpack it first: gunzip weights"),
    "bzip2": (bz2.compress(torch_saved()), "compressed with bzip2"),
    "xz": (lzma.compress(torch_saved()), "compressed with xz"),
    "tar of torch before 0.2": (tarred("sys_info"), "torch before 0.2"),
    "tar": (tarred("weights.pth"), "a tar archive around weights.pth; unpack it first"),
    "zip": (zipped("weights.pth", "readme.txt"), "a zip archive around weights.pth, readme.txt; unpack"),
    "empty zip": (zipped(), "a zip archive around nothing"),
    "Keras 3": (zipped("metadata.json", "config.json", "model.weights.h5"), "a network of Keras (.keras)"),
    "exported program": (zipped("m/models/model.json", "m/archive_format"), "torch.export (.pt2), which is refused"),
    "numpy": (array(), "a numpy array"),
    "numpy archive": (arrays(), "numpy arrays (.npz)"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras and Caffe write it (.h5); read it with h5py"),
    "HDF5 with a user's block": (b"x" * 512 + b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "TFLite": (b"\x1c\0\0\0TFL3" + bytes(50), "TensorFlow Lite"),
    "ONNX": (field(1, 8) + field(2, b"pytorch") + field(3, b"2.1") + field(7, bytes(9000)), "a network in ONNX"),
    "ONNX without producer": (field(1, 7) + field(7, b"graph") + field(8, b""), "a network in ONNX"),
    "caffemodel": (field(1, b"AlexNet") + field(100, field(1, b"conv1") * 9), "weights of Caffe (.caffemodel)"),
    "old caffemodel": (field(1, b"VGG_ILSVRC_16_layers") + field(2, bytes(200)), "weights of Caffe"),
    "SavedModel": (field(1, 1) + field(2, field(1, b"\n\x05serve") * 40), "a SavedModel of TensorFlow"),
    "index of a checkpoint": (
        b"\0\0\x1fx" * 9 + bytes.fromhex("57fb808b247547db"),
        "a part of a checkpoint of TensorFlow",
    ),
    "list of checkpoints": (b'model_checkpoint_path: "model.ckpt-1"\n', "TensorFlow's list of checkpoints"),
    "MXNet": (struct.pack("<QQQ", 0x112, 0, 3) + bytes(50), "parameters of MXNet (.params)"),
    "Darknet": (darknet(), "weights of Darknet (.weights)"),
    "Torch7": (lua(b"nn.Sequential"), "a file of Lua's Torch7 (.t7); read it with the package torchfile"),
    "Torch7 as text": (b"4\n1\n3\nV 1\n13\nnn.Sequential\n", "Lua's Torch7"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(200), "a MATLAB file"),
    "GGUF": (b"GGUF\3\0\0\0" + bytes(99), "llama.cpp"),
    "web page": (b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "a web page, saved in place of weights"),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a pointer of Git LFS"),
    "JSON": (json.dumps({"metadata": {}, "weight_map": {"a": "b"}}).encode(), "text (JSON)"),
    "text": (b"Entry not found\n", "text that begins with 'Entry not found'"),
    "pickle as text": (b"(dp0\nS'w'\np1\nI1\ns.", "a pickle that torch.save did not write"),
    "hostile pickle as text": (b"cos\nsystem\n(S'id'\ntR.", "a pickle that torch.save did not write"),
    "pickle": (pickle.dumps({"w": np.zeros(2)}), "a pickle that torch.save did not write"),
    "image": (b"\x89PNG\r\n\x1a\n", "an image"),
}


@pytest.mark.parametrize("name", ["weights.pth", "weights", "weights.safetensors"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_by_its_content(tmp_path: Path, kind: str, name: str) -> None:
    content, said = KINDS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_weights(tmp_path / name)
    assert said.replace("gunzip weights", f"gunzip {name}") in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(scripted())
    with pytest.raises(DataError, match=r"TorchScript program .*refused; save the state_dict"):
        read_weights(tmp_path / "a.pt")


def test_parts_of_a_checkpoint_are_named_by_their_ending(tmp_path: Path) -> None:
    part = tmp_path / "model.ckpt.data-00000-of-00001"
    part.write_bytes(np.random.default_rng(0).random(99).tobytes())
    assert "checkpoint of TensorFlow" in str(kind_of(part))
    (tmp_path / "graph.pb").write_bytes(field(1, field(1, b"input") + field(2, b"Placeholder")))
    assert "frozen graph" in str(kind_of(tmp_path / "graph.pb"))


def test_folders_say_what_to_give(tmp_path: Path) -> None:
    assert kind_of_folder(tmp_path) == "a folder; give a file of weights"
    (tmp_path / "b.pth.tar").touch()
    assert "holds b.pth.tar" in kind_of_folder(tmp_path)
    (tmp_path / "data.pkl").touch()
    assert "pack it again" in kind_of_folder(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert "SavedModel" in kind_of_folder(tmp_path)


def test_archives_of_torch_are_left_to_their_reader() -> None:
    assert kind_of_archive(["archive/data.pkl", "archive/data/0"]) is None
    assert "\\x1b" in str(kind_of_archive(["\x1b[31m"]))


@pytest.mark.parametrize("size", [1, 274, 8075, 35615, 35616, 65536])
def test_weights_are_never_taken_for_something_else(tmp_path: Path, size: int) -> None:
    """The length of a safetensors header may be the magic number of gzip, or of MXNet."""
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    body = (
        save({"w": torch.zeros(2)})
        if size == 1
        else struct.pack("<Q", max(size, len(header))) + header.ljust(size) + bytes(8)
    )
    (tmp_path / "a.bin").write_bytes(body)
    assert read_weights(tmp_path / "a.bin").tensors["w"].tolist() == [0, 0]


def torch_files() -> Iterator[bytes]:
    for zipped_format in (True, False):
        for protocol in (2, 3, 4, 5):
            buffer = io.BytesIO()
            value = {"w": torch.zeros(2)}
            torch.save(value, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped_format)
            yield buffer.getvalue()


@pytest.mark.parametrize("content", list(torch_files()))
def test_files_of_torch_are_of_no_other_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert kind_of(tmp_path / "a") is None


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind_or_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    said = kind_of(path)
    assert said is None or said.isprintable()
    with pytest.raises(DataError, match="any: "):
        read_weights(path)
