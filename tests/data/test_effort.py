from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise

import pytest
from PIL import Image

from cnnlab.data.decode import decode
from cnnlab.data.effort import HEADER_READS, PIXEL_READS, SCAN_MEGAPIXELS, Pieces, check_scans
from cnnlab.errors import ImageError


def jpeg(size: tuple[int, int] = (24, 16), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(buffer, "JPEG", **options)
    return buffer.getvalue()


def comments(data: bytes, count: int) -> bytes:
    return data[:2] + b"\xff\xfe\x00\x02" * count + data[2:]


def chunks(data: bytes, count: int) -> bytes:
    empty = b"\0\0\0\0prVt" + struct.pack(">I", zlib.crc32(b"prVt"))
    return data[:33] + empty * count + data[33:]


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_bytes_are_read_as_often_as_is_sensible() -> None:
    pieces = Pieces(b"abc", "a.png")
    for _ in range(HEADER_READS):
        pieces.read(0)
    with pytest.raises(ImageError, match=r"^a\.png: made of more pieces"):
        pieces.read(1)
    pieces.allow_pixels()
    for _ in range(PIXEL_READS):
        pieces.read(0)
    with pytest.raises(ImageError):
        pieces.read(1)
    pieces.allow_pixels()
    assert pieces.read() == b"abc"


@pytest.mark.parametrize(("spoil", "data", "few"), [(comments, jpeg(), 1_000), (chunks, png(), 900)])
def test_a_file_of_countless_pieces_is_refused_and_one_of_many_is_not(spoil, data: bytes, few: int) -> None:
    assert (decode(spoil(data, few)) == decode(data)).all()
    with pytest.raises(ImageError, match=r"^it: made of more pieces than any picture needs"):
        decode(spoil(data, 20_000), name="it")


def scans_of(data: bytes) -> int:
    """The scans of a JPEG of Pillow, whose tables hold no such bytes by chance."""
    return data.count(b"\xff\xda")


@pytest.mark.parametrize("size", [(24, 16), (200, 120)])
def test_scans_are_counted_up_to_the_limit(size: tuple[int, int]) -> None:
    data = jpeg(size, progressive=True)
    scans = scans_of(data)
    assert scans > 5
    check_scans(data, SCAN_MEGAPIXELS / scans, 3, True, "it")
    with pytest.raises(ImageError, match=rf"^it: .* megapixels in {scans} scans or more; accepted: up to"):
        check_scans(data, SCAN_MEGAPIXELS / scans * 1.01, 3, True, "it")


def test_the_scan_of_a_baseline_jpeg_is_the_only_one() -> None:
    check_scans(jpeg() + jpeg() * 3, SCAN_MEGAPIXELS, 3, False, "it")


def test_a_picture_behind_the_end_and_marks_inside_a_segment_do_not_count() -> None:
    data = jpeg(progressive=True)
    hidden = b"\xff\xd9\xff\xda\xff\xda"
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(hidden)) + hidden
    limit = SCAN_MEGAPIXELS / scans_of(data)
    check_scans(data[:2] + comment + data[2:] + data, limit, 3, True, "it")
    last = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError):  # an end that is no end hides no scan
        check_scans(data[:last] + comment + data[last:], limit * 1.01, 3, True, "it")


def test_a_progressive_jpeg_of_countless_scans_is_refused_by_its_name() -> None:
    data = jpeg((2000, 1500), progressive=True)
    starts = [*(at for at in range(len(data)) if data.startswith(b"\xff\xda", at)), len(data) - 2]
    first, second = next(pairwise(starts))
    bomb = data[:-2] + data[first:second][:200] * 400 + data[-2:]
    with pytest.raises(ImageError, match=r"^bomb\.jpg: 3\.0 megapixels in 201 scans or more"):
        decode(bomb, name="bomb.jpg")
    assert decode(data).shape == (1500, 2000, 3)


def test_countless_marks_between_scans_are_refused_however_small_the_picture() -> None:
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="made of more pieces"):
        check_scans(data[:last] + b"\xff\xfe\x00\x02" * 20_000 + data[last:], 1e-3, 3, True, "it")


def test_bmp_in_run_length_code_is_refused() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 8, 1, 4, 0, 0, 2, 0)
    data = b"BM" + struct.pack("<IHHI", 66, 0, 0, 62) + header + bytes(8) + b"\x04\x01\x00\x01"
    with pytest.raises(ImageError, match=r"^it: a BMP in run-length code, which is not read; save it as PNG"):
        decode(data, name="it")
