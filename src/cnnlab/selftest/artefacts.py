"""Hostile files of every other kind: weights, archives, shards, configurations, manifests, and names for reports.

Each carries a canary, a file that its code would write with a secret of the environment in it. The reader must
refuse the file by name, or leave the hostile part of it alone, and no canary may appear.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from cnnlab.data.cache import read_arrays
from cnnlab.data.decode import printable
from cnnlab.data.download import read_archive
from cnnlab.data.idx import read_idx_set
from cnnlab.data.manifest import read_manifest
from cnnlab.data.shards import scan_shards
from cnnlab.data.unpickle import read_pickled_batch
from cnnlab.errors import CnnlabError
from cnnlab.evaluate.classifier import read_config
from cnnlab.evaluate.predictions import as_csv, as_rows
from cnnlab.models.weight_files import read_weights
from cnnlab.recipes.recipe import read as read_recipe
from cnnlab.report.eval_page import eval_page
from cnnlab.selftest import hidden
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.forms import picture
from cnnlab.selftest.isolate import Ended, in_turn
from cnnlab.selftest.payloads import (
    long_header,
    member,
    pickles,
    safetensors,
    tar,
    torch_legacy,
    torch_zip,
)
from cnnlab.types import Prediction

SECONDS = 10.0
CPU_SECONDS = 5.0
MEGABYTES = 2_000.0
SECRET = "CNNLAB_CANARY"


@dataclass(frozen=True)
class Artefact:
    """One hostile file: `make(command)` gives its bytes, `read(path)` is who reads files of this kind.

    `harmless` judges what was read where it is not refused; None: it must be refused.
    """

    kind: str
    name: str
    file: str
    make: Callable[[str], bytes]
    read: Callable[[Path], Any]
    harmless: Callable[[Any], bool] | None = None


@cache
def artefacts() -> list[Artefact]:
    """All of them, always in this order."""
    return [
        *_pickles(),
        *_torch_containers(),
        *_hidden(),
        *_safetensors(),
        *_archives(),
        *_shards(),
        *_configurations(),
        *_manifests(),
        *_names(),
    ]


def _without_command(data: bytes | Callable[[], bytes]) -> Callable[[str], bytes]:
    """The maker of a file that has no place for a command."""
    return lambda _: data if isinstance(data, bytes) else data()


def _pickle_in(wrap: Callable[[bytes], bytes], how: str) -> Callable[[str], bytes]:
    return lambda command: wrap(pickles(command)[how])


# -- weights -----------------------------------------------------------------------------------------------------


def _pickles() -> Iterator[Artefact]:
    containers: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "zip of torch": ("weights.pth", torch_zip),
        "older format of torch": ("weights.pt", torch_legacy),
        "bare": ("weights.th", bytes),
        "called safetensors": ("weights.safetensors", bytes),
    }
    for how in pickles("true"):
        for container, (file, wrap) in containers.items():
            yield Artefact(
                "pickle for weights",
                f"{how}, {container}",
                file,
                _pickle_in(wrap, how),
                read_weights,
            )
        yield Artefact(
            "pickle for data",
            f"{how}, as a batch of CIFAR-10",
            "data_batch_1",
            _pickle_in(bytes, how),
            lambda path: read_pickled_batch(path.read_bytes(), path.name),
        )


def _torch_containers() -> Iterator[Artefact]:
    def hostile(command: str) -> bytes:
        return pickles(command)["GLOBAL and REDUCE"]

    plain = b"\x80\x02}."
    made: dict[str, tuple[str, Callable[[str], bytes]]] = {
        "the machine's pickle of the older format": ("a.pth", lambda command: torch_legacy(hostile(command), 2)),
        "the last pickle of the older format": ("a.pth", lambda command: torch_legacy(hostile(command), 4)),
        "a zip in a zip": ("a.pth", lambda command: torch_zip(torch_zip(hostile(command)))),
        "two pickles in a zip": ("a.pth", lambda command: torch_zip(plain, {"data.pkl/data.pkl": hostile(command)})),
        "a TorchScript program": ("a.pt", lambda command: torch_zip(plain, {"constants.pkl": hostile(command)})),
        "an exported program (.pt2)": ("a.pt2", lambda command: torch_zip(hostile(command))),
        "a compressed zip": ("a.pth", lambda command: torch_zip(hostile(command) + bytes(10**7), method=8)),
        "a pickle in gzip": ("a.pth", lambda command: gzip.compress(hostile(command))),
        "a pickle in tar": ("a.pth", lambda command: tar(member("pickle", hostile(command)))),
        "a numpy file of objects": ("a.pth", lambda command: _npy(hostile(command))),
        "a numpy archive of objects": ("a.pth", lambda command: torch_zip(plain, {"x.npy": _npy(hostile(command))})),
        "a numpy file called safetensors": ("a.safetensors", lambda command: _npy(hostile(command))),
        "a joblib file": ("a.joblib", hostile),
        "an ONNX file with data outside": ("a.onnx", lambda _: b"\x08\x08:\x12\x12\x10location../../x"),
    }
    for name, (file, make) in made.items():
        yield Artefact("container for weights", name, file, make, read_weights)


def _hidden() -> Iterator[Artefact]:
    kind, containers = "hidden in a checkpoint", {"w.pth.tar": hidden.in_zip, "w.t7": hidden.in_legacy}

    def make(
        wrap: Callable[[bytes], bytes], made: Callable[[str], dict[str, bytes]], name: str
    ) -> Callable[[str], bytes]:
        return lambda command: wrap(made(command)[name])

    for file, wrap in containers.items():
        for name in hidden.beside("true"):
            maker = make(wrap, hidden.beside, name)
            yield Artefact(kind, f"{name}, {file}", file, maker, read_weights, _as_saved)
        for name in hidden.inside("true"):
            yield Artefact(kind, f"{name}, {file}", file, make(wrap, hidden.inside, name), read_weights)
    for name, bomb in hidden.bombs().items():
        maker = _without_command(partial(lambda bomb: hidden.in_zip(bomb()), bomb))
        yield Artefact(
            "bomb in a checkpoint", name, "w.ckpt", maker, read_weights, lambda found: len(found.tensors) <= 2
        )


def _as_saved(found: Any) -> bool:
    """Whether of a checkpoint with something hidden beside its weights just the weights were read."""
    return {name: tensor.tolist() for name, tensor in found.tensors.items()} == hidden.WANTED


def _npy(pickle: bytes) -> bytes:
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + pickle


def _safetensors() -> Iterator[Artefact]:
    def one(offsets: list[int], shape: list[int], dtype: str = "F32") -> bytes:
        return json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()

    two = {name: {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]} for name in "ab"}
    made: dict[str, Callable[[], bytes]] = {
        "a header of 9 exabytes": lambda: safetensors(b"{}", length=2**63),
        "a header longer than the file": lambda: safetensors(b"{}", length=4_000_000),
        "a header of 9 MB": lambda: safetensors(b"{" + b" " * 9_000_000 + b"}"),
        "no header": lambda: b"\0\0\0",
        "an empty header": lambda: safetensors(b""),
        "a header that is no JSON": lambda: safetensors(b"(lambda:0)()"),
        "a header nested 100,000 deep": lambda: safetensors(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "tensors that overlap": lambda: safetensors(json.dumps(two).encode(), bytes(8)),
        "an offset beyond the end": lambda: safetensors(one([0, 2**40], [2**38]), bytes(8)),
        "a negative offset": lambda: safetensors(one([-8, 0], [2]), bytes(8)),
        "an offset backwards": lambda: safetensors(one([8, 0], [2]), bytes(8)),
        "a shape that overflows": lambda: safetensors(one([0, 0], [2**62, 4]), b""),
        "a negative shape": lambda: safetensors(one([0, 8], [-2]), bytes(8)),
        "a shape that does not fit": lambda: safetensors(one([0, 8], [3]), bytes(8)),
        "a hole between tensors": lambda: safetensors(one([4, 12], [2]), bytes(12)),
        "bytes that belong to nothing": lambda: safetensors(one([0, 8], [2]), bytes(1000)),
        "an unknown dtype": lambda: safetensors(one([0, 8], [2], "os.system"), bytes(8)),
        "a name twice": lambda: safetensors(b'{"w":1,' + one([0, 8], [2])[1:], bytes(8)),
        "60,000 empty tensors": lambda: safetensors(
            json.dumps({str(n): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in range(60_000)}).encode()
        ),
    }
    for name, make in made.items():
        yield Artefact("safetensors", name, "w.safetensors", _without_command(make), read_weights)
        if name not in ("60,000 empty tensors", "a header of 9 MB"):  # limits of what comes from others
            yield Artefact("safetensors", f"{name}, cached", "w.safetensors", _without_command(make), read_arrays)


# -- archives and shards -----------------------------------------------------------------------------------------


def _archives() -> Iterator[Artefact]:
    wanted = "data_batch_1"

    def read(path: Path) -> dict[str, bytes]:
        return read_archive(path, [wanted], 1_000_000)

    def none(found: dict[str, bytes]) -> bool:
        return found == {}

    def only(found: dict[str, bytes]) -> bool:
        return found == {wanted: b"first"}

    zeros = b"".join(_stream(400_000_000))
    made: dict[str, tuple[Callable[[str], bytes], Callable[[Any], bool] | None]] = {
        "a path upwards": (lambda _: tar(member(f"../../{wanted}", b"first"), mode="w:gz"), only),
        "an absolute path": (lambda _: tar(member(f"/tmp/{wanted}", b"first"), mode="w:gz"), only),
        "a link": (lambda _: tar(member(wanted, kind=tarfile.SYMTYPE, link="/etc/passwd"), mode="w:gz"), none),
        "a hard link": (lambda _: tar(member(wanted, kind=tarfile.LNKTYPE, link="/etc/passwd"), mode="w:gz"), none),
        "a device": (lambda _: tar(member(wanted, kind=tarfile.CHRTYPE), mode="w:gz"), none),
        "a FIFO": (lambda _: tar(member(wanted, kind=tarfile.FIFOTYPE), mode="w:gz"), none),
        "a folder": (lambda _: tar(member(wanted, kind=tarfile.DIRTYPE), mode="w:gz"), none),
        "a name twice": (lambda _: tar(member(wanted, b"first"), member(wanted, b"other"), mode="w:gz"), only),
        "a member of 2 MB": (lambda _: tar(member(wanted, bytes(2_000_000)), mode="w:gz"), None),
        "a bomb of 400 GB before it": (lambda _: _gz_of(_claim("other", 400_000_000_000), zeros), None),
        "a name of 400 MB": (lambda _: _gz_of(long_header(tarfile.GNUTYPE_LONGNAME, 400_000_000), zeros), None),
        "PAX fields of 400 MB": (lambda _: _gz_of(long_header(tarfile.XHDTYPE, 400_000_000), zeros), None),
        "a sparse member of a terabyte": (lambda _: gzip.compress(_sparse(wanted)), none),
        "a gzip file that is none": (lambda _: b"\x1f\x8b" + bytes(100), None),
        "a gzip file cut short": (
            lambda _: tar(member(wanted, random.Random(0).randbytes(5000)), mode="w:gz")[:2000],
            None,
        ),
    }
    for name, (make, harmless) in made.items():
        yield Artefact("archive", name, "set.tar.gz", make, read, harmless)
    bomb = gzip.compress(b"\0\0\x08\x03" + bytes(12))[:-8] + zeros
    yield Artefact(
        "archive",
        "an IDX file that grows to 400 MB",
        "train-images-idx3-ubyte.gz",
        lambda _: bomb,
        lambda path: read_idx_set(path.parent),
    )


def _claim(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _sparse(name: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (10**12).to_bytes(11, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


def _stream(num_bytes: int) -> Iterator[bytes]:
    """A gzip file of so many zeros."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(num_bytes // 10**6):
        yield squeeze.compress(bytes(10**6))
    yield squeeze.flush()


