"""Several processes train one network, started by torchrun; here and nowhere else is known that there are others.

Every process has the whole network and takes its share of each batch; the gradients of all are summed (Li et al. 2020,
"PyTorch Distributed", arXiv:2006.15704). The first process, rank 0, writes the run folder and talks; what depends on a
clock, a signal or a loss is decided by all together, so that none waits for one that has left.

A batch norm normalises by the images of its own process unless norms are synchronised; its running statistics are the
mean over the processes. Mixup and cutmix pair images of one share. Both, and dropout, which draws other numbers in
each process, make a run differ from the same run in another number of processes; all else is equal within rounding.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.data.sampler import share
from cnnlab.data.unreadable import refuse_too_many
from cnnlab.errors import CnnlabError, RankError, UsageError
from cnnlab.evaluate.predict import Outcome, predict_part
from cnnlab.evaluate.protocols import Protocol
from cnnlab.models.device import resolve_device
from cnnlab.models.layers import Network
from cnnlab.train.average import averaged_copy
from cnnlab.train.freeze import Norm
from cnnlab.train.pulse import Pulse, describe
from cnnlab.train.record import RunFolder
from cnnlab.train.synced_norm import with_synced_norms
from cnnlab.types import Preprocess

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import Store
    from torch.nn.parallel import DistributedDataParallel

    from cnnlab.train.step import StepResult

RANK_SECONDS = 10.0  # how long one process may keep the others waiting within a step
PATIENT_SECONDS = 1800.0  # and where their work differs: loading, validating, writing the report
SILENCE_SECONDS = 13.0  # without a sign of life, wherever the others are
LOST_WORDS = ("gloo", "nccl", "connection", "timed out")
QUIET_SECONDS = 5.0  # that processes with an error wait for rank 0 to have it too and tell it for all, and it for them


@dataclass(frozen=True)
class World:
    """Which of how many processes this is: `rank` of `size`, on this machine `local_rank` of `local_size`, from 0.

    `restarts` says how often torchrun has started them anew.
    """

    rank: int = 0
    local_rank: int = 0
    size: int = 1
    local_size: int = 1
    restarts: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes and talks for all."""
        return self.rank == 0


ALONE = World()


@dataclass(frozen=True)
class Scale:
    """How several processes train: batch norms synchronised or not, how long one may keep the others waiting.

    With `fsdp` each process holds a share of the weights (`sharded`).
    """

    sync_norms: bool = False
    rank_seconds: float = RANK_SECONDS
    fsdp: bool = False


def world_from_environment() -> World:
    """What torchrun says in this process's environment; without torchrun, one process alone.

    Raises:
        UsageError: a number is none.
    """
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT")
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # Slurm and MPI set such names for single processes, too
        return ALONE
    texts = [os.environ.get(name, "0") for name in names]
    if not all(each.isdecimal() for each in texts) or int(texts[2]) < 1:
        seen = ", ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))
        raise UsageError(f"the environment has {seen}; start the processes with torchrun, which sets these numbers")
    return World(*map(int, texts))


