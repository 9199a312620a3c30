import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.train.record import RunFolder, cache_space, checked_out, environment, read_records


def record(step: int, split: str = "train") -> dict[str, float | int | str]:
    return {"step": step, "epoch": 0, "split": split, "loss": 1.5, "top1": 0.25}


def test_records_are_kept_as_lines_csv_and_tensorboard(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", resume=False) as run:
        run.log(record(20))
        run.log(record(40, "val"))
    assert [each["step"] for each in read_records(tmp_path / "run")] == [20, 40]
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert [row["split"] for row in csv.DictReader(file)] == ["train", "val"]
    assert list((tmp_path / "run").glob("events.out.tfevents*"))


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(json.dumps(record(1)) + "\n" + '{"step": 2, "lo')
    assert [each["step"] for each in read_records(tmp_path)] == [1]


def test_records_after_a_step_are_forgotten_on_resume(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", resume=False) as run:
        for step in (20, 40, 60):
            run.log(record(step))
        run.drop_records_after(40)
        assert [each["step"] for each in run.records()] == [20, 40]


def test_what_was_looked_into_has_a_file_of_its_own_whose_steps_count_from_0(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", resume=False) as run:
        for step in (0, 20, 40):
            run.log_flow({"step": step, "loss": 1.5}, {"gradient norm/conv1": 0.1})
        run.drop_records_after(40)  # step 40 is taken again
    assert [each["step"] for each in read_records(tmp_path / "run", "flow.jsonl")] == [0, 20]
    assert list((tmp_path / "run").glob("events.out.tfevents*"))


def test_a_start_is_forgotten_only_where_nothing_else_was_written(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", resume=False) as run:
        run.write_json("recipe.json", {})
        run.log(record(1))
        run.forget_start()
    assert (tmp_path / "run" / "recipe.json").is_file()
    with RunFolder(tmp_path / "other", resume=False) as run:
        run.write_json("recipe.json", {})
        run.write_json("data.json", {})
        run.forget_start()
    with RunFolder(tmp_path / "other", resume=False):
        pass


def test_a_folder_with_an_earlier_run_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(UsageError, match=r"--resume.*or choose another"):
        RunFolder(tmp_path, resume=False)


def test_a_folder_that_cannot_be_made_is_the_users_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        UsageError, match=r"run folder .*/x cannot be made: no permission; choose another: --run FOLDER"
    ):
        RunFolder(tmp_path / "x", resume=False)


@pytest.mark.parametrize("left", ["recipe.json.incomplete", "data.json.incomplete", "settings.json", "lock"])
def test_a_start_that_was_killed_before_it_began_can_be_made_again(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("{}")
    with RunFolder(tmp_path, resume=False) as run:
        run.write_json("recipe.json", {})
    with RunFolder(tmp_path, resume=True):
        pass


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to resume"):
        RunFolder(tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_a_start_that_failed_before_it_began_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad data"), RunFolder(tmp_path / "run", resume=False):
        raise ValueError("bad data")
    assert not (tmp_path / "run").exists()


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom cnnlab.train.record import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1]), resume=True)\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    (tmp_path / "recipe.json").write_text("{}")
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with pytest.raises(UsageError, match=f"in use by process {holder.pid}"):
        RunFolder(tmp_path, resume=True)
    holder.kill()
    holder.communicate()
    RunFolder(tmp_path, resume=True).close()  # the lock died with its process


def test_the_environment_names_what_a_figure_depends_on() -> None:
    found = environment(torch.device("cpu"))
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert found["device"] == "cpu"
    assert {"processor", "cores", "threads", "command", "time", "python"} <= found.keys()
    json.dumps(found)


@pytest.mark.parametrize(
    ("program", "kept"), [("/home/someone/.venv/bin/cnnlab", "cnnlab"), ("bench/scaling.py", "bench/scaling.py")]
)
def test_a_record_does_not_say_where_the_program_is_installed(
    program: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "train"])
    assert environment(torch.device("cpu"))["command"] == [kept, "train"]


def test_the_lock_of_a_killed_process_is_taken_over_and_said(tmp_path: Path) -> None:
    hold = (
        "import os, signal, sys; from pathlib import Path; from cnnlab.train.record import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1]), resume=False); run.write_json('recipe.json', {})\n"
        "print(os.getpid(), flush=True); signal.pause()"
    )
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", hold, str(run)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        process = holder.stdout.readline().strip()
        with pytest.raises(UsageError, match=f"in use by process {process} on .*wait, or choose another --run"):
            RunFolder(run, resume=True)
        holder.kill()
    with RunFolder(run, resume=True) as taken:
        assert taken.taken_over is not None
        assert taken.taken_over.startswith(f"the lock of process {process} on ")
        assert taken.taken_over.endswith("is taken over: that process was killed")
    with RunFolder(run, resume=True) as again:
        assert again.taken_over is None


def test_a_lock_of_another_machine_is_taken_over_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    (tmp_path / "lock").write_text("process 7 on elsewhere\n")
    with RunFolder(tmp_path, resume=True) as run:
        assert run.taken_over is not None
        assert "process 7 on elsewhere is taken over; make sure that nothing there writes to" in run.taken_over


def test_a_run_folder_that_is_not_utf8_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(UsageError, match=r"has a name that is not UTF-8, as TensorBoard needs; give another"):
        RunFolder(path, resume=False)
    assert not path.exists()


def test_the_commit_is_the_one_checked_out_and_changes_are_told(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    (tmp_path / "src" / "room").mkdir(parents=True)
    code = tmp_path / "src" / "room" / "record.py"
    code.write_text("1", encoding="utf-8")
    assert checked_out(code) == (None, None)
    git("init", "-q")
    assert checked_out(code) == (None, None)  # in a repository, but not of it
    git("add", "src")
    git("commit", "-qm", "first")
    (tmp_path / "other.txt").write_text("1", encoding="utf-8")
    git("add", "other.txt")
    git("commit", "-qm", "second, of another file")
    assert checked_out(code) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    assert checked_out(code)[1] is False  # not of the code
    (tmp_path / "src" / "new.py").touch()
    assert checked_out(code)[1] is True
    (tmp_path / "src" / "new.py").unlink()
    (tmp_path / "other.txt").write_text("2", encoding="utf-8")
    assert checked_out(code)[1] is True


def test_the_cache_is_named_with_its_free_space() -> None:
    found = cache_space()
    assert Path(found["folder"]).name == "cnnlab"
    assert found["free_bytes"] > 0
