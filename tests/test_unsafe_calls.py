"""Nothing in src, bench and examples runs code that it finds in a file; the check is shown to fail on such code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "bench", "examples")

UNPICKLERS = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"),
    *("torch.serialization", "torch.package", "torch.distributed.checkpoint", "code", "codeop", "runpy"),
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "breakpoint", "input"),
    *("builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__"),
    *("os.system", "os.popen", "os.execl", "os.execv", "os.spawnl", "os.spawnv", "os.startfile", "pty.spawn"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"),
    *("torch.load", "torch.jit.load", "torch.export.load", "torch.hub.load", "torch.hub.load_state_dict_from_url"),
    *("torch.ops.load_library", "torch.classes.load_library", "torch.utils.cpp_extension.load"),
    *("numpy.lib.format.read_array", "numpy.fromregex", "pandas.read_pickle", "pandas.eval", "ctypes.CDLL"),
    *(
        "xml.etree.ElementTree.parse",
        "xml.etree.ElementTree.fromstring",
        "xml.dom.minidom.parse",
        "logging.config.listen",
    ),
}
UNPACKING = ("extractall", "unpack_archive")  # safe with the data filter alone; members are read, never extracted
KEYWORDS = {"weights_only": True, "trust_remote_code": False, "allow_pickle": False, "shell": False, "executable": None}
IMPORTING = ("importlib.import_module", "importlib.util.spec_from_file_location")

_BY_NAME = "calls importlib.import_module with what is no constant"
ALLOWED = {
    ("src/cnnlab/data/unpickle.py", "imports pickle"): "the CIFAR-10 files, by a closed list of types",
    ("src/cnnlab/cli/main.py", _BY_NAME): "the modules in COMMANDS",
    ("src/cnnlab/__init__.py", _BY_NAME): "the modules written out there",
    ("src/cnnlab/models/__init__.py", _BY_NAME): "the modules written out there",
    ("src/cnnlab/cli/encoding.py", "calls os.execv"): "this very command, begun again in UTF-8",
    ("src/cnnlab/cli/encoding.py", "names os.execv"): "likewise",
    ("src/cnnlab/data/tiff.py", "calls ctypes.CDLL"): "Pillow's own library that is loaded already, to keep it quiet",
    ("src/cnnlab/data/tiff.py", "names ctypes.CDLL"): "likewise",
    ("src/cnnlab/models/device.py", "calls ctypes.CDLL"): "the C library that is loaded already, to set its allocator",
    ("src/cnnlab/models/device.py", "names ctypes.CDLL"): "likewise",
}


def aliases(tree: ast.AST) -> dict[str, str]:
    """What each imported name of a file stands for: `np` for numpy, `load` for torch.load."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {
                each.asname or each.name.split(".")[0]: each.name if each.asname else each.name.split(".")[0]
                for each in node.names
            }
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """`a.b.c` for such an expression, its first name resolved; else an empty string."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (base := dotted(node.value, known)):
        return f"{base}.{node.attr}"
    return ""


def unsafe(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each unsafe thing in a file: its line and what it is."""
    known = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, f"imports {name}") for name in sorted(_imported(node)))
        if isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _wrong_with(node, dotted(node.func, known)))
        # A reference is as good as a call: `run = torch.load`.
        if isinstance(node, ast.Attribute) and dotted(node, known) in CALLS:
            yield node.lineno, f"names {dotted(node, known)}"


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
    dangerous = {each for name in names for each in UNPICKLERS if name == each or name.startswith(f"{each}.")}
    return dangerous | (CALLS & set(names) if isinstance(node, ast.ImportFrom) else set())


def _wrong_with(call: ast.Call, name: str) -> Iterator[str]:
    given = {each.arg: each.value for each in call.keywords}
    if name in CALLS:
        yield f"calls {name}"
    if isinstance(call.func, ast.Attribute) and call.func.attr in UNPACKING:
        chosen = given.get("filter")
        if not (isinstance(chosen, ast.Constant) and chosen.value == "data"):
            yield f"calls {call.func.attr} without filter='data'"
    if name in IMPORTING and not (call.args and isinstance(call.args[0], ast.Constant)):
        yield f"calls {name} with what is no constant"
    for keyword, safe in KEYWORDS.items():
        value = given.get(keyword)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is safe):
            yield f"passes {keyword}"


@cache
def findings() -> list[tuple[str, int, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), line, what)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, what in unsafe(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_no_file_runs_what_it_reads() -> None:
    assert [f"{path}:{line}: {what}" for path, line, what in findings() if (path, what) not in ALLOWED] == []


def test_every_exemption_is_still_needed() -> None:
    assert ALLOWED.keys() <= {(path, what) for path, _, what in findings()}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "from torch.serialization import load",
        "import torch.distributed.checkpoint as dcp",
        "import torch\ntorch.load('a')",
        "import torch as t\nt.load('a', weights_only=True)",
        "from torch import load as read\nread('a')",
        "import torch\nread = torch.load",
        "import torch\ntorch.jit.load('a')",
        "import torch\ntorch.export.load('a.pt2')",
        "import torch\ntorch.hub.load('a', 'b')",
        "read('a', weights_only=False)",
        "read('a', weights_only=chosen)",
        "read('a', trust_remote_code=True)",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "eval('1')",
        "exec(text)",
        "compile(text, 'a', 'exec')",
        "import builtins\nbuiltins.eval('1')",
        "__import__(name)",
        "import yaml\nyaml.load('1')",
        "import yaml\nyaml.load('1', Loader=yaml.SafeLoader)",
        "import yaml\nyaml.unsafe_load('1')",
        "import os\nos.system('a')",
        "from os import popen",
        "import subprocess\nsubprocess.run('a', shell=True)",
        "archive.extractall(folder)",
        "archive.extractall(folder, filter='fully_trusted')",
        "import shutil\nshutil.unpack_archive('a')",
        "import importlib\nimportlib.import_module(config['class'])",
        "import importlib.util as u\nu.spec_from_file_location(name, path)",
        "import pandas as pd\npd.read_pickle('a')",
    ],
)
def test_unsafe_code_is_found(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "network.eval()\nre.compile('a')\ntorch.compile(network)",
        "import numpy\nnumpy.load('a', allow_pickle=False)\nnumpy.load('a')",
        "import yaml\nyaml.safe_load('1')",
        "import json\njson.load(file)",
        "from safetensors.torch import load\nload(data)",
        "import pickletools",
        "import subprocess\nsubprocess.run(['a', 'b'], shell=False)",
        "archive.extractall(folder, filter='data')",
        "import importlib\nimportlib.import_module('cnnlab.data')",
        "self.load('a')",
    ],
)
def test_safe_code_is_not(code: str) -> None:
    assert list(unsafe(ast.parse(code))) == []
