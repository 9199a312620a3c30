"""TIFF, AVIF and HEIC in broken, odd and hostile forms: formats that are containers, with directories of their own."""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Callable

from PIL import Image

from cnnlab.data.heif import require_heif
from cnnlab.selftest.forms import Form, picture

HAS_HEIC = importlib.util.find_spec("pillow_heif") is not None
_SHORT, _LONG, _DOUBLE = 3, 4, 12
Field = tuple[int, int, int, int]


def container_forms() -> list[Form]:
    """All forms, always in this order; those of HEIC only where pillow-heif is installed."""
    return [*_tiff_forms(), *_boxed_forms("AVIF"), *(_boxed_forms("HEIF") if HAS_HEIC else [])]


def largest_containers() -> list[Form]:
    """Pictures as large as they are accepted, and as they are found: plain areas, which make small files."""
    size = (8_000, 6_000)
    made = [
        _form("TIFF of 48 megapixels, Deflate", lambda: picture("TIFF", "RGB", size, compression="tiff_adobe_deflate")),
        _form("AVIF of 48 megapixels", lambda: picture("AVIF", "RGB", size, speed=10)),
    ]
    return [Form(each.name, each.write, decodes=True) for each in made]


def container_originals() -> dict[str, list[bytes]]:
    """Sound pictures of each format, by its name."""
    kinds = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    tiffs = [
        *(picture("TIFF", compression=each) for each in kinds),
        *(picture("TIFF", mode) for mode in ("RGBA", "L", "P", "CMYK", "I;16")),
        picture("TIFF", "1", compression="group4"),
        pages(),
    ]
    avifs = [picture("AVIF"), picture("AVIF", "RGBA"), picture("AVIF", "L")]
    return {"TIFF": tiffs, "AVIF": avifs, **({"HEIC": [heic(), heic("RGBA"), heic("L")]} if HAS_HEIC else {})}


def heic(mode: str = "RGB", size: tuple[int, int] = (48, 40)) -> bytes:
    """A sound HEIC picture."""
    require_heif("the self-test")
    return picture("HEIF", mode, size)


def pages(count: int = 3) -> bytes:
    """A TIFF of several pages."""
    buffer = io.BytesIO()
    first, *rest = (Image.new("RGB", (24, 20), (80 * number, 20, 90)) for number in range(count))
    first.save(buffer, "TIFF", save_all=True, append_images=rest)
    return buffer.getvalue()


def _form(name: str, data: bytes | Callable[[], bytes], *, decodes: bool = False) -> Form:
    return Form(name, lambda path: path.write_bytes(data if isinstance(data, bytes) else data()), decodes)


# -- TIFF --------------------------------------------------------------------------------------------------------


def tiff(*changes: Field, width: int = 8, height: int = 8, pixels: bytes = bytes(192), after: bytes = b"") -> bytes:
    """An uncompressed RGB TIFF in one strip, whose directory has `changes` (tag, kind, count, value) made to it."""
    fields = {
        256: (256, _LONG, 1, width),
        257: (257, _LONG, 1, height),
        258: (258, _SHORT, 1, 8),
        259: (259, _SHORT, 1, 1),
        262: (262, _SHORT, 1, 2),
        273: (273, _LONG, 1, 8),
        277: (277, _SHORT, 1, 3),
        278: (278, _LONG, 1, height),
        279: (279, _LONG, 1, len(pixels)),
    }
    fields |= {each[0]: each for each in changes}
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *fields[tag]) for tag in sorted(fields))
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + bytes(4) + after


