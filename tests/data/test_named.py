from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data.named import NAMES, PUBLISHED, is_name, locate, plain_name, require_data
from cnnlab.errors import CnnlabError, DataError, UnknownNameError


def test_names_are_known_however_they_are_spelt() -> None:
    assert all(map(is_name, ("cifar10", "CIFAR10", "Fashion-MNIST", "synthetic")))
    assert not is_name("photos")
    assert plain_name("Fashion-MNIST") == "fashion_mnist"
    assert set(NAMES) == {*PUBLISHED, "synthetic"}


def test_a_manifest_leads_to_its_folder_in_capitals_too(tmp_path: Path) -> None:
    (tmp_path / "LIST.CSV").touch()
    assert locate(tmp_path / "LIST.CSV") == (tmp_path, tmp_path / "LIST.CSV")
    assert locate(tmp_path) == (tmp_path, None)


def test_what_can_be_data_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a" / "1.jpg").touch()
    (tmp_path / "LIST.CSV").touch()
    for data in ("mnist", tmp_path / "photos", str(tmp_path / "photos"), tmp_path / "LIST.CSV"):
        require_data(data)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ("cifar11", UnknownNameError, "no data set 'cifar11'; did you mean 'cifar10'.*or give a folder of images"),
        ("gone/photos", DataError, "there is no folder gone/photos"),
        ("file", DataError, "file is a file; give a folder"),
        ("empty", DataError, "empty has no files in it; expected train/<class>"),
    ],
)
def test_what_cannot_be_data_is_refused(
    data: str, kind: type[CnnlabError], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty" / "a").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(kind, match=message):
        require_data(data)
