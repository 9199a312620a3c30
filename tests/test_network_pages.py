"""The pages in docs/networks/ are what bench/network_pages.py writes now, text by text and figure by figure."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cnnlab.models import MODELS
from tests.test_readme import misunderstood

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "networks"


def generator() -> ModuleType:
    """bench/network_pages.py as a module; bench/ is no package."""
    spec = importlib.util.spec_from_file_location("network_pages", ROOT / "bench" / "network_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


network_pages = generator()
every_family = pytest.mark.parametrize("family", network_pages.FAMILIES, ids=lambda family: family.slug)


def test_the_texts_are_those_of_the_catalogue_and_the_docstrings() -> None:
    assert network_pages.differing() == []


def test_a_page_changed_by_hand_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in PAGES.glob("*.md"):
        shutil.copy(page, tmp_path)
    page = tmp_path / "vgg.md"
    page.write_text(page.read_text(encoding="utf-8").replace("138,357,544", "138,357,545"), encoding="utf-8")
    (tmp_path / "speed.md").unlink()
    monkeypatch.setattr(network_pages, "PAGES", tmp_path)
    assert network_pages.differing() == ["vgg.md", "speed.md"]
    monkeypatch.setattr(sys, "argv", ["network_pages.py", "--check"])
    with pytest.raises(SystemExit, match=r"out of date: vgg\.md, speed\.md"):
        network_pages.main()


@every_family
def test_the_figure_is_what_is_drawn_now(family: object) -> None:
    from cnnlab.explain.draw import draw_network

    committed = (PAGES / f"{family.slug}.svg").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert committed == draw_network(family.figure)  # type: ignore[attr-defined]


def test_every_network_is_on_one_page_and_the_index_has_it() -> None:
    patterns = [family.patterns for family in network_pages.FAMILIES]
    for name in MODELS:
        assert sum(any(fnmatch.fnmatchcase(name, each) for each in family) for family in patterns) == 1, name
        assert f"`{name}`" in (PAGES / "README.md").read_text(encoding="utf-8")


def test_every_file_of_the_catalogue_is_read_for_differences() -> None:
    files = {file for family in network_pages.FAMILIES for file in family.files}
    assert {entry.build.__module__.rpartition(".")[2] for entry in MODELS.values()} <= files


@every_family
def test_a_page_has_its_paper_figure_table_and_commands(family: object) -> None:
    text = (PAGES / f"{family.slug}.md").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (PAGES / link).is_file()
    assert misunderstood(text) == []
    assert len(re.findall(r"^\| `", text, flags=re.MULTILINE)) == len(network_pages.networks(family))
    for file in family.files:  # type: ignore[attr-defined]
        docstring = (ROOT / "src" / "cnnlab" / "models" / f"{file}.py").read_text(encoding="utf-8")
        bullets = re.findall(r"^- .*", docstring.partition("\nDifferences")[2].partition('\n"""')[0], re.MULTILINE)
        assert all(bullet in text for bullet in bullets), file


def test_there_is_nothing_else_and_it_is_small() -> None:
    families = [family.slug for family in network_pages.FAMILIES]
    wanted = {"README.md", *(f"{slug}.md" for slug in families), *(f"{slug}.svg" for slug in families)}
    assert {path.name for path in PAGES.iterdir()} == wanted
    assert sum(path.stat().st_size for path in PAGES.glob("*.svg")) < 1_000_000
