import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.recipes.recipe import to_dict
from cnnlab.train.checkpoint import list_checkpoints
from tests.train.training import RECIPE

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("kilobytes", [0, 2, 300])
def test_a_full_disk_ends_in_one_clear_line_and_no_broken_checkpoint(tmp_path: Path, kilobytes: int) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(to_dict(replace(RECIPE, steps=2, batch_size=8))))
    train = [sys.executable, "-m", "cnnlab", "train", "synthetic", "--recipe", str(recipe), "--device", "cpu"]
    # No file may grow beyond the limit: writes fail in earnest, as on a full disk.
    limited = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "limited", *train, "--run", str(tmp_path / "run")]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "fault of cnnlab" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == []
