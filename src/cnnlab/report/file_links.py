"""Links from a page to the files it speaks of: relative, so that a page and its photos can be moved together."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from cnnlab.report.page import Html, element


def file_link(name: str, file: str | Path | None, page_folder: Path | None) -> Html | str:
    """The name of a file as a link to it, from a page that will lie in `page_folder`; the bare name without either.

    Whatever the file is called, every byte that is not a plain letter stands as %XX, so no name is a script or another
    site.
    """
    if file is None or page_folder is None:
        return name
    return element("a", {"href": relative_url(file, page_folder)}, name)


def relative_url(file: str | Path, page_folder: Path) -> str:
    """The way from a folder to a file as a relative URL; from another drive, where there is none, a file: URL."""
    try:
        way = os.path.relpath(os.path.abspath(file), os.path.abspath(page_folder))  # noqa: PTH100, as a browser reads it
    except ValueError:
        return Path(file).absolute().as_uri()
    return quote(os.fsencode(way.replace(os.sep, "/")))
