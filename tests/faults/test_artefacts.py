from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnlab.selftest.artefacts import ARTEFACTS, run_artefacts

pytestmark = pytest.mark.faults


def check(cases: Sequence[int], folder: Path) -> None:
    found = list(run_artefacts(cases, folder))
    assert [each.case for each in found] == list(cases)
    assert [each.seen for each in found if not each.passed] == []


def test_a_slice_of_hostile_files_runs_nothing(tmp_path: Path) -> None:
    check(range(0, ARTEFACTS.cases, 5), tmp_path)


@pytest.mark.slow
def test_no_hostile_file_runs_anything(tmp_path: Path) -> None:
    check(range(ARTEFACTS.cases), tmp_path)