def _gz_of(head: bytes, zeros: bytes) -> bytes:
    """A gzip file of `head`, then zeros."""
    return gzip.compress(head) + zeros


def _shards() -> Iterator[Artefact]:
    image = picture("JPEG", size=(16, 12))

    def sample(key: str, label: bytes = b"0") -> list[Any]:
        return [member(f"{key}.jpg", image), member(f"{key}.cls", label)]

    def only_good(found: Any) -> bool:
        return [each.path for each in found[0].entries] == ["s-0.tar/good.jpg"]

    good = [*sample("good"), *sample("also", b"1")]
    outside: dict[str, list[Any]] = {
        "a path upwards": sample("../../up"),
        "an absolute path": sample("/tmp/abs"),
        "a link": [member("l.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"), member("l.cls", b"0")],
        "a hard link": [member("h.jpg", kind=tarfile.LNKTYPE, link="/etc/passwd"), member("h.cls", b"0")],
        "a device": [member("d.jpg", kind=tarfile.BLKTYPE), member("d.cls", b"0")],
    }
    for name, members in outside.items():
        yield Artefact(
            "shard",
            name,
            "s-0.tar",
            _without_command(tar(*sample("good"), *members)),
            _scan,
            only_good,
        )
    made: dict[str, Callable[[], bytes]] = {
        "a label of a gigabyte of digits": lambda: tar(*good, *sample("x", b"9" * 65_000)),
        "a class of number 10^12": lambda: tar(*good, *sample("x", b"1000000000000")),
        "a label nested 20,000 deep": lambda: tar(
            *good, member("x.jpg", image), member("x.json", b'{"label":' + b"[" * 20_000 + b"]" * 20_000 + b"}")
        ),
        "a label of 70 kB": lambda: tar(*good, member("x.jpg", image), member("x.json", b" " * 70_000)),
        "a label that is no text": lambda: tar(*good, *sample("x", b"\xff\xfe")),
        "no label": lambda: tar(*good, member("x.jpg", image)),
        "a name of 100 MB": lambda: long_header(tarfile.GNUTYPE_LONGNAME, 100_000_000) + bytes(100_001_024),
        "PAX fields of 100 MB": lambda: long_header(tarfile.XHDTYPE, 100_000_000) + bytes(100_001_024),
        "a member longer than the file": lambda: tar(*good)[:-10_240] + _claim("x.jpg", 10**12) + bytes(1024),
        "a damaged sum": lambda: tar(*good, change=lambda data: data[:148] + b"7777777\0" + data[156:]),
    }
    for name, make in made.items():
        harmless = (lambda found: len(found[0].entries) == 3) if "digits" in name else None
        yield Artefact("shard", name, "s-0.tar", _without_command(make), _scan, harmless)
    yield Artefact("shard", "class names that are no text", "classes.txt", lambda _: b"\xff\xfe\0", _scan_with(good))


