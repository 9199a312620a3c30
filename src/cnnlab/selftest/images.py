"""Broken pictures: every form of `forms`, then seeded mutations of sound ones, through the real loaders."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.data.crops import RandomArea
from cnnlab.data.decode import DEFAULT_LIMITS, printable
from cnnlab.data.folder import load_folder
from cnnlab.data.names import Names
from cnnlab.data.parts import in_memory
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import FolderFiles, Photos
from cnnlab.errors import DataError, ImageError
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.containers import container_forms, container_originals, largest_containers
from cnnlab.selftest.forms import Form, animation, forms, largest, picture
from cnnlab.selftest.isolate import Ended, in_turn
from cnnlab.types import Preprocess

MUTATIONS = 30_000
CPU_SECONDS = 2.0  # for one reading
HUNG_SECONDS = 8.0  # for all readings of a case, on a busy machine
LARGEST_SECONDS = 60.0
ADDRESS_MEGABYTES = 2_000.0  # of address space; memory that is used is measured
FOLDER_IMAGES = 12
PREPROCESS = Preprocess(None, None, mean=(0.0,) * 3, std=(1.0,) * 3)


@cache
def all_forms() -> list[Form]:
    """The broken forms, then the largest pictures: cases 0 to N - 1."""
    return [*broken_forms(), *largest(), *largest_containers()]


@cache
def broken_forms() -> list[Form]:
    """The broken and odd forms alone."""
    return [*forms(), *container_forms()]


# -- mutations ---------------------------------------------------------------------------------------------------


@cache
def originals() -> dict[str, list[bytes]]:
    """Sound pictures of every format, by its name."""
    return {
        "JPEG": [
            picture("JPEG", quality=90),
            picture("JPEG", progressive=True),
            picture("JPEG", "L"),
            picture("JPEG", "CMYK"),
            picture("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
        ],
        "PNG": [
            *(picture("PNG", mode) for mode in ("RGB", "RGBA", "P", "L", "LA", "1", "I;16")),
            animation("PNG"),
        ],
        "WebP": [picture("WEBP"), picture("WEBP", "RGBA", lossless=True), animation("WEBP")],
        "GIF": [picture("GIF", "P"), animation("GIF")],
        "BMP": [picture("BMP"), picture("BMP", "P"), picture("BMP", "1")],
        **container_originals(),
    }


def _flip(data: bytearray, draw: random.Random, first: int, last: int) -> None:
    for _ in range(draw.choice([1, 1, 2, 4, 8, 64])):
        data[draw.randrange(first, last)] ^= 1 << draw.randrange(8)


def _overwrite(data: bytearray, draw: random.Random) -> None:
    place, length = draw.randrange(len(data)), draw.choice([1, 2, 4, 8])
    data[place : place + length] = draw.choice([b"\0", b"\xff", b"\x7f", b"\x80", draw.randbytes(1)]) * length


def _splice(data: bytearray, draw: random.Random, other: bytes) -> None:
    source, length = draw.randrange(len(other)), draw.randrange(1, 400)
    place, gone = draw.randrange(len(data)), draw.choice([0, length, draw.randrange(400)])
    data[place : place + gone] = other[source : source + length]


def mutation(number: int) -> tuple[str, bytes]:
    """The mutation of this number: the format it was made from, and the file."""
    draw = random.Random(number)
    kind = draw.choice(list(originals()))
    data = bytearray(draw.choice(originals()[kind]))
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        if len(data) < 2:
            break
        changes: list[Callable[[], None]] = [
            lambda: _flip(data, draw, 0, len(data)),
            lambda: _flip(data, draw, 0, min(len(data), 64)),  # the header
            lambda: _overwrite(data, draw),
            lambda: _splice(data, draw, bytes(data)),
            lambda: _splice(data, draw, draw.choice(originals()[draw.choice(list(originals()))])),
            lambda: data.__delitem__(slice(draw.randrange(1, len(data)), None)),
        ]
        draw.choice(changes)()
    return kind, bytes(data)


# -- through the loaders -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What the loaders made of a file; `fault` says what they should not have, "" for nothing."""

    decoded: bool
    said: str
    fault: str
    cpu_seconds: float


def read_everywhere(root: Path, name: str, *, in_folder: bool) -> Verdict:
    """Read `root/name` as photos are read: whole, as a training batch, and (`in_folder`) with a folder around it."""
    photos = Photos(torch.zeros(1, dtype=torch.int64), Names([name]), FolderFiles(root, Names([name])))
    whole = _timed(lambda: photos.read(0), name)
    batch = _timed(lambda: _batch(photos), name)
    ways = [whole, batch, *([_timed(lambda: _load(root, name), name)] if in_folder else [])]
    fault = next((each.fault for each in ways if each.fault), "")
    return Verdict(whole.decoded, whole.said, fault, max(each.cpu_seconds for each in ways))


