"""The script that measures a GPU's rows, on a CPU: what it starts, how it takes turns, and what it understands."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "bench" / "gpu.py"

# Scripts that print as the peers' do, each run noted in a file.
AIRBENCH = """
import sys
with open(sys.argv[0]) as file:
    code = file.read()
def show(*cells):
    print("|" + "|".join(f"  {cell}  " for cell in cells) + "|")
    print("-" * 20)
def main(run):
    show(run, 1, 0.5, 0.5123, "", 1.0 + (run if run != "warmup" else 0))
    show("", "eval", 0.9, 0.9, 0.94 if run != "warmup" else 0.1, 2.5)
    with open("runs", "a") as file:
        file.write(f"{run} ")
if __name__ == "__main__":
    show("run   ", "epoch", "train_acc", "val_acc", "tta_val_acc", "time_seconds")
    main("warmup")
    for run in range(9):
        main(run)
"""


def loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    return loaded("bench_gpu", SCRIPT)


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    return loaded("bench_gate", SCRIPT.parent / "gate" / "sitecustomize.py")


def test_a_table_of_runs_is_understood(gate: ModuleType) -> None:
    reader = gate.Reader()
    lines = {
        "|  run     |  epoch  |  train_acc  |  val_acc  |  tta_val_acc  |  time_seconds  |": None,
        "|  warmup  |      1  |     0.4000  |   0.4000  |               |        0.2000  |": None,
        "|          |   eval  |     0.4000  |   0.4000  |       0.1000  |        0.3000  |": None,
        "|       0  |      1  |     0.5000  |   0.5000  |               |        0.3000  |": None,
        "|          |   eval  |     0.9900  |   0.9300  |       0.9401  |        2.5900  |": (0.9401, 2.59),
        "|       1  |      1  |     0.5000  |   0.5000  |               |        0.3000  |": None,
        "|          |  eval  |  0.01  |  0.99  |  0.9301  |  0.9602  |  27.3000  |": (0.9602, 27.3),
        "--------------------------": None,
        "Training small proxy...": None,
    }
    for line, expected in lines.items():
        found = reader.read(line)
        assert (found and (found["accuracy"], found["seconds"])) == expected, line


def test_a_run_is_found_in_means_over_all_so_far(gate: ModuleType) -> None:
    reader, runs = gate.Reader(), [(0.94, 2.0), (0.939, 2.1), (0.942, 1.9), (0.9401, 2.0)]
    for number in range(1, len(runs) + 1):
        accuracy, seconds = (sum(column) / number for column in zip(*runs[:number], strict=True))
        found = reader.read(f"Mean accuracy after {number} runs: {accuracy:.6f} | Mean time: {seconds:.6f}s")
        assert found["accuracy"] == pytest.approx(runs[number - 1][0], abs=1e-5)
        assert found["seconds"] == pytest.approx(runs[number - 1][1], abs=1e-5)


def test_a_peers_script_waits_after_each_run(gpu: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "airbench.py"
    script.write_text(AIRBENCH)
    contender = gpu.peers_script("peer", script, tmp_path)
    try:
        assert not (tmp_path / "runs").exists()
        for turn in range(2):
            assert contender.ask() == {"accuracy": 0.94, "seconds": 2.5}
            assert (tmp_path / "runs").read_text() == "warmup " + "0 " * turn
    finally:
        contender.end()


def test_turns_go_to_and_fro_and_the_first_does_not_count(gpu: ModuleType) -> None:
    asked: list[str] = []

    class Fake:
        def __init__(self, name: str, speed: float) -> None:
            self.name, self.speed, self.ended = name, speed, False

        def ask(self) -> dict[str, float]:
            asked.append(self.name)
            return {"images_per_second": self.speed * len(asked)}

        def end(self) -> None:
            self.ended = True

    contenders = [Fake("cnnlab", 3.0), Fake("timm", 2.0)]
    answers = gpu.take_turns(contenders, 2)
    assert asked == ["timm", "cnnlab", "cnnlab", "timm", "timm", "cnnlab"]
    assert all(each.ended for each in contenders)
    found = gpu.summed_up(answers, "images_per_second")
    assert found["values"]["cnnlab"]["all"] == [9.0, 18.0]
    assert found["ratios"] == {"timm": pytest.approx((9 / 8 + 18 / 10) / 2)}


def test_a_contender_that_fails_is_named(gpu: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)")
    contender = gpu.peers_script("broken", script, tmp_path)
    try:
        with pytest.raises(RuntimeError, match="broken ended with code 3"):
            contender.ask()
    finally:
        contender.end()


@pytest.mark.slow
@pytest.mark.timeout(1500)  # nine processes, each of which imports torch
def test_every_row_runs_in_miniature_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--quick", "--runs", "2", "--out", str(out)]
    ended = subprocess.run(
        [*command, "--recipe-96", "fast/cifar10"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    record = json.loads(out.read_text())
    assert list(record) == ["94", "96", "resnet50", "cifar-resnets", "photos"]
    assert all(each["quick"] and each["runs"] == 2 for each in record.values())
    assert len(record["94"]["values"]["cnnlab"]["all"]) == 2
    assert 0 <= record["96"]["accuracy"]["cnnlab"]["mean"] <= 1
    assert record["resnet50"]["ratios"]["timm"] > 0
    assert record["resnet50"]["share_of_roof_by_operation"] > 0
    assert record["cifar-resnets"]["networks"]["resnet20"]["ratios"]["usual loop, 0 workers"] > 0
