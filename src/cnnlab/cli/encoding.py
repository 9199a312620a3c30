"""UTF-8 in any locale: the names of files are read as UTF-8, and whatever cannot be written is escaped."""

from __future__ import annotations

import io
import os
import sys


def use_utf8() -> None:
    """Have this process read names and write text in UTF-8, beginning it again where its locale says otherwise.

    In another encoding, such as the locale C with Python's UTF-8 mode switched off, the names of classes would differ
    from those that a run learned elsewhere.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1" and os.name == "posix":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the process was started without it
            stream.reconfigure(errors="backslashreplace")
