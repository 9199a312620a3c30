"""How a training ends at a bad step; what skipping and rolling back leave is in tests/faults/test_numbers.py."""

import json
from pathlib import Path

import pytest

from cnnlab.errors import NonFiniteLossError
from cnnlab.train.loop import fit
from tests.train.conftest import TrainingIn
from tests.train.training import same, weights, with_lr


def test_a_loss_that_is_no_number_stops_at_that_step_and_keeps_the_last_good_checkpoint(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    training = training_in(tmp_path / "run", with_lr(1e30))
    training.step()
    training.save()
    good = {name: value.clone() for name, value in weights(training).items()}
    with pytest.raises(NonFiniteLossError) as caught:
        fit(training)
    message = str(caught.value)
    assert "learning rate" in message
    assert "step-00000001" in message
    note = json.loads((tmp_path / "run" / "bad-step.json").read_text())
    assert note["step"] == training.clock.step
    assert len(note["indices"]) == 16
    training.run.close()
    resumed = training_in(tmp_path / "run", training.recipe, resume=True)
    resumed.restore("last")
    assert same(weights(resumed), good)
