"""A data set made on the spot: ten classes of shapes and gratings, for tests and first steps.

Colour, place, size, phase and noise vary at random and say nothing of the class; only the form does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnlab.data.parts import Part, Parts, fingerprint, part_from
from cnnlab.data.sampler import uniforms
from cnnlab.errors import UsageError

CLASS_NAMES = (
    "disc",
    "ring",
    "square",
    "triangle",
    "cross",
    "horizontal stripes",
    "vertical stripes",
    "rising stripes",
    "falling stripes",
    "checks",
)

_CHUNK_IMAGES = 500
_NOISE = 0.08
_NOISE_STREAM = 50
Floats = npt.NDArray[np.float64]


def synthetic(
    train_images: int = 2000, val_images: int = 500, test_images: int = 500, pixels: int = 32, seed: int = 0
) -> Parts:
    """Draw the synthetic set: uint8 (N, 3, pixels, pixels), the classes in turn, 10 of them.

    The same arguments give the same set. Raises `UsageError` for sizes that make no sense.
    """
    sizes = (train_images, val_images, test_images)
    if min(sizes) < 0 or train_images < 1 or not 8 <= pixels <= 512:
        raise UsageError(f"sizes {sizes} of {pixels} pixels; give at least 1 train image, 8 to 512 pixels")
    starts = np.cumsum((0, *sizes))
    train, val, test = (_draw_part(seed, int(starts[i]), sizes[i], pixels) for i in range(3))
    digest = fingerprint(train, val, test)
    return Parts("synthetic", train, val, test, CLASS_NAMES, f"drawn from seed {seed}", digest)


def _draw_part(seed: int, start: int, count: int, pixels: int) -> Part:
    indices = np.arange(start, start + count)
    chunks = [indices[i : i + _CHUNK_IMAGES] for i in range(0, count, _CHUNK_IMAGES)]
    drawn = [_draw(seed, chunk, pixels) for chunk in chunks]
    images = np.concatenate(drawn) if drawn else np.zeros((0, 3, pixels, pixels), np.uint8)
    return part_from(images, indices % len(CLASS_NAMES))


def _draw(seed: int, indices: npt.NDArray[np.int64], pixels: int) -> npt.NDArray[np.uint8]:
    form = _forms(seed, indices, pixels)[:, None]
    back, front = _colours(seed, indices)
    images = back * (1 - form) + front * form
    noise = uniforms(seed, 0, _pixel_numbers(indices, 3 * pixels**2), _NOISE_STREAM) - 0.5
    images += noise.reshape(images.shape) * (2 * 3**0.5 * _NOISE)  # uniform, of deviation _NOISE
    return np.clip(np.rint(images * 255), 0, 255).astype(np.uint8)


def _pixel_numbers(indices: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    return (indices[:, None] * count + np.arange(count)).ravel()


def _colours(seed: int, indices: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Give (back, front), each (N, 3, 1, 1) in [0, 1]; front is the brighter, by 0.2 to 0.6."""
    draw = np.stack([uniforms(seed, 0, indices, 10 + i) for i in range(6)], axis=1)[:, :, None, None]
    back = 0.4 * draw[:, :3]
    return back, back + 0.2 + 0.4 * draw[:, 3:]


def _forms(seed: int, indices: npt.NDArray[np.int64], pixels: int) -> Floats:
    """Give each image's form, (N, pixels, pixels): 1 where the front colour is, 0 elsewhere."""
    centre_x, centre_y, size, phase = (uniforms(seed, 0, indices, 20 + i)[:, None, None] for i in range(4))
    grid = (np.arange(pixels) + 0.5) / pixels
    x = grid[None, None, :] - (0.35 + 0.3 * centre_x)
    y = grid[None, :, None] - (0.35 + 0.3 * centre_y)
    radius = 0.22 + 0.12 * size
    waves = 2 * np.pi * (3 + 2 * size)
    turn = 2 * np.pi * phase
    distance = np.hypot(x, y)
    widest = np.maximum(abs(x), abs(y))
    forms = (
        distance < radius,
        abs(distance - radius) < 0.06,
        widest < radius * 0.9,
        (y < radius * 0.8) & (y > 2 * abs(x) - radius),
        (np.minimum(abs(x), abs(y)) < radius * 0.3) & (widest < radius),
        np.sin(waves * y + turn) + 0 * x > 0,
        np.sin(waves * x + turn) + 0 * y > 0,
        np.sin(waves * (x + y) * 0.71 + turn) > 0,
        np.sin(waves * (x - y) * 0.71 + turn) > 0,
        np.sin(waves * x + turn) * np.sin(waves * y + turn) > 0,
    )
    return np.stack(forms, axis=1)[np.arange(len(indices)), indices % len(forms)].astype(np.float64)