def _timed(read: Callable[[], Any], name: str) -> Verdict:
    began = time.process_time()
    try:
        pixels = read()
        decoded, said, fault = True, f"decoded to {pixels.shape}", "" if _is_sound(pixels) else "no pixels"
    except (ImageError, DataError) as error:
        decoded, said = False, str(error)
        fault = "" if printable(name) in said else f"an error that does not name the file: {said}"
    return Verdict(decoded, said, fault, time.process_time() - began)


def _is_sound(pixels: npt.NDArray[np.uint8]) -> bool:
    height, width, channels = pixels.shape
    return pixels.dtype == np.uint8 and channels == 3 and 0 < height * width <= DEFAULT_LIMITS.megapixels * 1e6


def _batch(photos: Photos) -> Any:
    batches = PhotoBatches(
        photos, batch_size=1, seed=0, preprocess=PREPROCESS, crop=RandomArea(8), threads=1, max_bad=1, ahead_batches=0
    )
    return (batches.batch(0, 0).images * 255).byte().permute(0, 2, 3, 1)[0].numpy()


def _load(root: Path, name: str) -> Any:
    """Load the folder around the file, which must name it where it is left out."""
    parts = load_folder(root, pixels=8, max_bad=1.0)
    if parts.skipped:
        raise ImageError("; ".join(parts.skipped))
    return in_memory(parts.train).images[0].permute(1, 2, 0).numpy()


def _try(case: int, work: Path) -> dict[str, Any]:
    """One case, in its own process: make the file, read it, take it away."""
    form = all_forms()[case] if case < len(all_forms()) else None
    root = work / ("form" if form else "mutation")
    name = f"a/{form.file if form else 'mutation.jpg'}"
    if form:
        shutil.rmtree(root, ignore_errors=True)
    for kind in ("a", "b"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    if form:
        form.write(root / name)
        _add_sound_images(root)
    else:
        (root / name).write_bytes(mutation(case - len(all_forms()))[1])
    broken = form is not None and case < len(broken_forms())
    with _heard(work / "printed") as printed:
        found = read_everywhere(root, name, in_folder=broken)
    wrong = form is not None and form.decodes != found.decoded
    fault = found.fault or (f"it should have been {'refused' if found.decoded else 'read'}" if wrong else "")
    if said := printed.read_text(errors="replace"):
        fault = fault or f"printed by a decoder, without a name: {said}"
    return {"decoded": found.decoded, "said": found.said, "fault": fault, "cpu_seconds": found.cpu_seconds}


@contextmanager
def _heard(path: Path) -> Iterator[Path]:
    """Keep in `path` what is printed on standard error meanwhile, by C code too; this process reads one file."""
    before = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield path
        finally:
            os.dup2(before, 2)
            os.close(before)


def _add_sound_images(root: Path) -> None:
    data = picture("JPEG", size=(16, 12))
    for number in range(FOLDER_IMAGES):
        (root / "ab"[number % 2] / f"{number}.jpg").write_bytes(data)


# -- the part ----------------------------------------------------------------------------------------------------


def run_images(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    """Read the file of each case: forms first, then mutations."""
    originals()  # made once, before forking
    large = range(len(broken_forms()), len(all_forms()))
    usual, huge = ([each for each in cases if (each in large) is wanted] for wanted in (False, True))
    for some, seconds in ((usual, HUNG_SECONDS), (huge, LARGEST_SECONDS)):
        for ended in in_turn(lambda case: _try(case, work), some, seconds=seconds, megabytes=ADDRESS_MEGABYTES):
            yield _outcome(ended, ended.case in large)


def _outcome(ended: Ended, large: bool) -> Outcome:
    number = ended.case - len(all_forms())
    kind = f"mutated {mutation(number)[0]}" if number >= 0 else "largest accepted" if large else "broken or odd form"
    name = f"mutation {number}" if number >= 0 else all_forms()[ended.case].name
    if ended.fault:
        return Outcome(ended.case, kind, ended.fault, False, f"{name}: {ended.value}", ended.seconds)
    found = ended.value
    prefix = "largest_" if large else ""
    figures = {
        f"{prefix}cpu_seconds": found["cpu_seconds"],
        f"{prefix}peak_megabytes": ended.peak_megabytes,
    }
    word = "decoded" if found["decoded"] else "refused"
    seen = f"{name}: {found['fault'] or found['said']}"
    return Outcome(ended.case, kind, word, not found["fault"], seen[:300], ended.seconds, figures)


IMAGES = Part(
    "images",
    Goal(
        f"{len(all_forms())} broken, odd or huge forms and {MUTATIONS:,} mutations of pictures: no crash, no reading "
        f"over {CPU_SECONDS:g} s of a core but of the largest, bounded memory, whatever is refused is named",
        limits={"cpu_seconds": CPU_SECONDS, "peak_megabytes": 500, "largest_peak_megabytes": 1_500},
    ),
    cases=len(all_forms()) + MUTATIONS,
    quick=range(len(all_forms()) + 400),
    run=run_images,
)