def _scan(path: Path) -> Any:
    return scan_shards(path.parent)


def _scan_with(members: list[Any]) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        (path.parent / "s-0.tar").write_bytes(tar(*members))
        return scan_shards(path.parent)

    return read


# -- configurations ----------------------------------------------------------------------------------------------


def _configurations() -> Iterator[Artefact]:
    recipe = {"name": "x", "paper": "x", "model": "resnet20", "data": "cifar10"}

    def target(command: str) -> dict[str, Any]:
        return {"_target_": "os.system", "class_path": "os.system", "init_args": {"command": command}}

    made: dict[str, Callable[[str], bytes]] = {
        "a class path as optimizer": lambda command: _json({**recipe, "optimizer": target(command)}),
        "a kind of value that is a class path": lambda command: _json(
            {**recipe, "optimizer": {"kind": "os.system", "lr": command}}
        ),
        "a class path as augmentation": lambda command: _json({**recipe, "augment": [target(command)]}),
        "a field __class__": lambda command: _json({**recipe, "__class__": "os.system", "__reduce__": command}),
        "YAML with a tag that calls": lambda command: f'!!python/object/apply:os.system ["{command}"]'.encode(),
        "YAML with aliases that grow": lambda _: b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        "Python": lambda command: f"__import__('os').system({command!r})".encode(),
        "nested 100,000 deep": lambda _: b"[" * 100_000 + b"]" * 100_000,
        "a number of 10,000 digits": lambda _: b'{"steps": ' + b"9" * 10_000 + b"}",
        "NaN and infinity": lambda _: b'{"name": NaN, "steps": Infinity}',
        "bytes that are no text": lambda _: b"\xff\xfe\0",
        "a list": lambda _: b"[]",
        "nothing": lambda _: b"",
    }
    for name, make in made.items():
        yield Artefact("recipe", name, "recipe.json", make, read_recipe)
        yield Artefact("configuration of a network", name, "config.json", make, lambda path: read_config(path.parent))
    network: dict[str, Any] = {
        "architecture": "resnet20",
        "num_classes": 2,
        "in_channels": 1,
        "labels": {"names": ["a", "b"]},
        "preprocess": {"resize_pixels": None, "crop_pixels": None, "mean": [0.5], "std": [0.5]},
        "protocol": "center",
    }
    changed: dict[str, dict[str, Any]] = {
        "an architecture that is a class path": {"architecture": "os.system"},
        "an architecture that leads upwards": {"architecture": "../../x"},
        "an option that is no option": {"options": {"__class__": "os.system"}},
        "an option of another type": {"options": {"num_classes": "9" * 50}},
        "an option of a billion": {"architecture": "wrn28_10", "options": {"width": 10**9}},
        "a network of a trillion classes": {"num_classes": 10**12},
        "a protocol that is a class path": {"protocol": "os.system"},
    }
    for name, change in changed.items():
        yield Artefact(
            "configuration of a network",
            name,
            "config.json",
            _without_command(_json({**network, **change})),
            _load_bundle,
        )


