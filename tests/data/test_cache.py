from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.cache import cache_folder, read_arrays, working_folder, write_arrays
from cnnlab.errors import DataError

ARRAYS = {"images": np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), "labels": np.array([1, 0], np.uint8)}


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/cnnlab")
    monkeypatch.setenv("HOME", "/home/ada")
    for unusable in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cache_folder() == Path("/home/ada/.cache/cnnlab")


def test_without_a_home_it_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder().name.startswith("cnnlab-")


def test_arrays_come_back(tmp_path: Path) -> None:
    write_arrays(tmp_path / "deep" / "set.safetensors", ARRAYS)
    back = read_arrays(tmp_path / "deep" / "set.safetensors")
    assert all(np.array_equal(back[name], array) for name, array in ARRAYS.items())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set.safetensors"]


@pytest.mark.parametrize("kept", [0, 4, 30, 200])
def test_a_damaged_file_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "set.safetensors"
    write_arrays(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:-1][:kept])
    with pytest.raises(DataError, match=r"set\.safetensors cannot be read"):
        read_arrays(path)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_arrays(tmp_path / "file" / "set.safetensors", ARRAYS)


@pytest.mark.faults
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from cnnlab.data.cache import write_arrays
from cnnlab.errors import DataError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
write_arrays(path, {"a": np.zeros(10, np.uint8)})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_arrays(path, {"a": np.zeros(100_000, np.uint8)})
except DataError:
    sys.exit(7)
"""
    path = tmp_path / "set.safetensors"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 7
    assert read_arrays(path)["a"].shape == (10,)
    assert [p.name for p in tmp_path.iterdir() if not p.is_dir()] == ["set.safetensors"]


def test_a_working_folder_is_temporary_where_the_cache_is_read_only(tmp_path: Path) -> None:
    with working_folder(tmp_path / "cache") as folder:
        assert folder == tmp_path / "cache"
    (tmp_path / "file").write_text("in the way")
    with working_folder(tmp_path / "file" / "cache") as folder:
        (folder / "x").write_text("written")
    assert not folder.exists()
