import json
from dataclasses import asdict

from cnnlab.train.bad_step import SPIKE_STEPS
from cnnlab.train.progress import Progress, Window
from cnnlab.train.step import StepResult


def test_progress_comes_back_from_json_as_it_was() -> None:
    progress = Progress(window=Window(2, 32, 1.25, 20, 0.5, {"aux": 0.1}), val_errors=[0.5, 0.1], bad_steps=[3])
    progress.remember(StepResult(0.1, 3, 8, gradient_norm=0.3))
    assert Progress.from_dict(json.loads(json.dumps(asdict(progress)))) == progress


def test_a_checkpoint_from_before_bad_steps_were_counted_still_reads() -> None:
    old = {"window": asdict(Window()), "val_errors": [0.5], "warming_up": False, "images_seen": 16}
    assert Progress.from_dict(old).bad_steps == []


def test_only_the_last_good_steps_are_remembered() -> None:
    progress = Progress()
    for step in range(SPIKE_STEPS + 5):
        progress.remember(StepResult(float(step), 0, 8, gradient_norm=1.0))
    assert [each[0] for each in progress.recent] == [5.0 + step for step in range(SPIKE_STEPS)]


def test_the_best_step_is_the_last_validation_if_none_was_as_good() -> None:
    assert Progress().best_step is None
    assert Progress(val_errors=[0.3, 0.2], validated_step=8).best_step == 8
    assert Progress(val_errors=[0.2, 0.2], validated_step=8).best_step is None
