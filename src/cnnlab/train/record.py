"""The run folder: what was asked, where it ran, what happened at each step, and how it ended.

`recipe.json` and `environment.json` say how the run began, `metrics.jsonl` holds a line a record (and
`metrics.csv` the same as a table), `flow.jsonl` a line for each step that was looked into,
`events.out.tfevents…` is for TensorBoard, `result.json` the outcome.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import cnnlab
from cnnlab.data.cache import cache_folder
from cnnlab.errors import CheckpointError, UsageError, command, reason_of
from cnnlab.train.disk import INCOMPLETE, Disk, replace_file

if TYPE_CHECKING:
    import torch

METRICS = "metrics.jsonl"
FLOW = "flow.jsonl"  # what `--watch` saw, a line a sampled step
LOCK = "lock"
BAD_STEP = "bad-step"  # a folder with the training before the last bad step, and with `.json` the step's batch
# What a start writes before `recipe.json`, from which on a run can be resumed.
BEFORE_START = (
    *(LOCK, "preprocess.json", "whitening.safetensors"),
    *("data.json", "division.csv", "environment.json", "settings.json"),
)
TIMING = ("seconds", "images_per_second")  # what differs between two runs of the same seed


class RunFolder:
    """A run's folder, locked against other processes for as long as this is open.

    `taken_over` says whose lock was still there, of a process that was killed; None where it ended by itself.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        require_unused(path) if not resume else require_begun(path)
        self._made = [each for each in (path, *path.parents) if not each.exists()]  # the deepest first
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"the run folder {path} cannot be made: {reason_of(error)}; choose another: --run FOLDER"
            ) from None
        self._lock, self.taken_over = _acquire(path / LOCK)
        self._tensorboard: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the CSV, flush TensorBoard's file and let go of the lock; of a run that never began nothing stays."""
        if self._lock.closed:
            return
        with contextlib.suppress(OSError):  # a full disk has been reported where it mattered
            self.write_csv()
            if self._tensorboard is not None:
                self._tensorboard.close()
        if all(each.name in BEFORE_START for each in self.path.iterdir()):
            shutil.rmtree(self.path)
            with contextlib.suppress(OSError):  # others have begun runs there since
                for each in self._made[1:]:
                    each.rmdir()
        with contextlib.suppress(OSError):
            self._lock.truncate(0)  # whoever comes next knows that this one ended by itself
        self._lock.close()

    @property
    def checkpoints(self) -> Path:
        """Where the run's checkpoints are."""
        return self.path / "checkpoints"

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files that records are appended to."""
        return self.path / METRICS, self.path / FLOW

    def write_json(self, name: str, values: object) -> None:
        """Write `values` as the JSON file `name`; at any moment it holds its old bytes or all of the new."""
        self.write_bytes(name, json.dumps(values, indent=1).encode())

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write `data` as the file `name`; at any moment it holds its old bytes or all of the new."""
        replace_file(self.path / name, data, Disk())

    def read_json(self, name: str) -> Any:
        """The values in the JSON file `name`."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def log(self, values: Mapping[str, float | int | str]) -> None:
        """Append one record, which has at least `step` and `split`, to the metrics.

        Raises:
            CheckpointError: it could not be written (a full disk, say); what is saved stays.
        """
        self._append(METRICS, values, values)

    def log_flow(self, values: Mapping[str, Any], scalars: Mapping[str, float]) -> None:
        """Append what was seen inside the network at `values["step"]` to `flow.jsonl`, `scalars` to TensorBoard.

        Raises:
            CheckpointError: it could not be written.
        """
        self._append(FLOW, values, {"step": values["step"], "split": "flow", **scalars})

    def _append(self, name: str, values: Mapping[str, Any], plotted: Mapping[str, float | int | str]) -> None:
        try:
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
            self._log_tensorboard(plotted)
        except OSError as error:
            raise CheckpointError(
                f"could not write to {self.path}: {error.strerror or error}; its checkpoints are untouched; "
                f"free some space, then resume: {command('train', '--resume', '--run', self.path)}"
            ) from None

    def records(self) -> list[dict[str, Any]]:
        """All records so far, oldest first; a last line cut short by a crash is left out."""
        return read_records(self.path)

    def drop_records_after(self, step: int) -> None:
        """Forget the records of steps that a resumed run will take again."""
        self._keep_records(METRICS, step)
        if (self.path / FLOW).is_file():  # whose steps count from 0
            self._keep_records(FLOW, step - 1)

    def _keep_records(self, name: str, last_step: int) -> None:
        kept = [json.dumps(each) + "\n" for each in read_records(self.path, name) if each["step"] <= last_step]
        replace_file(self.path / name, "".join(kept).encode(), Disk())

    def forget_start(self) -> None:
        """Let a training that never began be started here again, with other settings."""
        if all(each.name in (*BEFORE_START, "recipe.json") for each in self.path.iterdir()):
            (self.path / "recipe.json").unlink(missing_ok=True)

    def write_csv(self) -> None:
        """Write the records as `metrics.csv`, a column for each value that any record has."""
        records = self.records()
        if not records:
            return
        columns = list(dict.fromkeys(key for record in records for key in record))
        table = io.StringIO()
        writer = csv.DictWriter(table, columns)
        writer.writeheader()
        writer.writerows(records)
        (self.path / "metrics.csv").write_text(table.getvalue(), encoding="utf-8")

    def _log_tensorboard(self, values: Mapping[str, float | int | str]) -> None:
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter  # 1 s to import: only where something is trained

            self._tensorboard = SummaryWriter(str(self.path), purge_step=int(values["step"]))
        for key, value in values.items():
            if key not in ("step", "split", "epoch") and not isinstance(value, str):
                self._tensorboard.add_scalar(f"{values['split']}/{key}", value, int(values["step"]))


def require_unused(path: Path) -> None:
    """Refuse a folder, or a file, that a new run cannot be kept in: an earlier one is.

    Raises:
        UsageError: says how to resume it.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):  # what Python makes of other bytes
        raise UsageError(f"the run folder {path} has a name that is not UTF-8, as TensorBoard needs; give another")
    if path.exists() and not path.is_dir():
        raise UsageError(f"--run {path} is a file; choose a folder for the run")
    if path.exists() and any(_is_of_a_run(each.name) for each in path.iterdir()):
        raise UsageError(
            f"the run folder {path} is already in use by an earlier run; resume it: --resume --run {path}, "
            "or choose another folder: --run NAME"
        )


