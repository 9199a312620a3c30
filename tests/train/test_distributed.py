"""Two processes for real: gloo on this machine, forked from this one, which has imported torch already."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from cnnlab.data.crops import RandomArea
from cnnlab.data.loader import Batch
from cnnlab.data.parts import Part
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import Photos
from cnnlab.data.preprocess import measure
from cnnlab.data.sources import load
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import DataError, NonFiniteLossError, RankError, UsageError
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.catalog import create_model
from cnnlab.recipes.recipe import Ema, Flip, MultiStep, PadCrop, Recipe, Sgd
from cnnlab.selftest.isolate import fork
from cnnlab.train.distributed import (
    ALONE,
    ALONE_TEAM,
    Processes,
    Scale,
    Team,
    World,
    joined,
    open_run,
    refuse_several,
    world_from_environment,
)
from cnnlab.train.loop import Training
from cnnlab.train.record import TIMING, read_records
from cnnlab.train.run import Settings, train_run
from cnnlab.train.watch import Watch
from cnnlab.types import Preprocess
from tests.data.test_shards import samples, write_shard

RECIPE = Recipe(
    name="test/ranks",
    paper="none",
    model="lenet5_modern",
    data="synthetic",
    batch_size=15,  # which two processes cannot halve
    steps=6,
    optimizer=Sgd(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=MultiStep(at_steps=(4,)),
    augment=(PadCrop(pixels=2), Flip()),
    average=Ema(decay=0.9),
    accumulate=3,
)
BATCH_NORM = replace(RECIPE, model="resnet20", batch_size=16, accumulate=1, steps=3, average=None)
SMALL = Settings(data="synthetic", device="cpu", train_images=60)


def on_ranks(work: Callable[[], Any], folder: Path, size: int = 2) -> list[Any]:
    """Do `work` in so many processes that find each other as those of torchrun do; gives what each returns."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}

    def one(rank: int) -> int:
        os.environ.update(common, RANK=str(rank), LOCAL_RANK=str(rank))
        (folder / f"rank{rank}.json").write_text(json.dumps(work()))
        return 0

    folder.mkdir(parents=True, exist_ok=True)
    children = [fork(partial(one, rank), folder / f"rank{rank}.txt") for rank in range(size)]
    try:
        codes = [each.wait(120) for each in children]
    finally:
        for each in children:
            each.kill()
    assert codes == [0] * size, [(folder / f"rank{rank}.txt").read_text() for rank in range(size)]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(size)]


def training_of(team: Team, recipe: Recipe, folder: Path, *, resume: bool = False, **more: Any) -> Training:
    parts = synthetic(train_images=64, val_images=33, test_images=32, pixels=8)
    run = open_run(team.world, folder, resume=resume)
    if team.world.first and not resume:
        run.write_json("recipe.json", {})
    how: dict[str, Any] = {"seed": 0, "device": torch.device("cpu"), "minutes": None, "compiled": False}
    preprocess = measure(parts.train.images)
    return Training(recipe, parts, preprocess, run, save_seconds=3600.0, watch=Watch(), team=team, **how, **more)


def digest(training: Training) -> str:
    """Of all weights and running statistics."""
    found = hashlib.sha256()
    for value in training.network.state_dict().values():
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()


def untimed(run: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key not in TIMING} for each in read_records(run)]


def difference(first: Path, second: Path) -> float:
    one, other = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


# -- what needs no other process ----------------------------------------------------------------------------


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # as Slurm's own launcher sets it
    assert world_from_environment() == ALONE
    with joined(ALONE, "cpu", Scale()) as team:
        assert type(team) is Team


def test_torchrun_says_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    for name, value in {**said, "TORCHELASTIC_RESTART_COUNT": "2"}.items():
        monkeypatch.setenv(name, value)
    world = world_from_environment()
    assert world == World(rank=5, local_rank=1, size=8, local_size=4, restarts=2)
    assert not world.first
    monkeypatch.setenv("RANK", "five")
    with pytest.raises(UsageError, match="RANK=five"):
        world_from_environment()


