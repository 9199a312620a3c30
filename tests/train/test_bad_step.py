import math

import pytest

from cnnlab.errors import UsageError
from cnnlab.train.bad_step import OnBadStep, bad_in_a_row, likely_cause, parse_on_bad_step, what_is_wrong
from cnnlab.train.step import StepResult

USUAL = [(1.0 + step % 3, 10.0) for step in range(100)]  # median loss 2


def result(loss: float = 2.0, norm: float | None = 10.0, **aux: float) -> StepResult:
    return StepResult(loss, 0, 8, aux, norm)


def test_the_rules_by_their_names() -> None:
    assert parse_on_bad_step("stop") == OnBadStep()
    assert parse_on_bad_step("skip", 5.0) == OnBadStep("skip", 0, 5.0)
    assert parse_on_bad_step("rollback:3") == OnBadStep("rollback", 3)


@pytest.mark.parametrize("text", ["", "halt", "skip:2", "rollback", "rollback:", "rollback:0", "rollback:-1", "stop:"])
def test_other_rules_are_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"accepted: stop, skip, or rollback:K"):
        parse_on_bad_step(text)


def test_a_spike_that_every_step_is_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--spike 1 must be above 1"):
        parse_on_bad_step("skip", 1.0)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (result(math.nan), "the loss became nan"),
        (result(aux_1=math.inf), "the loss of the auxiliary head aux_1 became inf"),
        (result(norm=math.nan), "the norm of the gradient became nan"),
        (result(10.1), "the loss leapt to 10.1, 5.0 times the median of 100 steps"),
        (result(norm=51.0), "the norm of the gradient leapt to 51, 5.1 times the median of 100 steps"),
        (result(9.9, 49.0), None),
        (result(norm=None), None),
    ],
)
def test_what_is_wrong_is_said(seen: StepResult, said: str | None) -> None:
    assert what_is_wrong(seen, USUAL, 5.0) == said


def test_no_spike_without_a_limit_or_enough_steps_before() -> None:
    assert what_is_wrong(result(1e9), USUAL, None) is None
    assert what_is_wrong(result(1e9), USUAL[:19], 5.0) is None
    assert what_is_wrong(result(1e9), USUAL[:20], 5.0) is not None
    assert what_is_wrong(result(1.0), [(0.0, 0.0)] * 30, 5.0) is not None  # a median of zero


def test_the_likely_cause() -> None:
    assert "holds values that are not finite" in likely_cause(5, 0.1, finite_images=False)
    assert "very first step" in likely_cause(0, 0.1, finite_images=True)
    assert likely_cause(5, 0.1, finite_images=True).endswith("try --lr 0.01")


def test_bad_steps_in_a_row_are_counted_from_the_end() -> None:
    assert [bad_in_a_row(steps) for steps in ([], [4], [2, 4], [3, 4], [1, 3, 4, 5])] == [0, 1, 1, 2, 3]
