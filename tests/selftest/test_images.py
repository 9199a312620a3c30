from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnnlab.selftest.forms import picture
from cnnlab.selftest.images import (
    IMAGES,
    MUTATIONS,
    Verdict,
    all_forms,
    broken_forms,
    mutation,
    originals,
    read_everywhere,
    run_images,
)


def test_thirty_thousand_mutations_are_in_the_part_and_a_slice_is_quick() -> None:
    assert MUTATIONS == 30_000
    assert IMAGES.cases == len(all_forms()) + MUTATIONS
    assert len(broken_forms()) >= 60


def test_a_mutation_is_a_function_of_its_number() -> None:
    found = [mutation(number) for number in range(200)]
    assert found == [mutation(number) for number in range(200)]
    assert len({data for _, data in found}) > 190
    assert {kind for kind, _ in found} == set(originals())
    sound = {data for kind in originals().values() for data in kind}
    assert sum(data in sound for _, data in found) < 10


def test_a_file_cut_to_nothing_is_changed_no_further() -> None:
    assert min(len(mutation(number)[1]) for number in range(5_000, 5_600)) < 10


def test_a_sound_picture_is_read_and_a_broken_one_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jpg").write_bytes(picture("PNG"))
    assert read_everywhere(tmp_path, "a/x.jpg", in_folder=False).decoded
    (tmp_path / "a" / "x.jpg").write_bytes(picture("PNG")[:90])
    found = read_everywhere(tmp_path, "a/x.jpg", in_folder=False)
    assert (found.decoded, found.fault) == (False, "")
    assert found.said.startswith("a/x.jpg: truncated or damaged")


def test_an_error_that_names_another_file_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.jpg").write_bytes(b"nothing")
    monkeypatch.setattr("cnnlab.data.photos.printable", lambda _: "elsewhere")
    assert "does not name the file" in read_everywhere(tmp_path, "x.jpg", in_folder=False).fault


def test_a_form_that_is_read_against_expectation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = next(each for each in all_forms() if each.decodes)
    monkeypatch.setattr(sound.__class__, "decodes", False, raising=False)
    place = all_forms().index(sound)
    object.__setattr__(sound, "decodes", False)
    try:
        (outcome,) = run_images([place], tmp_path)
    finally:
        object.__setattr__(sound, "decodes", True)
    assert not outcome.passed
    assert outcome.seen.endswith("it should have been refused")


def test_a_decoder_that_prints_by_itself_fails_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prints(*_: object, **__: object) -> object:
        os.write(2, b"Corrupt JPEG data: 274 extraneous bytes")
        return Verdict(True, "decoded", "", 0.0)

    monkeypatch.setattr("cnnlab.selftest.images.read_everywhere", prints)
    place = next(place for place, each in enumerate(all_forms()) if each.decodes)
    (outcome,) = run_images([place], tmp_path)
    assert not outcome.passed
    assert outcome.seen.endswith("printed by a decoder, without a name: Corrupt JPEG data: 274 extraneous bytes")
