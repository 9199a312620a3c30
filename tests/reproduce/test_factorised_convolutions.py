from __future__ import annotations

import pytest
from scipy import stats

from cnnlab.reproduce import factorised_convolutions
from cnnlab.reproduce.factorised_convolutions import ROUNDS, read, sign_p
from cnnlab.reproduce.judge import verdict


def test_the_sign_test_is_scipys() -> None:
    assert sign_p(12, 15) == pytest.approx(stats.binomtest(12, 15).pvalue)


@pytest.mark.parametrize(("whole", "holds"), [(2.0, True), (0.5, False)])
def test_weights_and_macs_are_exact_and_time_decides(
    whole: float, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"5x5": whole, "two 3x3": 1.0, "7x7": whole, "1x7 and 7x1": 1.0}
    monkeypatch.setattr(
        factorised_convolutions, "time_stacks", lambda *_: {name: [each] * ROUNDS for name, each in times.items()}
    )
    found = read({})
    counted = [claim.holds for claim in found.claims if "faster" not in claim.words]
    assert counted == [True] * 4
    assert verdict(found.claims).holds is holds
    first = found.values[0]
    assert (first.name, first.ours, first.paper) == ("two 3x3 over 5x5, weights", "0.720", "0.720")
