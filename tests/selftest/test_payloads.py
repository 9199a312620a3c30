from __future__ import annotations

import io
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from cnnlab.selftest.payloads import long_header, member, pickles, safetensors, tar, torch_legacy, torch_zip


def test_the_pickles_do_run_where_pickle_reads_them(tmp_path: Path) -> None:
    """A canary that cannot sing would prove nothing."""
    for number, data in enumerate(pickles("true").values()):
        (tmp_path / f"{number}.pkl").write_bytes(pickles(f"touch {tmp_path}/{number}.sang")[list(pickles(""))[number]])
        assert data
    code = (
        "import pickle, sys, pathlib, contextlib\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.pkl')):\n"
        "    with contextlib.suppress(Exception): pickle.loads(path.read_bytes())\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    until = time.monotonic() + 20
    while len(list(tmp_path.glob("*.sang"))) < len(pickles("")) and time.monotonic() < until:
        time.sleep(0.05)  # some run in the background
    assert len(list(tmp_path.glob("*.sang"))) == len(pickles(""))


def test_containers_are_what_they_claim() -> None:
    with zipfile.ZipFile(io.BytesIO(torch_zip(b"}."))) as archive:
        assert archive.read("archive/data.pkl") == b"}."
    assert pickle.load(io.BytesIO(torch_legacy(b"."))) == 0x1950A86A20F9469CFC6C
    assert safetensors(b"{}") == b"\2\0\0\0\0\0\0\0{}"
    assert b"../x" in tar(member("../x", b"1"))
    assert len(long_header(b"L", 10)) == 512


@pytest.mark.parametrize("place", [2, 3, 4])
def test_the_older_format_has_a_pickle_at_its_place(place: int) -> None:
    stream = io.BytesIO(torch_legacy(b"K\x2a.", place))
    assert [pickle.load(stream) for _ in range(place + 1)][place] == 42
