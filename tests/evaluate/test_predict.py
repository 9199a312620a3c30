from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.data.names import Names
from cnnlab.data.parts import Part
from cnnlab.data.photos import FolderFiles, Photos
from cnnlab.data.preprocess import normalise
from cnnlab.data.whitening import measure_whitening
from cnnlab.errors import DataError, UsageError
from cnnlab.evaluate import predict
from cnnlab.evaluate.predict import (
    macs_per_image,
    pixels_at_once,
    predict_part,
    predict_probabilities,
    view_probabilities,
)
from cnnlab.evaluate.protocols import PROTOCOLS, Pixels, adjust, looks
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import count_macs
from cnnlab.models.layers import Network
from cnnlab.types import Preprocess


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return create_model("resnet20", num_classes=5).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def softmax(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        answers: Tensor = network(images).softmax(1)
    return answers


def moved(images: Tensor, pixels: int) -> Tensor:
    """The images moved down and right, row by row and column by column, edges reflected."""
    side = images.shape[2]
    places = [abs(i - pixels) if i - pixels < side else 2 * (side - 1) - (i - pixels) for i in range(side)]
    return images[:, :, places][:, :, :, places]


def test_center_is_the_plain_answer(network: nn.Module, images: Tensor) -> None:
    found = view_probabilities(network, images, PROTOCOLS["center"])
    torch.testing.assert_close(found, softmax(network, images))


def test_flip_averages_the_image_and_its_mirror(network: nn.Module, images: Tensor) -> None:
    expected = (softmax(network, images) + softmax(network, torch.flip(images, [3]))) / 2
    torch.testing.assert_close(view_probabilities(network, images, PROTOCOLS["flip"]), expected)


def test_shift6_weighs_the_unmoved_views_for_half(network: nn.Module, images: Tensor) -> None:
    still = (softmax(network, images) + softmax(network, images.flip(3))) / 2
    views = [moved(images, pixels) for pixels in (-1, 1)]
    around = sum(softmax(network, view) + softmax(network, view.flip(3)) for view in views) / 4
    expected = (still + around) / 2
    torch.testing.assert_close(view_probabilities(network, images, PROTOCOLS["shift6"]), expected)


@pytest.mark.parametrize("name", ["center", "flip", "shift6", "shift18"])
def test_probabilities_of_ready_images_sum_to_one(name: str, network: nn.Module, images: Tensor) -> None:
    sums = view_probabilities(network, images, PROTOCOLS[name]).sum(1)
    torch.testing.assert_close(sums, torch.ones(4))


def test_batches_come_back_whole_and_in_order(network: nn.Module, images: Tensor) -> None:
    labels = torch.tensor([3, 1, 4, 1])
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    found, seen = predict_probabilities(network, batches, PROTOCOLS["center"])
    torch.testing.assert_close(found, softmax(network, images))
    assert torch.equal(seen, labels)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool, network: nn.Module, images: Tensor) -> None:
    network.train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    predict_probabilities(network, [(images, torch.zeros(4, dtype=torch.int64))], PROTOCOLS["flip"])
    assert network.training is training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_mode_is_put_back_after_a_failure_too(network: nn.Module) -> None:
    network.train()
    with pytest.raises((RuntimeError, UsageError)):
        predict_probabilities(network, [(torch.rand(1, 7, 16, 16), torch.zeros(1))], PROTOCOLS["center"])
    assert network.training


def test_a_protocol_of_crops_refuses_ready_made_crops(network: nn.Module, images: Tensor) -> None:
    with pytest.raises(UsageError, match="protocol 10crop needs the original images"):
        view_probabilities(network, images, PROTOCOLS["10crop"])


# -- parts of original images ------------------------------------------------------------------------------------

PREPROCESS = Preprocess(20, 16, (0.4, 0.5, 0.6), (0.3, 0.2, 0.1))
SIZES = ((30, 40), (40, 30), (25, 25), (60, 21), (30, 40))
CPU = torch.device("cpu")


