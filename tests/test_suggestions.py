"""Every command that cnnlab tells people to type works: parsed by its own parser, and typed where that is cheap.

`TYPED` and `LONG` hold an example for each command in a message of the source; one that is in neither fails the test.
Commands of README.md and the docs are filled in by `filled`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnlab.cli.main import COMMANDS, run
from cnnlab.errors import NonFiniteLossError, command
from tests.suggestions import SOURCE, Suggestion, in_module, in_page, in_pages, in_source, sentences
from tests.test_readme import parse

# By what is in the source: what a user would type, in the folder that `place` makes.
TYPED = {
    "cnnlab train {} --manifest {}": "train photos --manifest photos.csv",
    "cnnlab train {}": "train packed",
    "cnnlab train --run runs/mine": "train photos --run runs/new",
    "cnnlab train --run runs/a": "train photos --run runs/newer",
    "cnnlab train --run {}": "train photos --run gone",
    "cnnlab train --resume --run {}": "train --resume --run runs/stopped",
    "cnnlab train FOLDER --recipe {}": "train photos --recipe modern/finetune",
    "cnnlab train {} --recipe {}": "train photos --recipe fast/cifar10",
    "cnnlab train {} {} --lr {}": (
        "train synthetic --recipe modern/cifar10 --model lenet5_modern --set label_smoothing=0.2 --lr 0.0019"
    ),
    "cnnlab {} {}": "predict runs/mine holiday",
    "cnnlab data stats {}": "data stats photos",
    "cnnlab checkpoint info {} {} --try DATA": "checkpoint info weights.pth --model resnet20 --try synthetic",
    "cnnlab eval {} {} {}": "eval runs/mine/model.safetensors photos --model resnet20",
    "cnnlab train DATA --model {} --pretrained {}": "train photos --model resnet20 --pretrained weights.pth",
    "cnnlab eval {}": "eval runs/mine",  # with the run before it: why a run's test part was read
    "cnnlab eval {} DATA": "eval runs/mine photos",
    "cnnlab eval {} --per-class": "eval runs/mine --per-class",
    "cnnlab eval RUN DATA": "eval runs/mine photos",
    "cnnlab predict RUN {}": "predict runs/mine holiday",
    "cnnlab eval RUN RUN DATA": "eval runs/a runs/b photos",
    "cnnlab eval --help": "eval --help",
    "cnnlab predict {} {}": "predict runs/mine photo.jpg",
    "cnnlab explain {} {}": "explain runs/mine photo.jpg",
    "cnnlab compare {}": "compare runs/a runs/b",
    "cnnlab compare RUN RUN": "compare runs/a runs/b",
    "cnnlab compare {} {} DATA": "compare runs/a runs/b photos",
    "cnnlab report {}": "report runs/mine",
    "cnnlab report RUN --split val": "report runs/mine --split val",
    "cnnlab data stats DATA": "data stats photos",
    "cnnlab data split FOLDER": "data split photos --out other.csv",
    "cnnlab inspect maps {} photo.jpg": "inspect maps runs/mine photo.jpg",
    "cnnlab inspect graph NAME --out FILE.svg": "inspect graph resnet20 --out resnet20.svg",
    "cnnlab inspect summary NAME": "inspect summary resnet20",
    "cnnlab checkpoint convert FILE OUT.safetensors": "checkpoint convert weights.pth out.safetensors --model resnet20",
    "cnnlab recipes NAME --diff OTHER": "recipes fast/cifar10 --diff fast/cifar10-95",
    "cnnlab recipes modern/cifar10": "recipes modern/cifar10",
    "cnnlab recipes modern/cifar10 --json": "recipes modern/cifar10 --json",
    "cnnlab reproduce --list": "reproduce --list",
    "cnnlab diagnose --replay {}": "diagnose --replay runs/wild",
    "cnnlab diagnose MODEL DATA": "diagnose lenet5_modern synthetic",
    "cnnlab diagnose {} {}": "diagnose lenet5_modern synthetic",
    "cnnlab lr-find {} --model {}": "lr-find synthetic --model lenet5_modern",
    "cnnlab bench time-to-accuracy --runs runs/a runs/b": "bench time-to-accuracy --runs runs/a runs/b",
}
# Only parsed: what it needs is not here, or it takes long at any budget.
LONG = {
    "cnnlab train --recipe resnet2015/cifar10": ("train --recipe resnet2015/cifar10", "CIFAR-10 is fetched"),
    "cnnlab eval {} imagenet/": ("eval resnet50 imagenet/", "needs ImageNet and published weights"),
    "cnnlab selftest --full": ("selftest --full", "takes hours"),
    "cnnlab reproduce {} --budget {} {}": (
        "reproduce degradation --budget quick --runs 2",
        "takes minutes",
    ),
}
TINY = {
    "train": ("--epochs", "0.1", "--batch-size", "8", "--set", "resolutions=[]", "--threads", "1"),
    "lr-find": ("--batch-size", "32", "--steps", "40", "--threads", "1"),
    "diagnose": ("--steps", "2", "--batch-size", "8", "--threads", "1"),
}
NOT_TINY = ("--resume", "--replay", "--chain-rule")  # these take no budget

# In README.md and the docs: what a placeholder stands for, and what needs more than is here.
STANDS_FOR = {
    **{"RUN": "runs/mine", "DATA": "photos", "FOLDER": "photos", "MODEL": "resnet20", "OTHER": "fast/cifar10-95"},
    **{"NAME": "resnet20", "*.jpg": "photo.jpg", "runs/reproduce": "runs"},
    **{
        "FILE": "weights.pth",
        "checkpoint.pth.tar": "weights.pth",
        "resnet18_cifar": "resnet20",
        "resnet50": "resnet20",
    },
}
NEEDS_MORE = re.compile(
    r"cifar10|imagenet|mnist|--runs 5|--minutes|cnnlab train$|/shared|cnnlab (bench|selftest|reproduce|time)|"
    r"resnet18\b|resnet50 |train (--recipe|--model|--resume)|runs/(95|first)|layer3|compare first|--target dog|fashion"
)


def bare(words: tuple[str, ...]) -> bool:
    """Whether a command is only named, such as `cnnlab data split`, not shown as it is typed."""
    return all(re.fullmatch("[a-z-]+", word) for word in words)


def example(suggestion: Suggestion) -> str | None:
    """What stands for a command of the source; None where it is only named."""
    text = suggestion.text
    if text in LONG:
        return LONG[text][0]
    return TYPED.get(text)


def budget(words: list[str]) -> list[str]:
    """The command, made short."""
    if set(words) & set(NOT_TINY) or words[0] not in TINY:
        return words
    given, extra = {*words}, TINY[words[0]]
    pairs = [pair for pair in zip(extra[::2], extra[1::2], strict=True) if pair[0] == "--set" or pair[0] not in given]
    return [*words, *(word for pair in pairs for word in pair)]


def filled(suggestion: Suggestion) -> list[str]:
    """A command of a page with its placeholders filled in, for `place`."""
    words = [word.strip("[]").removesuffix("…") for word in suggestion.words]
    if words[0] in ("recipes", "train"):
        words = ["fast/cifar10" if word == "NAME" else word for word in words]
    if words[0] == "reproduce":
        words = ["degradation" if word == "NAME" else word for word in words]
    return [STANDS_FOR.get(word, word) for word in words]


@pytest.fixture(scope="module")
def place(tiny_run: Path, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder: photos, runs, a file of weights."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(shapes, folder / "photos")
    for name in ("mine", "a", "b", "c", "stopped"):
        shutil.copytree(tiny_run, folder / "runs" / name)
    for name in ("config.json", "result.json", "model.safetensors"):
        (folder / "runs" / "stopped" / name).unlink()
    (folder / "holiday").mkdir()
    for name in ("photo.jpg", "cat.jpg", "holiday/beach.jpg"):
        shutil.copy(shapes / "disc" / "00.jpg", folder / name)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def more(place: Path) -> Path:
    """What few commands need: a manifest, shards, a file of weights, a run that went wild."""
    from cnnlab.models import create_model
    from cnnlab.train.run import Settings, train_run
    from tests.train.test_replay import SMALL, Sgd

    assert run(["data", "split", "photos", "--out", "photos.csv"]) == 0
    assert run(["data", "pack", "photos", "--out", "packed", "--pixels", "16"]) == 0
    torch.save(create_model("resnet20").state_dict(), place / "weights.pth")
    wild = replace(SMALL, optimizer=Sgd(lr=1e30))
    with pytest.raises(NonFiniteLossError):
        train_run(wild, Settings(data="synthetic", device="cpu", train_images=80, pixels=12), place / "runs" / "wild")
    return place


FROM_SOURCE = [each for each in in_source() if not bare(each.words) or example(each)]
FROM_PAGES = [each for each in in_pages() if not bare(each.words)]


@pytest.mark.parametrize("suggestion", FROM_SOURCE, ids=lambda each: each.text)
def test_every_command_in_a_message_has_an_example_that_is_understood(suggestion: Suggestion) -> None:
    words = example(suggestion)
    assert words is not None, f"{suggestion.where} suggests {suggestion.text!r}: add an example of it to TYPED"
    parse(shlex.split(words))


@pytest.mark.parametrize("suggestion", FROM_PAGES, ids=lambda each: f"{each.where} {each.text}")
def test_every_command_on_a_page_is_understood(suggestion: Suggestion) -> None:
    parse(filled(suggestion))


@pytest.mark.parametrize("words", sorted({*TYPED.values()}))
def test_what_messages_tell_people_to_type_works(words: str, more: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(budget(shlex.split(words)))
    assert code == 0, capsys.readouterr()


SHORT_PAGES = [each for each in FROM_PAGES if not NEEDS_MORE.search(each.text)]


@pytest.mark.slow
@pytest.mark.parametrize("suggestion", SHORT_PAGES, ids=lambda each: f"{each.where} {each.text}")
def test_what_pages_tell_people_to_type_works(
    suggestion: Suggestion, more: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(budget(filled(suggestion)))
    assert code == 0, capsys.readouterr()


@pytest.mark.parametrize("suggestion", [*in_source(), *in_pages()], ids=lambda each: each.text)
def test_every_command_named_is_one(suggestion: Suggestion) -> None:
    assert suggestion.words[0] in COMMANDS or suggestion.words[0].startswith("{")


def test_every_example_belongs_to_a_command_that_is_still_suggested() -> None:
    assert {*TYPED, *LONG} <= {each.text for each in FROM_SOURCE}


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
FLAGS_OF_OTHERS = {"--logdir", "--nproc-per-node", "--max-restarts", "--run-path"}


def test_every_flag_that_a_message_names_is_one() -> None:
    known = {flag for name in COMMANDS for flag in FLAG.findall(_help(name))} | {"--version", "--help"}
    found = {
        (path.name, flag)
        for path in sorted(SOURCE.rglob("*.py"))
        for sentence in sentences(path.read_text("utf-8"))
        for flag in FLAG.findall(sentence)
        if flag not in known | FLAGS_OF_OTHERS
    }
    assert found == set()


def _help(name: str) -> str:
    import importlib

    from cnnlab.cli.parser import Parser

    parser = Parser(prog=f"cnnlab {name}")
    importlib.import_module(f"cnnlab.cli.{COMMANDS[name][0]}").add_arguments(parser)
    return " ".join(flag for action in parser._actions for flag in action.option_strings)


# -- the collection itself ---------------------------------------------------------------------------------------

MODULE = '''
"""Not this: cnnlab eval NOT."""
say(f"it is so; finish it with: cnnlab train --resume --run {folder}, or cnnlab models lists them")
say("see: cnnlab recipes NAME --diff OTHER")
say(f"next: {command('predict', folder, 'photo.jpg')}")
'''


def test_commands_are_found_in_sentences_and_in_calls() -> None:
    assert {each.text for each in in_module("a.py", MODULE)} == {
        "cnnlab train --resume --run {}",
        "cnnlab models",
        "cnnlab recipes NAME --diff OTHER",
        "cnnlab predict {} photo.jpg",
    }


def test_commands_are_found_in_every_kind_of_code_on_a_page() -> None:
    fenced = "```bash\nuv run cnnlab train --runs 2 && x\n```"
    page = f"Text `cnnlab eval RUN` and\n\n    cnnlab models 'a*'  # all\n\n{fenced}\n"
    assert {each.text for each in in_page("a.md", page)} == {
        "cnnlab eval RUN",
        "cnnlab models a*",
        "cnnlab train --runs 2",
    }


def test_a_value_in_a_message_stands_in_a_call_of_command_which_quotes_it() -> None:
    unquoted = [
        f"{each.where}: {each.text}"
        for path in sorted(SOURCE.rglob("*.py"))
        for each in in_module(path.name, path.read_text("utf-8"))
        if "{" in each.text and each.where.endswith("(text)")
    ]
    assert unquoted == []


def test_words_are_quoted_where_a_shell_needs_it() -> None:
    assert command("eval", Path("my run"), "--top", 3) == "cnnlab eval 'my run' --top 3"
