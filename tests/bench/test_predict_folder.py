from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cnnlab.bench import predict_folder
from cnnlab.bench.predict_folder import PARTED, USUAL, measure, write_photos
from cnnlab.bench.row import Plan

from .conftest import Here


def test_the_photos_are_jpegs_of_one_size_and_differ(tmp_path: Path) -> None:
    write_photos(tmp_path, (90, 60), 2)
    files = sorted(tmp_path.iterdir())
    with Image.open(files[0]) as first, Image.open(files[1]) as second:
        assert (first.format, first.size, second.size) == ("JPEG", (90, 60), (90, 60))
        assert first.tobytes() != second.tobytes()


def test_every_way_answers_the_folder(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(predict_folder)
    monkeypatch.setattr(predict_folder, "SIZES", {(50, 40): 2})
    [case] = measure(Plan(rounds=1)).cases
    assert case.name == "2 photos of 50 x 40"
    assert list(case.values) == [USUAL, PARTED, "cnnlab predict", "cnnlab predict --fast", "decoding alone"]
    assert case.against == USUAL
    assert all(value > 0 for values in case.values.values() for value in values)