class Team:
    """What the processes of a training do together; this one is of a process alone, which has nobody to ask."""

    world = ALONE
    synced = False
    fused_sgd = True  # whether torch's fused SGD updates weights as this team has them

    def device(self, name: str) -> torch.device:
        """The device that `name` means for this process."""
        return resolve_device(name)

    @contextlib.contextmanager
    def one_before_the_others(self) -> Iterator[None]:
        """On each machine one process goes through first, so that the others find its downloads and caches."""
        yield

    def wait_for_all(self) -> None:
        """Go on when every process has come here."""

    def replicate(self, module: nn.Module, *, unused: bool) -> nn.Module:
        """What runs `module` (always the same one) in a step and sums gradients over the processes.

        `unused` says whether some parameters may have no part in a step.
        """
        return module

    def settle(self, pass_through: Callable[[], None]) -> None:
        """Let `pass_through`, a forward and backward pass that counts for nothing, come before the first step.

        Only processes together need it: see `Processes`.
        """

    def with_synced_norms(self, network: Network) -> Network:
        """The network, its batch norms as this team has them."""
        return network

    def share_out(self, network: Network) -> None:
        """Leave each process its share of the network's weights, in a team that has them so; else whole ones.

        A parameter may be another object after this. What follows has to be called by all processes together.
        """

    def copy_of(self, network: Network) -> nn.Module:
        """A copy of the network as this team has it, to hold an average; it is never trained itself."""
        return averaged_copy(network)

    def whole_network(self, network: Network) -> Network:
        """The network with whole weights: itself, or a copy where each process holds shares."""
        return network

    def whole(self, value: Tensor) -> Tensor:
        """A tensor whole, of which each process may hold a share."""
        return value

    def collect(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors whole, for rank 0 to write; the other processes may be left with none."""
        return tensors

    def loading(self) -> contextlib.AbstractContextManager[object]:
        """The context in which whole tensors can be copied to those that this process has."""
        return contextlib.nullcontext()

    def reducing(self, *, last: bool) -> contextlib.AbstractContextManager[object]:
        """The context of a piece of a batch; gradients are summed over processes only in the `last`."""
        return contextlib.nullcontext()

    def weight(self, images: int, share_images: int, batch_size: int) -> float:
        """What the mean loss of `images` counts, so that gradients are those of the mean over the whole batch.

        `share_images` are those of this process, `batch_size` those of all.
        """
        return images / share_images

    def together(self, result: StepResult, images: int) -> StepResult:
        """The result of the whole batch from that of this process's share of so many images."""
        return result

    def average_statistics(self, network: nn.Module) -> None:
        """Make the running statistics of batch norms the mean over the processes."""

    def agree(self, *values: float) -> list[tuple[float, ...]]:
        """The values that each process gives, by rank."""
        return [values]

    def of_first(self, value: float) -> float:
        """The value that rank 0 gives."""
        return self.agree(value)[0][0]

    def wishes(self, stopped_by: str | None, *, asked: bool, due: bool) -> tuple[str | None, bool]:
        """Which signal stops all processes, if one of them got any, and whether a checkpoint is wanted.

        That is so where a process was asked for one, or where rank 0's clock says that it is `due`.
        """
        number = float(signal.Signals[stopped_by]) if stopped_by is not None else 0.0
        rows = self.agree(number, asked, due)
        number = max(row[0] for row in rows)
        name = signal.Signals(int(number)).name if number else None
        return name, any(row[1] for row in rows) or bool(rows[0][2])

    def gather(self, rows: Tensor) -> Tensor:
        """The rows (n, …) of all processes, rank 0's first; they differ in n alone."""
        return rows

    def gather_texts(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The texts of all processes, rank 0's first, each once."""
        return tuple(dict.fromkeys(texts))

    def predict_part(
        self,
        network: Network,
        part: Part | Photos,
        protocol: Protocol,
        preprocess: Preprocess,
        device: torch.device,
        *,
        max_bad: float = 0.01,
    ) -> Outcome:
        """`evaluate.predict.predict_part`, each process taking its share of the images, each image once."""
        return predict_part(network, part, protocol, preprocess, device, max_bad=max_bad)

    def stepped(self, step: int) -> None:
        """Note how far this process is, for the others to see."""


ALONE_TEAM = Team()


class Processes(Team):
    """Two processes or more; made by `joined`."""

    def __init__(self, world: World, device: torch.device, how: Scale, pulse: Pulse) -> None:
        self.world, self.synced = world, how.sync_norms
        self._device, self._how, self._pulse = device, how, pulse
        # The default group, of the device's own backend, sums gradients; these two carry numbers of the CPU.
        short, patient = timedelta(seconds=how.rank_seconds), timedelta(seconds=PATIENT_SECONDS)
        self._talk: ProcessGroup | None = None if device.type == "cpu" else _gloo_group(short)
        self._patient: ProcessGroup | None = _gloo_group(patient)
        self.replica: DistributedDataParallel | None = None

    def device(self, name: str) -> torch.device:
        """This process's own device."""
        return self._device

    @contextlib.contextmanager
    def one_before_the_others(self) -> Iterator[None]:
        """See `Team`."""
        if self.world.local_rank:
            self.wait_for_all()
        yield
        if not self.world.local_rank:
            self.wait_for_all()

    def wait_for_all(self) -> None:
        """See `Team`."""
        import torch.distributed as dist

        dist.barrier(self._patient)

    def replicate(self, module: nn.Module, *, unused: bool) -> nn.Module:
        """See `Team`; a `DistributedDataParallel`."""
        from torch.nn.parallel import DistributedDataParallel

        if self.replica is None:
            self.wait_for_all()
            # Buffers are the business of `average_statistics`; the name of the switch changed in torch 2.15.
            names = signature(DistributedDataParallel).parameters
            switch = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
            how: dict[str, Any] = {switch: False, "find_unused_parameters": unused, "gradient_as_bucket_view": True}
            self.replica = DistributedDataParallel(module, **how)
        return self.replica

    def settle(self, pass_through: Callable[[], None]) -> None:
        """See `Team`."""
        # The replica lays out anew after its first pass what it sums, and sums of three or more then round otherwise:
        # without this pass a run that goes on would differ from one left alone.
        pass_through()

    def with_synced_norms(self, network: Network) -> Network:
        """See `Team`."""
        return cast(Network, with_synced_norms(network, self._device)) if self.synced else network

    def reducing(self, *, last: bool) -> contextlib.AbstractContextManager[object]:
        """See `Team`."""
        if last or self.replica is None:
            return contextlib.nullcontext()
        return self.replica.no_sync()

    def weight(self, images: int, share_images: int, batch_size: int) -> float:
        """See `Team`."""
        return images * self.world.size / batch_size  # the replica takes the mean over processes

    def together(self, result: StepResult, images: int) -> StepResult:
        """See `Team`."""
        losses = (result.loss, *result.aux_losses.values())
        rows = self.agree(images, result.correct, *(each * images for each in losses))
        count, correct, *sums = (sum(column) for column in zip(*rows, strict=True))
        loss, *aux_losses = (each / count for each in sums)
        named = dict(zip(result.aux_losses, aux_losses, strict=True))
        return replace(result, loss=loss, correct=int(correct), images=int(count), aux_losses=named)

    @torch.no_grad()
    def average_statistics(self, network: nn.Module) -> None:
        """See `Team`."""
        statistics = [] if self.synced else running_statistics(network)
        if not statistics:
            return
        import torch.distributed as dist

        flat, sizes = torch.cat(statistics), [len(each) for each in statistics]
        dist.all_reduce(flat)
        torch._foreach_copy_(statistics, list(torch.split(flat / self.world.size, sizes)))

    def agree(self, *values: float) -> list[tuple[float, ...]]:
        """See `Team`."""
        return [tuple(row) for row in self._all_rows(torch.tensor([values], dtype=torch.float64), self._talk).tolist()]

    def gather(self, rows: Tensor) -> Tensor:
        """See `Team`."""
        rows = rows.cpu()
        lengths = self._all_rows(torch.tensor([len(rows)]), self._patient).tolist()
        padded = rows.new_zeros(max(lengths), *rows.shape[1:])
        padded[: len(rows)] = rows
        found = self._all_rows(padded, self._patient).view(self.world.size, *padded.shape)
        return torch.cat([each[:length] for each, length in zip(found, lengths, strict=True)])

    def gather_texts(self, texts: Sequence[str]) -> tuple[str, ...]:
        """See `Team`."""
        lines = "".join(json.dumps(each) + "\n" for each in texts).encode()
        found = bytes(self.gather(torch.tensor(list(lines), dtype=torch.uint8)).tolist())
        return tuple(dict.fromkeys(json.loads(line) for line in found.splitlines()))

    def _all_rows(self, rows: Tensor, group: ProcessGroup | None) -> Tensor:
        """The rows (n, …) of all processes, n the same everywhere, rank 0's first."""
        import torch.distributed as dist

        found = [torch.empty_like(rows) for _ in range(self.world.size)]
        dist.all_gather(found, rows.contiguous(), group)
        return torch.cat(found)

    def predict_part(
        self,
        network: Network,
        part: Part | Photos,
        protocol: Protocol,
        preprocess: Preprocess,
        device: torch.device,
        *,
        max_bad: float = 0.01,
    ) -> Outcome:
        """See `Team`."""
        indices = share(np.arange(len(part)), self.world.rank, self.world.size)
        first = int(indices[0]) if len(indices) else 0
        own = part.take(indices) if isinstance(part, Photos) else take_rows(part, first, len(indices))
        found = predict_part(network, own, protocol, preprocess, device, max_bad=1.0)
        bad = self.gather_texts(found.bad)
        refuse_too_many(bad, len(part), max_bad, "testing")
        return Outcome(
            self.gather(found.probabilities), self.gather(found.labels), self.gather(found.indices + first), bad
        )

    def stepped(self, step: int) -> None:
        """See `Team`."""
        self._pulse.step = step


def _gloo_group(timeout: timedelta) -> ProcessGroup:
    import torch.distributed as dist

    return cast("ProcessGroup", dist.new_group(backend="gloo", timeout=timeout))


def take_rows(part: Part, first: int, count: int) -> Part:
    """So many images of a part in memory from `first` on, without copying them."""
    rows = slice(first, first + count)
    photos = None if part.photos is None else part.photos.take(np.arange(len(part))[rows])
    return Part(part.images[rows], part.labels[rows], photos)


def running_statistics(network: nn.Module) -> list[Tensor]:
    """The running means and variances of the batch norms that are in training mode."""
    norms = [each for each in network.modules() if isinstance(each, Norm) and each.training]
    return [each for norm in norms for each in (norm.running_mean, norm.running_var) if each is not None]


class FollowedRun(RunFolder):
    """The run folder as all processes but rank 0 have it: they read, and write nothing."""

    def __init__(self, path: Path) -> None:
        self.path, self.taken_over = path, None

    def close(self) -> None:
        """Leave it as it is."""

    def write_bytes(self, name: str, data: bytes) -> None:
        """Leave that to rank 0."""

    def log(self, values: Mapping[str, float | int | str]) -> None:
        """Leave that to rank 0."""

    def drop_records_after(self, step: int) -> None:
        """Leave that to rank 0."""

    def forget_start(self) -> None:
        """Leave that to rank 0."""


def open_run(world: World, path: Path, *, resume: bool) -> RunFolder:
    """The run folder, which rank 0 locks and writes; raises what `RunFolder` does."""
    return RunFolder(path, resume=resume) if world.first else FollowedRun(path)


def refuse_several(world: World, what: str) -> None:
    """Raise `UsageError` where there are several processes, and `what` is for one."""
    if world.size > 1:
        raise UsageError(f"{what} is for one process, and there are {world.size}; leave out torchrun for it")


def require_run_folder(world: World, path: Path | None) -> Path | None:
    """The path; raises `UsageError` where several processes, or one that was restarted, have no name in common."""
    if path is None and (world.size > 1 or world.restarts):
        raise UsageError(f"{world.size} processes need a folder that all know: add --run-folder FOLDER")
    return path


@contextlib.contextmanager
def joined(world: World, device: str, how: Scale) -> Iterator[Team]:
    """This process's team for as long as this is open.

    Args:
        world: which process this is.
        device: "auto", "cpu" or "cuda"; on a machine with several GPUs each process takes its own.
        how: what the processes agreed on by the command line.

    Raises:
        UsageError: there is no such device for each process.
        RankError: another process is gone or keeps this one waiting for too long; names it.
    """
    if world.size == 1:
        yield Team()
        return
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    own = _own_device(device, world)
    store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=PATIENT_SECONDS)))
    # torchrun's store outlives its processes: without a name of its own, a restart finds the addresses of the dead.
    store = PrefixStore(f"cnnlab/restart{world.restarts}of{world.size}", store)
    board = PrefixStore("pulse", store)
    pulse = Pulse(board, world.rank, world.size, SILENCE_SECONDS)
    pulse.start()
    try:
        _wait_for_each(board, world.size)
        dist.init_process_group(
            "gloo" if own.type == "cpu" else "nccl",
            store=store,
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=how.rank_seconds),
            device_id=own if own.type == "cuda" else None,
        )
        from cnnlab.train.sharded import Sharded  # which is made of what is above

        yield (Sharded if how.fsdp else Processes)(world, own, how, pulse)
        dist.destroy_process_group()
        pulse.stop(finished=True)
    except CnnlabError as error:
        if world.first:
            _tell_others(board, world)
            raise
        raise _told_once(error, board, world) from None
    except RuntimeError as error:
        if not is_of_a_connection(error):
            raise
        raise _lost(board, pulse, world) from None
    finally:
        pulse.stop()


