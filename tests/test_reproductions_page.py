import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = (
    "import sys, pathlib\nsys.path.insert(0, 'bench')\nimport reproductions\n"
    "reproductions.PAGE = pathlib.Path(sys.argv.pop())\nreproductions.main()\n"
)


def check(page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, "--check", str(page)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_page_is_that_of_the_records() -> None:
    ended = check(ROOT / "docs" / "reproductions.md")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("figure", ["69,632 against 1,179,648", "**holds**"])
def test_a_figure_changed_by_hand_is_seen(figure: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reproductions.md").read_text()
    assert figure in text
    page = tmp_path / "reproductions.md"
    page.write_text(text.replace(figure, f"nearly {figure}", 1))
    ended = check(page)
    assert ended.returncode != 0
    assert "differs from its records" in ended.stderr
