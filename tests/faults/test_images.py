from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnlab.selftest.images import CPU_SECONDS, IMAGES, all_forms, broken_forms, run_images

pytestmark = pytest.mark.faults
BROKEN = len(broken_forms())


def check(cases: Sequence[int], folder: Path) -> None:
    found = list(run_images(cases, folder))
    assert [each.case for each in found] == list(cases)
    assert [each.seen for each in found if not each.passed] == []
    assert max(each.figures["cpu_seconds"] for each in found) <= CPU_SECONDS
    assert max(each.figures["peak_megabytes"] for each in found) <= IMAGES.goal.limits["peak_megabytes"]


def test_a_slice_of_broken_forms_and_mutations_is_survived(tmp_path: Path) -> None:
    check([*range(0, BROKEN, 4), *range(len(all_forms()), len(all_forms()) + 60)], tmp_path)


@pytest.mark.slow
def test_every_broken_form_and_more_mutations_are_survived(tmp_path: Path) -> None:
    check([*range(BROKEN), *range(len(all_forms()) + 100, len(all_forms()) + 1_100)], tmp_path)