def require_begun(path: Path) -> None:
    """Refuse a folder in which no run has begun that could be resumed.

    Raises:
        UsageError: says to start it first.
    """
    if not (path / "recipe.json").is_file():
        raise UsageError(f"nothing to resume in {path}: it has no recipe.json; start it without --resume")


def read_records(folder: Path, name: str = METRICS) -> list[dict[str, Any]]:
    """The records in a run folder's `metrics.jsonl`, or `flow.jsonl`; a last line cut short by a crash is left out."""
    path = folder / name
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def _is_of_a_run(name: str) -> bool:
    """Whether a file says that a run has begun, and not only that one was about to when its process was killed."""
    return name.removesuffix(INCOMPLETE) not in BEFORE_START and name != f"recipe.json{INCOMPLETE}"


def _acquire(path: Path) -> tuple[io.TextIOWrapper, str | None]:
    """Lock a file for as long as it is open; also says what a holder who was killed has left in it.

    The system lets go of a lock when its process dies, however it dies; no process number is trusted for that.
    """
    file = path.open("a+", encoding="utf-8")
    try:
        import fcntl  # POSIX; elsewhere two runs are kept apart only by the folder's contents

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise UsageError(f"the run folder {path.parent} is in use by {holder}; wait, or choose another --run") from None
    file.seek(0)
    before = file.read().strip()
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file, _taken_over(path.parent, before) if before else None


def _taken_over(folder: Path, before: str) -> str:
    """What to say of a lock that was left behind."""
    if before.endswith(f" on {socket.gethostname()}"):
        return f"the lock of {before} is taken over: that process was killed"
    return f"the lock of {before} is taken over; make sure that nothing there writes to {folder} any more"


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, machine, device, threads and time: what a figure needs beside it to be believed.

    `git` is the commit that cnnlab's own code is checked out at, and `git_changed` whether files differ from it; None
    where it was installed without its history.
    """
    import torch

    from cnnlab.models.precision import cpu_capability

    commit, changed = checked_out(Path(__file__))
    return {
        "time": datetime.now(UTC).isoformat(),
        "cnnlab": cnnlab.__version__,
        "git": commit,
        "git_changed": changed,
        "python": platform.python_version(),
        "packages": {
            name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "safetensors", "pillow")
        },
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cpu_capability": cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "cuda": torch.version.cuda,
        "driver": nvidia_driver(),
        "command": _command(),
    }


def cache_space() -> dict[str, Any]:
    """Where data sets and weights are kept, and how many bytes are free there."""
    folder = cache_folder()
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    return {"folder": str(folder), "free_bytes": shutil.disk_usage(there).free}


def nvidia_driver() -> str | None:
    """The version of the NVIDIA driver; None where there is none."""
    with contextlib.suppress(OSError, IndexError):
        first = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
        if found := re.search(r"\b\d+\.\d+(\.\d+)?\b", first):
            return found.group()
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return (_output(asked, Path()) or "").partition("\n")[0] or None


def _command() -> list[str]:
    """What was asked for, without the folder that the program is installed in."""
    program = Path(sys.argv[0])
    return [program.name if program.is_absolute() else str(program), *sys.argv[1:]]


def processor_name() -> str:
    """The CPU's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def checked_out(file: Path) -> tuple[str | None, bool | None]:
    """The commit that the repository of `file` is at, and whether its files were changed since; (None, None) if none.

    A file that is not part of a repository around it, as in a virtual environment, has no commit. Files that nobody
    added to the repository count where they lie beside `file` or deeper.
    """
    folder = file.parent
    if not _output(["git", "ls-files", "--", file.name], folder):
        return None, None
    tracked = _output(["git", "status", "--porcelain", "--untracked-files=no"], folder)
    beside = _output(["git", "status", "--porcelain", "--", ".."], folder)
    changed = None if tracked is None or beside is None else bool(tracked or beside)
    return _output(["git", "rev-parse", "HEAD"], folder), changed


def _output(command: list[str], folder: Path) -> str | None:
    """What a command prints, None where it fails or does not end within seconds."""
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