@pytest.fixture
def originals() -> list[Pixels]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


MakePhotos = Callable[..., Photos]


@pytest.fixture
def make_photos(originals: list[Pixels], tmp_path: Path) -> MakePhotos:
    """The originals as files, without loss; those at `bad` are damaged."""

    def make(bad: tuple[int, ...] = ()) -> Photos:
        for number, image in enumerate(originals):
            Image.fromarray(image).save(tmp_path / f"photo{number}.png")
            if number in bad:
                (tmp_path / f"photo{number}.png").write_bytes(b"damaged")
        names = Names(f"photo{number}.png" for number in range(len(originals)))
        return Photos(torch.arange(len(originals)) % 5, names, FolderFiles(tmp_path, names))

    return make


def one_by_one(network: nn.Module, image: Pixels, name: str, preprocess: Preprocess) -> Tensor:
    """The protocol on a single image, view by view."""
    total = torch.zeros(5)
    for view, cut in zip(PROTOCOLS[name].views, looks(image, PROTOCOLS[name], preprocess), strict=True):
        batch = torch.from_numpy(cut.copy()).permute(2, 0, 1)[None]
        total += view.weight * softmax(network, adjust(normalise(batch, preprocess), view))[0]
    return total


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_photos_of_many_sizes_are_answered_as_each_by_itself(
    name: str, network: Network, originals: list[Pixels], make_photos: MakePhotos
) -> None:
    found = predict_part(network, make_photos(), PROTOCOLS[name], PREPROCESS, CPU)
    expected = torch.stack([one_by_one(network, image, name, PREPROCESS) for image in originals])
    torch.testing.assert_close(found.probabilities, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(5))
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert found.indices.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["center", "10crop", "dense"])
def test_the_size_of_batches_changes_nothing(
    name: str, network: Network, originals: list[Pixels], make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = make_photos()
    whole = predict_part(network, photos, PROTOCOLS[name], PREPROCESS, CPU)
    monkeypatch.setattr(predict, "PIXELS_AT_ONCE", 300)
    torch.testing.assert_close(
        predict_part(network, photos, PROTOCOLS[name], PREPROCESS, CPU).probabilities, whole.probabilities
    )


def test_batches_on_a_cpu_grow_with_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    assert pixels_at_once(CPU) == predict.PIXELS_A_THREAD * threads
    assert pixels_at_once(torch.device("cuda")) == predict.PIXELS_AT_ONCE
    monkeypatch.setattr(predict, "PIXELS_AT_ONCE", 300)
    assert pixels_at_once(CPU) == 300


@pytest.mark.parametrize("name", ["center", "flip", "shift6", "shift18"])
def test_images_in_memory_of_the_networks_size_are_taken_as_they_are(name: str, network: Network) -> None:
    pixels = torch.randint(0, 256, (7, 3, 16, 16), dtype=torch.uint8)
    preprocess = replace(PREPROCESS, resize_pixels=16)
    found = predict_part(network, Part(pixels, torch.arange(7) % 5), PROTOCOLS[name], preprocess, CPU)
    expected = view_probabilities(network, normalise(pixels, preprocess), PROTOCOLS[name])
    torch.testing.assert_close(found.probabilities, expected)


@pytest.mark.parametrize("name", ["center", "10crop", "144crop", "dense"])
def test_images_in_memory_of_another_size_are_originals(name: str, network: Network) -> None:
    pixels = torch.randint(0, 256, (2, 3, 24, 28), dtype=torch.uint8)
    found = predict_part(network, Part(pixels, torch.tensor([1, 2])), PROTOCOLS[name], PREPROCESS, CPU)
    expected = [one_by_one(network, image.permute(1, 2, 0).numpy(), name, PREPROCESS) for image in pixels]
    torch.testing.assert_close(found.probabilities, torch.stack(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 5])
def test_images_of_any_number_of_channels_are_tested(channels: int) -> None:
    torch.manual_seed(0)
    net = create_model("resnet20", num_classes=3, in_channels=channels).eval()
    preprocess = Preprocess(16, 16, (0.5,) * channels, (0.2,) * channels)
    part = Part(torch.randint(0, 256, (3, channels, 16, 16), dtype=torch.uint8), torch.arange(3))
    for name in ("flip", "10crop", "dense"):
        found = predict_part(net, part, PROTOCOLS[name], preprocess, CPU).probabilities
        torch.testing.assert_close(found.sum(1), torch.ones(3))


def test_a_mean_image_is_subtracted_where_it_fits_and_its_channels_means_elsewhere(network: Network) -> None:
    mean_image = tuple(torch.rand(3, 16, 16).flatten().tolist())
    means = tuple(torch.tensor(mean_image).view(3, -1).mean(1).tolist())
    with_image = Preprocess(20, 16, means, (1.0,) * 3, mean_image=mean_image)
    part = Part(torch.randint(0, 256, (1, 3, 20, 20), dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    cropped = predict_part(network, part, PROTOCOLS["center"], with_image, CPU).probabilities
    [cut] = looks(part.images[0].permute(1, 2, 0).numpy(), PROTOCOLS["center"], with_image)
    ready = normalise(torch.from_numpy(cut.copy()).permute(2, 0, 1)[None], with_image)
    torch.testing.assert_close(cropped, softmax(network, ready))
    dense = predict_part(network, part, PROTOCOLS["dense"], with_image, CPU).probabilities
    plain = predict_part(network, part, PROTOCOLS["dense"], replace(with_image, mean_image=None), CPU).probabilities
    assert torch.equal(dense, plain)


def test_borders_are_put_around_every_view(make_photos: MakePhotos) -> None:
    net = create_model("lenet5_modern", num_classes=5).eval()
    preprocess = Preprocess(28, 28, (0.5,), (0.5,), pad_pixels=2)
    for name in ("center", "10crop", "dense"):
        found = predict_part(net, make_photos(), PROTOCOLS[name], preprocess, CPU).probabilities
        torch.testing.assert_close(found.sum(1), torch.ones(5))
        assert macs_per_image(net, PROTOCOLS[name], preprocess, CPU) > 0


def test_contrast_is_normalised_to_the_same_deviation_at_every_size(network: Network) -> None:
    # Each value of a larger image repeated: the same image, so the same values after normalisation.
    small = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    own = Preprocess(16, 16, (0.0,) * 3, (1.0,) * 3, contrast_norm=55.0)
    as_small = normalise(small, own).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(normalise(large, predict._fitting(own, (3, 32, 32))), as_small)
    assert predict._fitting(own, (3, 16, 16)) == own


def test_a_whitening_fits_one_size_and_dense_testing_is_refused_beforehand(network: Network) -> None:
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    digest = measure_whitening(images, 27.5)
    whitened = Preprocess(16, 16, (0.0,) * 3, (1.0,) * 3, contrast_norm=27.5, whitening=digest)
    part = Part(images[:2], torch.arange(2))
    for name in ("flip", "10crop"):
        found = predict_part(network, part, PROTOCOLS[name], whitened, CPU).probabilities
        torch.testing.assert_close(found.sum(1), torch.ones(2))
    with pytest.raises(UsageError, match=r"protocol dense is impossible for CifarResNet: .*this whitening is for 768"):
        macs_per_image(network, PROTOCOLS["dense"], whitened, CPU)


def test_unreadable_photos_are_left_out_named_and_counted(
    network: Network, originals: list[Pixels], make_photos: MakePhotos
) -> None:
    found = predict_part(network, make_photos((1, 3)), PROTOCOLS["flip"], PREPROCESS, CPU, max_bad=0.5)
    assert found.indices.tolist() == [0, 2, 4]
    assert found.labels.tolist() == [0, 2, 4]
    assert [reason.partition(":")[0] for reason in found.bad] == ["photo1.png", "photo3.png"]
    expected = one_by_one(network, originals[2], "flip", PREPROCESS)
    torch.testing.assert_close(found.probabilities[1], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("bad", "max_bad"), [((0,), 0.0), ((0, 1), 0.2), ((0, 1, 2), 0.4)])
def test_too_many_unreadable_photos_stop_the_test(
    bad: tuple[int, ...], max_bad: float, network: Network, originals: list[Pixels], make_photos: MakePhotos
) -> None:
    photos = make_photos(bad)
    with pytest.raises(DataError, match=rf"{len(bad)} of 5 images cannot be read(.|\n)*photo0.png: "):
        predict_part(network, photos, PROTOCOLS["center"], PREPROCESS, CPU, max_bad=max_bad)


def test_a_photo_smaller_than_the_crop_is_named(
    network: Network, originals: list[Pixels], make_photos: MakePhotos
) -> None:
    keep_size = replace(PREPROCESS, resize_pixels=None, crop_pixels=25)
    found = predict_part(network, make_photos(), PROTOCOLS["center"], keep_size, CPU)
    assert found.bad[0].startswith("photo3.png: an image of 21 x 60 pixels cannot be cropped")


def test_of_an_empty_part_there_is_nothing_to_say(network: Network) -> None:
    part = Part(torch.empty(0, 3, 16, 16, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
    for name in ("center", "10crop"):
        found = predict_part(network, part, PROTOCOLS[name], replace(PREPROCESS, resize_pixels=16), CPU)
        assert found.probabilities.shape == (0, 5)


# -- what it costs -------------------------------------------------------------------------------------------------


def test_a_protocol_costs_its_views(network: Network) -> None:
    one = count_macs(network, torch.zeros(1, 3, 16, 16))
    for name, views in {"center": 1, "flip": 2, "shift6": 6, "10crop": 10, "144crop": 144, "150crop": 150}.items():
        assert macs_per_image(network, PROTOCOLS[name], PREPROCESS, CPU) == views * one
    assert macs_per_image(network, PROTOCOLS["dense"], PREPROCESS, CPU) == 2 * count_macs(
        network, torch.zeros(1, 3, 20, 20)
    )
    assert macs_per_image(network, PROTOCOLS["320"], PREPROCESS, CPU) == count_macs(network, torch.zeros(1, 3, 23, 23))


def test_dense_fully_connected_layers_cost_as_often_as_they_fit() -> None:
    net = create_model("lenet5_modern")
    preprocess = Preprocess(40, 32, (0.0,), (1.0,))  # 3 x 3 places in 40 x 40 pixels
    head = 84 * 120 + 10 * 84
    convolutions = 6 * 25 * 36**2 + 16 * 150 * 14**2 + 120 * 400 * 3**2
    assert macs_per_image(net, PROTOCOLS["dense"], preprocess, CPU) == 2 * (convolutions + 9 * head)


@pytest.mark.parametrize(
    ("model", "name", "message"),
    [
        ("lenet5", "320", "protocol 320 is impossible for LeNet5: .*takes 32x32 pixels only"),
        ("perceptron", "dense", "protocol dense is impossible for Perceptron: .*has no convolutions"),
        ("lenet5", "multiscale_fixed", None),
        ("perceptron", "10crop", None),
    ],
)
def test_an_impossible_protocol_is_known_before_anything_is_computed(
    model: str, name: str, message: str | None
) -> None:
    net = create_model(model)
    pixels = 28 if model == "perceptron" else 32
    preprocess = Preprocess(pixels, pixels, (0.0,), (1.0,))
    if message is None:
        assert macs_per_image(net, PROTOCOLS[name], preprocess, CPU) > 0
    else:
        with pytest.raises(UsageError, match=message):
            macs_per_image(net, PROTOCOLS[name], preprocess, CPU)