def _wait_for_each(board: Store, size: int) -> None:
    """Wait until every process gives signs of life; some take longer to start than others."""
    board.wait([f"pulse{rank}" for rank in range(size)], timedelta(seconds=PATIENT_SECONDS))


def _own_device(name: str, world: World) -> torch.device:
    device = resolve_device(name)
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise UsageError(f"{world.size} processes cannot train on {device}; add --device cpu, or leave out torchrun")
    if world.local_rank >= torch.cuda.device_count():
        raise UsageError(
            f"process {world.local_rank} of this machine has no GPU of its own, it has {torch.cuda.device_count()}; "
            "give torchrun --nproc-per-node as many, or add --device cpu"
        )
    torch.cuda.set_device(world.local_rank)
    return torch.device("cuda", world.local_rank)


def _tell_others(board: Store, world: World) -> None:
    """Say that rank 0 has an error; it stays until others with one know, as the board may be gone with it."""
    with contextlib.suppress(RuntimeError):
        board.set("failed0", "")
        board.wait([f"heard{rank}" for rank in range(1, world.size)], timedelta(seconds=QUIET_SECONDS))


def _told_once(error: CnnlabError, board: Store, world: World) -> CnnlabError:
    """The error, without words where rank 0 has one as well and tells it for all; with the rank where it has none."""
    try:
        board.wait(["failed0"], timedelta(seconds=QUIET_SECONDS))
    except RuntimeError:
        return type(error)(f"rank {world.rank}: {error}")
    with contextlib.suppress(RuntimeError):
        board.set(f"heard{world.rank}", "")
    return type(error)()


def _lost(board: Store, pulse: Pulse, world: World) -> RankError:
    """The error for a connection that broke; without words where rank 0 left with an error that it tells itself."""
    try:
        if not world.first and board.check(["failed0"]):
            return RankError()
        found = describe(*pulse.who_is_lost())
    except RuntimeError:
        found = "the launcher or rank 0, which all find each other by, is gone"
    return RankError(f"rank {world.rank} cannot go on: {found}")


def is_of_a_connection(error: RuntimeError) -> bool:
    """Whether an error says that another process could not be reached, in whatever words the backend has."""
    import torch.distributed as dist

    said = str(error).lower()
    return isinstance(error, dist.DistBackendError | dist.DistNetworkError) or any(each in said for each in LOST_WORDS)
