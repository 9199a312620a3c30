from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnlab
from cnnlab.data import whitening
from cnnlab.data.decode import decode_file
from cnnlab.data.parts import Part
from cnnlab.data.preprocess import normalise, prepare
from cnnlab.errors import CheckpointError, CnnlabError, DataError, ImageError, UsageError
from cnnlab.evaluate.classifier import Classifier, Config, load, read_config, save, trained_on
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import create_model
from cnnlab.types import Labels, Prediction, Preprocess, Split

from ..conftest import CLASSES, draw

CONFIG = Config(
    architecture="resnet20",
    num_classes=3,
    in_channels=3,
    preprocess=Preprocess(16, 16, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    labels=Labels(CLASSES),
    protocol="center",
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with nothing but an untrained network."""
    torch.manual_seed(0)
    folder = tmp_path / "bundle"
    folder.mkdir()
    save(folder, create_model("resnet20", num_classes=3), CONFIG)
    return folder


# -- saved and loaded ------------------------------------------------------------------------------------------


def test_saving_and_loading_keeps_every_weight_and_word(bundle: Path, tmp_path: Path) -> None:
    first = load(bundle)
    again = tmp_path / "again"
    again.mkdir()
    save(again, first.network, first.config)
    second = load(again)
    assert second.config == first.config
    assert replace(second.config, weights_sha256="") == CONFIG
    weights = second.network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in first.network.state_dict().items())


def test_a_mean_image_travels_along(bundle: Path) -> None:
    preprocess = replace(CONFIG.preprocess, mean_image=tuple(np.linspace(0, 1, 3 * 16 * 16)))
    save(bundle, create_model("resnet20", num_classes=3), replace(CONFIG, preprocess=preprocess))
    assert load(bundle).config.preprocess == preprocess


def test_a_whitening_travels_along_and_is_missed_when_it_is_gone(bundle: Path) -> None:
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    digest = whitening.measure_whitening(images, 27.5)
    preprocess = replace(CONFIG.preprocess, contrast_norm=27.5, whitening=digest)
    save(bundle, create_model("resnet20", num_classes=3), replace(CONFIG, preprocess=preprocess))
    before = normalise(images, preprocess)
    del whitening._known[digest]  # as in another process
    assert load(bundle).config.preprocess == preprocess
    assert torch.equal(normalise(images, preprocess), before)
    del whitening._known[digest]
    (bundle / "whitening.safetensors").unlink()
    with pytest.raises(DataError, match=r"whitening\.safetensors cannot be read"):
        load(bundle)


def test_a_loaded_network_is_ready_to_test(bundle: Path) -> None:
    classifier = load(bundle, device="cpu")
    assert not classifier.network.training
    assert classifier.device == torch.device("cpu")
    assert classifier.folder == bundle


# -- made faster -----------------------------------------------------------------------------------------------


def with_statistics(folder: Path, architecture: str, pixels: int) -> Classifier:
    """A classifier whose norms have seen images, saved and loaded again."""
    torch.manual_seed(0)
    network = create_model(architecture, num_classes=3).train()
    for _ in range(3):
        network(torch.randn(8, 3, pixels, pixels))
    preprocess = replace(CONFIG.preprocess, resize_pixels=pixels, crop_pixels=pixels)
    save(folder, network, replace(CONFIG, architecture=architecture, preprocess=preprocess))
    return load(folder)


@pytest.mark.parametrize(
    ("architecture", "pixels"),
    [
        ("resnet20", 16),
        ("airnet", 16),
        ("vgg11_cifar", 32),
        ("resnet18", 32),
        ("seresnet50", 32),
        ("googlenet", 32),
    ],
)
def test_an_optimised_classifier_answers_the_same(architecture: str, pixels: int, tmp_path: Path, shapes: Path) -> None:
    plain = with_statistics(tmp_path, architecture, pixels)
    fast = plain.optimised()
    files = sorted((shapes / "disc").iterdir())
    for ours, theirs in zip(fast.predict(files), plain.predict(files), strict=True):
        assert ours.names == theirs.names
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
    images = torch.randint(0, 256, (5, 3, pixels, pixels), dtype=torch.uint8)
    torch.testing.assert_close(fast.probabilities(images), plain.probabilities(images), atol=1e-5, rtol=0)


def test_optimising_leaves_the_classifier_itself_alone(bundle: Path) -> None:
    plain = load(bundle)
    kinds = [type(each) for each in plain.network.modules()]
    fast = plain.optimised()
    assert [type(each) for each in plain.network.modules()] == kinds
    assert all(each.requires_grad for each in plain.network.parameters())
    assert not any(isinstance(each, nn.BatchNorm2d) for each in fast.network.modules())
    assert not any(each.requires_grad for each in fast.network.parameters())
    assert (fast.config, fast.folder, fast.device) == (plain.config, plain.folder, plain.device)


def test_an_optimised_classifier_can_be_tested_densely(tmp_path: Path) -> None:
    plain = with_statistics(tmp_path, "vgg11_cifar", 32)
    part = Part(torch.randint(0, 256, (2, 3, 40, 48), dtype=torch.uint8), torch.tensor([0, 1]))
    answers = [
        predict_part(each.network, part, get_protocol("dense"), each.config.preprocess, each.device).probabilities
        for each in (plain, plain.optimised())
    ]
    torch.testing.assert_close(*answers, atol=1e-5, rtol=0)


def test_the_package_offers_load(bundle: Path) -> None:
    assert isinstance(cnnlab.load(str(bundle)), Classifier)


def test_nothing_half_written_is_left(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == ["config.json", "model.safetensors"]


# -- refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [9, 200, -1])
def test_one_flipped_byte_in_the_weights_is_refused_by_name(place: int, bundle: Path) -> None:
    path = bundle / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load(bundle)


def test_weights_cut_short_or_gone_are_refused_by_name(bundle: Path) -> None:
    path = bundle / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"the weights .*model\.safetensors are damaged .*; train or copy"):
        load(bundle)
    path.unlink()
    with pytest.raises(
        CheckpointError, match=r"the weights .*model\.safetensors cannot be read: there is no such file; copy"
    ):
        load(bundle)


def change(folder: Path, edit: Callable[[dict[str, object]], object]) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")


ALTERED: dict[str, tuple[dict[str, object], str]] = {
    "another network": ({"architecture": "resnet32"}, "holds other weights than resnet32 has"),
    "an unknown network": ({"architecture": "resnet21"}, "no model 'resnet21'; did you mean"),
    "another number of classes": ({"num_classes": 4}, "num_classes is 4, with 3 class names"),
    "other class names": ({"labels": {"names": ["a", "b"]}}, "num_classes is 3, with 2 class names"),
    "no classes": ({"num_classes": 0, "labels": {"names": []}}, "num_classes is 0"),
    "other channels": ({"in_channels": 1}, "in_channels is 1, with 3 mean values"),
    "another sum": ({"weights_sha256": "00"}, "altered"),
    "a wrong type": ({"num_classes": "many"}, "does not describe a network"),
    "no preprocessing": ({"preprocess": None}, "does not describe a network"),
}


@pytest.mark.parametrize(("values", "message"), ALTERED.values(), ids=ALTERED.keys())
def test_an_altered_config_is_refused(values: dict[str, object], message: str, bundle: Path) -> None:
    change(bundle, lambda config: config.update(values))
    with pytest.raises(CnnlabError, match=message):
        load(bundle)


def test_a_config_with_too_few_deviations_is_refused(bundle: Path) -> None:
    change(bundle, lambda config: config["preprocess"].update(std=[0.5]))  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="mean is 3, with 1 std values"):
        load(bundle)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"architecture": "resnet20"}'])
def test_a_broken_config_is_refused(content: bytes, bundle: Path) -> None:
    (bundle / "config.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"config\.json does not describe a network"):
        load(bundle)


def test_a_folder_without_a_network_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no trained network .*cnnlab train --run"):
        load(tmp_path)
    with pytest.raises(UsageError, match="holds no trained network"):
        load(tmp_path / "gone")


def test_an_unfinished_run_says_how_to_finish_it(own_run: Path) -> None:
    (own_run / "config.json").unlink()
    with pytest.raises(UsageError, match="unfinished run; finish it with: cnnlab train --resume --run"):
        read_config(own_run)


# -- predictions -----------------------------------------------------------------------------------------------


def test_a_photo_is_named_with_probabilities_that_fall_and_sum_to_one(tiny_run: Path, shapes: Path) -> None:
    photo = shapes / "disc" / "03.jpg"
    [found] = load(tiny_run).predict([photo])
    assert found.path == str(photo)
    assert sorted(found.names) == sorted(CLASSES)
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True)
    assert sum(found.probabilities) == pytest.approx(1, abs=1e-6)


def test_a_prediction_is_decoding_preprocessing_network_softmax(tiny_run: Path, shapes: Path) -> None:
    classifier = load(tiny_run)
    photo = shapes / "checks" / "05.jpg"
    images = torch.from_numpy(prepare(decode_file(photo), classifier.config.preprocess))[None]
    batch = normalise(images, classifier.config.preprocess)
    with torch.no_grad():
        logits = [classifier.network(view).softmax(1) for view in (batch, batch.flip(3))]
    expected, places = ((logits[0] + logits[1])[0] / 2).sort(descending=True)
    [found] = classifier.predict([photo])
    assert found.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
    assert found.names == tuple(CLASSES[place] for place in places)


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (16, 16), (1000, 700)])
def test_photos_of_any_size_are_answered(size: tuple[int, int], tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(draw("disc", 1, size)).save(path)
    assert len(load(tiny_run).predict([path])[0].names) == 3


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_photos_in_grey_and_cmyk_are_answered(mode: str, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(draw("disc", 1)).convert(mode).save(path)
    assert len(load(tiny_run).predict([path])[0].names) == 3


@pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (99, 3)])
def test_as_many_classes_as_asked_for_are_given(top: int, shown: int, tiny_run: Path, shapes: Path) -> None:
    assert len(load(tiny_run).predict([shapes / "disc" / "00.jpg"], top)[0].names) == shown


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 cut"])
def test_a_file_that_is_no_image_is_refused_by_name(content: bytes, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        load(tiny_run).predict([path])


def test_many_files_are_answered_in_order_as_each_alone(tiny_run: Path, shapes: Path, tmp_path: Path) -> None:
    classifier = load(tiny_run)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    files = [*sorted(shapes.rglob("*.jpg"))[:7], bad, *sorted(shapes.rglob("*.jpg"))[7:9]]
    found = classifier.predict_files(files, top=2)
    assert [isinstance(each, ImageError) for each in found] == [path == bad for path in files]
    for path, each in zip(files, found, strict=True):
        if isinstance(each, Prediction):
            [alone] = classifier.predict([path], top=2)
            assert (each.path, each.names) == (str(path), alone.names)
            assert each.probabilities == pytest.approx(alone.probabilities, abs=1e-6)


def test_probabilities_of_images_in_memory_are_those_of_the_runs_protocol(tiny_run: Path) -> None:
    classifier = load(tiny_run)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    batch = normalise(images, classifier.config.preprocess)
    with torch.no_grad():
        expected = (classifier.network(batch).softmax(1) + classifier.network(batch.flip(3)).softmax(1)) / 2
    torch.testing.assert_close(classifier.probabilities(images), expected)
    tencrop = replace(classifier, config=replace(classifier.config, protocol="10crop"))
    torch.testing.assert_close(tencrop.probabilities(images).sum(1), torch.ones(3))


def test_a_run_knows_its_data_and_a_bundle_says_that_it_does_not(tiny_run: Path, shapes: Path, bundle: Path) -> None:
    assert trained_on(tiny_run) == str(shapes)
    with pytest.raises(UsageError, match=r"name the data: cnnlab eval .* DATA"):
        trained_on(bundle)
    (bundle / "settings.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="name the data"):
        trained_on(bundle)


# -- the number format -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("computes_with_it", [True, False])
def test_a_network_of_a_native_recipe_answers_in_bfloat16_where_the_device_computes_with_it(
    computes_with_it: bool, tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.models.precision.has_bf16", lambda device: computes_with_it)
    plain = with_statistics(tmp_path, "resnet20", 16)
    native = replace(plain, config=replace(plain.config, precision="native"))
    files, images = sorted((shapes / "disc").iterdir()), torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16, enabled=computes_with_it):
        expected = plain.probabilities(images), [each.probabilities for each in plain.predict(files)]
    tested = examine([native], Part(images, torch.zeros(5, dtype=torch.int64)), split=Split.VAL)[1]
    for found in (native.probabilities(images), tested.probabilities):
        torch.testing.assert_close(found, expected[0], atol=1e-3, rtol=0)
    for prediction, probabilities in zip(native.predict(files), expected[1], strict=True):
        assert prediction.probabilities == pytest.approx(probabilities, abs=1e-3)
    difference = (native.probabilities(images) - plain.probabilities(images)).abs().max()
    assert (0 < difference < 0.02) if computes_with_it else difference == 0


def test_an_optimised_classifier_of_a_native_recipe_answers_the_same_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.models.precision.has_bf16", lambda device: True)
    plain = with_statistics(tmp_path, "airnet", 16)
    native = replace(plain, config=replace(plain.config, precision="native"))
    images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(
        native.optimised().probabilities(images), native.probabilities(images), atol=0.02, rtol=0
    )


def test_a_config_without_a_number_format_is_one_of_float32(bundle: Path) -> None:
    told = json.loads((bundle / "config.json").read_text())
    del told["precision"]
    (bundle / "config.json").write_text(json.dumps(told))
    assert load(bundle).precision.half is None
