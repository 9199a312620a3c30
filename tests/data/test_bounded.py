from __future__ import annotations

import io
import math
import tarfile
from typing import Any

import pytest

from cnnlab.data.bounded import MAX_FIELD_BYTES, READS_A_MEMBER, BoundedFile
from cnnlab.errors import DataError


def test_tarfile_reads_through_it() -> None:
    buffer = io.BytesIO()
    info = tarfile.TarInfo("n" * 300)
    info.size = 3
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(info, io.BytesIO(b"abc"))
    buffer.seek(0)
    file: Any = BoundedFile(buffer, "a.tar", math.inf)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        (member,) = archive
        assert member.name == "n" * 300
        assert archive.extractfile(member).read() == b"abc"  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [-1, MAX_FIELD_BYTES + 1])
def test_a_piece_that_is_too_large_is_refused(size: int) -> None:
    file = BoundedFile(io.BytesIO(b"abc"), "a.tar", 10)
    assert file.read(MAX_FIELD_BYTES) == b"abc"
    with pytest.raises(DataError, match=r"^a\.tar: a name or fields of"):
        file.read(size)


def test_too_many_pieces_of_one_member_are_refused() -> None:
    file = BoundedFile(io.BytesIO(), "a.tar", 10)
    for _ in range(2):
        for _ in range(READS_A_MEMBER):
            file.read(1)
        with pytest.raises(DataError, match="too many pieces"):
            file.read(1)
        file.next_member()


def test_a_place_too_far_is_refused() -> None:
    file = BoundedFile(io.BytesIO(bytes(20)), "a.tar", 10)
    assert (file.seek(10), file.tell(), file.seekable()) == (10, 10, True)
    with pytest.raises(DataError, match="grows beyond 10 bytes"):
        file.seek(11)
