from __future__ import annotations

from dataclasses import replace

import pytest

from cnnlab.data.parts import Part
from cnnlab.data.smaller import with_pixels
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import UsageError
from cnnlab.evaluate.classifier import load
from cnnlab.recipes import get_recipe
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.image_size import fit_images
from cnnlab.train.run import Settings, train_run

PARTS = synthetic(40, 10, 10)  # 32 pixels
MODERN = get_recipe("modern/cifar10")


def of(model: str, **more: object) -> Recipe:
    return replace(MODERN, model=model, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "pixels", "border", "becomes"),
    [
        ("resnet20", 28, 0, 28),
        ("lenet5_modern", 32, 0, 32),
        ("lenet5_modern", 28, 2, 28),
        ("lenet5", 28, 2, 28),
        ("vgg11_bn", 28, 2, 28),
        ("lenet_caffe", 32, 0, 28),
        ("perceptron", 32, 0, 28),
    ],
)
def test_images_are_brought_to_a_size_that_the_network_takes(
    model: str, pixels: int, border: int, becomes: int
) -> None:
    recipe, parts, said = fit_images(of(model), with_pixels(PARTS, pixels))
    assert isinstance(parts.train, Part)
    assert (recipe.pad_pixels, parts.train.images.shape[-1]) == (border, becomes)
    assert bool(said) == (border > 0 or becomes != pixels)


def test_images_far_too_small_are_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"alexnet_2012 was made for images of 227 .* the 32 of .*folder_pixels=227"):
        fit_images(of("alexnet_2012"), PARTS)


def test_a_mean_image_goes_with_no_borders() -> None:
    with pytest.raises(UsageError, match="normalisation=channel, which goes with borders"):
        fit_images(of("lenet5_modern", normalisation="pixel_mean"), with_pixels(PARTS, 28))


@pytest.mark.parametrize(("model", "pixels"), [("lenet5_modern", 28), ("lenet_caffe", 32)])
def test_a_run_on_such_images_is_tested_and_answers(model: str, pixels: int, tmp_path, shapes) -> None:  # type: ignore[no-untyped-def]
    recipe = replace(of(model), epochs=1, batch_size=20, val_images=10, folder_pixels=pixels)
    run = train_run(recipe, Settings(str(shapes), device="cpu"), tmp_path / "run")
    assert run.result["val"]["images"] > 0
    [prediction] = load(run.folder).predict([shapes / "disc" / "00.jpg"])
    assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-4)
