from __future__ import annotations

from pathlib import Path

from cnnlab.explain.draw import draw_network
from cnnlab.models.describe import describe_model

from .conftest import Cli

ROW = {"name", "kind", "output", "parameters", "macs", "receptive_field", "stride", "repeats"}


def test_people_see_a_line_a_layer_and_the_total(cli: Cli) -> None:
    lines = cli("inspect", "summary", "resnet20").out.splitlines()
    assert lines[0] == "resnet20: He et al. 2015, arXiv:1512.03385; input 3x32x32; 20 weighted layers deep"
    assert lines[1].split() == ["layer", "kind", "output", "parameters", "MACs", "receptive", "field", "stride"]
    assert lines[2].split() == ["conv1", "Conv2d", "3x3", "16x32x32", "432", "442,368", "3", "1"]
    assert next(line for line in lines if line.startswith("layer2")).split()[:4] == [
        *("layer2.0-2", "BasicBlock", "x3", "32x16x16")
    ]
    assert next(line for line in lines if line.startswith("total")).split() == [
        "total",
        "269,722",
        f"{describe_model('resnet20').macs:,}",
    ]


def test_json_is_what_the_models_command_says_and_the_layers(cli: Cli) -> None:
    found = cli("inspect", "summary", "resnet20", "--json").json
    told = describe_model("resnet20")
    assert {key: found[key] for key in ("name", "input", "parameters", "macs", "depth")} == {
        key: getattr(told, key) for key in ("name", "input", "parameters", "macs", "depth")
    }
    assert all(layer.keys() == ROW for layer in found["layers"])
    assert sum(layer["parameters"] for layer in found["layers"]) == 269_722
    assert "paper" not in found


def test_the_paper_is_laid_beside(cli: Cli) -> None:
    out = cli("inspect", "summary", "resnet110", "--paper").out
    line = next(line for line in out.splitlines() if line.startswith("parameters"))
    assert line.split() == ["parameters", "1,700,000", "1,727,962", "+1.6%"]
    assert "Table 6 [T]" in out


def test_the_paper_is_in_the_json(cli: Cli) -> None:
    paper = cli("inspect", "summary", "googlenet_2014", "--paper", "--json").json["paper"]
    assert paper["parameters"]["ours"] == 6_998_552
    assert paper["macs"]["paper"] == 1_502_000_000
    assert "separable" in paper["note"]


def test_a_network_without_checked_figures_says_so(cli: Cli) -> None:
    assert "no checked figure" in cli("inspect", "summary", "airnet", "--paper").out
    assert "paper" not in cli("inspect", "summary", "airnet", "--paper", "--json").json


def test_options_pixels_and_depth(cli: Cli) -> None:
    found = cli(
        "inspect", "summary", "resnet20", "--set", "shortcut=B", "--set", "num_classes=7", "--pixels", 16, "--json"
    )
    assert found.json["input"] == "3x16x16"
    assert found.json["layers"][-1]["output"] == [7]
    assert found.json["parameters"] == 269_722 + 2_752 - 3 * 65
    opened = cli("inspect", "summary", "resnet20", "--depth", 3, "--json").json["layers"]
    assert "layer2.0.downsample" in [layer["name"] for layer in opened]


def test_auxiliary_heads_are_told_apart(cli: Cli) -> None:
    assert "6,624,904 parameters without" in cli("inspect", "summary", "googlenet").out


def test_what_is_wrong_is_said(cli: Cli) -> None:
    assert "'resnet20'" in cli("inspect", "summary", "resnet21").err
    for arguments, message in [
        (("--set", "shortcut"), "has no '='"),
        (("--set", "shortcuts=A"), "did you mean 'shortcut'"),
        (("--set", "shortcut=Z"), "no shortcut option 'Z'"),
        (("--set", "num_classes=many"), "does not fit"),
        (("--set", "num_classes=0"), "does not fit"),
        (("--depth", "0"), "not above 0"),
    ]:
        found = cli("inspect", "summary", "resnet20", *arguments)
        assert found.code == 2
        assert message in found.err
    assert cli("inspect", "graphs", "resnet20").code == 2


def test_a_drawing_is_printed_or_written(cli: Cli, tmp_path: Path) -> None:
    printed = cli("inspect", "graph", "resnet20", "--set", "shortcut=B", "--pixels", "64").out
    assert printed == draw_network("resnet20", pixels=64, shortcut="B")
    file = tmp_path / "net.svg"
    assert "net.svg" in cli("inspect", "graph", "resnet20", "--out", str(file)).out.replace("\n", "")
    assert file.read_text(encoding="utf-8") == draw_network("resnet20")
    assert cli("inspect", "graph", "resnet20", "--json").json == {"name": "resnet20", "svg": draw_network("resnet20")}
    assert cli("inspect", "graph", "resnet20", "--json", "--out", str(file)).json == {
        "name": "resnet20",
        "file": str(file),
    }


def test_a_drawing_that_cannot_be_made_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    for arguments, message in [
        (("graph", "resnet21"), "'resnet20'"),
        (("graph", "resnet20", "--depth", "2"), "are for tables"),
        (("graph", "resnet20", "--paper"), "are for tables"),
        (("graph", "resnet20", "--out", str(tmp_path / "no" / "net.svg")), "choose another place"),
        (("summary", "resnet20", "--out", "net.svg"), "is for drawings"),
    ]:
        found = cli("inspect", *arguments)
        assert found.code == 2
        assert message in found.err


def test_a_run_is_summarised_and_drawn_with_its_own_options(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    found = cli("inspect", "summary", tiny_run, "--json").json
    assert (found["model"], found["input"]) == ("resnet20", "3x16x16")
    assert found["layers"][-1]["output"] == [3]  # its three classes
    assert cli("inspect", "summary", tiny_run).out.startswith("resnet20: He et al. 2015")
    assert cli("inspect", "graph", tiny_run, "--out", "run.svg").code == 0
    assert (tmp_path / "run.svg").read_text(encoding="utf-8").startswith("<svg")