def _tiff_forms() -> list[Form]:
    data = picture("TIFF")
    start = struct.unpack("<I", data[4:8])[0]
    refused: dict[str, bytes | Callable[[], bytes]] = {
        "TIFF cut after its header": data[:8],
        "TIFF cut in its directory": tiff()[:-60],
        "TIFF whose directory lies behind its end": data[:4] + b"\xff\xff\xff\x7f" + data[8:],
        "TIFF of no columns": tiff(width=0),
        "TIFF bomb: 60,000 x 60,000 pixels claimed": tiff(width=60_000, height=60_000),
        "TIFF bomb: a strip of 19,000 x 1": tiff(width=19_000, height=1),
        "TIFF of 49 megapixels claimed, pixels for 8 x 8": tiff(width=7_000, height=7_000),
        "TIFF in a tile of 2,000,000,000 pixels": tiff((322, _LONG, 1, 50_000), (323, _LONG, 1, 40_000)),
        "TIFF whose directory claims 4 GB": tiff((40_000, _DOUBLE, 500_000_000, 8)),
        "TIFF of 60,000 fields over the same bytes": lambda: _overlapping(60_000),
        "TIFF of four million strips": lambda: _of_strips(4_000_000),
        "TIFF of 70,000 samples a pixel": tiff((277, _LONG, 1, 70_000)),
        "TIFF of floating-point values": tiff(*_shorts({258: 32, 262: 1, 277: 1, 339: 3})),
        "TIFF in an unknown compression": tiff((259, _SHORT, 1, 34_712)),
        "TIFF in JPEG without its tables": tiff((259, _SHORT, 1, 7)),
        "TIFF in LZW that is none": tiff((259, _SHORT, 1, 5)),
        "TIFF in Deflate that is none": tiff((259, _SHORT, 1, 8)),
        "BigTIFF cut after its header": b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    }  # fmt: skip
    read: dict[str, bytes | Callable[[], bytes]] = {
        "TIFF": data,
        "TIFF of three pages": pages(),
        "TIFF whose pages lead back to the first": data[:start] + _led_back(data[start:], start),
        "TIFF, 16-bit grey": picture("TIFF", "I;16"),
        "TIFF, CMYK": picture("TIFF", "CMYK"),
        "TIFF, CCITT fax": picture("TIFF", "1", compression="group4"),
        "TIFF, JPEG": picture("TIFF", compression="jpeg"),
    }
    return [
        *(_form(name, made) for name, made in refused.items()),
        *(_form(name, made, decodes=True) for name, made in read.items()),
    ]


def _shorts(values: dict[int, int]) -> list[Field]:
    return [(tag, _SHORT, 1, value) for tag, value in values.items()]


def _of_strips(count: int) -> bytes:
    return tiff((273, _LONG, count, 8), (279, _LONG, count, 8), after=bytes(8 * count))


def _overlapping(count: int) -> bytes:
    """Fields of the same hundred kilobytes each: six gigabytes, if all were kept."""
    fields = b"".join(struct.pack("<HHII", tag, 1, 100_000, 8) for tag in range(5_000, 5_000 + count))
    return b"II*\0" + struct.pack("<I", 100_008) + bytes(100_000) + struct.pack("<H", count) + fields + bytes(4)


def _led_back(directory: bytes, start: int) -> bytes:
    """A directory whose next page is itself."""
    end = 2 + 12 * int.from_bytes(directory[:2], "little")
    return directory[:end] + struct.pack("<I", start) + directory[end + 4 :]


# -- AVIF and HEIC -----------------------------------------------------------------------------------------------


def _boxed_forms(kind: str) -> list[Form]:
    if kind == "HEIF":
        require_heif("the self-test")
    data, shown = picture(kind), {"HEIF": "HEIC"}.get(kind, kind)
    start, size, pixels = data.index(b"meta"), data.index(b"ispe") + 8, data.index(b"mdat") + 4
    refused = {
        "cut after its first box": data[: int.from_bytes(data[:4], "big")],
        "cut in its directory": data[: data.index(b"meta") + 60],
        "without its pixels": data[:pixels],
        "of no columns": data[:size] + bytes(4) + data[size + 4 :],
        "bomb: 30,000 x 30,000 pixels claimed": data[:size] + struct.pack(">II", 30_000, 30_000) + data[size + 8 :],
        "whose directory claims 4 GB": data[: start - 4] + b"\xff\xff\xff\xff" + data[start:],
        "whose first box claims to be all": b"\0\0\0\0" + data[4:],
        "of a film's brand": data[:8] + b"mp42" + data[12:],
    }  # fmt: skip
    return [
        *(_form(f"{shown} {what}", made) for what, made in refused.items()),
        _form(shown, data, decodes=True),
        _form(f"{shown}, grey", picture(kind, "L"), decodes=True),
        _form(f"{shown} with alpha", picture(kind, "RGBA"), decodes=True),
        _form(f"{shown} followed by another", data * 2, decodes=True),
    ]
