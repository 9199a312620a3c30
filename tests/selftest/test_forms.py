from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from cnnlab.data.decode import probe
from cnnlab.selftest.forms import animation, forms, largest, picture, png


def test_there_are_sixty_broken_forms_and_each_has_its_name() -> None:
    found = forms()
    assert len({each.name for each in found}) == len(found)
    assert sum(not each.decodes for each in found) >= 60
    assert sum(each.decodes for each in found) >= 15


def test_forms_are_always_the_same(tmp_path: Path) -> None:
    for number in (0, 30, 60):
        first, second = (forms()[number] for _ in range(2))
        first.write(tmp_path / "a")
        second.write(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pictures_are_what_they_are_called() -> None:
    header = probe(picture("JPEG", "CMYK"))
    assert (header.format, header.mode, header.width, header.height) == ("JPEG", "CMYK", 48, 40)
    assert probe(png(8, 9, 6, 16)).width == 8
    with Image.open(io.BytesIO(animation("GIF", 5))) as image:
        assert image.n_frames == 5  # type: ignore[attr-defined]
    assert len(largest()) >= 4
