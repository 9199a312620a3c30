import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.recipes.recipe import (
    Constant,
    ConstantWarmup,
    Cosine,
    Exponential,
    Inverse,
    LinearWarmup,
    MultiStep,
    OneCycle,
    Pieces,
    Plateau,
    Polynomial,
    Schedule,
    Sigmoid,
    Step,
)
from cnnlab.train.schedule import lr_factor, plateau_drops, warmup_factor


def factor_at(
    schedule: Schedule, step: float, total_steps: float, steps_per_epoch: float = 10, val_errors: Sequence[float] = ()
) -> float:
    return lr_factor(schedule, step, total_steps, steps_per_epoch=steps_per_epoch, val_errors=val_errors)


RESNET = MultiStep(at_steps=(32_000, 48_000), factor=0.1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 1.0), (31_999, 1.0), (32_000, 0.1), (47_999, 0.1), (48_000, 0.01), (63_999, 0.01)],
)
def test_multistep_drops_at_its_steps_as_the_resnet_paper_does(step: int, expected: float) -> None:
    assert factor_at(RESNET, step, 64_000) == pytest.approx(expected)


def test_step_counts_whole_intervals() -> None:
    assert [factor_at(Step(every_steps=10, factor=0.5), step, 40) for step in (0, 9, 10, 25, 39)] == [
        1, 1, 0.5, 0.25, 0.125,
    ]  # fmt: skip


def test_cosine_starts_at_one_halves_in_the_middle_and_ends_at_its_end() -> None:
    schedule = Cosine(final_factor=0.2)
    assert factor_at(schedule, 0, 100) == 1.0
    assert factor_at(schedule, 50, 100) == pytest.approx(0.6)
    assert factor_at(schedule, 100, 100) == pytest.approx(0.2)


def test_one_cycle_is_two_straight_lines() -> None:
    schedule = OneCycle(peak_at=0.25, start_factor=0.2, final_factor=0.1)
    factors = [factor_at(schedule, step, 100) for step in (0, 12.5, 25, 62.5, 100)]
    assert factors == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1])


@pytest.mark.parametrize("peak_at", [0.0, 1.0])
def test_one_cycle_may_peak_at_either_end(peak_at: float) -> None:
    schedule = OneCycle(peak_at=peak_at, start_factor=0.5)
    assert factor_at(schedule, peak_at * 10, 10) == 1.0


def test_plateau_halves_after_each_stretch_without_improvement() -> None:
    errors = [0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.71]
    assert plateau_drops(errors, patience_epochs=2) == 2
    assert factor_at(Plateau(factor=0.5, patience_epochs=2), 0, 1, val_errors=errors) == 0.25


def test_plateau_never_drops_while_the_error_falls() -> None:
    assert plateau_drops([0.9, 0.8, 0.7, 0.6], patience_epochs=1) == 0


@given(
    schedule=st.one_of(
        st.just(Constant()),
        st.builds(Step, every_steps=st.integers(1, 1000), factor=st.floats(0.01, 1)),
        st.builds(Cosine, final_factor=st.floats(0, 1)),
        st.builds(Sigmoid, gamma=st.floats(-10, 10), at_step=st.integers(1, 1000)),
        st.builds(OneCycle, peak_at=st.floats(0, 1), start_factor=st.floats(0, 1), final_factor=st.floats(0, 1)),
    ),
    share=st.floats(0, 1),
)
def test_a_factor_is_never_above_one_nor_below_zero(schedule: Schedule, share: float) -> None:
    factor = factor_at(schedule, share * 1000, 1000)
    assert math.isfinite(factor)
    assert -1e-12 <= factor <= 1 + 1e-12


# Caffe's formulas (solver.cpp), by hand at base rate 1.
CAFFE = [
    (Constant(), 700, 1.0),
    (Step(every_steps=100_000, factor=0.1), 99_999, 1.0),
    (Step(every_steps=100_000, factor=0.1), 250_000, 0.01),
    (Exponential(factor=0.5), 3, 0.125),
    (Inverse(gamma=1e-4, power=0.75), 0, 1.0),
    (Inverse(gamma=1e-4, power=0.75), 10_000, 0.5946035575013605),  # 2 ^ -0.75
    (MultiStep(at_steps=(10, 20), factor=0.5), 20, 0.25),
    (Polynomial(power=0.5), 750_000, 0.5),  # of a million: (1 - 0.75) ^ 0.5
    (Polynomial(power=1.0), 1_000_000, 0.0),
    (Sigmoid(gamma=-0.01, at_step=500), 500, 0.5),
    (Sigmoid(gamma=-0.01, at_step=500), 600, 0.2689414213699951),  # 1 / (1 + e)
    (Sigmoid(gamma=-1.0, at_step=1000), 2000, 0.0),
]


@pytest.mark.parametrize(("schedule", "step", "expected"), CAFFE)
def test_caffes_policies(schedule: Schedule, step: int, expected: float) -> None:
    assert factor_at(schedule, step, 1_000_000) == pytest.approx(expected, rel=1e-12)


def test_epochs_are_counted_in_the_recipes_own_steps() -> None:
    every_eight = Step(every_epochs=8, factor=0.96)
    assert [factor_at(every_eight, step, 400, 10) for step in (0, 79, 80, 159, 160)] == pytest.approx(
        [1, 1, 0.96, 0.96, 0.9216]
    )
    at = MultiStep(at_epochs=(2, 3.5), factor=0.1)
    assert [factor_at(at, step, 400, 10) for step in (19, 20, 34, 35)] == pytest.approx([1, 0.1, 0.1, 0.01])
    pieces = Pieces(at_epochs=(2, 5), factors=(0.4, 0.2))
    assert [factor_at(pieces, step, 400, 10) for step in (0, 19, 20, 49, 50, 399)] == [1, 1, 0.4, 0.4, 0.2, 0.2]


@given(drop=st.integers(1, 99_999), total=st.integers(1, 100_000))
def test_errors_of_rounding_never_delay_a_drop(drop: int, total: int) -> None:
    step = drop / total * total  # what a run that counts in shares passes
    assert factor_at(MultiStep(at_steps=(drop,)), step, total) == 0.1
    assert factor_at(Step(every_steps=drop), step, total) == 0.1
    assert factor_at(MultiStep(at_epochs=(drop,)), 7 * step, 7 * total, 7) == 0.1


def test_a_plateau_may_have_an_end() -> None:
    errors = [0.5] * 40
    endless, ended = Plateau(factor=0.1, patience_epochs=1), Plateau(factor=0.1, patience_epochs=1, drops=3)
    assert factor_at(endless, 0, 1, val_errors=errors) == pytest.approx(1e-39)
    assert factor_at(ended, 0, 1, val_errors=errors) == pytest.approx(1e-3)


def test_linear_warm_up_reaches_the_whole_rate_and_stays_there() -> None:
    by_epochs = LinearWarmup(epochs=5, start_factor=0.1)
    assert [warmup_factor(by_epochs, step, steps_per_epoch=10) for step in (0, 25, 50, 400)] == pytest.approx(
        [0.1, 0.55, 1.0, 1.0]
    )
    by_steps = LinearWarmup(steps=4)
    assert [warmup_factor(by_steps, step, steps_per_epoch=10) for step in (0, 1, 4, 5)] == [0, 0.25, 1, 1]


def test_constant_warm_up_lasts_its_steps() -> None:
    warmup = ConstantWarmup(steps=400, factor=0.1)
    assert [warmup_factor(warmup, step, steps_per_epoch=1) for step in (0, 399, 400, 401)] == [0.1, 0.1, 1, 1]
