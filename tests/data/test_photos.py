from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data.decode import decode_file
from cnnlab.data.names import Names
from cnnlab.data.photos import FolderFiles, Photos, decoded, read_ahead, usable_cores
from cnnlab.errors import ImageError

from .conftest import write_photos


@pytest.fixture
def part(tmp_path: Path) -> Photos:
    write_photos(tmp_path, {"cat": 6, "dog": 5})
    (tmp_path / "cat" / "002.JPEG").write_bytes(b"no image")
    names = Names(path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.JPEG")))
    return Photos(torch.tensor([0] * 6 + [1] * 5), names, FolderFiles(tmp_path, names))


def test_photos_are_read_each_of_its_own_size(part: Photos, tmp_path: Path) -> None:
    assert len(part) == 11
    assert np.array_equal(part.read(3), decode_file(tmp_path / "cat" / "003.JPEG"))
    assert len({part.read(i).shape for i in (0, 1, 3)}) == 3
    with pytest.raises(ImageError, match=r"^cat/002\.JPEG: "):
        part.read(2)


def test_some_can_be_taken(part: Photos) -> None:
    some = part.take(np.array([10, 3]))
    assert some.labels.tolist() == [1, 0]
    assert list(some.names) == ["dog/004.JPEG", "cat/003.JPEG"]
    assert np.array_equal(some.read(1), part.read(3))
    assert some.files.num_bytes(0) == part.files.num_bytes(10) > 0


def test_a_file_that_is_gone_has_no_bytes(part: Photos, tmp_path: Path) -> None:
    (tmp_path / "dog" / "000.JPEG").unlink()
    assert part.files.num_bytes(6) == 0
    with pytest.raises(ImageError, match="No such file"):
        part.read(6)


@pytest.mark.parametrize("threads", [1, 3, None])
def test_many_are_decoded_in_order_with_errors_in_their_places(part: Photos, threads: int | None) -> None:
    wanted = [4, 2, 0, 4, *range(11)]
    got = list(decoded(part, wanted, threads))
    assert len(got) == len(wanted)
    for index, image in zip(wanted, got, strict=True):
        if index == 2:
            assert isinstance(image, ImageError)
        else:
            assert np.array_equal(image, part.read(index))


def test_reading_ahead_is_bounded() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def read(index: int) -> np.ndarray:
        with lock:
            begun.append(index)
        return np.zeros((1, 1, 3), np.uint8)

    results = read_ahead(read, range(1000), threads=2)
    next(results)
    assert max(begun) < 12
    results.close()
    assert usable_cores() >= 1
