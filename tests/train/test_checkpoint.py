import json
import resource
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.errors import CheckpointError
from cnnlab.recipes.recipe import AdamW, Muon, Sgd
from cnnlab.train.checkpoint import (
    Checkpoint,
    Choice,
    choose,
    list_checkpoints,
    load,
    newest_whole,
    optimizer_tensors,
    pointed_at,
    problems,
    restore_optimizers,
    save,
)
from cnnlab.train.optim import build_optimizers

PARTS = ("network.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def made(value: float = 1.0) -> Checkpoint:
    network = {"weight": torch.full((3, 2), value), "count": torch.tensor(7)}
    return Checkpoint({"network": network, "optimizer": {"0.0.momentum_buffer": torch.ones(3, 2)}}, {"step": 5})


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    read = load(save(tmp_path, 5, made(0.1)))
    assert torch.equal(read.tensors["network"]["weight"], torch.full((3, 2), 0.1))
    assert read.tensors["network"]["count"].dtype is torch.int64
    assert read.state == {"step": 5}


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 11):
        save(tmp_path, step, made(), keep=2)
    assert [each.name for each in list_checkpoints(tmp_path)] == ["step-00000010", "step-00000011"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 3, made(1.0))
    assert float(load(save(tmp_path, 3, made(2.0))).tensors["network"]["weight"][0, 0]) == 2.0


def test_an_unfinished_checkpoint_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "step-00000009.incomplete").mkdir()
    save(tmp_path, 3, made())
    assert [each.name for each in list_checkpoints(tmp_path)] == ["step-00000003"]


