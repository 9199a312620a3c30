from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError
from cnnlab.evaluate.older_runs import older_division, was_given_a_published_set
from cnnlab.evaluate.tested_on import load_unseen
from cnnlab.types import Split

from ..conftest import CLASSES
from .test_tested_on import drawn, names


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return drawn(tmp_path / "photos", dict.fromkeys(CLASSES, 20))


def older(run: Path, photos: Path, *, on_disk: bool, **settings: Any) -> Path:
    """What a run left before divisions were written: its settings as they were typed, and a fingerprint."""
    parts = load_data(photos, photos=on_disk, pixels=8, final=bool(settings.get("final")))
    run.mkdir()
    asked = {"data": photos.name, "manifest": None, "final": False, **settings}
    recipe = {"data": "cifar10", "crop": {"kind": "any"} if on_disk else None, "folder_pixels": 8}
    for name, values in {"settings": asked, "recipe": recipe, "data": {"sha256": parts.sha256}}.items():
        (run / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    return run


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("final", [True, False])
def test_its_data_is_divided_by_its_settings_where_the_fingerprint_proves_it(
    on_disk: bool, final: bool, photos: Path, tmp_path: Path
) -> None:
    run = older(tmp_path / "run", photos, on_disk=on_disk, final=final)
    expected = load_data(photos, photos=True, final=final)
    parts = load_unseen(CLASSES, [run], str(photos))  # which was "photos" then, from a folder that is not known
    assert parts.notes == ()
    for split in Split:
        assert names(parts, split) == names(expected, split)


@pytest.mark.parametrize("on_disk", [True, False])
def test_data_that_is_not_proved_is_refused_with_what_to_do(on_disk: bool, photos: Path, tmp_path: Path) -> None:
    run = older(tmp_path / "run", photos, on_disk=on_disk)
    drawn(photos, {"disc": 21})
    with pytest.raises(DataError) as caught:
        load_unseen(CLASSES, [run], str(photos))
    assert str(caught.value).startswith(f"which images of {photos} are new to {run} cannot be known: the run began ")
    assert "put the data back as it was then, test on images that the network cannot have seen" in str(caught.value)


def test_a_manifest_that_is_gone_proves_nothing(photos: Path, tmp_path: Path) -> None:
    run = older(tmp_path / "run", photos, on_disk=True, manifest="gone.csv")
    with pytest.raises(DataError, match=r"the manifest gone\.csv is gone"):
        load_unseen(CLASSES, [run], str(photos))


def test_other_data_is_tested_whole_and_that_it_is_new_cannot_be_known(photos: Path, tmp_path: Path) -> None:
    run = older(tmp_path / "run", photos, on_disk=True)
    heldout = drawn(tmp_path / "heldout", dict.fromkeys(CLASSES, 2), first=100)
    parts = load_unseen(CLASSES, [run], str(heldout))
    assert len(names(parts)) == 6
    [note] = parts.notes
    assert "does not say which images it was trained on" in note


def test_a_run_on_a_published_set_saw_no_folder(photos: Path, tmp_path: Path) -> None:
    run = older(tmp_path / "run", photos, on_disk=True, data="cifar10")
    assert was_given_a_published_set(run)
    assert older_division(run, str(photos)) is None
    assert load_unseen(CLASSES, [run], str(photos)).notes == ()
    assert older_division(tmp_path, str(photos)) is None  # which is no run
