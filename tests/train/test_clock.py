import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnnlab.recipes.recipe import Hardest, Resolution
from cnnlab.train.clock import Clock, Phase, phases_of, pixels_at, work_at, work_left
from tests.train.training import RECIPE

SMALL_FIRST = (Resolution(until=0.25, pixels=16), Resolution(until=0.5, pixels=24))
SMALL = phases_of(replace(RECIPE, resolutions=SMALL_FIRST), 32)
HARD = phases_of(replace(RECIPE, resolutions=SMALL_FIRST, hardest=Hardest(share=0.5, until=0.75)), 32)


def run_out(clock: Clock, seconds_of: list[float] | None = None, unit_seconds: float = 0.1, noise: float = 0.0) -> None:
    draw = random.Random(0)
    while not clock.done:
        work = work_at(clock.phases, clock.share)
        clock.tick(unit_seconds * work * (1 + noise * draw.uniform(-1, 1)))


def test_without_a_budget_the_share_is_the_share_of_steps() -> None:
    clock = Clock(total_steps=7)
    shares = []
    while not clock.done:
        shares.append(clock.share)
        clock.tick(1.0)
    assert shares == [step / 7 for step in range(7)]
    assert clock.step == 7


@settings(deadline=None, max_examples=30)
@example(unit_seconds=0.02, budget_seconds=319.0, noise=0.0, phases=phases_of(RECIPE, 32))
@given(
    unit_seconds=st.floats(0.2, 2.0),
    budget_seconds=st.floats(60, 700),
    noise=st.floats(0, 0.5),
    phases=st.sampled_from([phases_of(RECIPE, 32), SMALL, HARD]),
)
def test_a_deadline_is_met_within_five_percent_on_any_machine(
    unit_seconds: float, budget_seconds: float, noise: float, phases: tuple[Phase, ...]
) -> None:
    clock = Clock(1000, phases, budget_seconds=budget_seconds, stretch=True)
    run_out(clock, unit_seconds=unit_seconds, noise=noise)
    assert clock.used_seconds == pytest.approx(budget_seconds, rel=0.05)
    assert clock.share == 1.0


def test_a_machine_that_slows_down_half_way_still_meets_the_deadline() -> None:
    clock = Clock(1000, budget_seconds=100, stretch=True)
    while not clock.done:
        clock.tick(0.1 if clock.used_seconds < 50 else 0.3)
    assert clock.used_seconds == pytest.approx(100, rel=0.05)


def test_a_training_that_fits_its_budget_keeps_its_own_steps() -> None:
    clock = Clock(100, budget_seconds=1000)
    run_out(clock)
    assert clock.step == 100
    assert not clock.by_deadline


def test_a_training_that_starts_slowly_and_becomes_fast_takes_no_more_steps_than_its_own() -> None:
    clock = Clock(1000, budget_seconds=200)
    while not clock.done:
        clock.tick(0.5 if clock.step < 30 else 0.1)
    assert 900 < clock.step <= 1000
    assert clock.used_seconds < 130


def test_a_training_that_does_not_fit_is_shortened() -> None:
    clock = Clock(1000, budget_seconds=20)
    run_out(clock)
    assert clock.step < 300
    assert clock.used_seconds == pytest.approx(20, rel=0.05)


def test_time_kept_for_the_test_is_not_trained_away() -> None:
    clock = Clock(1000, budget_seconds=100, stretch=True)
    while not clock.done:
        clock.tick(0.1, reserve_seconds=20)
    assert clock.used_seconds == pytest.approx(80, rel=0.05)


def test_a_step_that_warms_up_counts_as_time_and_not_as_pace() -> None:
    clock = Clock(1000, budget_seconds=100, stretch=True)
    for step in range(8):
        clock.tick(30.0 if step == 0 else 2.0 if step == 1 else 0.1, warms_up=step < 2)
    assert clock.unit_seconds == pytest.approx(0.1)
    assert clock.used_seconds == pytest.approx(32.6)
    while not clock.done:
        clock.tick(0.1)
    assert clock.used_seconds == pytest.approx(100, rel=0.05)


def test_validation_time_counts() -> None:
    clock = Clock(1000, budget_seconds=100, stretch=True)
    while not clock.done:
        clock.tick(0.1)
        if clock.step % 50 == 0:
            clock.spend(2.0)
    assert clock.used_seconds == pytest.approx(100, rel=0.05)


def test_resolutions_change_at_their_shares() -> None:
    assert [pixels_at(SMALL_FIRST, share, 32) for share in (0.0, 0.24, 0.25, 0.49, 0.5, 1.0)] == [
        16, 16, 24, 24, 32, 32,
    ]  # fmt: skip


def test_the_work_of_steps_is_that_of_their_pixels_and_images() -> None:
    assert phases_of(RECIPE, 32) == (Phase(1.0, 1.0),)
    assert (Phase(0.25, 0.25), Phase(0.5, 0.5625), Phase(1.0, 1.0)) == SMALL
    assert (Phase(0.25, 0.125), Phase(0.5, 0.28125), Phase(0.75, 0.5), Phase(1.0, 1.0)) == HARD
    assert [work_at(HARD, share) for share in (0.0, 0.25, 0.74, 0.75, 1.0)] == [0.125, 0.28125, 0.5, 1.0, 1.0]


def test_the_work_left_is_the_integral_of_it() -> None:
    whole = 0.25 * 0.25 + 0.25 * 0.5625 + 0.5
    assert work_left(SMALL, 0.0) == pytest.approx(whole)
    assert work_left(SMALL, 0.25) == pytest.approx(whole - 0.0625)
    assert work_left(SMALL, 1.0) == 0
    assert work_left(HARD, 0.6) == pytest.approx(0.15 / 2 + 0.25)


def test_the_time_left_counts_what_is_still_to_come_in_full() -> None:
    clock = Clock(1000, phases_of(replace(RECIPE, hardest=Hardest(share=0.5, until=0.75)), 32))
    for _ in range(500):
        clock.tick(0.1)  # half the images of a batch
    assert clock.seconds_left() == pytest.approx(250 * 0.1 + 250 * 0.2)
