from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnlab.errors import DataError, InterruptedRunError, NonFiniteLossError
from cnnlab.train.seeds import run_seeds, summary

ABOUT = {"recipe": "tiny", "model": "resnet20", "data": "shapes"}


def outcome(seed: int, part: str = "test") -> dict[str, Any]:
    tested = {"top1": 0.5 + seed / 10, "interval95": [0.2, 0.9], "images": 50, "protocol": "flip"}
    return {**ABOUT, "seed": seed, "train_seconds": 3.0, "epochs": 2.0, part: tested}


def trained(folder: Path, *, fails: dict[int, BaseException] | None = None, part: str = "test") -> Any:
    said: list[str] = []

    def train(seed: int) -> dict[str, Any]:
        if seed in (fails or {}):
            if not isinstance((fails or {})[seed], DataError):
                (folder / f"seed{seed}").mkdir(parents=True)
            raise (fails or {})[seed]
        (folder / f"seed{seed}").mkdir(parents=True)
        record = {"step": 1, "split": "val", "top1": 0.5, "loss": 1.0}
        (folder / f"seed{seed}" / "metrics.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
        return outcome(seed, part)

    return run_seeds(range(3), train, ABOUT, folder, said.append)


def test_the_folder_has_a_result_and_a_page_of_the_whole(tmp_path: Path) -> None:
    found = trained(tmp_path / "x")
    assert json.loads((tmp_path / "x" / "result.json").read_text(encoding="utf-8")) == found
    assert found["test"]["mean"] == pytest.approx(0.6)
    assert [each["seed"] for each in found["runs"]] == [0, 1, 2]
    page = (tmp_path / "x" / "report.html").read_text(encoding="utf-8")
    for text in ("3 of 3 seeds of tiny", "60.00%", "mean of 3 seeds", "seed2/report.html", "protocol flip"):
        assert text in page


def test_without_a_test_part_the_validation_part_is_told(tmp_path: Path) -> None:
    found = trained(tmp_path / "x", part="val")
    assert found["val"]["mean"] == pytest.approx(0.6)
    assert "Validation accuracy" in (tmp_path / "x" / "report.html").read_text(encoding="utf-8")


def test_a_seed_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    found = trained(tmp_path / "x", fails={1: NonFiniteLossError("the loss became NaN")})
    assert [each["seed"] for each in found["runs"]] == [0, 2]
    assert found["failed"] == [{"seed": 1, "error": "the loss became NaN"}]
    page = (tmp_path / "x" / "report.html").read_text(encoding="utf-8")
    assert "2 of 3 seeds of tiny" in page
    assert "seed 1: the loss became NaN" in page


@pytest.mark.parametrize("stop", [InterruptedRunError("stopped by SIGINT"), KeyboardInterrupt()])
def test_asked_to_stop_what_there_is_is_written(stop: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(stop)):
        trained(tmp_path / "x", fails={1: stop})
    found = json.loads((tmp_path / "x" / "result.json").read_text(encoding="utf-8"))
    assert ([each["seed"] for each in found["runs"]], found["failed"][0]["seed"]) == ([0], 1)
    assert "1 of 3 seeds of tiny" in (tmp_path / "x" / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "x" / "seed2").exists()


def test_what_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        trained(tmp_path / "x", fails={0: DataError("no images")})
    assert not (tmp_path / "x").exists()


def test_where_all_fail_the_first_reason_is_given_and_all_are_named(tmp_path: Path) -> None:
    fails: dict[int, BaseException] = {seed: NonFiniteLossError(f"NaN {seed}") for seed in range(3)}
    with pytest.raises(NonFiniteLossError, match="NaN 0"):
        trained(tmp_path / "x", fails=fails)
    found = json.loads((tmp_path / "x" / "result.json").read_text(encoding="utf-8"))
    assert [each["error"] for each in found["failed"]] == ["NaN 0", "NaN 1", "NaN 2"]
    assert "0 of 3 seeds of tiny" in (tmp_path / "x" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("verdicts", "told"), [((True, True), True), ((True, None), None), ((None, False), False)])
def test_the_seed_that_learned_least_speaks_for_all(
    verdicts: tuple[bool | None, ...], told: bool | None, tmp_path: Path
) -> None:
    results = [{"learned": each, "warnings": [str(each)], "try": []} for each in verdicts]
    found = summary(tmp_path, {}, results, [])
    assert (found["learned"], found["warnings"]) == (told, [str(told)])
