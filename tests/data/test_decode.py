from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import cnnlab.data.decode
from cnnlab.data.damage import Damaged
from cnnlab.data.decode import ImageHeader, Limits, decode, decode_file, open_image, printable, probe
from cnnlab.data.heif import require_heif
from cnnlab.errors import ImageError

from .conftest import noise, photo, png

require_heif("tests")  # lets Pillow write HEIC, too


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth(height: int = 24, width: int = 36) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 6, columns * 5, rows + columns], 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95}), ("TIFF", {})),
        *(("AVIF", {"quality": 100, "subsampling": "4:4:4"}), ("HEIF", {"quality": 95, "chroma": 444})),
    ],
)
def test_every_format_decodes_to_its_pixels(kind: str, options: dict[str, object]) -> None:
    image = smooth()
    data = saved(Image.fromarray(image), kind, **options)
    decoded = decode(data)
    assert decoded.shape == (24, 36, 3)
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable
    assert np.abs(decoded.astype(int) - image).max() <= (8 if kind in ("JPEG", "AVIF", "HEIF") else 0)
    assert probe(data) == ImageHeader(kind, 36, 24, "RGB")


def test_gif_and_animations_give_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
        assert (decode(data) == (255, 0, 0)).all(), kind


def test_a_phones_jpeg_with_a_second_picture_gives_the_first() -> None:
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    data = saved(first, "MPO", save_all=True, append_images=[second])
    assert probe(data).format == "JPEG"
    assert np.abs(decode(data).astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = (250, 10, 10)
    upright[16:, 24:] = (10, 10, 250)
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(undo(upright))), kind, exif=exif)
    decoded = decode(data)
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).mean() < 4


def test_damaged_exif_is_ignored() -> None:
    data = saved(Image.fromarray(smooth()), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7fjunk")
    assert decode(data).shape == (24, 36, 3)


def test_grey_one_bit_and_palette_spread_over_three_channels() -> None:
    grey = Image.fromarray(smooth()[:, :, 0])
    assert (decode(saved(grey, "PNG")) == np.asarray(grey)[:, :, None]).all()
    assert set(np.unique(decode(saved(grey.convert("1"), "PNG")))) == {0, 255}
    palette = Image.fromarray(smooth()).quantize(16)
    assert (decode(saved(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_composited_over_white(mode: str) -> None:
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 2, 4))
    kind, image = ("PNG", picture.convert(mode)) if mode != "PA" else ("GIF", picture)
    decoded = decode(saved(image, kind))
    assert (decoded[:, :2] == 0).all()
    assert (decoded[:, 2:] == 255).all()


def test_a_transparent_colour_is_white_and_half_transparent_is_half() -> None:
    red = Image.new("RGB", (2, 2), (255, 0, 0))
    assert (decode(saved(red, "PNG", transparency=(255, 0, 0))) == 255).all()
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert (np.abs(decode(saved(half, "PNG")).astype(int) - 127) <= 1).all()


def test_cmyk_has_its_colours_not_their_negative() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow: red
    assert np.abs(decode(saved(ink, "JPEG")).astype(int) - (255, 0, 0)).max() <= 6


def test_16_bit_values_are_scaled_never_clipped() -> None:
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    data = saved(Image.fromarray(values), "PNG")
    assert (decode(data) == (values >> 8)[:, :, None]).all()


def test_16_bit_colour_keeps_the_high_byte() -> None:
    rows = np.full((2, 2, 3), 0x80FF, ">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    data = raw_png(2, 2, bits=16, colour=2, body=zlib.compress(raw))
    assert (decode(data) == 0x80).all()


def raw_png(width: int, height: int, bits: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_one_by_one_is_accepted() -> None:
    assert (decode(png(np.array([[[1, 2, 3]]], np.uint8))) == (1, 2, 3)).all()


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (100_000, 100_000, "gigantic"),
        (12_000, 10_000, "megapixels"),  # between Pillow's warning and its error
        (8000, 7000, "megapixels"),
        (20_001, 200, "sides up to"),
        (1, 20_000, "longer side"),
    ],
)
def test_too_large_by_header_is_refused_before_decoding(width: int, height: int, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        decode(raw_png(width, height), name="bomb.png")


def test_limits_can_be_changed() -> None:
    data = png(noise(10, 300))
    assert decode(data, Limits(aspect=30)).shape == (10, 300, 3)
    with pytest.raises(ImageError, match="300 x 10"):
        decode(data, Limits(side_pixels=299))
    with pytest.raises(ImageError, match=r"accepted: up to 0\.001 MB"):
        decode(data, Limits(megabytes=0.001))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "HEIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_truncated_files_are_refused_by_name(kind: str, kept: float) -> None:
    image = Image.fromarray(noise(64, 64))
    data = saved(image, kind)
    with pytest.raises(ImageError, match=r"^holiday\.jpg: ") as caught:
        decode(data[: int(len(data) * kept)], name="holiday.jpg")
    assert "site-packages" not in str(caught.value)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"hello, I am no picture", b"%PDF-1.4\n", b"II*\x00" + b"\0" * 90, b"\xff\xd8\xff"]
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^text\.jpg: "):
        decode(data, name="text.jpg")
    with pytest.raises(ImageError):
        probe(data)


def test_eps_is_not_opened() -> None:
    with pytest.raises(ImageError, match="not an image; accepted: JPEG, PNG, WEBP, BMP, GIF, AVIF, TIFF, HEIF"):
        decode(saved(Image.fromarray(smooth()), "EPS"))


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "GIF"]),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
    kept=st.floats(0, 1),
)
def test_no_mutation_gives_anything_but_pixels_or_our_error(
    kind: str, places: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(saved(Image.fromarray(smooth(16, 16)), kind))
    for place, value in places:
        data[int(place * len(data))] = value
    try:
        image = decode(bytes(data[: int(kept * len(data))]), Limits(megapixels=1, jpeg_megapixels=1))
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


def test_a_pool_of_threads_decodes_as_one_does() -> None:
    files = [png(noise(40, 40, seed)) for seed in range(40)] + [b"junk"]

    def one(data: bytes) -> bytes:
        try:
            return decode(data).tobytes()
        except ImageError:
            return b""

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, files)) == [one(data) for data in files]


