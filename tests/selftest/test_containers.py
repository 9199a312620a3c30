from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from cnnlab.data.decode import decode, probe
from cnnlab.errors import ImageError
from cnnlab.selftest.containers import container_forms, container_originals, largest_containers, tiff


@pytest.mark.parametrize("form", container_forms(), ids=lambda form: form.name)
def test_every_form_is_read_or_refused_by_name(form: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    form.write(tmp_path / "form")  # type: ignore[attr-defined]
    refused = pytest.raises(ImageError, match=r"^the form: ")
    with nullcontext() if form.decodes else refused:  # type: ignore[attr-defined]
        decode((tmp_path / "form").read_bytes(), name="the form")
    assert capfd.readouterr() == ("", "")


def test_forms_have_their_names_and_half_are_refused() -> None:
    found = container_forms()
    assert len({each.name for each in found}) == len(found)
    assert sum(not each.decodes for each in found) >= 30
    assert len(largest_containers()) == 2


def test_originals_are_what_they_are_called() -> None:
    known = {"TIFF": "TIFF", "AVIF": "AVIF", "HEIC": "HEIF"}
    assert {kind: {probe(data).format for data in made} for kind, made in container_originals().items()} == {
        kind: {name} for kind, name in known.items()
    }


def test_a_tiff_made_by_hand_is_one() -> None:
    assert decode(tiff()).tolist() == [[[0, 0, 0]] * 8] * 8