def _json(values: object) -> bytes:
    return json.dumps(values).encode()


def _load_bundle(path: Path) -> Any:
    from cnnlab.evaluate.protocols import get_protocol

    config = read_config(path.parent)
    get_protocol(config.protocol)
    return config.build()


def _manifests() -> Iterator[Artefact]:
    rows = {
        "a path upwards": "../../etc/passwd,a,train",
        "an absolute path": "/etc/passwd,a,train",
        "a path of another system": r"..\..\x.jpg,a,train",
        "a path upwards in the middle": "a/../../x.jpg,a,train",
        "a path with a null": "a\0.jpg,a,train",
        "a split that is none": "a.jpg,a,$(id)",
        "no label": "a.jpg,,train",
        "a cell of 200 kB": f"{'a' * 200_000}.jpg,a,train",
        "a row cut short": "a.jpg",
    }
    for name, line in rows.items():
        text = f"path,label,split\n{line}\n".encode()
        harmless = _one_plain_name if name == "a path of another system" else None
        yield Artefact("manifest", name, "m.csv", _without_command(text), read_manifest, harmless)
    yield Artefact("manifest", "other columns", "m.csv", lambda _: b"=cmd(),x\n1,2\n", read_manifest)
    yield Artefact("manifest", "nothing", "m.csv", lambda _: b"", read_manifest)


