"""What a file is that is not read as weights, told by its first bytes, and what to do with it.

Endings say little: a checkpoint may be called `.pth.tar`, `.t7`, `.bin` or nothing, and a page that says "not found"
is often saved as `weights.pth`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Kind = tuple[str, str]  # what it is, what to do

HEAD_BYTES = 4096
"""So much of a file is looked at."""

SAVE = "in Python, write its tensors under PyTorch's names with safetensors.torch.save_file"
PICKLE = (
    "a pickle that torch.save did not write, which is not read",
    f"where you trust the file, load it yourself; {SAVE}",
)
STATE = "save the state_dict of the network instead: torch.save(network.state_dict(), 'weights.pth')"

_LFS = "download the file itself: git lfs pull, or the button 'download' of the page"
_MAGIC = (
    (b"\x1f\x8b", "compressed with gzip", "unpack it first: gunzip FILE, or tar xzf FILE if it is a .tar.gz"),
    (b"BZh", "compressed with bzip2", "unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first: unzstd FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first: 7z x FILE"),
    (b"Rar!", "a RAR archive", "unpack it first: unrar x FILE"),
    (b"\x93NUMPY", "a numpy array (.npy)", SAVE),
    (b"GGUF", "weights of llama.cpp (GGUF)", "no network of cnnlab is saved so"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file, as MatConvNet writes it", f"read it with scipy.io.loadmat; {SAVE}"),
    (b"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "parameters of MXNet (.params)", f"read it with mxnet.nd.load; {SAVE}"),
    (b"\x89PNG", "an image", "give a file of weights"),
    (b"\xff\xd8\xff", "an image", "give a file of weights"),
    (b"%PDF", "a PDF document", "give a file of weights"),
    (b"\x7fELF", "a program or library", "give a file of weights"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file it stands for", _LFS),
    (b"/annex/objects/", "a pointer of git-annex, not the file it stands for", "fetch the file itself: git annex get"),
    (b"model_checkpoint_path:", "TensorFlow's list of checkpoints", f"load the checkpoint in TensorFlow; {SAVE}"),
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_EXPORTED = re.compile(r"(^|/)(serialized_exported_program\.json|models/\w+\.json|archive_format)$")
_LEVELDB_END = bytes.fromhex("57fb808b247547db")  # of a checkpoint's .index


def kind_of(path: Path) -> str | None:
    """What a file is that cannot be read as weights, with what to do; None where it may be a file of weights."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        num_bytes = file.seek(0, 2)
        file.seek(max(num_bytes - 8, 0))
        tail = file.read(8)
    found = next(filter(None, _told(path, head, tail, num_bytes)), None)
    return f"{found[0]}; {found[1].replace('FILE', path.name)}" if found else None


def kind_of_folder(path: Path) -> str:
    """What to do where a folder was given."""
    names = {each.name for _, each in zip(range(1000), sorted(path.iterdir()), strict=False)}
    if "saved_model.pb" in names:
        return f"a SavedModel of TensorFlow, which is not read; load it in TensorFlow; {SAVE}"
    if "data.pkl" in names:
        return f"a torch file that was unpacked; pack it again: zip -0 -r {path.name}.pth {path.name}"
    fitting = sorted(name for name in names if re.search(r"\.(safetensors|pth|pt|th|ckpt|bin|t7|tar)$", name))
    inside = f"; it holds {', '.join(fitting[:5])}" if fitting else ""
    return f"a folder{inside}; give a file of weights"


def _told(path: Path, head: bytes, tail: bytes, num_bytes: int) -> Iterator[Kind | None]:
    """Every kind that the bytes may be, the surest first."""
    if not num_bytes:
        yield "an empty file", "download or copy it again"
    yield next(((what, advice) for magic, what, advice in _MAGIC if head.startswith(magic)), None)
    if not head.strip(b"\0"):
        yield "nothing but zeros at its beginning", "its download was cut off: get it again"
    if any(head[start : start + 8] == _HDF5 for start in (0, 512, 1024, 2048)):
        yield "an HDF5 file, as Keras and Caffe write it (.h5)", f"read it with h5py; {SAVE}"
    if head[4:8] == b"TFL3":
        yield "a network of TensorFlow Lite", "it holds numbers for phones; take the weights it was made from"
    if head[257:262] == b"ustar":
        yield _tar(head)
    yield _lua(head)
    yield _text(head)
    yield _protobuf(path, head)
    if tail == _LEVELDB_END or re.search(r"\.data-\d{5}-of-\d{5}$", path.name):
        yield "a part of a checkpoint of TensorFlow", f"load the checkpoint in TensorFlow; {SAVE}"
    if head[:4] == b"\0\0\0\0" and head[4:8] in (b"\1\0\0\0", b"\2\0\0\0") and num_bytes % 4 == 0:
        yield "weights of Darknet (.weights)", f"convert it by one of the tools for it; {SAVE}"