@pytest.mark.parametrize("part", PARTS)
def test_one_flipped_byte_is_named_and_the_older_one_offered(tmp_path: Path, part: str) -> None:
    save(tmp_path, 1, made())
    newest = save(tmp_path, 2, made())
    data = bytearray((newest / part).read_bytes())
    data[len(data) // 2] ^= 0x20
    (newest / part).write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load(newest)
    assert str(newest) in str(caught.value)
    assert "--resume step-00000001" in str(caught.value)
    if part != "manifest.json":  # a flip in the manifest shows as a wrong size, sum or name of another file
        assert part in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(tmp_path: Path, part: str) -> None:
    folder = save(tmp_path, 1, made())
    (folder / part).unlink()
    with pytest.raises(CheckpointError, match=part):
        load(folder)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_every_truncation_is_seen(tmp_path: Path, part: str, share: float) -> None:
    folder = save(tmp_path, 1, made())
    data = (folder / part).read_bytes()
    (folder / part).write_bytes(data[: int(len(data) * share)])
    assert problems(folder)


def test_a_manifest_that_forgets_a_file_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, 1, made())
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["network.safetensors"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert problems(folder) == ["network.safetensors is not in the manifest"]


def test_no_whole_checkpoint_left_says_start_anew(tmp_path: Path) -> None:
    folder = save(tmp_path, 1, made())
    (folder / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match="start anew"):
        load(folder)


def test_a_full_disk_keeps_the_earlier_checkpoint_and_leaves_nothing_behind(tmp_path: Path) -> None:
    save(tmp_path, 1, made())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = Checkpoint({"network": {"weight": torch.zeros(100_000)}}, {})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # a real write error, as a full disk gives
        with pytest.raises(CheckpointError, match="earlier checkpoints are untouched"):
            save(tmp_path, 2, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["last", "step-00000001"]
    assert problems(tmp_path / "step-00000001") == []


def test_choosing_by_last_auto_name_and_number(tmp_path: Path) -> None:
    first, second = save(tmp_path, 1, made()), save(tmp_path, 2, made())
    (second / "state.json").unlink()
    for which in ("last", "auto"):  # the newest that is whole, and what was wrong with the one before it
        assert choose(tmp_path, which).checkpoint == first == newest_whole(tmp_path)
        assert choose(tmp_path, which).passed_over == (f"checkpoint {second} is damaged: state.json is missing",)
    assert choose(tmp_path, "step-00000001") == choose(tmp_path, "1") == Choice(first)
    assert choose(tmp_path, "step-00000002") == Choice(second)  # by name: what is wrong is said when it is loaded


def test_without_a_whole_one_last_refuses_and_auto_begins_anew(tmp_path: Path) -> None:
    (save(tmp_path, 1, made()) / "state.json").unlink()
    assert choose(tmp_path, "auto").checkpoint is None
    with pytest.raises(
        CheckpointError, match=r"no whole checkpoint.*state.json is missing; begin anew with --resume a"
    ):
        choose(tmp_path, "last")


def test_pointers_name_the_last_and_the_best_which_is_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(tmp_path, step, made(), keep=1, best=step == 2)
    assert (tmp_path / "last").read_text() == "step-00000004\n"
    assert [each.name for each in list_checkpoints(tmp_path)] == ["step-00000002", "step-00000004"]
    assert choose(tmp_path, "best").checkpoint == tmp_path / "step-00000002" == pointed_at(tmp_path, "best")


@pytest.mark.parametrize("text", ["step-00000009", "", "../elsewhere", "\0"])
def test_a_pointer_to_nothing_is_no_pointer(tmp_path: Path, text: str) -> None:
    save(tmp_path, 1, made())
    (tmp_path / "best").write_text(text)
    assert pointed_at(tmp_path, "best") is None
    with pytest.raises(CheckpointError, match=r"no checkpoint 'best'.*there: step-00000001"):
        choose(tmp_path, "best")


def test_checkpoints_that_a_training_has_gone_back_behind_are_dropped(tmp_path: Path) -> None:
    for step in (5, 8, 10):
        save(tmp_path, step, made(), keep=3)
    save(tmp_path, 7, made(), keep=3)
    assert [each.name for each in list_checkpoints(tmp_path)] == ["step-00000005", "step-00000007"]


def test_saving_the_same_again_writes_no_part_again(tmp_path: Path) -> None:
    before = (save(tmp_path, 3, made()) / "network.safetensors").stat()
    assert (save(tmp_path, 3, made()) / "network.safetensors").stat() == before


def test_a_file_that_the_manifest_does_not_name_is_not_read(tmp_path: Path) -> None:
    folder = save(tmp_path, 1, made())
    (folder / "more.safetensors").write_bytes(b"anything")
    assert set(load(folder).tensors) == {"network", "optimizer"}


def test_choosing_one_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    save(tmp_path, 1, made())
    with pytest.raises(CheckpointError, match="step-00000001"):
        choose(tmp_path, "step-00000077")
    assert choose(tmp_path / "nothing", "auto") == Choice(None)


@pytest.mark.parametrize(
    "recipe", [Sgd(lr=0.1, momentum=0.9), AdamW(lr=0.01), Muon(lr=0.1, rest=Sgd(lr=0.1, nesterov=True))]
)
def test_a_restored_optimizer_goes_on_bit_for_bit(recipe: Sgd | AdamW | Muon) -> None:
    def network() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))

    def step(net: nn.Module, optimizers: list[torch.optim.Optimizer], seed: int) -> None:
        net(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
        for each in optimizers:
            each.step()
            each.zero_grad()

    straight = network()
    optimizers = build_optimizers(recipe, straight, decay_norms_and_biases=True)
    step(straight, optimizers, 1)
    saved_weights = {name: value.clone() for name, value in straight.state_dict().items()}
    saved_memory = {name: value.clone() for name, value in optimizer_tensors(optimizers).items()}
    step(straight, optimizers, 2)

    resumed = network()
    resumed.load_state_dict(saved_weights)
    fresh = build_optimizers(recipe, resumed, decay_norms_and_biases=True)
    restore_optimizers(fresh, saved_memory)
    step(resumed, fresh, 2)
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), straight.parameters(), strict=True))
