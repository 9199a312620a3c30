from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data.paths import same_path, whole_path


def test_a_path_is_the_same_however_it_is_spelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    for spelt in (
        "photos",
        "./photos",
        "photos/",
        str(tmp_path / "photos"),
        "link",
        "photos/../photos",
        Path("photos"),
    ):
        assert same_path(spelt, tmp_path / "photos")
        assert whole_path(spelt).is_absolute()
    assert not same_path("other/photos", "photos")
    assert not same_path(None, "photos")
    assert same_path(None, None)


def test_a_whole_path_keeps_links_but_for_the_way_up_from_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far/photos").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/photos")
    monkeypatch.chdir(tmp_path)
    assert whole_path("link") == tmp_path / "link"
    assert whole_path("link/../photos") == tmp_path / "far/photos"
