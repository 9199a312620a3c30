import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def check(page: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys, pathlib\nsys.path.insert(0, 'bench')\nimport tables\n"
        "tables.PAGE = pathlib.Path(sys.argv.pop())\ntables.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--check", str(page)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_tables_of_the_page_are_those_of_the_records() -> None:
    ended = check(ROOT / "docs" / "performance.md")
    assert ended.returncode == 0, ended.stderr


def test_a_figure_changed_by_hand_is_seen(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    (tmp_path / "page.md").write_text(page.replace("standard deviation", "standard deviation 0.01%, no:", 1))
    ended = check(tmp_path / "page.md")
    assert ended.returncode != 0
    assert "differs from its records" in ended.stderr
