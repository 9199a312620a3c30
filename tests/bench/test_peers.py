from __future__ import annotations

import pytest

from cnnlab.bench import peers
from cnnlab.bench.peers import installed, missing


def test_what_is_missing_is_named_with_the_way_to_get_it() -> None:
    assert installed("torch", "torchvision")
    assert not installed("torch", "surely_no_such_package")
    found = missing(("torch", "surely_no_such_package"))
    assert found == {"surely_no_such_package": "install surely_no_such_package"}


def test_every_hint_is_a_command() -> None:
    assert all(how.startswith("pip install ") for how in peers.INSTALL.values())


def test_a_compiler_is_looked_for_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert not installed("compiler")
    assert list(missing(("compiler",))) == ["compiler"]
    monkeypatch.setattr(peers.shutil, "which", lambda name: f"/bin/{name}")
    assert installed("compiler")