def test_decode_file_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(smooth()))
    assert (decode_file(tmp_path / "a.png") == smooth()).all()


def test_decode_file_never_waits_for_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        decode_file(tmp_path / "pipe.jpg")


def test_decode_file_refuses_what_is_not_a_readable_file(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "loop.jpg", tmp_path / "gone.jpg", tmp_path / "none.jpg", Path("/dev/zero")):
        with pytest.raises(ImageError):
            decode_file(path)
    with pytest.raises(ImageError, match="not a usable path"):
        decode_file(Path("a\0b"))


def test_decode_file_checks_the_size_before_reading(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(30_000_000_000)  # sparse: costs no disk
    with pytest.raises(ImageError, match=r"30000\.0 MB"):
        decode_file(tmp_path / "huge.jpg")


def test_a_name_that_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    path.write_bytes(b"junk")
    with pytest.raises(ImageError) as caught:
        decode_file(path)
    str(caught.value).encode()
    assert printable("caf\u00e9") == "caf\u00e9"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(smooth()))
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(ImageError, match="Permission denied"):
        decode_file(tmp_path / "a.png")


def test_decode_and_download_come_without_torch() -> None:
    code = "import sys, cnnlab.data.decode, cnnlab.data.download; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def by_pillow(data: bytes) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object) -> None:
            raise ValueError("for Pillow")

        patch.setattr(cnnlab.data.decode, "decode_jpeg", refuse)
        return decode(data, Limits(megapixels=1, jpeg_megapixels=1))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_jpegs_decode_to_the_pixels_that_pillow_gives(options: dict[str, object], mode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(photo(123, 201)).convert(mode), "JPEG", exif=exif, **options)
    fast = decode(data)
    assert fast.flags.writeable
    assert np.array_equal(fast, by_pillow(data))


