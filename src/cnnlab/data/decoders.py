"""Decoding in processes of their own: an image that brings its decoder down, or never ends, takes nothing with it.

A process is sent the bytes of one photo and the numbers of its crop, and sends pixels back. It knows nothing else of
the data, so one that died or hangs is replaced at any moment, and the photo tried again. What comes back from it is
read as bytes, as a decoder that an image has taken over may send anything.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext

import numpy as np
import torch

from cnnlab.data.crops import Crop, Floats, take_crop
from cnnlab.data.damage import Damaged
from cnnlab.data.decode import open_image, printable
from cnnlab.data.photos import Pixels
from cnnlab.data.preprocess import to_channels
from cnnlab.errors import DataError, ImageError

HUNG_SECONDS = 10.0  # the largest picture that `decode` accepts takes about 2 s of a core
START_SECONDS = 120.0  # the first process imports torch
TRIES = 2  # of a photo: the first death may be an accident, such as the system short of memory
_READY, _PIXELS, _REFUSED = b"ready", b"p", b"r"
_DAMAGE_BYTES = 200


def cut_photo(
    data: bytes, name: str, crop: Crop, numbers: Floats, channels: int, damaged: Damaged | None = None
) -> Pixels:
    """Decode a photo of bytes `data` and cut `crop` out of it, as `numbers` say: uint8 (P, P, channels).

    One that is damaged, but can be read, is added to `damaged`. Raises `ImageError`, with `name`, where it cannot.
    """
    with open_image(data, name=name, damaged=damaged) as image:
        return to_channels(take_crop(image, crop, numbers), channels)


class Decoders:
    """`count` processes that cut photos; any thread may ask, and waits until one is free."""

    def __init__(self, count: int, crop: Crop, channels: int, *, hung_seconds: float = HUNG_SECONDS) -> None:
        """Start none yet; each is started when it is first needed."""
        self._shape = (crop.pixels, crop.pixels, channels)
        workers = [_Worker(_context(), crop, channels, hung_seconds) for _ in range(count)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for each in workers:
            self._free.put(each)
        self._end = weakref.finalize(self, _end_all, workers)

    def cut(self, data: bytes, name: str, numbers: Floats, damaged: Damaged | None = None) -> Pixels:
        """Do as `cut_photo` does, in a free process; one that dies or hangs is replaced, and the photo tried again.

        Raises `ImageError` where the photo cannot be read or brought down every process that tried, and
        `DataError` where processes cannot be started.
        """
        worker = self._free.get()
        try:
            for _ in range(TRIES):
                answer, ended = worker.ask(data, name, numbers)
                if answer is not None:
                    return self._read(answer, name, damaged)
            raise ImageError(f"{name}: its decoding brought down {TRIES} processes: {ended}")
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the processes."""
        self._end()

    def _read(self, answer: bytes, name: str, damaged: Damaged | None) -> Pixels:
        kind, rest = answer[:1], answer[1:]
        size = int(np.prod(self._shape))
        if kind != _PIXELS or len(rest) < size:
            raise ImageError(rest.decode(errors="replace"))
        if damaged is not None and len(rest) > size:
            damaged.add(name, printable(rest[size : size + _DAMAGE_BYTES].decode(errors="replace")))
        return np.frombuffer(rest, np.uint8, size).reshape(self._shape)


class _Worker:
    """One process, started anew whenever it is needed and not there."""

    def __init__(self, context: BaseContext, crop: Crop, channels: int, hung_seconds: float) -> None:
        self._context, self._crop, self._channels, self._hung_seconds = context, crop, channels, hung_seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def ask(self, data: bytes, name: str, numbers: Floats) -> tuple[bytes | None, str]:
        """The process's answer; None, and how the process ended, where it gave none."""
        pipe = self._started()
        try:
            for part in (name.encode(errors="replace"), numbers.tobytes(), data):
                pipe.send_bytes(part)
            if pipe.poll(self._hung_seconds):
                return pipe.recv_bytes(), ""
        except (EOFError, OSError):  # the other end is gone
            return None, self.end(f"killed by {{}} while it had {name}")
        return None, self.end(f"no end after {self._hung_seconds:g} s")

    def _started(self) -> Connection:
        if self._pipe is None:
            self._pipe, theirs = self._context.Pipe()
            process = self._context.Process(  # type: ignore[attr-defined]
                target=_serve, args=(theirs, self._crop, self._channels), name="decoder", daemon=True
            )
            self._process = process
            process.start()
            theirs.close()
            if not _is_ready(self._pipe):
                self.end("")
                raise DataError(
                    "the processes of --workers cannot be started; a script that trains must do so below "
                    "if __name__ == '__main__', and --workers 0 decodes without them"
                )
        return self._pipe

    def end(self, said: str) -> str:
        """Kill the process, if there is one; returns `said` with the signal it had ended by, if so, filled in."""
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if pipe is not None:
            pipe.close()
        if process is None:
            return said
        process.join(0.2)  # how it ended is known a moment after its pipe is closed
        code = process.exitcode
        process.kill()
        process.join()
        return said.format(_ended_by(code))


def _ended_by(code: int | None) -> str:
    """What ended a process, by its exit code."""
    return signal.Signals(-code).name if code is not None and code < 0 else f"its own exit ({code})"


def _is_ready(pipe: Connection) -> bool:
    try:
        return pipe.poll(START_SECONDS) and pipe.recv_bytes() == _READY
    except (EOFError, OSError):
        return False


def _context() -> BaseContext:
    """Processes forked from one that holds nothing but the imported modules: no lock, no thread, no GPU of ours."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _end_all(workers: Sequence[_Worker]) -> None:
    for each in workers:
        each.end("")


def _serve(pipe: Connection, crop: Crop, channels: int) -> None:
    """Answer until the other end is closed, or dies; Ctrl-C is for the process that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    pipe.send_bytes(_READY)
    while True:
        try:
            name, numbers, data = pipe.recv_bytes().decode(), np.frombuffer(pipe.recv_bytes()), pipe.recv_bytes()
        except (EOFError, OSError):
            return
        damaged = Damaged()
        try:
            pixels = cut_photo(data, name, crop, numbers, channels, damaged)
            said = "".join(damaged.reasons).removeprefix(f"{name}: ")
            pipe.send_bytes(_PIXELS + pixels.tobytes() + said.encode(errors="replace"))
        except ImageError as error:
            pipe.send_bytes(_REFUSED + str(error).encode(errors="replace"))
