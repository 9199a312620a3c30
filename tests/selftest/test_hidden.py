"""The checkpoints with something hidden are sound where they claim to be, and would run where pickle reads them."""

from __future__ import annotations

import contextlib
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnlab.errors import DataError
from cnnlab.models.weight_files import read_weights
from cnnlab.selftest.hidden import WANTED, beside, bombs, checkpoint, in_legacy, in_zip, inside


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("wrap", [in_zip, in_legacy])
def test_the_checkpoint_without_anything_hidden_is_sound(wrap: Any, tmp_path: Path) -> None:
    oracle = torch.load(io.BytesIO(wrap(checkpoint())), weights_only=True)
    assert {name: tensor.tolist() for name, tensor in oracle["state_dict"].items()} == WANTED
    (tmp_path / "a.pth").write_bytes(wrap(checkpoint()))
    found = read_weights(tmp_path / "a.pth")
    assert {name: tensor.tolist() for name, tensor in found.tensors.items()} == WANTED
    assert found.values == {"epoch": 3}


@pytest.mark.parametrize("wrap", [in_zip, in_legacy])
def test_what_is_hidden_beside_is_tolerated_and_what_is_inside_refused(wrap: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    for name, data in beside(f"touch {tmp_path}/canary").items():
        path.write_bytes(wrap(data))
        found = read_weights(path)
        assert {each: tensor.tolist() for each, tensor in found.tensors.items()} == WANTED, name
    for data in inside(f"touch {tmp_path}/canary").values():
        path.write_bytes(wrap(data))
        with pytest.raises(DataError, match=r"a\.pth: "):
            read_weights(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.pth"]


class Unguarded(pickle.Unpickler):
    """Reads as torch.load does without protection; storages are not made."""

    def persistent_load(self, pid: object) -> object:
        untyped = torch.UntypedStorage(20)
        return torch.storage.TypedStorage(wrap_storage=untyped, dtype=torch.float32, _internal=True)


@pytest.mark.parametrize("made", [beside, inside])
def test_what_is_hidden_would_run(made: Any, tmp_path: Path) -> None:
    """A canary that cannot sing would prove nothing."""
    sung = []
    for number, name in enumerate(made("true")):
        canary = tmp_path / f"{number}"
        data = made(f"touch {canary}")[name]
        with contextlib.suppress(Exception):  # most stop after the command has run
            Unguarded(io.BytesIO(data)).load()
        sung += [name] if canary.exists() else []
    assert len(sung) >= 14, sung


def test_each_kind_of_hiding_has_its_cases() -> None:
    assert len(beside("true")) > 30
    assert len(inside("true")) > 30
    assert len(bombs()) > 15
    assert all(name not in inside("true") for name in beside("true"))
