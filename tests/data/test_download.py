from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from cnnlab.data.download import download, gunzip, npm_pack, read_archive, set_aside
from cnnlab.errors import DataError

from .conftest import Site

BODY = bytes(range(256)) * 4000


def tgz(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def publish(site: Site, name: str, version: str, archive: bytes) -> None:
    """Make `site` a registry of npm with one package."""
    tarball = f"/{name}/-/{name}-{version}.tgz"
    dist = {"tarball": site.url.rstrip("/") + tarball, "shasum": hashlib.sha1(archive).hexdigest()}
    package = {"name": name, "version": version, "dist": dist}
    document = {"name": name, "dist-tags": {"latest": version}, "versions": {version: package}}
    site.files[f"/{name}"] = json.dumps(document).encode()
    site.files[tarball] = archive


def test_a_download_goes_on_where_the_connection_broke(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"] = BODY
    site.cut = [300_000]
    told: list[tuple[int, int | None]] = []
    path = download(
        site.url + "set.bin", tmp_path / "new" / "set.bin", report=lambda *a: told.append(a), pause_seconds=0
    )
    assert path.read_bytes() == BODY
    assert site.requests == [("/set.bin", None), ("/set.bin", "bytes=300000-")]
    assert told[-1] == (len(BODY), len(BODY))
    assert [p.name for p in path.parent.iterdir()] == ["set.bin"]


def test_a_part_of_an_earlier_run_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"] = BODY
    (tmp_path / "set.bin.part").write_bytes(BODY[:1000])
    download(site.url + "set.bin", tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == BODY
    assert site.requests == [("/set.bin", "bytes=1000-")]


def test_a_server_without_ranges_sends_the_whole_again(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"], site.ranges, site.cut = BODY, False, [5000]
    download(site.url + "set.bin", tmp_path / "set.bin", pause_seconds=0)
    assert (tmp_path / "set.bin").read_bytes() == BODY


def test_a_part_that_is_too_long_is_begun_again(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"] = BODY
    (tmp_path / "set.bin.part").write_bytes(BODY + b"more")
    download(site.url + "set.bin", tmp_path / "set.bin", pause_seconds=0)
    assert (tmp_path / "set.bin").read_bytes() == BODY


def test_what_arrived_is_kept_when_all_attempts_fail(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"], site.cut = BODY, [1000, 1000]
    with pytest.raises(DataError, match=r"ended after 2000 of 1024000 bytes"):
        download(site.url + "set.bin", tmp_path / "set.bin", attempts=2, pause_seconds=0)
    assert (tmp_path / "set.bin.part").read_bytes() == BODY[:2000]


def test_a_missing_page_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="404"):
        download(site.url + "none", tmp_path / "none", pause_seconds=60)
    assert len(site.requests) == 1


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be fetched"):
        download("http://127.0.0.1:9/x", tmp_path / "x", attempts=2, pause_seconds=0)


def test_too_large_and_other_schemes_are_refused(site: Site, tmp_path: Path) -> None:
    site.files["/set.bin"] = BODY
    with pytest.raises(DataError, match="has 1024000 bytes; accepted: up to 1000"):
        download(site.url + "set.bin", tmp_path / "set.bin", max_bytes=1000)
    with pytest.raises(DataError, match="accepted: http"):
        download("file:///etc/passwd", tmp_path / "x")


def test_an_archive_gives_only_the_members_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    path.write_bytes(tgz({"x/../../evil": b"!", "set/one": b"1", "set/two": b"22", "/etc/three": b"333"}))
    assert read_archive(path, ("one", "three", "four"), 10) == {"one": b"1", "three": b"333"}
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.tgz"]


def test_links_and_large_members_of_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("one")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert read_archive(path, ("one",), 10) == {}
    path.write_bytes(tgz({"one": bytes(11)}))
    with pytest.raises(DataError, match="one has 11 bytes; accepted: 10"):
        read_archive(path, ("one",), 10)


@pytest.mark.parametrize("kept", [0, 5, 60, 2000])
def test_a_damaged_archive_is_named(tmp_path: Path, kept: int) -> None:
    data = tgz({"one": BODY[:5000] + hashlib.sha512(b"x").digest() * 100, "two": b"2"})
    assert len(data) > 100
    (tmp_path / "a.tgz").write_bytes(data[: min(kept, len(data) - 60)])
    with pytest.raises(DataError, match=r"a\.tgz is damaged or cut short"):
        read_archive(tmp_path / "a.tgz", ("two",), 10_000)


def test_gunzip_is_capped_and_names_damage() -> None:
    assert gunzip(gzip.compress(b"abc"), 3, "x.gz") == b"abc"
    with pytest.raises(DataError, match=r"x\.gz grows beyond 2 bytes"):
        gunzip(gzip.compress(b"abc"), 2, "x.gz")
    for data in (b"junk", gzip.compress(BODY)[:-9], gzip.compress(BODY)[:40]):
        with pytest.raises(DataError, match=r"x\.gz is damaged"):
            gunzip(data, 10_000_000, "x.gz")


def test_set_aside_never_overwrites(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "a").write_text(text)
        set_aside(tmp_path / "a")
    assert (tmp_path / "a.rejected").read_text() == "first"
    assert (tmp_path / "a.rejected2").read_text() == "second"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_pack_fetches_from_a_registry(site: Site, tmp_path: Path) -> None:
    archive = tgz({"package/package.json": b'{"name":"tiny","version":"1.0.0"}', "package/one": b"1"})
    publish(site, "tiny", "1.0.0", archive)
    path = npm_pack("tiny@1.0.0", tmp_path / "npm", registry=site.url)
    assert read_archive(path, ("one",), 10) == {"one": b"1"}
    with pytest.raises(DataError, match=r"npm pack tiny@2\.0\.0 failed"):
        npm_pack("tiny@2.0.0", tmp_path / "other", registry=site.url)


def test_npm_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="npm is not installed"):
        npm_pack("tiny@1.0.0", tmp_path)


def test_npm_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "npm").write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="TimeoutExpired"):
        npm_pack("tiny@1.0.0", tmp_path / "w", timeout_seconds=0.2)
