"""Image files in broken, odd and hostile forms, each made on the spot, and whether it should be read.

Every file is called `.jpg`, whatever it holds: the decoder goes by content.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Write = Callable[[Path], object]
WHITE_PNG = b"\x89PNG\r\n\x1a\n"
EOI = b"\xff\xd9"


@dataclass(frozen=True)
class Form:
    """One form: `write` makes the file, `decodes` says whether it is a picture after all, `file` how it is called."""

    name: str
    write: Write
    decodes: bool = False
    file: str = "form.jpg"


def forms() -> list[Form]:
    """All forms, always in this order."""
    return [*_jpeg_forms(), *_png_forms(), *_other_forms(), *_pieces(), *_sound_forms(), *_no_files(), *_names()]


def largest() -> list[Form]:
    """Pictures as large as they are accepted, of the kinds that take most time and memory."""
    side = 7_000
    return [
        _form("JPEG of 108 megapixels", lambda: picture("JPEG", "RGB", (12_000, 9_000)), decodes=True),
        _form("JPEG of 49 megapixels, CMYK", lambda: picture("JPEG", "CMYK", (side, side)), decodes=True),
        _form("PNG of 49 megapixels, 16-bit colour with alpha", lambda: png(side, side, 6, 16), decodes=True),
        _form("WebP of 49 megapixels", lambda: picture("WEBP", "RGB", (side, side), method=0), decodes=True),
        _form("GIF of 49 megapixels", lambda: picture("GIF", "P", (side, side)), decodes=True),
    ]


def _form(name: str, data: bytes | Callable[[], bytes], *, decodes: bool = False) -> Form:
    return Form(name, lambda path: path.write_bytes(data if isinstance(data, bytes) else data()), decodes)


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (48, 40), **options: object) -> bytes:
    """A sound picture as Pillow writes it, always the same: noise, or one colour where it is large."""
    grey = Image.new("L", size, 128)
    if size[0] * size[1] < 1e6:
        noise = np.random.default_rng(0).normal(128, 40, size[::-1])
        grey = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    image = grey if mode in ("1", "L") else Image.merge("RGB", [grey, grey.transpose(Image.Transpose.ROTATE_180), grey])
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str, frames: int = 3, size: tuple[int, int] = (24, 20)) -> bytes:
    """A picture of several frames."""
    buffer = io.BytesIO()
    first, *rest = (Image.new("RGB", size, (80 * number % 256, 20, 90)) for number in range(frames))
    first.save(buffer, kind, save_all=True, append_images=rest, duration=50)
    return buffer.getvalue()


# -- JPEG --------------------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments right after its start."""
    return data[:2] + b"".join(segments) + data[2:]


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """Each segment of a JPEG up to the first scan: its marker, and where it ends."""
    place = 2
    while data[place + 1] != 0xDA:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        yield data[place + 1], place + 2 + length
        place += 2 + length
    yield 0xDA, place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")