def _one_plain_name(found: Any) -> bool:
    """Whether a manifest's backslashes are what they are on this system: letters of the name of one file."""
    return os.sep == "/" and [each.path for each in found] == [r"..\..\x.jpg"]


# -- names -------------------------------------------------------------------------------------------------------


def _names() -> Iterator[Artefact]:
    formulas = ("=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("x","y")')
    for text in formulas:
        yield Artefact(
            "formula in a table",
            ascii(text),
            "name.txt",
            _without_command(text.encode()),
            _csv_of,
            _no_formula,
        )
    markup = (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "<svg/onload=alert(1)>",
        "</title><script>1</script>",
        "<iframe src=javascript:alert(1)>",
        "' onmouseover='alert(1)",
        "&lt;script&gt;",
        "<style>*{x:url(//x)}</style>",
        "<!--<script>-->",
        "<a href=javascript:alert(1)>x</a>",
        "<meta http-equiv=refresh content=0>",
        "]]><script>",
    )
    for text in markup:
        yield Artefact(
            "markup in a report",
            text,
            "name.txt",
            _without_command(text.encode()),
            _page_of,
            _inert,
        )


def _csv_of(path: Path) -> bytes:
    name = path.read_bytes().decode()
    return as_csv(as_rows([Path(f"{name}.jpg")], [Prediction(name, (name,), (1.0,))]))


def _no_formula(data: bytes) -> bool:
    import csv

    cells = [cell for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row]
    return bool(cells) and not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def _page_of(path: Path) -> str:
    """The page of a test whose every name is the hostile text."""
    text = path.read_bytes().decode()
    scores = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "auc": None, "images": 4}
    protocol = {
        "protocol": text,
        "top1": 0.5,
        "interval95": [0.4, 0.6],
        "top5": 0.9,
        "loss": 1.0,
        "views": 1,
        "macs": 1e6,
        "seconds_per_image": 0.1,
        "images": 4,
        "skipped": [text],
        "per_class": [{"name": text, **scores}] * 2,
        "averages": {text: scores},
        "confusion": [[1, 1], [1, 1]],
    }
    return eval_page({**protocol, "run": text, "runs": [text, text], "members": 1, "split": text, "data": text})


