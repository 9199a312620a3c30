from pathlib import Path

import pytest

from cnnlab.selftest.checkpoints import CHECKPOINTS, FILES, KINDS, SITES, made, same
from cnnlab.selftest.disks import WatchedDisk
from cnnlab.train.checkpoint import Checkpoint, save


def test_a_save_makes_as_many_calls_as_there_are_cases_of_failure(tmp_path: Path) -> None:
    save(tmp_path, 1, made(1))
    disk = WatchedDisk()
    assert sorted(each.name for each in save(tmp_path, 2, made(2), keep=1, best=True, disk=disk).iterdir()) == [*FILES]
    assert len(disk.calls) == SITES


def test_two_checkpoints_that_differ_by_a_bit_are_not_the_same() -> None:
    other = {
        group: {name: each.clone() for name, each in tensors.items()} for group, tensors in made(1).tensors.items()
    }
    assert same(made(1), Checkpoint(other, made(1).state))
    next(iter(other["network"].values())).view(-1)[0] += 1e-7
    assert not same(made(1), Checkpoint(other, made(1).state))


@pytest.mark.faults
def test_one_case_of_each_kind_passes(tmp_path: Path) -> None:
    first, cases = 0, []
    for kind in KINDS:
        cases.append(first + kind.cases // 2)
        first += kind.cases
    outcomes = list(CHECKPOINTS.run(cases, tmp_path))
    assert [each.kind for each in outcomes] == [kind.name for kind in KINDS]
    assert all(each.passed for each in outcomes), outcomes


def test_the_quick_slice_is_of_cases_there_are() -> None:
    assert CHECKPOINTS.cases >= 1500
    assert max(CHECKPOINTS.quick) < CHECKPOINTS.cases
