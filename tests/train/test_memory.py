from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.errors import UsageError
from cnnlab.recipes.recipe import Muon, Sgd
from cnnlab.train.memory import (
    MOST_TIMES,
    does_not_fit,
    halvings,
    is_out_of_memory,
    largest_below,
    largest_from,
    with_largest_batch,
)
from cnnlab.train.run import Settings, train_run
from tests.cli.conftest import environment
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_largest_of_the_halves_is_found(batch_size: int, room: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= room

    found = largest_below(batch_size, fits)
    assert tried == list(halvings(batch_size))[: len(tried)]
    assert found == next((batch_size >> power for power in range(1, 21) if 0 < batch_size >> power <= room), None)


def test_halves_come_in_equal_pieces() -> None:
    assert list(halvings(100, 4)) == [48, 24, 12, 4]
    assert list(halvings(1)) == []


@pytest.mark.parametrize(("room", "most", "found"), [(64, 1000, 64), (100, 1000, 64), (1000, 100, 64), (1, 1000, 16)])
def test_a_batch_is_doubled_while_it_fits_and_there_are_images(room: int, most: int, found: int) -> None:
    assert largest_from(16, lambda size: size <= room, most) == found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_the_error_says_what_fits_and_how_to_ask_for_it() -> None:
    said = str(does_not_fit(replace(RECIPE, batch_size=256), GPU, lambda size: size <= 70))
    assert said == (
        "a training step on 256 images of recipe test/tiny does not fit into the memory of cuda; of its halves, "
        "quarters and so on the largest that fits is 64: add --batch-size 64, or keep the batch and take it in 4 "
        "pieces: --set accumulate=4"
    )


def test_pieces_are_offered_only_where_they_are_equal() -> None:
    assert str(does_not_fit(replace(RECIPE, batch_size=50), GPU, lambda size: size <= 12)).endswith("--batch-size 12")
    more = str(does_not_fit(replace(RECIPE, batch_size=64, accumulate=2), GPU, lambda size: size <= 32))
    assert more.endswith("add --batch-size 32, or keep the batch and take it in 4 pieces: --set accumulate=4")


def test_where_nothing_fits_the_error_says_so() -> None:
    assert "no smaller batch does; take a smaller network" in str(does_not_fit(RECIPE, GPU, lambda _: False))


def test_a_larger_batch_comes_with_a_larger_rate_of_sgd_alone() -> None:
    recipe, said = with_largest_batch(RECIPE, lambda size: size <= 70, images=1000, device=GPU)
    assert (recipe.batch_size, recipe.optimizer.lr) == (64, 4 * RECIPE.optimizer.lr)
    assert said.startswith("batch size: 64, 4 times the recipe's")
    assert said.endswith("the learning rate grows with it, from 0.05 to 0.2")
    muon = replace(RECIPE, optimizer=Muon(lr=0.2, rest=Sgd(lr=0.1)))
    recipe, said = with_largest_batch(muon, lambda _: True, images=10_000, device=GPU)
    assert (recipe.batch_size, recipe.optimizer) == (MOST_TIMES * 16, muon.optimizer)
    assert "stays at 0.2" in said


def test_the_batch_stays_where_no_more_fits_or_it_runs_on_a_cpu() -> None:
    recipe, said = with_largest_batch(RECIPE, lambda _: True, images=31, device=GPU)
    assert (recipe, "too few images" in said) == (RECIPE, True)
    recipe, said = with_largest_batch(RECIPE, lambda _: True, images=1000, device=CPU)
    assert (recipe, "on a CPU" in said) == (RECIPE, True)


def test_a_trial_leaves_weights_and_no_gradients(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run")
    before = [each.detach().clone() for each in training.network.parameters()]
    assert training.batch_trial()(4)
    after = list(training.network.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(each.grad is None for each in after)


def test_a_trial_passes_other_errors_on(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run")
    training.plain_forward = lambda images: (images @ images.new_zeros(1, 1), {})
    with pytest.raises(RuntimeError, match=r"Expected size|multiplied|match"):
        training.batch_trial()(4)


def test_a_step_without_memory_ends_in_advice_and_leaves_the_folder_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_room(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("cnnlab.train.loop.train_step", no_room)
    settings = Settings(data="synthetic", device="cpu")
    with pytest.raises(UsageError, match=r"on 8 images .* fits is 4: add --batch-size 4"):
        train_run(replace(RECIPE, batch_size=8), settings, tmp_path / "run")
    monkeypatch.undo()
    again = train_run(replace(RECIPE, batch_size=4, steps=1), settings, tmp_path / "run")
    assert again.result["steps"] == 1


LIMITED = """
    import resource
    from dataclasses import replace
    from pathlib import Path

    import torch

    from cnnlab.errors import UsageError
    from cnnlab.data.synthetic import synthetic
    from cnnlab.train.loop import Training, fit
    from cnnlab.data.preprocess import measure
    from cnnlab.models.device import keep_freed_memory
    from cnnlab.train.record import RunFolder
    from cnnlab.train.watch import Watch
    from tests.train.training import RECIPE

    torch.set_num_threads(1)
    keep_freed_memory()
    parts = synthetic(train_images=512, val_images=0, test_images=0, pixels=16)
    recipe = replace(RECIPE, batch_size=512, average=None, augment=())
    with RunFolder(Path("run"), resume=False) as run:
        training = Training(recipe, parts, measure(parts.train.images), run, seed=0, device=torch.device("cpu"),
                            minutes=None, compiled=False, save_seconds=60.0, watch=Watch())
        training.batch_trial()(2)  # what torch loads on its first step
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 100 * 2**20,) * 2)
        try:
            fit(training)
        except UsageError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_batch_too_large_for_this_machine_is_answered_with_one_that_fits(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(PYTHONPATH=f"{root / 'src'}:{root}", OMP_NUM_THREADS="1"),
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "a training step on 512 images of recipe test/tiny does not fit into the memory of cpu" in done.stdout
    found = int(done.stdout.rpartition("--batch-size ")[2].partition(",")[0])
    assert found in {256, 128, 64, 32}
