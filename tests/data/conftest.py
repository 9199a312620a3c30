"""Shared pieces: a cache of one's own, images on disk, and a small web server that knows Range."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cnnlab"


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """Write PNGs: photos({"train/cat": 3, …}) -> the folder."""

    def write(counts: dict[str, int], name: str = "photos") -> Path:
        for place, (folder, count) in enumerate(counts.items()):
            (tmp_path / name / folder).mkdir(parents=True)
            for i in range(count):
                (tmp_path / name / folder / f"{i:03}.png").write_bytes(png(noise(20, 30, 1000 * place + i)))
        return tmp_path / name

    return write


class Site:
    """A local web site: `files` by path; `cut` breaks the first answers after so many bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: list[int] = []
        self.ranges = True
        self.requests: list[tuple[str, str | None]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range") if self.ranges else None
        self.requests.append((handler.path, wanted))
        if handler.path not in self.files:
            handler.send_error(404)
            return
        body = self.files[handler.path]
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted and first >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(body) - first))
        handler.end_headers()
        handler.wfile.write(body[first : first + self.cut.pop(0)] if self.cut else body[first:])


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture with soft shapes, as photos are: uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_photos(folder: Path, counts: dict[str, int], size: tuple[int, int] = (40, 52)) -> Path:
    """Write JPEGs of different sizes: write_photos(folder, {"train/cat": 3, …})."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            image = photo(size[0] + i % 5, size[1] - i % 7, 1000 * place + i)
            (folder / name / f"{i:03}.JPEG").write_bytes(jpeg(image))
    return folder


def touch(folder: Path, *paths: str) -> Path:
    """Write files that nobody opens: touch(folder, "train/a.jpg", …)."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return folder


def write(folder: Path, **texts: str) -> Path:
    """Write texts, .csv by their names: write(folder, labels="filename,label…")."""
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder
