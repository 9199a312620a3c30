"""Saving off the training thread: the training waits for a copy of its tensors, not for the disk.

The copy is made on the training thread, as the next step changes the tensors. What takes long, turning it into
bytes, hashing and waiting for the disk, is done by a thread of its own, one checkpoint at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.errors import CheckpointError
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.checkpoint import Checkpoint
from cnnlab.train.disk import Disk


class Saver:
    """Writes the checkpoints of one training in order; an error waits until it is asked for."""

    def __init__(self, folder: Path, *, keep: int = 2, logs: tuple[Path, ...] = (), disk: Disk | None = None) -> None:
        """Write to `folder`, which keeps the newest `keep`; `logs` are made safe before each checkpoint.

        A resumed run drops the records after its checkpoint, so those before it must not be lost alone.
        """
        self._folder, self._keep, self._logs, self._disk = folder, keep, logs, disk or Disk()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._writing: Future[Path] | None = None

    def begin(self, step: int, checkpoint: Checkpoint, *, best: bool = False) -> None:
        """Copy `checkpoint` and begin to write it; waits for an earlier one that is still being written.

        Raises:
            CheckpointError: the earlier one could not be written; this one is not begun.
        """
        self.wait()
        copy = Checkpoint({name: _copies(tensors) for name, tensors in checkpoint.tensors.items()}, checkpoint.state)
        self._writing = self._thread.submit(self._write, step, copy, best)

    def error(self) -> CheckpointError | None:
        """Why the last checkpoint could not be written, told once; None while it is being written, too."""
        if self._writing is None or not self._writing.done():
            return None
        try:
            self.wait()
        except CheckpointError as error:
            return error
        return None

    def wait(self) -> None:
        """Wait until all that was begun is on the disk.

        Raises:
            CheckpointError: it could not be written; earlier checkpoints are as they were.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, step: int, checkpoint: Checkpoint, best: bool) -> Path:
        try:
            for each in self._logs:
                if each.is_file():
                    self._disk.sync(each)
        except OSError as error:
            raise CheckpointError(f"could not keep {each}: {error.strerror or error}; free some space") from None
        return checkpoints.save(self._folder, step, checkpoint, keep=self._keep, best=best, disk=self._disk)


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in the CPU's memory, in the order safetensors writes."""
    return {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
