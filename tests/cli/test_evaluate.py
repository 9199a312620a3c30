from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Cli

KEYS = {"run", "data", "split", "protocol", "views", "top1", "top5", "interval95", "images", "loss", "seconds"}


def test_json_has_the_designs_keys_and_the_runs_own_figure(cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--json")
    assert found.code == 0
    assert found.json.keys() == KEYS
    result = json.loads((own_run / "result.json").read_text(encoding="utf-8"))["test"]
    assert (found.json["top1"], found.json["images"]) == (result["top1"], result["images"])
    assert 0 <= found.json["interval95"][0] <= found.json["top1"] <= found.json["interval95"][1] <= 1


@pytest.mark.parametrize(("protocol", "views"), [("center", 1), ("flip", 2), ("shift6", 6)])
def test_each_protocol_says_its_views(protocol: str, views: int, cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--protocol", protocol, "--split", "val", "--json").json
    assert (found["protocol"], found["views"], found["split"]) == (protocol, views, "val")


def test_people_see_the_accuracy_with_its_interval(cli: Cli, own_run: Path) -> None:
    lines = cli("eval", own_run, "--split", "train").out.splitlines()
    assert lines[0].startswith("train accuracy ")
    assert "95% interval" in lines[0]
    assert "protocol flip (2 views an image)" in lines[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--split", "tset"), "no split 'tset'; did you mean 'test'"),
        (("--protocol", "flop"), "no protocol 'flop'; did you mean 'flip'"),
        (("synthetic",), "trained for the classes checks, disc, stripes"),
        (("--device", "gpu"), "no device 'gpu'"),
    ],
)
def test_a_mistake_leaves_the_test_part_unread(more: tuple[str, ...], message: str, cli: Cli, own_run: Path) -> None:
    before = (own_run / "test_reads.jsonl").read_bytes()
    found = cli("eval", own_run, *more)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert (own_run / "test_reads.jsonl").read_bytes() == before


def test_damaged_weights_are_an_error_of_ours_by_name(cli: Cli, own_run: Path) -> None:
    path = own_run / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    found = cli("eval", own_run)
    assert found.code == 1
    assert "model.safetensors was altered" in found.err


def test_a_run_without_its_data_is_bad_data(cli: Cli, own_run: Path) -> None:
    settings = json.loads((own_run / "settings.json").read_text(encoding="utf-8"))
    (own_run / "settings.json").write_text(json.dumps({**settings, "data": "gone/photos"}), encoding="utf-8")
    found = cli("eval", own_run)
    assert found.code == 3
    assert "there is no folder gone/photos" in found.err
