"""Where cnnlab tells people what to type: in messages of its source, in its help, in README.md, docs and examples."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnlab.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cnnlab"
SHOWN = ("cli", "examples")  # folders whose docstrings people read: as help, or as the script they run
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_START = re.compile(rf"(?<![\w/.-])cnnlab (?=(?:{'|'.join(COMMANDS)})\b)")
_CODE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4}|\t)(.*)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
# What goes on a command in a sentence: flags, placeholders, paths, numbers, quoted words, names with a digit or an
# underscore, and actions.
_WORD = re.compile(
    r"--[a-z][a-z-]*(=\S+)?|[A-Z][A-Z.]*(\.[a-z]+)?|[\w*-]*[/.=:]\S+|\d+|'[^']*'|[a-z-]*[\d_]\w*|get|stats|split|pack|info"
    r"|convert|summary|graph|filters|maps|embed|synthetic|val|test|time-to-accuracy|quick|full|auto|\{[^}]*\}"
)


@dataclass(frozen=True)
class Suggestion:
    """A command that people are told to type: where, and its words after `cnnlab`; `{…}` stands for a value."""

    where: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is shown, `{}` for each value."""
        return " ".join("{}" if word.startswith("{") else word for word in ("cnnlab", *self.words))


def in_source() -> list[Suggestion]:
    """Every command in the messages and the help of cnnlab itself, each once."""
    paths = [*sorted(SOURCE.rglob("*.py")), *sorted((ROOT / "examples").glob("*.py"))]
    found = [
        each
        for path in paths
        for each in in_module(path.name, path.read_text("utf-8"), docstrings=path.parent.name in SHOWN)
    ]
    return list({each.text: each for each in found}.values())


def in_module(name: str, text: str, *, docstrings: bool = False) -> Iterator[Suggestion]:
    """The commands in a module's strings, with or without its own docstring, and in its calls of `errors.command`."""
    tree = ast.parse(text)
    skipped = {id(each) for each in _docstrings(tree)}
    if docstrings and tree.body and isinstance(tree.body[0], ast.Expr):
        skipped.discard(id(tree.body[0].value))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(each) for each in node.values}
            where = f"{name}:{node.lineno}"
            yield from _in_sentence(f"{where} (text)", "".join(map(_shown, node.values)))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
            skipped |= {id(each) for each in ast.walk(node)}
            yield Suggestion(f"{name}:{node.lineno}", tuple(map(_argument, node.args)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield from _in_sentence(f"{name}:{node.lineno}", node.value)


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr):
            yield node.body[0].value


def sentences(text: str) -> Iterator[str]:
    """The strings of a module that are words for people: those with a space."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.value


def _shown(piece: ast.expr) -> str:
    return str(piece.value) if isinstance(piece, ast.Constant) else f"{{{ast.unparse(piece.value)}}}"  # type: ignore[attr-defined]


def _argument(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else f"{{{ast.unparse(node)}}}"


def _in_sentence(where: str, text: str) -> Iterator[Suggestion]:
    for match in _START.finditer(text):
        words: list[str] = []
        line = re.split(r"\n|  |; |, | or |\)|\. ", text[match.end() :])[0]
        first, *rest = line.split(" ")
        for word in rest:
            if not _WORD.fullmatch(word.rstrip(".,:;`")):
                break
            words.append(word.rstrip(".,:;").strip("'`"))
        yield Suggestion(where, (re.sub("[^a-z-]+$", "", first), *words))


def in_pages() -> list[Suggestion]:
    """Every command in the code of README.md and the docs, each once."""
    found = [each for page in PAGES for each in in_page(page.name, page.read_text("utf-8"))]
    return list({each.text: each for each in found}.values())


def in_page(name: str, text: str) -> Iterator[Suggestion]:
    """The commands in a page's fenced and indented blocks, a line each, and in its inline code."""
    blocks = [match[1] for match in _CODE.finditer(text)]
    rest = _CODE.sub("", text)
    lines = [line for block in [*blocks, *_INDENTED.findall(rest)] for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *_INLINE.findall(_INDENTED.sub("", rest))]:
        for match in _START.finditer(line):
            words = shlex.shlex(line[match.end() :], posix=True, punctuation_chars=True)
            words.whitespace_split = True
            yield Suggestion(name, tuple(_until_the_end(words)))


def _until_the_end(words: shlex.shlex) -> Iterator[str]:
    try:
        for word in words:
            if word in ("&&", "||", ";", "|", "&", ">", ">>", "2>", "<"):
                return
            yield word
    except ValueError:  # an apostrophe in words beside the command
        return
