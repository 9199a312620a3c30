"""The rules of ARCHITECTURE.md, checked on every file of the package; each check is shown to fail on a bad tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cnnlab"
TESTS = ROOT / "tests"

# Which rooms a room may import; itself, errors, types and text go without saying.
ARROWS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "types": (),
    "text": (),
    "report": (),
    "data": (),
    "models": (),
    "recipes": (),
    "evaluate": ("data", "models"),
    "explain": ("data", "models"),
    "train": ("data", "models", "recipes", "evaluate", "report"),
    "export": ("data", "models", "evaluate"),
    "serve": ("data", "export"),
    "measure": ("models",),
    "bench": ("data", "models", "recipes", "evaluate", "train", "measure"),
    "reproduce": ("data", "models", "recipes", "train", "evaluate", "explain", "report"),
    "selftest": ("data", "models", "recipes", "evaluate", "explain", "train", "export", "serve", "reproduce", "report"),
    "cli": (
        *("data", "models", "recipes", "evaluate", "explain", "train", "export", "serve", "reproduce", "report"),
        *("selftest", "measure", "bench"),
    ),
    "__main__": ("cli",),
    "__init__": ("data", "models", "recipes", "evaluate", "explain", "train", "export", "serve", "reproduce", "report"),
}
ALWAYS = {"errors", "types", "text"}
NO_TORCH = {"errors", "types", "text", "recipes", "__init__", "__main__"}

# Files without logic of their own, which need no test file.
WITHOUT_MIRROR = {
    "__init__.py",
    "__main__.py",
    "bench/__init__.py",
    "cli/__init__.py",
    "data/__init__.py",
    "evaluate/__init__.py",
    "explain/__init__.py",
    "measure/__init__.py",
    "models/__init__.py",
    "recipes/__init__.py",
    "report/__init__.py",
    "reproduce/__init__.py",
    "selftest/__init__.py",
    "train/__init__.py",
}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|not implemented yet)\b")
ABSTRACT = {"models/layers.py": "Network.features"}  # the one method that subclasses must write

Check = Callable[[Path], list[str]]


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every file of a package with its tree, by path relative to the package."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def imported_names(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every dotted name a file imports, wherever in it, relative imports resolved: (line, name)."""
    package = ["cnnlab", *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cnnlab":
            yield node.lineno, f"cnnlab.{node.attr}"
        if isinstance(node, ast.Call) and dotted(node.func).endswith(("import_module", "__import__")):
            yield from ((node.lineno, each.value) for each in node.args if isinstance(each, ast.Constant))


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def wrong_arrows(package: Path) -> list[str]:
    """Imports from one room into another that ARROWS does not allow."""
    rooms = set(ARROWS) | {room_of(path) for path, _ in modules(package)}
    found = []
    for path, tree in modules(package):
        room = room_of(path)
        if room not in ARROWS:
            found.append(f"{path}: the room {room} has no line in ARROWS")
            continue
        for line, name in imported_names(path, tree):
            target = name.split(".")[1] if name.startswith("cnnlab.") else ""
            if target in rooms - {room, *ALWAYS, *ARROWS[room]}:
                found.append(f"{path}:{line}: {room} may not import {name}")
    return found


def torch_where_forbidden(package: Path) -> list[str]:
    """Imports of torch in rooms that must do without."""
    return [
        f"{path}:{line}: {room_of(path)} may not import {name}"
        for path, tree in modules(package)
        for line, name in imported_names(path, tree)
        if room_of(path) in NO_TORCH and name.partition(".")[0] in ("torch", "torchvision")
    ]


def without_mirror(package: Path) -> list[str]:
    """Modules `a/b.py` without `tests/a/test_b.py`."""
    tests = package.parents[1] / "tests"
    paths = [path for path, _ in modules(package)]
    return [
        f"{path} has no {mirror.relative_to(tests.parent)}"
        for path in paths
        if path not in WITHOUT_MIRROR
        and not (mirror := tests / Path(path).parent / f"test_{Path(path).name}").is_file()
    ]


def unfinished(package: Path) -> list[str]:
    """Lines that say of themselves that they are not done."""
    found = []
    for path, tree in modules(package):
        allowed = _lines_of(tree, ABSTRACT.get(path, ""))
        lines = (package / path).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            caught = "except" in line and "NotImplementedError" in line  # torch raises it; catching it is no gap
            if UNFINISHED.search(line) and number not in allowed and not caught:
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def _lines_of(tree: ast.Module, name: str) -> range:
    for qualified, node in public_definitions(tree):
        if qualified == name:
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(0)


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The public functions, classes and methods of a module, with their qualified names."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node, f"{prefix}{node.name}.")


def undocumented(package: Path) -> list[str]:
    """Modules and public definitions whose docstring does not begin with a sentence."""
    found = []
    for path, tree in modules(package):
        for name, node in [("the module", tree), *public_definitions(tree)]:
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if not re.fullmatch(r"\S+ .*[.?!:]\)?", first):
                found.append(f"{path}: {name}: {first!r}")
    return found


def core_packages() -> set[str]:
    """What pip installs with cnnlab, by import name."""
    values = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {re.split(r"[<>=!~\[; ]", each)[0].lower() for each in values["project"]["dependencies"]}
    return {{"pillow": "PIL"}.get(name, name) for name in names}


def optional_at_the_top(package: Path) -> list[str]:
    """Packages outside the core that are imported as soon as a module is."""
    allowed = set(sys.stdlib_module_names) | core_packages() | {"cnnlab"}
    return [
        f"{path}:{line}: {name} belongs inside the function that needs it"
        for path, tree in modules(package)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line, name in imported_names(path, node)
        if name.partition(".")[0] not in allowed
    ]


CHECKS: list[Check] = [
    wrong_arrows,
    torch_where_forbidden,
    without_mirror,
    unfinished,
    undocumented,
    optional_at_the_top,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rule(check: Check) -> None:
    assert check(PACKAGE) == []


def test_the_package_was_read() -> None:
    assert {"errors.py", "train/step.py", "models/catalog.py", *ABSTRACT} <= dict(modules(PACKAGE)).keys()


def test_every_exemption_is_still_needed() -> None:
    paths = dict(modules(PACKAGE))
    assert paths.keys() >= WITHOUT_MIRROR
    for path in WITHOUT_MIRROR - {"__init__.py", "__main__.py", "train/__init__.py", "evaluate/__init__.py"}:
        defined = [name for name, _ in public_definitions(paths[path])]
        assert defined == [], f"{path} has logic now: test it in a mirror file"


DOC = '"""A module."""\n'

BAD: list[tuple[Check, str, str]] = [
    (wrong_arrows, "models/a.py", "import cnnlab.data.loader"),
    (wrong_arrows, "models/a.py", "from cnnlab.data import loader"),
    (wrong_arrows, "models/a.py", "from cnnlab import data"),
    (wrong_arrows, "models/a.py", "from ..data import loader"),
    (wrong_arrows, "models/a.py", "import cnnlab\nx = cnnlab.train"),
    (wrong_arrows, "models/a.py", "def f():\n    from cnnlab.recipes import fast"),
    (wrong_arrows, "data/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cnnlab.cli import x"),
    (wrong_arrows, "serve/a.py", "import importlib\nimportlib.import_module('cnnlab.train')"),
    (wrong_arrows, "errors.py", "from cnnlab.data import parts"),
    (wrong_arrows, "attic/a.py", "x = 1"),
    (torch_where_forbidden, "recipes/a.py", "def f():\n    import torch.nn"),
    (torch_where_forbidden, "types.py", "from torchvision import ops"),
    (without_mirror, "models/a.py", "x = 1"),
    (unfinished, "models/a.py", "x = 1  # TO" + "DO: more"),
    (unfinished, "models/layers.py", "def g():\n    raise NotImplemented" + "Error"),
    (undocumented, "models/a.py", "def f():\n    pass"),
    (undocumented, "models/a.py", 'def f():\n    """no sentence"""'),
    (undocumented, "models/a.py", 'class A:\n    """One."""\n    def f(self):\n        pass'),
    (optional_at_the_top, "models/a.py", "import onnx"),
]

GOOD: list[tuple[Check, str, str]] = [
    (wrong_arrows, "models/a.py", "import cnnlab\nfrom cnnlab.errors import nearest\nx = cnnlab.__version__"),
    (wrong_arrows, "train/a.py", "from cnnlab.report import curves"),
    (optional_at_the_top, "models/a.py", "import torch\nfrom PIL import Image\ndef f():\n    import onnx"),
]


def write_tree(folder: Path, path: str, code: str) -> Path:
    package = folder / "src" / "cnnlab"
    (package / path).parent.mkdir(parents=True)
    (package / path).write_text(DOC + code + "\n", encoding="utf-8")
    return package


@pytest.mark.parametrize(("check", "path", "code"), BAD)
def test_the_check_fails_on_a_bad_tree(check: Check, path: str, code: str, tmp_path: Path) -> None:
    found = check(write_tree(tmp_path, path, code))
    assert len(found) >= 1
    assert path in found[0]


@pytest.mark.parametrize(("check", "path", "code"), GOOD)
def test_the_check_passes_on_a_good_tree(check: Check, path: str, code: str, tmp_path: Path) -> None:
    assert check(write_tree(tmp_path, path, code)) == []


HEAVY = ("torch", "numpy", "rich", "pydantic", "matplotlib", "PIL")


def imported_by(*arguments: str) -> set[str]:
    """The packages that a fresh Python has imported at the end of these arguments."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "src", timeout=120)
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import cnnlab"),
        ("-m", "cnnlab", "--help"),
        ("-m", "cnnlab", "--version"),
        *(
            ("-m", "cnnlab", name, "--help")
            for name in ("train", "eval", "predict", "data", "models", "recipes", "env")
        ),
    ],
    ids=" ".join,
)
def test_starting_and_help_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    imported = imported_by(*arguments)
    assert "cnnlab" in imported
    assert imported.isdisjoint(HEAVY)


def test_the_import_check_sees_a_heavy_import() -> None:
    assert "numpy" in imported_by("-c", "import numpy")
