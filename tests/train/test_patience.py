from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cnnlab.train.patience import best_epoch, waited_epochs

ERRORS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(ERRORS)
def test_nothing_before_the_best_epoch_is_as_low_and_nothing_after_it_is_lower(errors: list[float]) -> None:
    best = best_epoch(errors)
    assert all(each > errors[best] for each in errors[:best])
    assert all(each >= errors[best] for each in errors[best:])
    assert waited_epochs(errors) == len(errors[best + 1 :])


def test_an_equal_error_is_no_gain() -> None:
    assert [waited_epochs([0.5, 0.4, 0.4, 0.45, 0.3][:epochs]) for epochs in range(6)] == [0, 0, 0, 1, 2, 0]
