from __future__ import annotations

import platform

import torch

import cnnlab

from .conftest import Cli


def test_json_says_versions_device_and_threads(cli: Cli) -> None:
    found = cli("env", "--json").json
    assert found["cnnlab"] == cnnlab.__version__
    assert found["python"] == platform.python_version()
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert (found["threads"], found["cores"] >= 1) == (1, True)


def test_people_see_a_line_each(cli: Cli) -> None:
    found = cli("env")
    assert found.code == 0
    keys = {line.split()[0] for line in found.out.splitlines()}
    assert keys >= {"cnnlab", "python", "packages", "device", "threads"}
