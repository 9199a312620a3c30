from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor

from cnnlab.data.sampler import order
from cnnlab.errors import UsageError
from cnnlab.evaluate.calibration import (
    HALVES_SEED,
    Calibration,
    calibrate,
    fit_temperature,
    judge,
    judge_in_halves,
    read_calibration,
    save_calibration,
    scale,
    trust,
)
from cnnlab.evaluate.classifier import load
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.metrics import brier_score, calibration_error, negative_log_likelihood
from cnnlab.evaluate.predict import Outcome
from cnnlab.evaluate.tested_on import load_for
from cnnlab.types import Split


def drawn(seed: int, spread: float, images: int = 200, classes: int = 5) -> tuple[Tensor, Tensor]:
    """Logits (N, K) float64 of a network `spread` times too sure of itself, and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return spread * logits, labels


def loss(logits: Tensor, labels: Tensor, temperature: float) -> float:
    return float(torch.nn.functional.cross_entropy(logits / temperature, labels))


@given(seed=st.integers(0, 2**32), spread=st.floats(0.3, 5))
def test_the_temperature_is_the_one_that_scipy_finds(seed: int, spread: float) -> None:
    logits, labels = drawn(seed, spread)
    expected = minimize_scalar(lambda t: loss(logits, labels, t), bounds=(1 / 20, 20), method="bounded").x
    assert fit_temperature(logits.softmax(1), labels) == pytest.approx(expected, rel=1e-3)


def test_a_network_twice_too_sure_is_cooled_by_two() -> None:
    logits, labels = drawn(0, 2.0, images=20_000)
    assert fit_temperature(logits.softmax(1), labels) == pytest.approx(2.0, rel=0.05)


@given(seed=st.integers(0, 2**32), temperature=st.floats(0.1, 10))
def test_scaling_is_that_of_the_logits_and_keeps_every_rank(seed: int, temperature: float) -> None:
    logits, _ = drawn(seed, 1.0, images=20)
    found = scale(logits.softmax(1), temperature)
    torch.testing.assert_close(found, (logits / temperature).softmax(1), atol=1e-9, rtol=1e-6)
    assert torch.equal(found.argmax(1), logits.argmax(1))


@given(seed=st.integers(0, 2**32), spread=st.floats(0.3, 5))
def test_the_images_it_was_fitted_on_never_become_less_likely(seed: int, spread: float) -> None:
    logits, labels = drawn(seed, spread)
    probabilities = logits.softmax(1)
    after = negative_log_likelihood(scale(probabilities, fit_temperature(probabilities, labels)), labels)
    assert after <= negative_log_likelihood(probabilities, labels) + 1e-9


def test_where_every_image_is_recognised_the_end_of_the_range_comes_out() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(probabilities, torch.tensor([0, 1])) == pytest.approx(1 / 20)
    assert fit_temperature(probabilities, torch.tensor([1, 0])) == pytest.approx(20)


def test_a_probability_of_nothing_is_no_infinity() -> None:
    probabilities = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert torch.isfinite(scale(probabilities, fit_temperature(probabilities, torch.tensor([0, 1, 1])))).all()


def test_trust_is_its_three_measures() -> None:
    logits, labels = drawn(3, 1.0)
    found, probabilities = trust(logits.softmax(1), labels), logits.softmax(1)
    assert found.nll == negative_log_likelihood(probabilities, labels)
    assert found.brier == brier_score(probabilities, labels)
    assert found.ece == calibration_error(probabilities, labels)


def answered(seed: int, images: int) -> Outcome:
    logits, labels = drawn(seed, 2.0, images)
    return Outcome(logits.softmax(1), labels, torch.arange(images))


@given(images=st.integers(2, 60))
def test_validation_images_either_fit_a_temperature_or_judge_it(images: int) -> None:
    outcome = answered(0, images)
    fitted = f"one half of the val part ({images // 2:,} images)"
    found = judge_in_halves(outcome)
    assert found.fitted_on == f"{fitted}, judged on the other ({images - images // 2:,})"
    assert found.judged_images == images - images // 2
    changed = outcome.labels.clone()
    judged = np.sort(order(HALVES_SEED, 0, images)[images // 2 :])
    changed[judged] = (changed[judged] + 1) % 5
    other = judge_in_halves(replace(outcome, labels=changed))
    assert other.temperature == found.temperature  # nothing of the judged half goes into it
    assert other.before.nll != found.before.nll


def test_halves_judge_on_the_images_left_and_are_always_the_same() -> None:
    outcome = answered(1, 4_000)
    found = judge_in_halves(outcome)
    assert found == judge_in_halves(outcome)
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    assert found.after.nll < found.before.nll


def test_a_temperature_of_other_images_is_judged_on_all() -> None:
    outcome = answered(1, 100)
    found = judge(2.0, outcome)
    assert (found.fitted_on, found.judged_images, found.before) == (
        "the val part",
        100,
        trust(outcome.probabilities, outcome.labels),
    )


def test_one_image_cannot_do_both() -> None:
    with pytest.raises(UsageError, match="1 validation images cannot both fit a temperature and judge it"):
        judge_in_halves(answered(0, 1))


# -- in a run ------------------------------------------------------------------------------------------------------


def test_a_runs_temperature_is_fitted_on_its_validation_images_and_saved(own_run: Path, shapes: Path) -> None:
    classifier = load(own_run)
    val = load_for([classifier], str(shapes)).val
    before = (own_run / "test_reads.jsonl").read_bytes()
    found = calibrate([classifier], val, str(shapes), "flip")
    _, outcome = examine([classifier], val, protocol="flip", split=Split.VAL)
    assert found == fit_temperature(outcome.probabilities, outcome.labels)
    saved = json.loads((own_run / "calibration.json").read_text(encoding="utf-8"))
    assert saved == {
        "temperature": found,
        "data": str(shapes),
        "protocol": "flip",
        "images": len(val),
        "weights_sha256": classifier.config.weights_sha256,
    }
    assert (own_run / "test_reads.jsonl").read_bytes() == before


def test_a_saved_temperature_is_used_again_for_the_same_protocol_and_weights_alone(own_run: Path, shapes: Path) -> None:
    classifier = load(own_run)
    val = load_for([classifier], str(shapes)).val
    save_calibration(own_run, Calibration(3.5, str(shapes), "flip", 4, classifier.config.weights_sha256))
    assert calibrate([classifier], val, str(shapes), "flip") == 3.5
    assert calibrate([classifier], val, "elsewhere", "flip") != 3.5
    save_calibration(own_run, Calibration(3.5, str(shapes), "flip", 4, classifier.config.weights_sha256))
    assert calibrate([classifier], val, str(shapes), "center") != 3.5
    save_calibration(own_run, Calibration(3.5, str(shapes), "flip", 4, "of other weights"))
    assert calibrate([classifier], val, str(shapes), "flip") != 3.5


def test_an_ensembles_temperature_is_saved_in_no_run(own_run: Path, shapes: Path) -> None:
    classifier = load(own_run)
    val = load_for([classifier], str(shapes)).val
    alone = calibrate([classifier, classifier], val, str(shapes), "center")
    assert not (own_run / "calibration.json").exists()
    assert alone == calibrate([classifier], val, str(shapes), "center")


def test_without_validation_images_there_is_no_temperature(own_run: Path, shapes: Path) -> None:
    classifier = load(own_run)
    nothing = load_for([classifier], str(shapes)).val.take(torch.arange(0).numpy())  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="has no validation images to fit a temperature on; train without --final"):
        calibrate([classifier], nothing, str(shapes), "flip")


@pytest.mark.parametrize("content", ["", "{}", '{"temperature": "warm"}', "[1]"])
def test_a_spoilt_file_is_refused_by_name(content: str, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"calibration\.json holds no temperature: .*remove it"):
        read_calibration(tmp_path, "cifar10", "flip", "")
