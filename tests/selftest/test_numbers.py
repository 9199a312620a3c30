from pathlib import Path

import pytest

from cnnlab.selftest.numbers import FAULTS, NUMBERS, STEPS, fault


def test_the_faults_are_of_five_kinds_at_steps_of_the_training() -> None:
    faults = [fault(number) for number in range(FAULTS)]
    assert len({each.kind for each in faults}) == 5
    assert all(0 <= each.step < STEPS for each in faults)
    assert all(each.step >= 30 for each in faults if each.what == "logits")  # spikes are measured by 20 steps before


@pytest.mark.faults
@pytest.mark.slow
def test_a_slice_is_caught_and_costs_no_accuracy(tmp_path: Path) -> None:
    outcomes = list(NUMBERS.run([0, 3, 4], tmp_path))
    assert all(each.passed for each in outcomes), outcomes
    assert all(each.figures["points_lost"] <= 0.3 for each in outcomes)
