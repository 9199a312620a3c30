from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnnlab.cli.evaluate import runs_and_data
from cnnlab.train.checkpoint import list_checkpoints

from .conftest import Cli

ROW = {
    "protocol",
    "views",
    "top1",
    "top5",
    "interval95",
    "images",
    "loss",
    "seconds",
    "seconds_per_image",
    "macs",
    "skipped",
    "notes",
}
KEYS = {"run", "runs", "members", "data", "split", "part", *ROW}


def test_json_has_the_designs_keys_and_the_runs_own_figure(cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--json")
    assert found.code == 0
    assert found.json.keys() == KEYS
    result = json.loads((own_run / "result.json").read_text(encoding="utf-8"))["test"]
    assert (found.json["top1"], found.json["images"]) == (result["top1"], result["images"])
    assert 0 <= found.json["interval95"][0] <= found.json["top1"] <= found.json["interval95"][1] <= 1
    assert found.json["macs"] > 0


@pytest.mark.parametrize(
    ("protocol", "views"), [("center", 1), ("flip", 2), ("shift6", 6), ("10crop", 10), ("dense", 2)]
)
def test_each_protocol_says_its_views(protocol: str, views: int, cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--protocol", protocol, "--split", "val", "--json").json
    assert (found["protocol"], found["views"], found["split"]) == (protocol, views, "val")


def test_fast_figures_are_the_same(cli: Cli, own_run: Path) -> None:
    plain, fast = (cli("eval", own_run, *more, "--json").json for more in ((), ("--fast",)))
    assert fast["top1"] == plain["top1"]


def test_people_see_a_table_with_a_row_a_protocol(cli: Cli, own_run: Path) -> None:
    lines = cli(
        "eval", own_run, "--split", "train", "--protocol", "flip,12crop", "--protocol", "center"
    ).out.splitlines()
    assert lines[0].startswith(f"{own_run} on the train part of ")
    titles = ["protocol", "accuracy", "95%", "interval", "top-5", "loss", "views", "MACs/image", "ms/image"]
    assert lines[1].split() == titles
    rows = [line.split() for line in lines[2:5]]
    assert [row[0] for row in rows] == ["flip", "12crop", "center"]
    assert [row[7] for row in rows] == ["2", "12", "1"]
    assert all(row[1].endswith("%") and row[3] == "to" for row in rows)
    assert lines[5].startswith("12crop: Inception-v3 (Table 4) and v4 (Table 3) name 12 crops")
    assert "(unverified)" in lines[5]
    assert lines[6].startswith(
        "12crop: shorter side 18, the papers' in proportion: this network was trained on crops of 16"
    )


def test_json_of_several_protocols_has_all_and_the_first_on_top(cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--split", "val", "--protocol", "10crop,center", "--json").json
    assert [row["protocol"] for row in found["protocols"]] == ["10crop", "center"]
    assert all(row.keys() == ROW for row in found["protocols"])
    assert found["top1"] == found["protocols"][0]["top1"]
    assert found["protocols"][0]["macs"] == 10 * found["protocols"][1]["macs"]


# -- several networks ----------------------------------------------------------------------------------------------


def test_a_run_twice_is_an_ensemble_as_good_as_the_run(cli: Cli, own_run: Path, shapes: Path) -> None:
    single = cli("eval", own_run, "--split", "val", "--json").json
    for more in ((own_run,), (own_run, shapes)):
        twice = cli("eval", own_run, *more, "--split", "val", "--json").json
        assert (twice["members"], twice["runs"], twice["data"]) == (2, [str(own_run)] * 2, str(shapes))
        assert (twice["top1"], twice["macs"]) == (single["top1"], 2 * single["macs"])
        assert twice["loss"] == pytest.approx(single["loss"], abs=1e-6)


def only_snapshot(run: Path) -> Path:
    """The newest checkpoint, alone."""
    *older, newest = list_checkpoints(run / "checkpoints")
    for each in older:
        shutil.rmtree(each)
    return newest


def test_the_last_snapshot_is_the_run_itself(cli: Cli, own_run: Path) -> None:
    only_snapshot(own_run)
    single, found = (cli("eval", own_run, *more, "--split", "val", "--json").json for more in ((), ("--snapshots",)))
    assert found["members"] == 1
    assert (found["top1"], found["loss"]) == (single["top1"], single["loss"])


def test_all_kept_snapshots_answer_together(cli: Cli, own_run: Path) -> None:
    kept = only_snapshot(own_run)
    shutil.copytree(kept, kept.with_name("step-00000001"))
    found = cli("eval", own_run, "--snapshots", "--split", "val")
    assert found.out.startswith("an ensemble of 2 on the val part of ")


def test_a_damaged_snapshot_and_none_at_all_are_errors(cli: Cli, own_run: Path) -> None:
    kept = only_snapshot(own_run)
    (kept / "network.safetensors").write_bytes(b"")
    assert "is damaged: network.safetensors" in cli("eval", own_run, "--snapshots").err
    shutil.rmtree(own_run / "checkpoints")
    found = cli("eval", own_run, "--snapshots")
    assert found.code == 2
    assert "keeps no checkpoints; test it without --snapshots" in found.err


def test_what_is_no_run_comes_last(cli: Cli, own_run: Path, shapes: Path) -> None:
    found = cli("eval", own_run, shapes, own_run)
    assert found.code == 2
    assert f"{shapes} holds no trained network; give the runs first" in found.err
    assert runs_and_data("a", []) == ([Path("a")], None)
    assert runs_and_data("a", ["cifar10"]) == ([Path("a")], "cifar10")
    assert runs_and_data("a", [str(own_run), "b"]) == ([Path("a"), own_run], "b")


def test_runs_of_different_data_must_be_told_which(cli: Cli, own_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(own_run, tmp_path / "other"))
    settings = json.loads((other / "settings.json").read_text(encoding="utf-8"))
    (other / "settings.json").write_text(json.dumps({**settings, "data": "elsewhere"}), encoding="utf-8")
    found = cli("eval", own_run, other)
    assert found.code == 2
    assert "and on elsewhere; name the data last" in found.err


# -- more figures --------------------------------------------------------------------------------------------------


def test_per_class_figures_agree_with_the_accuracy(cli: Cli, own_run: Path) -> None:
    found = cli("eval", own_run, "--split", "train", "--per-class", "--json").json
    assert [each["name"] for each in found["per_class"]] == ["checks", "disc", "stripes"]
    right = sum(found["confusion"][place][place] for place in range(3))
    assert right / found["images"] == pytest.approx(found["top1"])
    assert [sum(row) for row in found["confusion"]] == [each["images"] for each in found["per_class"]]
    assert found["averages"].keys() == {"macro", "weighted"}
    assert found["averages"]["weighted"]["recall"] == pytest.approx(found["top1"])


def test_people_see_each_class_and_what_is_mistaken(cli: Cli, own_run: Path) -> None:
    lines = cli("eval", own_run, "--split", "train", "--per-class").out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("class (flip)"))
    names = ["checks", "disc", "stripes", "macro mean", "weighted mean"]
    for name, line in zip(names, lines[start + 1 :], strict=False):
        assert line.startswith(name)
    assert all(" taken for " in line for line in lines[start + 6 :])


def test_calibration_is_fitted_on_the_validation_part_and_saved(cli: Cli, own_run: Path) -> None:
    plain = cli("eval", own_run, "--json").json
    assert not (own_run / "calibration.json").exists()
    found = cli("eval", own_run, "--calibration", "--json").json
    assert found["top1"] == plain["top1"]
    assert found["calibration"]["before"]["nll"] == pytest.approx(plain["loss"], abs=1e-6)
    saved = json.loads((own_run / "calibration.json").read_text(encoding="utf-8"))
    assert saved["temperature"] == found["calibration"]["temperature"]
    lines = cli("eval", own_run, "--calibration").out.splitlines()
    assert lines[-1].startswith(f"flip, at temperature {saved['temperature']:.3f}, fitted on the val part: NLL ")


def test_a_report_is_a_page_with_the_same_figures(cli: Cli, own_run: Path, tmp_path: Path) -> None:
    asked = ("--split", "val", "--protocol", "flip,10crop", "--calibration")
    found = cli("eval", own_run, *asked, "--out", tmp_path / "report.html", "--json")
    assert found.code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for row in found.json["protocols"]:
        assert f"Classes, {row['protocol']}" in page
        assert f"{100 * row['top1']:.2f}%" in page
        assert f"{row['calibration']['temperature']:.3f}" in page


# -- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--split", "tset"), "no split 'tset'; did you mean 'test'"),
        (("--protocol", "flop"), "no protocol 'flop'; did you mean 'flip'"),
        (("--protocol", "flip,flop"), "no protocol 'flop'; did you mean 'flip'"),
        (("--max-bad", "2"), "2.0 is not a share"),
        (("--device", "gpu"), "no device 'gpu'"),
    ],
)
def test_a_mistake_leaves_the_test_part_unread(more: tuple[str, ...], message: str, cli: Cli, own_run: Path) -> None:
    before = (own_run / "test_reads.jsonl").read_bytes()
    found = cli("eval", own_run, *more)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert (own_run / "test_reads.jsonl").read_bytes() == before


def test_other_classes_are_bad_data_and_listed(cli: Cli, own_run: Path) -> None:
    before = (own_run / "test_reads.jsonl").read_bytes()
    found = cli("eval", own_run, "synthetic")
    assert (found.code, found.out) == (3, "")
    assert "trained for the classes checks, disc, stripes; unknown to it in synthetic: ring (300 images)" in found.err
    assert "missing: stripes; call the classes as the network does" in found.err
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


def test_without_a_split_the_part_there_is_is_taken_and_said(cli: Cli, shapes: Path) -> None:
    assert cli("data", "split", shapes, "--test", "0", "--out", "no-test.csv").code == 0
    small = ("--model", "resnet20", "--epochs", "1", "--batch-size", "8", "--set", "folder_pixels=16")
    assert cli("train", shapes, "--manifest", "no-test.csv", *small, "--run", "run").code == 0
    found = cli("eval", "run")
    assert found.code == 0
    assert " on the val part of " in found.out.splitlines()[0]
    assert cli("eval", "run", "--json").json["split"] == "val"