def _resized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def _jpeg_forms() -> list[Form]:
    data = picture("JPEG", quality=90)
    progressive = picture("JPEG", progressive=True)
    frame, tables, scan = (data.index(bytes([0xFF, marker])) for marker in (0xC0, 0xDB, 0xDA))
    ends = [
        (f"JPEG cut after marker {marker:02X}, {number}", end) for number, (marker, end) in enumerate(_places(data))
    ]
    changed = {
        "JPEG cut after its first two bytes": data[:2],
        **{name: data[:end] for name, end in ends},
        "JPEG cut within a segment": data[: frame + 6],
        "JPEG cut in its pixels": data[: (scan + len(data)) // 2],
        "JPEG, progressive, cut in its second scan": progressive[: progressive.index(b"\xff\xda") + 150],
        "JPEG of no lines": _resized(data, 48, 0),
        "JPEG of no columns": _resized(data, 0, 40),
        "JPEG bomb: 65,000 x 65,000 pixels claimed": _resized(data, 65_000, 65_000),
        "JPEG bomb: a strip of 60,000 x 1": _resized(data, 60_000, 1),
        "JPEG of 7,000 x 7,000 claimed, pixels for 48 x 40": _resized(data, 7_000, 7_000),
        "JPEG of 12 bits a value": data[: frame + 4] + b"\x0c" + data[frame + 5 :],
        "JPEG of 200 components": data[: frame + 9] + b"\xc8" + data[frame + 10 :],
        "JPEG without its quantisation tables": data[:tables] + data[frame:],
        "JPEG, lossless (SOF3)": data[:frame] + b"\xff\xc3" + data[frame + 2 :],
        "JPEG, arithmetic (SOF9), its data Huffman": data[:frame] + b"\xff\xc9" + data[frame + 2 :],
        "JPEG whose segment claims 65,535 bytes": data[:2] + b"\xff\xe0\xff\xff" + data[4:],
        "JPEG whose segment claims no bytes": data[:2] + b"\xff\xfe\x00\x00" + data[2:],
        "JPEG followed by its beginning, itself cut": data[: scan + 20] + data[: scan + 20],
    }
    # libjpeg makes a picture of these, grey where there is nothing to go by, as every viewer does.
    read = ("JPEG of 7,000 x 7,000 claimed", "JPEG, arithmetic", "JPEG whose segment claims no bytes")
    return [_form(name, data, decodes=name.startswith(read)) for name, data in changed.items()]


# -- PNG ---------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, colour: int = 2, bits: int = 8, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A black PNG with chunks before and after its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    squeeze, row = zlib.compressobj(6), bytes(1 + (width * channels * bits + 7) // 8)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    return _png_of(width, height, colour, bits, before + chunk(b"IDAT", pixels) + after)


def _png_of(width: int, height: int, colour: int, bits: int, chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return WHITE_PNG + header + chunks + chunk(b"IEND", b"")


def _bomb(num_bytes: int = 100_000_000) -> bytes:
    """A zlib stream of so many zeros, a thousandth as long."""
    squeeze = zlib.compressobj(9)
    block = bytes(1_000_000)
    return b"".join(squeeze.compress(block) for _ in range(num_bytes // len(block))) + squeeze.flush()


def _png_forms() -> list[Form]:
    data = picture("PNG")
    pixels = data.index(b"IDAT") - 4
    header = data[8:33]
    flipped = bytearray(data)
    flipped[pixels + 40] ^= 0x10
    wrong_header = bytearray(data)
    wrong_header[20] ^= 1
    changed: dict[str, bytes | Callable[[], bytes]] = {
        "PNG cut after its first eight bytes": data[:8],
        "PNG cut after its header": data[:33],
        "PNG cut in its pixels": data[: (pixels + len(data)) // 2],
        "PNG with a wrong first byte": b"\x88" + data[1:],
        "PNG damaged in its pixels (CRC)": bytes(flipped),
        "PNG damaged in its header (CRC)": bytes(wrong_header),
        "PNG without pixels": data[:pixels] + chunk(b"IEND", b""),
        "PNG without header": data[:8] + data[33:],
        "PNG whose header comes twice, with another size": data[:33]
        + chunk(b"IHDR", b"\0\0\1\0" * 2 + header[16:21])
        + data[33:],
        "PNG of no columns": _png_of(0, 8, 2, 8, chunk(b"IDAT", zlib.compress(bytes(8)))),
        "PNG of 2,147,483,647 columns": _png_of(2**31 - 1, 1, 2, 8, chunk(b"IDAT", zlib.compress(bytes(99)))),
        "PNG bomb: 30,000 x 30,000 pixels": lambda: _png_of(30_000, 30_000, 0, 1, chunk(b"IDAT", _bomb())),
        "PNG bomb: 20,000 x 3,000 pixels": lambda: _png_of(20_000, 3_000, 2, 8, chunk(b"IDAT", _bomb())),
        "PNG bomb in a colour profile (ICC)": lambda: png(8, 8, before=chunk(b"iCCP", b"p\0\0" + _bomb())),
        "PNG bomb in a text": lambda: png(8, 8, before=chunk(b"zTXt", b"Title\0\0" + _bomb())),
        "PNG bomb in an international text": lambda: png(8, 8, before=chunk(b"iTXt", b"Title\0\1\0\0\0" + _bomb())),
        "PNG bomb of many texts": lambda: png(8, 8, before=chunk(b"zTXt", b"Title\0\0" + _bomb(1_000_000)) * 200),
        "PNG whose chunk claims 4 GB": data[:33] + b"\xff\xff\xff\xfftEXt" + data[33:],
        "PNG of colour type 7": _png_of(8, 8, 7, 8, chunk(b"IDAT", zlib.compress(bytes(200)))),
        "PNG of 3 bits": _png_of(8, 8, 0, 3, chunk(b"IDAT", zlib.compress(bytes(200)))),
        "PNG with a palette missing": _png_of(8, 8, 3, 8, chunk(b"IDAT", zlib.compress(bytes(72)))),
        "PNG of a strip of 1 x 20,000": png(1, 20_000),
    }
    return [_form(name, data) for name, data in changed.items()]


# -- other formats -----------------------------------------------------------------------------------------------


def _bmp(width: int, height: int, bits: int, method: int, body: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, method, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + header + bytes(1024) + body


def _other_forms() -> list[Form]:
    webp, gif, bmp = picture("WEBP"), picture("GIF", "P"), picture("BMP")
    moving = animation("WEBP")
    frame = gif.index(b"\x2c\0\0\0\0")
    changed = {
        "WebP cut in its pixels": webp[: len(webp) // 2],
        "WebP whose length is a lie": webp[:4] + b"\xff\xff\xff\x7f" + webp[8:],
        "WebP of a RIFF that is sound": b"RIFF" + webp[4:8] + b"WAVE" + webp[12:],
        "WebP, animated, cut in its first frame": moving[: moving.index(b"ANMF") + 30],
        "GIF cut before its first frame": gif[:frame],
        "GIF cut in its pixels": gif[: (frame + len(gif)) // 2],
        "GIF of 65,535 x 65,535 pixels": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "GIF whose frame lies outside": gif[: frame + 1] + b"\xff\xff\xff\xff" + gif[frame + 5 :],
        "GIF whose code has 255 bits": gif[: frame + 10] + b"\xff" + gif[frame + 11 :],
        "BMP cut in its pixels": bmp[: len(bmp) // 2],
        "BMP of a negative width": bmp[:18] + struct.pack("<i", -48) + bmp[22:],
        "BMP whose pixels lie behind its end": bmp[:10] + b"\xff\xff\xff\x7f" + bmp[14:],
        "BMP in run-length code, 40 megapixels": _bmp(20_000, 2_000, 8, 1, b"\1\7\0\0" * 2_000 + b"\0\1"),
        "TIFF whose directory leads back to itself": b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 8),
        "icon (ICO)": picture("ICO", size=(16, 16)),
        "Photoshop (PSD)": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(200),
        "PostScript (EPS)": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n",
        "PDF": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch/F(calc)>>>>endobj\n",
        "SVG that includes another file": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "a gzip file of a picture": gzip.compress(picture("PNG"), mtime=0),
        "a zip archive": b"PK\x03\x04" + bytes(200),
        "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "text": b"the picture was moved\n",
        "nothing at all": b"",
        "a single zero byte": b"\0",
        "a megabyte of zeros": bytes(1_000_000),
        "a file of 51 MB": picture("JPEG") + bytes(51_000_000),
    }
    return [_form(name, data) for name, data in changed.items()]


def _pieces() -> list[Form]:
    """Small pieces without end, which keep a decoder busy."""
    data = picture("JPEG")
    exif = segment(0xE1, b"Exif\0\0" + bytes(50))
    gif = picture("GIF", "P")
    frame = gif.index(b"\x2c\0\0\0\0")
    changed = {
        "JPEG of four million empty comments": lambda: with_segment(data, segment(0xFE, b"") * 4_000_000),
        "JPEG of 300,000 EXIF blocks": lambda: with_segment(data, exif * 300_000),
        "JPEG padded with fifteen million bytes": lambda: with_segment(data, b"\xff" * 15_000_000),
        "JPEG of 12 megapixels and 2,000 scans": _many_scans,
        "PNG of a million empty chunks": lambda: png(8, 8, before=chunk(b"prVt", b"") * 1_000_000),
        "PNG of a million empty chunks after its pixels": lambda: png(8, 8, after=chunk(b"prVt", b"") * 1_000_000),
        "GIF of 70,000 comments": lambda: gif[:frame] + (b"!\xfe\xff" + b"c" * 255 + b"\0") * 70_000 + gif[frame:],
    }
    return [_form(name, make) for name, make in changed.items()]


def _many_scans() -> bytes:
    data = picture("JPEG", size=(3_000, 4_000), progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 2_000 + EOI


# -- odd, but pictures -------------------------------------------------------------------------------------------


def _exif(entries: bytes, count: int) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + bytes(4)


def _sound_forms() -> list[Form]:
    data = picture("JPEG")
    overlapping = b"".join(struct.pack("<HHII", tag, 1, 60_000, 0) for tag in range(5_000))
    changed = {
        "JPEG, grey": lambda: picture("JPEG", "L"),
        "JPEG, CMYK": lambda: picture("JPEG", "CMYK"),
        "JPEG followed by a film": lambda: data + bytes(range(256)) * 4,
        "JPEG with a damaged EXIF block": lambda: with_segment(data, segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")),
        "JPEG whose EXIF leads back to itself": lambda: with_segment(
            data, segment(0xE1, _exif(struct.pack("<HHII", 0x8769, 4, 1, 8), 1))
        ),
        "JPEG whose 5,000 EXIF entries overlap": lambda: with_segment(data, segment(0xE1, _exif(overlapping, 5_000))),
        "JPEG with 16 MB of colour profile": lambda: with_segment(
            data, *(segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(65_000)) for n in range(1, 256))
        ),
        "PNG, 16-bit grey": lambda: picture("PNG", "I;16"),
        "PNG, 16-bit colour with alpha": lambda: png(8, 8, 6, 16),
        "PNG, palette with alpha": lambda: picture("PNG", "P", transparency=3),
        "PNG, one bit": lambda: picture("PNG", "1"),
        "PNG, grey with alpha": lambda: picture("PNG", "LA"),
        "PNG, animated": lambda: animation("PNG"),
        "PNG followed by another": lambda: picture("PNG") * 2,
        "WebP, animated": lambda: animation("WEBP"),
        "WebP with alpha": lambda: picture("WEBP", "RGBA", lossless=True),
        "GIF of 300 frames": lambda: animation("GIF", 300, (9, 9)),
        "GIF of one pixel": lambda: picture("GIF", "P", (1, 1)),
        "BMP of one bit": lambda: picture("BMP", "1"),
    }
    return [_form(name, make, decodes=True) for name, make in changed.items()]


# -- no plain files, and names -----------------------------------------------------------------------------------


def _unreadable(path: Path) -> None:
    path.write_bytes(picture("JPEG"))
    path.chmod(0)


def _vanished(path: Path) -> None:
    path.symlink_to(path.with_name("gone.jpg"))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made, suppress(OSError):  # a path too long for a socket: a file that is gone
        made.bind(str(path))


def _no_files() -> list[Form]:
    made = [
        Form("a FIFO that nobody writes to", lambda path: os.mkfifo(path)),
        Form("a link to a device without end", lambda path: path.symlink_to("/dev/zero")),
        Form("a link to a device that waits", lambda path: path.symlink_to("/dev/tty")),
        Form("a link to a file of the kernel", lambda path: path.symlink_to("/proc/self/status")),
        Form("a link to nothing", _vanished),
        Form("a link to itself", _loop),
        Form("a socket", _socket),
        Form("a folder", lambda path: path.mkdir()),
    ]
    # The superuser may read everything.
    return made + ([] if os.geteuid() == 0 else [Form("a file without permission", _unreadable)])


def _names() -> list[Form]:
    names = {
        "a name with a newline": "two\nlines.jpg",
        "a name with an escape sequence": "red\x1b[31m.jpg",
        "a name that is not UTF-8": os.fsdecode(b"caf\xe9.jpg"),
        "a name of 250 letters": "n" * 246 + ".jpg",
        "a name like an option": "--help.jpg",
        "a name like a formula": "=cmd|'-C calc'!A0.jpg",
        "a name like markup": "<img src=x onerror=alert(1)>.jpg",
    }
    return [Form(what, lambda path: path.write_bytes(picture("JPEG")[:300]), file=name) for what, name in names.items()]