@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6), kept=st.floats(0.3, 1))
def test_what_is_wrong_with_a_jpeg_is_for_pillow_to_judge(places: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(saved(Image.fromarray(photo(40, 48)), "JPEG", quality=80))
    for place, value in places:
        data[int(place * len(data))] = value
    damaged = bytes(data[: int(kept * len(data))])
    assert verdict(damaged, decode) == verdict(damaged, by_pillow)


def verdict(data: bytes, read: Callable[..., np.ndarray]) -> bytes | None:
    try:
        return read(data).tobytes()
    except ImageError:
        return None


def spoilt(data: bytes) -> bytes:
    """A JPEG with 64 zeros in the middle: it can be read, up to there."""
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_damaged_jpeg_is_read_and_named_and_nothing_is_printed(
    options: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    data = saved(Image.fromarray(photo(120, 200)), "JPEG", **options)
    damaged = Damaged()
    assert decode(data, name="sound.jpg", damaged=damaged).shape == (120, 200, 3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: decode(spoilt(data), name=f"{number}.jpg", damaged=damaged), range(20)))
    assert len(damaged) == 20
    assert damaged.reasons[0].startswith("0.jpg: Corrupt JPEG data: ")
    with open_image(spoilt(data), name="half.jpg", damaged=damaged) as image:
        assert image.pixels(2).shape == (60, 100, 3)
    assert any(reason.startswith("half.jpg: ") for reason in damaged.reasons)
    assert capfd.readouterr() == ("", "")


def by_draft(data: bytes, shrink: int) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (image.width // shrink, image.height // shrink))
        return np.asarray(image)


def test_photos_of_the_largest_cameras_are_shrunk_while_they_are_decoded() -> None:
    data = saved(Image.fromarray(smooth(90, 120)), "JPEG", quality=95)
    for megapixels, shrink, seen in ((0.01, 2, (45, 60)), (0.001, 4, (23, 30))):
        limits = Limits(whole_megapixels=megapixels)
        with open_image(data, limits) as image:
            assert (image.height, image.width) == seen
            assert not image.is_baseline_jpeg
            pixels = image.pixels()
        assert pixels.shape == (*seen, 3)
        assert np.array_equal(pixels, by_draft(data, shrink))
        with open_image(data, limits) as image:
            assert image.pixels(8).shape == (12, 15, 3)


def test_a_jpeg_above_120_megapixels_is_refused() -> None:
    data = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 11_000, 11_000)
    with pytest.raises(ImageError, match="11000 x 11000 pixels; accepted: up to 120 megapixels"):
        decode(bytes(data))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("shrink", [2, 4, 8])
def test_a_jpeg_can_be_shrunk_while_decoding(shrink: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(photo(203, 330))
    data = saved(picture, "JPEG", quality=95, exif=exif)
    whole = decode(data)
    with open_image(data) as image:
        assert (image.width, image.height) == (whole.shape[1], whole.shape[0])
        small = image.pixels(shrink)
    rows, columns = -(-whole.shape[0] // shrink), -(-whole.shape[1] // shrink)
    assert small.shape == (rows, columns, 3)
    if orientation == 1:  # else the rest that makes no whole block lies at another side
        rest = (0, rows * shrink - whole.shape[0]), (0, columns * shrink - whole.shape[1]), (0, 0)
        blocks = np.pad(whole, rest, "edge").reshape(rows, shrink, columns, shrink, 3)
        assert np.abs(small - blocks.mean((1, 3))).mean() < 1


def test_other_formats_come_whole() -> None:
    with open_image(png(smooth())) as image:
        assert np.array_equal(image.pixels(4), smooth())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an empty file, not an image"),
        (b"\n<!DOCTYPE html><html>404</html>", "a web page, as of a download that failed, not an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "fetch the images: git lfs pull"),
        (b"hello, world", r"bytes that begin with b'hello, w', not an image"),
    ],
)
def test_what_is_no_image_is_called_so_where_no_heic_was_read(
    data: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "OPEN", {name: each for name, each in Image.OPEN.items() if name != "HEIF"})
    with pytest.raises(ImageError, match=rf"x\.jpg: .*{said}"):
        decode(data, name="x.jpg")