def kind_of_archive(names: Iterable[str]) -> str | None:
    """What a zip archive with members of these names is, with what to do; None where it may be one of torch.save."""
    names = list(names)
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        return f"a TorchScript program (torch.jit.save), which is refused; {STATE}"
    if any(_EXPORTED.search(name) for name in names):
        return f"a program of torch.export (.pt2), which is refused; {STATE}"
    if "data.pkl" in inside:
        return None
    if "model.weights.h5" in names or "config.json" in names:
        return f"a network of Keras (.keras); load it in Keras; {SAVE}"
    if names and all(name.endswith(".npy") for name in names):
        return f"numpy arrays (.npz); {SAVE}"
    listed = ", ".join(ascii(name[:60])[1:-1] for name in names[:3]) or "nothing"
    return f"a zip archive around {listed}; unpack it first, and give the file inside"


def _tar(head: bytes) -> Kind:
    name = head[:100].rstrip(b"\0").decode("ascii", "replace")
    if name.lstrip("./") in ("sys_info", "pickle", "storages", "tensors"):
        return "a tar archive, as torch before 0.2 wrote it, which is not read", "save it again with a newer torch"
    return f"a tar archive around {ascii(name[:60])[1:-1]}", "unpack it first: tar xf FILE, and give the file inside"


def _text(head: bytes) -> Kind | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return "a web page, saved in place of weights", "the address led to a page: download the file itself"
    if start.startswith(b"{") or start.startswith(b"["):
        return "text (JSON)", "give the file of weights beside it"
    if head[:512].isascii() and all(byte > 31 or byte in b"\t\r\n" for byte in head[:512]):
        if re.match(rb"[(}\])]|c[\w.]+\r?\n[\w.]+\r?\n", head):
            return PICKLE
        said = head[:200].decode("ascii").split("\n")[0].strip()[:60]
        return f"text that begins with {said!r}", "download the file itself"
    return None


def _lua(head: bytes) -> Kind | None:
    binary = head[:4] in (b"\3\0\0\0", b"\4\0\0\0") and re.search(rb"\x01\0\0\0|V 1|torch\.|nn\.", head[4:64])
    if binary or head.startswith(b"4\n1\n3\nV 1\n"):
        return "a file of Lua's Torch7 (.t7)", f"read it with the package torchfile; {SAVE}"
    return None


def _protobuf(path: Path, head: bytes) -> Kind | None:
    """ONNX, Caffe and TensorFlow write fields with numbers; which numbers tells whose they are."""
    fields = list(_fields(head))
    numbers = [number for number, _ in fields]
    first = fields[0][1] if fields else 0
    if numbers[:1] == [1] and isinstance(first, int) and 0 < first < 30 and len(numbers) > 1:
        if path.suffix == ".pb" or (numbers[1] == 2 and not _is_name(fields[1][1])):
            return "a SavedModel of TensorFlow", f"load its folder in TensorFlow; {SAVE}"
        if set(numbers) <= {2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 1}:
            return "a network in ONNX", f"read it with the package onnx (onnx.numpy_helper); {SAVE}"
    if numbers[:1] == [1] and _is_name(first) and set(numbers[1:2]) & {2, 100, 3}:
        return "weights of Caffe (.caffemodel)", f"read it with OpenCV or Caffe; {SAVE}"
    if path.suffix == ".pb" and numbers[:1] == [1]:
        return "a frozen graph of TensorFlow (.pb)", f"load it in TensorFlow; {SAVE}"
    return None


def _fields(head: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The first fields of a protobuf message: numbers as int, the beginning of others as bytes; ends at any doubt."""
    place = 0
    while place < len(head):
        tag, place = _varint(head, place)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 10_000 or kind not in (0, 2):
            return
        value, place = _varint(head, place)
        yield (number, value) if kind == 0 else (number, head[place : place + value])
        place += value if kind == 2 else 0


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 63, 7):
        byte = data[place] if place < len(data) else 0
        value, place = value | (byte & 127) << shift, place + 1
        if byte < 128:
            break
    return value, place


def _is_name(value: object) -> bool:
    return isinstance(value, bytes) and 0 < len(value) < 200 and all(31 < byte < 127 for byte in value)
