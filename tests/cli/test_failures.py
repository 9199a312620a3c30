from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnlab.cli.failures import complain, fail

from .conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (("trian",), "UnknownNameError", 2),
        (("train", "cifar11"), "UnknownNameError", 2),
        (("train", "no/photos"), "DataError", 3),
        (("train", "--bogus"), "UsageError", 2),
        (("eval",), "UsageError", 2),
        (("train", "--minutes", "soon"), "UsageError", 2),
        (("reproduce", "--budget", "huge"), "UsageError", 2),
        (("predict", "gone", "a.jpg"), "UsageError", 2),
        (("compare", "--split"), "UsageError", 2),
    ],
)
def test_with_json_a_failure_is_one_object_on_standard_output(
    arguments: tuple[str, ...], kind: str, code: int, cli: Cli
) -> None:
    found = cli(*arguments, "--json")
    assert found.code == code
    error = found.json["error"]
    assert error.keys() == {"kind", "message", "exit_code"}
    assert (error["kind"], error["exit_code"]) == (kind, code)
    assert f"cnnlab: {error['message']}" in found.err
    assert cli(*arguments).out == ""


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt", 130),
        (PermissionError(13, "Permission denied", "a/b"), "PermissionError", 1),
        (ValueError("odd"), "ValueError", 1),
    ],
)
def test_what_nobody_foresaw_is_an_object_too(
    raised: BaseException, kind: str, code: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(_: object) -> int:
        raise raised

    monkeypatch.setattr("cnnlab.cli.env.run", fall)
    found = cli("env", "--json")
    assert (found.code, found.json["error"]["kind"], found.json["error"]["exit_code"]) == (code, kind, code)


def test_a_message_with_control_characters_is_harmless(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    complain("\x1b[31m red \N{SNOWMAN}\nnext")
    assert capsys.readouterr().err == "cnnlab: \\x1b[31m red \N{SNOWMAN}\nnext\n"
    assert fail("Kind", "\x1b", 7, as_json=True) == 7
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "\x1b"
