"""Published weights, from a local server: the files are made here, the way to them is the real one."""

from __future__ import annotations

import dataclasses
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from cnnlab.data.cifar10 import CLASS_NAMES
from cnnlab.errors import DataError, UsageError
from cnnlab.evaluate import pretrained as room
from cnnlab.evaluate.class_match import _both_are_imagenet
from cnnlab.evaluate.pretrained import class_names, drop_background, fetch_weights, load, pretrained
from cnnlab.models import create_model
from cnnlab.models.official_weights import Weights, find_weights
from tests.data.conftest import Site, site  # noqa: F401


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def file(tmp_path: Path) -> bytes:
    """A checkpoint as akamaster's are: the linear head, in a dict, from DataParallel."""
    state = {f"module.{name.replace('fc.', 'linear.')}": t for name, t in create_model("resnet20").state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "made.th")
    return (tmp_path / "made.th").read_bytes()


def published(site: Site, file: bytes) -> Weights:  # noqa: F811
    digits = sha256(file).hexdigest()[:8]
    site.files[f"/resnet20-{digits}.th"] = file
    url = f"{site.url}resnet20-{digits}.th"
    return dataclasses.replace(find_weights("resnet20"), url=url, sha256_prefix=digits)


def test_a_file_is_fetched_once_and_verified(site: Site, file: bytes) -> None:  # noqa: F811
    weights = published(site, file)
    told: list[int] = []
    path = fetch_weights(weights, report=lambda done, _total: told.append(done))
    assert path.read_bytes() == file
    assert told[-1] == len(file)
    assert fetch_weights(weights) == path
    assert len(site.requests) == 1


def test_torch_hubs_own_copy_is_used(site: Site, file: bytes, tmp_path: Path) -> None:  # noqa: F811
    weights = published(site, file)
    copy = tmp_path / "torch" / "hub" / "checkpoints" / weights.filename
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file)
    assert fetch_weights(weights) == copy
    copy.write_bytes(file[:-1])
    assert fetch_weights(weights) != copy
    assert copy.exists(), "another program's file stays as it is"


def test_a_file_that_is_not_the_published_one_is_refused(site: Site, file: bytes) -> None:  # noqa: F811
    weights = dataclasses.replace(published(site, file), sha256_prefix="00000000")
    with pytest.raises(DataError, match=r"not the published file.*put the right file here"):
        fetch_weights(weights)
    with pytest.raises(DataError, match="not the published file"):  # the first one is not taken for good now
        fetch_weights(weights)


def test_a_damaged_copy_in_the_cache_is_fetched_anew(site: Site, file: bytes) -> None:  # noqa: F811
    weights = published(site, file)
    path = fetch_weights(weights)
    path.write_bytes(b"damaged")
    assert fetch_weights(weights).read_bytes() == file


def test_without_network_the_message_says_where_to_put_the_file(tmp_path: Path) -> None:
    weights = dataclasses.replace(find_weights("resnet50"), url="http://127.0.0.1:9/resnet50-0676ba61.pth")
    with pytest.raises(DataError, match="without network, put the file here: ") as caught:
        fetch_weights(weights)
    assert str(tmp_path / "cache" / "cnnlab" / "weights" / "resnet50-0676ba61.pth") in str(caught.value)


def test_a_pretrained_network_knows_its_preprocessing_and_classes(
    site: Site,  # noqa: F811
    file: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = published(site, file)
    monkeypatch.setattr(room, "find_weights", lambda name: weights)
    classifier = pretrained("resnet20", device="cpu")
    assert classifier.config.labels.names == CLASS_NAMES
    assert classifier.config.preprocess == weights.preprocess
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(classifier.probabilities(images).sum(1), torch.ones(2))


def test_the_classes_of_imagenet() -> None:
    names = class_names(find_weights("resnet50"))
    assert len(names) == 1000
    assert (names[0], names[-1]) == ("tench", "toilet tissue")
    assert class_names(find_weights("inception_v4")) == names


def test_background_is_no_class() -> None:
    network = create_model("resnet20", num_classes=11).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted = network(images)[:, 1:]
        drop_background(network, 10)
        torch.testing.assert_close(network(images), wanted)
    assert network.num_classes == 10


def test_a_name_that_is_neither_a_run_nor_published_is_told_what_is() -> None:
    with pytest.raises(UsageError, match=r"holds no trained network .* nor are weights published under that name"):
        load("runs/nowhere")


def test_the_thousand_classes_of_imagenet_are_known_by_id_and_by_words() -> None:
    names = class_names(find_weights("resnet50"))
    ids = tuple(f"n{number:08}" for number in range(1000))
    words = tuple(f"{name}, and other words" for name in names)
    assert _both_are_imagenet(names, ids)
    assert _both_are_imagenet(names, words)
    assert not _both_are_imagenet(names, words[::-1])
    assert not _both_are_imagenet(names, ids[1:])
    assert not _both_are_imagenet([f"my class {number}" for number in range(1000)], ids)
