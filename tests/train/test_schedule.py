import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.recipes.recipe import Constant, Cosine, MultiStep, OneCycle, Plateau, Step
from cnnlab.train.schedule import lr_factor, plateau_drops

RESNET = MultiStep(at_steps=(32_000, 48_000), factor=0.1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 1.0), (31_999, 1.0), (32_000, 0.1), (47_999, 0.1), (48_000, 0.01), (63_999, 0.01)],
)
def test_multistep_drops_at_its_steps_as_the_resnet_paper_does(step: int, expected: float) -> None:
    assert lr_factor(RESNET, step, 64_000) == pytest.approx(expected)


def test_step_counts_whole_intervals() -> None:
    assert [lr_factor(Step(every_steps=10, factor=0.5), step, 40) for step in (0, 9, 10, 25, 39)] == [
        1, 1, 0.5, 0.25, 0.125,
    ]  # fmt: skip


def test_cosine_starts_at_one_halves_in_the_middle_and_ends_at_its_end() -> None:
    schedule = Cosine(final_factor=0.2)
    assert lr_factor(schedule, 0, 100) == 1.0
    assert lr_factor(schedule, 50, 100) == pytest.approx(0.6)
    assert lr_factor(schedule, 100, 100) == pytest.approx(0.2)


def test_one_cycle_is_two_straight_lines() -> None:
    schedule = OneCycle(peak_at=0.25, start_factor=0.2, final_factor=0.1)
    factors = [lr_factor(schedule, step, 100) for step in (0, 12.5, 25, 62.5, 100)]
    assert factors == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1])


@pytest.mark.parametrize("peak_at", [0.0, 1.0])
def test_one_cycle_may_peak_at_either_end(peak_at: float) -> None:
    schedule = OneCycle(peak_at=peak_at, start_factor=0.5)
    assert lr_factor(schedule, peak_at * 10, 10) == 1.0


def test_plateau_halves_after_each_stretch_without_improvement() -> None:
    errors = [0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.71]
    assert plateau_drops(errors, patience_epochs=2) == 2
    assert lr_factor(Plateau(factor=0.5, patience_epochs=2), 0, 1, errors) == 0.25


def test_plateau_never_drops_while_the_error_falls() -> None:
    assert plateau_drops([0.9, 0.8, 0.7, 0.6], patience_epochs=1) == 0


@given(
    schedule=st.one_of(
        st.just(Constant()),
        st.builds(Step, every_steps=st.integers(1, 1000), factor=st.floats(0.01, 1)),
        st.builds(Cosine, final_factor=st.floats(0, 1)),
        st.builds(OneCycle, peak_at=st.floats(0, 1), start_factor=st.floats(0, 1), final_factor=st.floats(0, 1)),
    ),
    share=st.floats(0, 1),
)
def test_a_factor_is_never_above_one_nor_below_zero(schedule: Step | Cosine | OneCycle, share: float) -> None:
    factor = lr_factor(schedule, share * 1000, 1000)
    assert math.isfinite(factor)
    assert -1e-12 <= factor <= 1 + 1e-12