def test_several_processes_need_a_folder_that_all_know(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--run-folder"):
        train_run(RECIPE, SMALL)


@pytest.mark.parametrize("what", ["--overfit", "--runs"])
def test_what_is_for_one_process_is_refused_where_there_are_several(what: str) -> None:
    refuse_several(World(), what)
    with pytest.raises(UsageError, match=f"{what} is for one process, and there are 2"):
        refuse_several(World(rank=0, local_rank=0, size=2), what)


def test_alone_there_is_nothing_to_agree_on() -> None:
    values = torch.arange(3)
    assert ALONE_TEAM.agree(1.0, 2.0) == [(1.0, 2.0)]
    assert ALONE_TEAM.gather(values) is values
    assert ALONE_TEAM.gather_texts(["a", "b", "a"]) == ("a", "b")
    assert ALONE_TEAM.wishes("SIGTERM", asked=False, due=True) == ("SIGTERM", True)
    assert ALONE_TEAM.wishes(None, asked=False, due=False) == (None, False)
    assert ALONE_TEAM.weight(3, 12, 12) == 0.25


@pytest.mark.parametrize("world_size", [2, 3])
def test_shards_are_read_by_all_processes_without_loss_or_repetition(tmp_path: Path, world_size: int) -> None:
    for number in range(3):
        write_shard(tmp_path / f"set-train-{number}.tar", samples(7 * number, 7))
    photos = load(tmp_path, photos=True).train
    assert isinstance(photos, Photos)

    def epoch_of(rank: int, size: int) -> list[Batch]:
        how: dict[str, Any] = {"preprocess": Preprocess(None, 8, (0.5,), (0.5,)), "crop": RandomArea(8), "threads": 1}
        return list(PhotoBatches(photos, batch_size=5, seed=3, rank=rank, world_size=size, **how).epoch(0))

    shares = [epoch_of(rank, world_size) for rank in range(world_size)]
    for whole, *parts in zip(epoch_of(0, 1), *shares, strict=True):
        assert np.array_equal(np.concatenate([each.indices for each in parts]), whole.indices)
        assert torch.equal(torch.cat([each.images for each in parts]), whole.images)
        assert torch.equal(torch.cat([each.labels for each in parts]), whole.labels)
    seen = np.concatenate([each.indices for each_rank in shares for each in each_rank])
    assert len(set(seen.tolist())) == len(seen) == 5 * (len(photos) // 5)


# -- two processes --------------------------------------------------------------------------------------------


def test_two_processes_run_as_one_does(tmp_path: Path) -> None:
    """Three pieces a step, eight images and seven: weights, log, validation and test, and one writer."""
    train_run(RECIPE, SMALL, tmp_path / "one")

    def work() -> str:
        return str(train_run(RECIPE, SMALL, tmp_path / "two").folder)

    assert on_ranks(work, tmp_path) == [str(tmp_path / "two")] * 2
    assert difference(tmp_path / "one", tmp_path / "two") < 1e-5
    for one, two in zip(untimed(tmp_path / "one"), untimed(tmp_path / "two"), strict=True):
        assert two.pop("split") == one.pop("split")
        assert two == pytest.approx(one, rel=1e-4)
    results = [json.loads((tmp_path / name / "result.json").read_text())["test"] for name in ("one", "two")]
    assert [each["images"] for each in results] == [500, 500]
    assert results[0]["top1"] == results[1]["top1"]
    assert len((tmp_path / "two" / "test_reads.jsonl").read_text().splitlines()) == 1


def test_what_processes_agree_on(tmp_path: Path) -> None:
    part = synthetic(train_images=16, val_images=16, test_images=16, pixels=8).val
    assert isinstance(part, Part)
    seven = Part(part.images[:7], part.labels[:7])

    def work() -> dict[str, Any]:
        with joined(world_from_environment(), "cpu", Scale()) as team:
            rank = team.world.rank
            network = create_model("resnet20", num_classes=10, in_channels=3).eval()
            torch.manual_seed(0)
            whole = predict_part(network, seven, PROTOCOLS["center"], measure(part.images), torch.device("cpu"))
            shared = team.predict_part(network, seven, PROTOCOLS["center"], measure(part.images), torch.device("cpu"))
            mine = whole.probabilities[4:] if rank else whole.probabilities[:4]
            theirs = shared.probabilities[4:] if rank else shared.probabilities[:4]
            return {
                "agree": team.agree(rank, 0.1),
                "of_first": team.of_first(10.0 + rank),
                "uneven": team.gather(torch.arange(3 * rank)).tolist(),
                "nothing": team.gather(torch.zeros(0, 5)).shape,
                "texts": team.gather_texts([f"é\n{rank}", "same"]),
                "stopped by rank 1": team.wishes("SIGTERM" if rank else None, asked=False, due=bool(rank)),
                "due by rank 0": team.wishes(None, asked=False, due=not rank),
                "asked by rank 1": team.wishes(None, asked=bool(rank), due=False),
                "indices": shared.indices.tolist(),
                "labels": torch.equal(shared.labels, seven.labels),
                "probabilities": torch.allclose(mine, theirs, atol=1e-6),
            }

    first, second = on_ranks(work, tmp_path)
    assert first == second
    assert first == {
        "agree": [[0.0, 0.1], [1.0, 0.1]],
        "of_first": 10.0,
        "uneven": [0, 1, 2],
        "nothing": [0, 5],
        "texts": ["é\n0", "same", "é\n1"],
        "stopped by rank 1": ["SIGTERM", False],
        "due by rank 0": [None, True],
        "asked by rank 1": [None, True],
        "indices": list(range(7)),
        "labels": True,
        "probabilities": True,
    }


def test_three_processes_that_go_on_end_to_the_last_bit_as_three_left_alone(tmp_path: Path) -> None:
    recipe = replace(BATCH_NORM, steps=6)

    def train(folder: Path, steps: int, resume: bool) -> str:
        with joined(world_from_environment(), "cpu", Scale()) as team:
            training = training_of(team, recipe, folder, resume=resume)
            if resume:
                training.restore("last")
            team.settle(training.pass_through)
            for _ in range(steps):
                training.step()
            training.save()
            return digest(training)

    whole = on_ranks(lambda: train(tmp_path / "whole", 6, False), tmp_path / "alone", size=3)
    on_ranks(lambda: train(tmp_path / "run", 3, False), tmp_path / "before", size=3)
    after = on_ranks(lambda: train(tmp_path / "run", 3, True), tmp_path / "after", size=3)
    assert after == whole


def test_batch_norms_of_two_processes(tmp_path: Path) -> None:
    """Each by its own images: the ranks stay equal, repeats too. Synchronised: as one process."""
    alone = training_of(ALONE_TEAM, BATCH_NORM, tmp_path / "alone")
    alone.step()
    alone.run.close()

    def work(name: str, how: Scale) -> dict[str, Any]:
        with joined(world_from_environment(), "cpu", how) as team:
            training = training_of(team, BATCH_NORM, tmp_path / name / "run")
            training.step()
            pairs = zip(training.network.state_dict().values(), alone.network.state_dict().values(), strict=True)
            apart = max(float((mine.double() - whole.double()).abs().max()) for mine, whole in pairs)
            mean = float(training.network.bn1.running_mean.mean())
            training.step()  # from here on, roundings grow by the ReLUs that flip
            training.step()
            return {"digest": digest(training), "apart": apart, "mean": mean}

    own, again, synced = (
        on_ranks(partial(work, name, Scale(sync_norms=name == "synced")), tmp_path / name / "ranks")
        for name in ("own", "again", "synced")
    )
    assert own[0]["digest"] == own[1]["digest"] == again[0]["digest"]
    assert synced[0]["digest"] == synced[1]["digest"]
    assert synced[0]["apart"] < 1e-5
    assert own[0]["apart"] > 1e-3  # so the comparison above can fail
    # The mean over the processes of their means is the mean of the whole batch.
    assert own[0]["mean"] == pytest.approx(float(alone.network.bn1.running_mean.mean()), abs=1e-6)


def test_pieces_are_reduced_once_and_a_bad_loss_of_one_stops_all(tmp_path: Path) -> None:
    recipe = replace(BATCH_NORM, accumulate=4)

    def work() -> dict[str, Any]:
        with joined(world_from_environment(), "cpu", Scale()) as team:
            training = training_of(team, recipe, tmp_path / "run")
            assert isinstance(team, Processes)
            reduced = count_reductions(team)
            training.step()
            training.step()
            before = digest(training)
            if team.world.rank == 1:
                logits = training.forward
                training.forward = lambda images: (logits(images)[0] * float("nan"), {})
            with pytest.raises(NonFiniteLossError, match="step 2"):
                training.step()
            return {"reduced": len(reduced) <= 2 * 3, "unchanged": digest(training) == before}

    assert (
        on_ranks(work, tmp_path / "ranks") == [{"reduced": True, "unchanged": True}] * 2
    )  # two buckets a step, of four pieces


def count_reductions(team: Processes) -> list[int]:
    """A list that grows by one for each bucket of gradients that is summed over the processes."""
    counted: list[int] = []

    def hook(state: None, bucket: Any) -> Any:
        counted.append(bucket.index())
        return allreduce_hook(state, bucket)  # type: ignore[arg-type]

    hook.__annotations__.clear()  # torch compares them with its own classes
    assert team.replica is not None
    team.replica.register_comm_hook(None, hook)
    return counted


@pytest.mark.parametrize("late", [0, 1])
def test_an_error_of_all_is_told_by_rank_0_alone_whoever_has_it_first(tmp_path: Path, late: int) -> None:
    def work() -> str:
        try:
            with joined(world_from_environment(), "cpu", Scale()) as team:
                team.wait_for_all()
                time.sleep(1.5 if team.world.rank == late else 0)
                raise DataError("the same everywhere")
        except DataError as error:
            return str(error)

    assert on_ranks(work, tmp_path) == ["the same everywhere", ""]


def test_an_error_of_one_names_its_rank(tmp_path: Path) -> None:
    def work() -> str:
        try:
            with joined(world_from_environment(), "cpu", Scale()) as team:
                if team.world.rank:
                    raise DataError("only here")
                team.wait_for_all()
        except (DataError, RankError) as error:
            return str(error)
        return ""

    first, second = on_ranks(work, tmp_path)
    assert second == "rank 1: only here"
    assert "rank 1 gave no sign of life" in first
