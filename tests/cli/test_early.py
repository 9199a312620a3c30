"""No command that only lists or refuses imports torch, which takes seconds: tried with its import forbidden."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from cnnlab.cli import bench, diagnose, early, selftest
from cnnlab.cli.main import COMMANDS

from .conftest import environment

# Each with its exit code and a part of what it says; `empty` is a folder without files, `begun` an unfinished run.
LISTS: tuple[tuple[str, int, str], ...] = (
    ("", 0, "usage: cnnlab COMMAND"),
    ("--help", 0, "usage: cnnlab COMMAND"),
    ("--version", 0, "cnnlab 0."),
    ("models", 0, "resnet50"),
    ("models resnet* --json", 0, '"models"'),
    ("recipes", 0, "fast/cifar10"),
    ("recipes fast/cifar10", 0, "fast/cifar10"),
    ("recipes fast/cifar10 --diff modern/cifar10", 0, "batch_size"),
    ("runs", 0, "no runs in runs"),
    ("runs empty --json", 0, '"runs": []'),
    ("runs .", 0, "begun"),
    ("reproduce --list", 0, "degradation"),
    ("reproduce --list --json", 0, '"reproductions"'),
    *((f"{command} --help", 0, f"usage: cnnlab {command}") for command in COMMANDS),
)
REFUSALS: tuple[tuple[str, int, str], ...] = (
    ("trian", 2, "did you mean 'train'"),
    *((f"{command} --bogus", 2, "") for command in COMMANDS),
    ("runs gone", 2, "there is no folder gone"),
    ("models resnet2O", 2, "no model 'resnet2O'"),
    ("recipes fast/cifar11", 2, "no recipe 'fast/cifar11'"),
    ("reproduce degradatoin", 2, "did you mean 'degradation'"),
    ("reproduce --budget huge", 2, "huge"),
    ("reproduce --folder taken/x zero-init", 2, "is a file"),
    ("selftest imags", 2, "no part of the self-test 'imags'"),
    ("selftest --out page.png", 2, "written as .html"),
    ("bench growht", 2, "no row 'growht'"),
    ("bench growth --out page.png", 2, "written as .html"),
    ("train cifar11", 2, "no data set 'cifar11'; did you mean 'cifar10'"),
    ("train no/folder", 3, "there is no folder no/folder"),
    ("train empty", 3, "empty has no files in it"),
    ("train taken", 3, "taken is a file"),
    ("train synthetic --data-folder gone", 3, "there is no such folder"),
    ("train empty --manifest gone.csv", 3, "no files in it"),
    ("train --recipe fast/cifar11", 2, "no recipe 'fast/cifar11'"),
    ("train --model resnet2O", 2, "no model 'resnet2O'; did you mean 'resnet20'"),
    ("train --set model=resnet2O", 2, "no model 'resnet2O'"),
    ("train --set bogus=1", 2, "no recipe field 'bogus'"),
    ("train --set batch_size=many", 2, "batch_size"),
    ("train --minutes 0", 2, "not above 0"),
    ("train --recipe resnet2015/imagenet", 2, "cannot be downloaded"),
    ("train --resume", 2, "--resume needs the run"),
    ("train --resume --run gone", 2, "nothing to resume in gone"),
    ("train --resume --run begun --lr 1", 2, "--lr cannot change it now"),
    ("train --run begun", 2, "already in use by an earlier run"),
    ("train --run /dev/null/x", 2, "is a file"),
    ("train --run taken", 2, "--run taken is a file"),
    ("train --run taken/x", 2, "is a file"),
    ("train --overfit 5 --final", 2, "leave out --final"),
    ("train --pretrained resnet5O", 2, "neither a run folder"),
    ("train --pretrained begun", 2, "unfinished run"),
    ("train --unfreeze-at 0.5", 2, "add --freeze"),
    ("train --layer-lr 0.5", 2, "add --pretrained"),
    ("train --on-bad-step rollback", 2, "--on-bad-step 'rollback' is not known"),
    ("train --device gpu", 2, "no device 'gpu'"),
    ("eval gone", 2, "gone holds no trained network"),
    ("eval begun", 2, "begun is an unfinished run"),
    ("eval empty", 2, "empty holds no trained network"),
    ("eval bundle gone/photos", 3, "there is no folder gone/photos"),
    ("eval bundle --split tset", 2, "no split 'tset'"),
    ("eval bundle --protocol flop", 2, "no protocol 'flop'; did you mean 'flip'"),
    ("eval bundle --out page.png", 2, "written as .html"),
    ("eval bundle --out taken/page.html", 2, "is a file"),
    ("eval resnet50", 2, "name your copy of it"),
    ("compare bundle", 2, "two runs or more"),
    ("compare bundle gone", 2, "gone holds no trained network"),
    ("compare bundle bundle --split tset", 2, "no split 'tset'"),
    ("compare bundle bundle --protocol flop", 2, "no protocol 'flop'"),
    ("compare bundle bundle --out page.svg", 2, "written as .html"),
    ("report gone", 2, "gone is not a run folder"),
    ("report begun --split val", 2, "begun is an unfinished run"),
    ("report begun --protocol flip", 2, "Add --split val"),
    ("predict gone a.jpg", 2, "gone holds no trained network"),
    ("predict bundle gone.jpg", 3, "gone.jpg: cannot be read, there is no such file"),
    ("predict bundle empty", 3, "empty has no images"),
    ("predict bundle a.jpg --out a.xls", 2, "predictions are written as .csv"),
    ("predict bundle a.jpg --out empty", 2, "predictions are written as"),
    ("features gone empty", 2, "gone holds no trained network"),
    ("features bundle gone/photos", 3, "there is no folder gone/photos"),
    ("features bundle empty --out a.csv", 2, ".npy or .parquet"),
    ("explain gone a.jpg", 2, "gone holds no trained network"),
    ("explain bundle gone.jpg", 3, "gone.jpg: cannot be read"),
    ("explain bundle empty", 2, "empty is a folder; explain draws a picture for each photo"),
    ("explain bundle a.jpg --out taken", 2, "is a file"),
    ("explain bundle a.jpg --method grad", 2, "no method 'grad'"),
    ("diagnose", 2, "give a network or a run folder"),
    ("diagnose plain57", 2, "no model 'plain57'; did you mean 'plain56'"),
    ("diagnose plain56 cifar11", 2, "no data set 'cifar11'"),
    ("diagnose plain56 --init zeros", 2, "no initialisation 'zeros'"),
    ("diagnose plain56 --out a.txt", 2, "written as .png"),
    ("diagnose begun", 2, "unfinished run"),
    ("diagnose --replay gone", 2, "nothing to replay in gone"),
    ("lr-find cifar11", 2, "no data set 'cifar11'"),
    ("lr-find --model resnet2O", 2, "no model 'resnet2O'"),
    ("lr-find --recipe nosuch", 2, "no recipe 'nosuch'"),
    ("lr-find --out a.html", 2, "written as .png"),
    ("data gte cifar10", 2, "did you mean 'get'"),
    ("data get cifar11", 2, "no data set 'cifar11'"),
    ("data stats gone/photos", 3, "there is no folder"),
    ("data split empty", 3, "empty has no files in it"),
    ("data pack empty --out taken", 3, "empty has no files in it"),
    ("inspect summry resnet20", 2, "did you mean 'summary'"),
    ("inspect summary resnet2O", 2, "no model 'resnet2O'"),
    ("inspect summary begun", 2, "unfinished run"),
    ("inspect summary resnet20 --out a.svg", 2, "--out is for drawings"),
    ("inspect graph resnet20 --out a.png", 2, "--out a.png: written as .svg"),
    ("inspect graph resnet20 --depth 2", 2, "are for tables"),
    ("inspect filters resnet20", 2, "resnet20 is not a run folder"),
    ("inspect maps bundle", 2, "needs an image"),
    ("inspect maps bundle gone.jpg", 3, "gone.jpg: cannot be read"),
    ("inspect embed bundle --split tset", 2, "no split 'tset'"),
    ("time resnet2O", 2, "no model 'resnet2O'"),
    ("time resnet20 --dtype float99", 2, "no number format 'float99'"),
    ("time resnet20 --out a.png", 2, "written as .html"),
    ("checkpoint info gone.pth", 3, "there is no file gone.pth"),
    ("checkpoint info taken out.safetensors", 2, "takes one file"),
    ("checkpoint convert taken", 2, "name it: OUT.safetensors"),
    ("checkpoint convert taken out.pth", 2, "written as .safetensors"),
    ("checkpoint convert taken out.safetensors --model resnet2O", 2, "no model 'resnet2O'"),
)

CHILD = """
import contextlib, io, json, sys

