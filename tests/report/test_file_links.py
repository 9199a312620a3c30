from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from cnnlab.report.file_links import file_link, relative_url

from .reading import dangers, read
from .records import HOSTILE


def test_a_link_leads_from_the_page_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_url("noise/a/000.jpg", Path("runs/one")) == "../../noise/a/000.jpg"
    assert relative_url(tmp_path / "noise/a b.jpg", Path()) == "noise/a%20b.jpg"


@pytest.mark.parametrize(
    "name", ["javascript:alert(1).jpg", HOSTILE.replace("/", "_"), "no\udcffutf.jpg", "?#%.jpg", "猫.jpg"]
)
def test_whatever_the_file_is_called_it_is_a_name_and_no_more(name: str, tmp_path: Path) -> None:
    page = f"<p>{file_link(name, tmp_path / name, tmp_path)}</p>"
    assert dangers(page) == []
    [link] = read(page).named("a")
    href = str(link["href"])
    assert unquote_to_bytes(href).decode("utf-8", "surrogateescape") == name
    assert not set(href) & set(":?#<>\"'& ")


def test_a_link_that_leaves_is_a_danger() -> None:
    for href in ("https://a.org/x.jpg", "//a.org/x.jpg", "/etc/passwd", "javascript:alert(1)"):
        assert dangers(f'<p><a href="{href}">x</a></p>')


def test_without_a_file_or_a_page_there_is_only_the_name() -> None:
    assert file_link("image 3", None, Path()) == "image 3"
    assert file_link("a.jpg", "a.jpg", None) == "a.jpg"
