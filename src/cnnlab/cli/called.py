"""Commands in messages, as this user types them: `cnnlab`, `uv run cnnlab` or `python -m cnnlab`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path


def as_called(text: str) -> str:
    """`text` with `uv run` or `python -m` before its commands, where cnnlab was started so."""
    from cnnlab.cli.main import COMMANDS

    command = re.compile(rf"(?<![\w/.-])cnnlab (?={'|'.join(COMMANDS)}|COMMAND|--)")
    if os.environ.get("UV_RUN_RECURSION_DEPTH"):
        return command.sub("uv run cnnlab ", re.sub(r"(?<![\w/.-])(?=tensorboard --)", "uv run ", text))
    if Path(sys.argv[0]).parts[-2:] == ("cnnlab", "__main__.py"):
        return command.sub("python -m cnnlab ", text)
    return text
