import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def check(docs: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys, pathlib\nsys.path.insert(0, 'bench')\nimport tables\n"
        "tables.DOCS = pathlib.Path(sys.argv.pop())\ntables.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--check", str(docs)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_tables_of_the_pages_are_those_of_the_records() -> None:
    ended = check(ROOT / "docs")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("name", "figure"),
    [("performance.md", "the median of all is"), ("data.md", "times torchvision v1"), ("reliability.md", "372 of 372")],
)
def test_a_figure_changed_by_hand_is_seen(name: str, figure: str, tmp_path: Path) -> None:
    for page in ("performance.md", "data.md", "reliability.md", "scale.md"):
        shutil.copy(ROOT / "docs" / page, tmp_path)
    text = (tmp_path / name).read_text()
    assert figure in text
    (tmp_path / name).write_text(text.replace(figure, f"{figure}, nearly", 1))
    ended = check(tmp_path)
    assert ended.returncode != 0
    assert f"{name} differs from its records" in ended.stderr
