"""`cnnlab lr-find`: a rate, the reason for it, and a plot."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .conftest import Cli

QUICK = ("--model", "lenet5_modern", "--batch-size", 64, "--start", 1e-5, "--end", 1e2, "--steps", 50)


def test_a_rate_with_its_reason_and_a_plot(cli: Cli, tmp_path: Path) -> None:
    found = cli("lr-find", "synthetic", *QUICK, "--out", "lr.png")
    assert (found.code, found.err) == (0, "")
    assert "learning rate: " in found.out
    assert "10 times below the rate at which the loss was lowest" in found.out
    assert "next: cnnlab train synthetic --model lenet5_modern --batch-size 64 --lr " in found.out
    with Image.open(tmp_path / "lr.png") as picture:
        assert picture.width > 500


def test_json_has_every_step(cli: Cli, tmp_path: Path) -> None:
    values = cli("lr-find", "synthetic", *QUICK, "--json").json
    assert len(values["lrs"]) == len(values["losses"]) == len(values["smoothed"]) <= 50
    assert 1e-6 <= values["lr"] <= 1e2
    assert (values["model"], values["plot"]) == ("lenet5_modern", None)
    assert list(tmp_path.iterdir()) == []


def test_a_range_upside_down_is_a_usage_error(cli: Cli) -> None:
    found = cli("lr-find", "synthetic", *QUICK, "--end", 1e-6)
    assert (found.code, "give a lower rate above 0" in found.err) == (2, True)


def test_rates_that_are_all_too_low_give_none(cli: Cli) -> None:
    found = cli("lr-find", "synthetic", *QUICK, "--batch-size", 16, "--start", 1e-9, "--end", 1e-8, "--steps", 30)
    assert (found.code, "no learning rate from 1e-09 to 1e-08 lowers the loss" in found.err) == (2, True)


def test_a_small_folder_has_a_rate_too(cli: Cli, shapes: Path) -> None:
    found = cli("lr-find", shapes, "--model", "lenet5_modern", "--start", 1e-5, "--end", 1, "--steps", 60)
    assert (found.code, found.err) == (0, "")
    assert "lenet5_modern on " in found.out
    assert "batches of 16" in found.out