class TorchWasImported(BaseException):
    pass

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise TorchWasImported(name)

sys.meta_path.insert(0, Forbid())
from cnnlab.cli.main import run

found = []
for command in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(command.split())
        except TorchWasImported:
            code = "torch was imported"
    found.append([code, out.getvalue() + err.getvalue()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The exit code and output of every command above, all given by one process that cannot import torch."""
    place = tmp_path_factory.mktemp("place")
    for folder in ("empty", "begun", "bundle"):
        (place / folder).mkdir()
    (place / "begun" / "recipe.json").write_text("{}", encoding="utf-8")
    (place / "bundle" / "config.json").write_text("{}", encoding="utf-8")
    for file in ("taken", "a.jpg"):
        (place / file).write_text("text", encoding="utf-8")
    commands = [each for each, _, _ in (*LISTS, *REFUSALS)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        env=environment(),
        cwd=place,
        timeout=120,
        check=True,
    )
    left = {each.relative_to(place).as_posix() for each in place.rglob("*")}
    assert left == {"empty", "begun", "begun/recipe.json", "bundle", "bundle/config.json", "taken", "a.jpg"}
    return dict(zip(commands, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("command", "code", "text"), [*LISTS, *REFUSALS])
def test_it_lists_or_refuses_without_torch(command: str, code: int, text: str, answers: dict[str, list[Any]]) -> None:
    assert answers[command][0] == code, answers[command][1]
    assert text in answers[command][1]


def test_every_command_is_tried() -> None:
    assert {each.split()[0] for each, _, _ in REFUSALS} > set(COMMANDS)


# -- what stands here twice, as the other place needs torch ----------------------------------------------------------


def test_the_protocols_are_those_of_the_room_that_tests() -> None:
    from cnnlab.evaluate.protocols import PROTOCOLS

    assert set(early.PROTOCOLS) == set(PROTOCOLS)


def test_parts_rows_and_initialisations_are_those_of_their_rooms() -> None:
    from cnnlab.bench.catalog import ROWS
    from cnnlab.models.initialise import Initialisation
    from cnnlab.selftest.parts import PARTS

    assert tuple(PARTS) == selftest.NAMES
    assert tuple(ROWS) == bench.NAMES
    assert get_args(Initialisation) == diagnose.INITS


def test_files_that_are_there_are_let_through(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    early.require_files([tmp_path / "gone.jpg", tmp_path / "a.jpg"])  # the one is named beside the other's answer
