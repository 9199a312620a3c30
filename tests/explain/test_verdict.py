"""The matrix of sick and healthy trainings, on images of half the size that bench/flow_doctor.py takes."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from cnnlab.data.synthetic import synthetic
from cnnlab.explain import verdict
from cnnlab.explain.trial import Trial
from cnnlab.explain.verdict import Ailment, judge

BENCH = Path(__file__).parents[2] / "bench" / "flow_doctor.py"
FEW_STEPS = {"highway19": 4, "highway32": 3, "densenet_bc100_12": 4, "nin_cifar, He": 4}


def load_bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flow_doctor", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["flow_doctor"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bench = load_bench()
CASES = [*bench.SICK, *bench.HEALTHY]


@pytest.fixture(scope="module")
def data() -> dict[int, object]:
    """The synthetic set, prepared, by the side of its images."""
    return {pixels: bench.prepared(synthetic(2000, 0, 0, pixels), 0) for pixels in (16, 32)}


def tried(case: object, data: dict[int, object]) -> Trial:
    case = replace(case, steps=FEW_STEPS.get(case.name, case.steps))  # type: ignore[attr-defined, type-var]
    pixels = 32 if "lenet" in case.name or "255" in case.name else 16  # type: ignore[attr-defined]
    trial = bench.run_case(case, data[pixels], 0)
    assert isinstance(trial, Trial)
    return trial


def test_the_matrix_is_large_enough_and_names_every_ailment() -> None:
    assert len(bench.SICK) >= 12
    assert len(bench.HEALTHY) >= 12
    assert {case.expected for case in bench.SICK} == {str(each) for each in Ailment}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_matrix(case: object, data: dict[int, object]) -> None:
    said = judge(tried(case, data))
    expected = case.expected  # type: ignore[attr-defined]
    names = [str(each.ailment) for each in said]
    assert (expected in names) if expected else names == []
    for each in said:
        assert any(letter.isdigit() for letter in each.evidence)
        assert each.remedy


def test_a_threshold_moved_is_a_verdict_changed(data: dict[int, object], monkeypatch: pytest.MonkeyPatch) -> None:
    trial = tried(next(case for case in bench.HEALTHY if case.name == "resnet20"), data)
    monkeypatch.setattr(verdict, "VANISHED_LEVER", 5.0)
    assert [each.ailment for each in judge(trial)] == [Ailment.VANISHING]


def test_remedies_fit_what_was_seen(data: dict[int, object]) -> None:
    [sigmoid] = judge(tried(next(case for case in bench.SICK if case.name == "20 sigmoid layers"), data))
    assert "ReLU in place of sigmoid" in sigmoid.remedy
    plain = judge(tried(next(case for case in bench.SICK if case.name == "50 ReLU layers without norms"), data))
    assert all("in place of" not in each.remedy for each in plain)


def test_a_loss_that_is_no_number_reads_well(data: dict[int, object]) -> None:
    case = next(case for case in bench.SICK if case.name == "5 ReLU layers, lr 3")
    trial = tried(replace(case, optimizer=bench.Sgd(lr=1e6)), data)
    assert not math.isfinite(trial.losses[-1])
    told = next(each for each in judge(trial) if each.ailment is Ailment.LR_HIGH)
    assert "to no number" in told.evidence
    assert "nan" not in told.evidence


def test_the_tables_of_the_page_are_those_of_the_record() -> None:
    page, record = bench.PAGE.read_text(encoding="utf-8"), json.loads(bench.RECORD.read_text(encoding="utf-8"))
    assert bench.with_tables(page, record) == page
    assert bench.with_tables(page.replace("| nothing |", "| anything |"), record) == page