class _Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _inert(page: str) -> bool:
    """Whether a page has no element that runs or loads anything, and the one style that its policy names."""
    parser = _Elements()
    parser.feed(page)
    tags = [tag for tag, _ in parser.found]
    runs = {"script", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(tags)
    reacts = any(name.startswith("on") for _, attributes in parser.found for name in attributes)
    links = [
        value or "" for _, attributes in parser.found for name, value in attributes.items() if name in ("href", "src")
    ]
    metas = [attributes.get("http-equiv") for tag, attributes in parser.found if tag == "meta"]
    loads = any(not link.startswith(("#", "data:")) for link in links) or "refresh" in metas
    return len(tags) > 20 and not (runs or reacts or loads) and tags.count("style") == 1


# -- the part ----------------------------------------------------------------------------------------------------


def _try(case: int, work: Path) -> dict[str, Any]:
    """One case, in its own process: write the file, read it, look for the canary."""
    artefact, root = artefacts()[case], work / "case"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    os.environ[SECRET], os.environ["XDG_CACHE_HOME"] = "secret", str(root / "cache")
    canary = root / "canary"
    path = root / "in" / artefact.file
    path.parent.mkdir()
    path.write_bytes(artefact.make(f"printenv {SECRET} > {canary}"))
    began = time.process_time()
    word, said, fault = _read(artefact, path)
    spent = time.process_time() - began
    time.sleep(0.02 if artefact.kind.startswith("pickle") else 0)  # for a command in the background
    strangers = {each.name for each in root.iterdir()} - {"in", "cache"}
    fault = f"the canary is there: {strangers}" if strangers else fault
    return {"word": word, "said": said, "fault": fault, "cpu_seconds": spent}


def _read(artefact: Artefact, path: Path) -> tuple[str, str, str]:
    """How the reading ended: in a word, in words, and what was wrong with that."""
    try:
        found = artefact.read(path)
    except CnnlabError as error:
        said = str(error)
        names = path.name in said or path.parent.name in said or artefact.kind == "configuration of a network"
        lines = "Traceback" not in said and len(said) < 2_000
        return "refused", said, "" if names and lines else f"an unclear error: {said[:200]}"
    if artefact.harmless is None:
        return "read", "", "it was read"
    return "left alone", "", "" if artefact.harmless(found) else f"read as {printable(str(found))[:200]}"


def run_artefacts(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    """Read the file of each case."""
    artefacts()
    for ended in in_turn(lambda case: _try(case, work), cases, seconds=SECONDS, megabytes=MEGABYTES):
        yield _outcome(ended)


def _outcome(ended: Ended) -> Outcome:
    artefact = artefacts()[ended.case]
    name = f"{artefact.kind}: {artefact.name}"
    if ended.fault:
        return Outcome(ended.case, artefact.kind, ended.fault, False, f"{name}: {ended.value}", ended.seconds)
    found = ended.value
    figures = {"cpu_seconds": found["cpu_seconds"], "peak_megabytes": ended.peak_megabytes}
    seen = f"{name}: {found['fault'] or found['said'] or found['word']}"
    return Outcome(ended.case, artefact.kind, found["word"], not found["fault"], seen[:300], ended.seconds, figures)


ARTEFACTS = Part(
    "artefacts",
    Goal(
        "hostile weights, archives, shards, configurations, manifests and names: nothing in them runs, each is refused "
        "by name or its hostile part left alone",
        limits={"cpu_seconds": CPU_SECONDS, "peak_megabytes": 300},
    ),
    cases=len(artefacts()),
    quick=range(len(artefacts())),
    run=run_artefacts,
)
