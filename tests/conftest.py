"""What all tests share: one thread, a cache of their own, no network, and one tiny trained run."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

# Before torch is imported, and for subprocesses too: the workers of pytest-xdist share the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Also for tests that forget it: nothing is ever read from or written to the user's own cache.
_CACHE = tempfile.TemporaryDirectory(prefix="cnnlab-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name
for _name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CNNLAB_TRACEBACK", "UV_RUN_RECURSION_DEPTH"):
    os.environ.pop(_name, None)

CLASSES = ("checks", "disc", "stripes")
PIXELS = 16


# A test promises results, not times: the machine may be busy with something else.
settings.register_profile("cnnlab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cnnlab")


def pytest_configure() -> None:
    import torch

    torch.set_num_threads(1)


def is_local(address: object) -> bool:
    """Whether a socket's address is on this machine: a path, or a loopback host."""
    if not isinstance(address, tuple):
        return True
    try:
        return ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] in ("localhost", "")


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines, unless the test is marked `network`."""
    if "network" in request.keywords:
        return
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: Any) -> None:
        if not is_local(address):
            raise OSError(f"a test without the mark `network` may not connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)


def draw(kind: str, seed: int, size: tuple[int, int] = (24, 20)) -> np.ndarray:
    """A photo of one of `CLASSES`, uint8 (height, width, 3), with its own colours."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    forms = {
        "checks": (rows // 3 + columns // 3) % 2 == 0,
        "disc": (rows - size[0] / 2) ** 2 + (columns - size[1] / 2) ** 2 < (min(size) / 3) ** 2,
        "stripes": rows // 3 % 2 == 0,
    }
    back, front = generator.integers(0, 100, 3), generator.integers(150, 256, 3)
    return np.where(forms[kind][:, :, None], front, back).astype(np.uint8)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 36 JPEG photos: `<class>/*.jpg`, of several sizes. Read only."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    for kind in CLASSES:
        (folder / kind).mkdir(parents=True)
        for number in range(12):
            image = Image.fromarray(draw(kind, number, (24 + number, 20)))
            image.save(folder / kind / f"{number:02}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def tiny_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-20 trained for a few steps on `shapes`: a finished run folder. Copy it to change it."""
    from cnnlab.recipes import get_recipe, with_settings
    from cnnlab.train.run import Settings, train_run

    settings = ("model=resnet20", "epochs=2", "batch_size=8", f"folder_pixels={PIXELS}", "resolutions=[]")
    recipe = replace(with_settings(get_recipe("fast/cifar10"), settings), name="tiny", protocol="flip")
    return train_run(recipe, Settings(str(shapes), device="cpu"), tmp_path_factory.mktemp("runs") / "tiny").folder


@pytest.fixture
def own_run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_run` that the test may spoil."""
    return Path(shutil.copytree(tiny_run, tmp_path / "own_run"))
