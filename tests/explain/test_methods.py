from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.explain.methods import Method, class_probabilities, explain, heat_map
from cnnlab.models.catalog import create_model

from .networks import Places, Tiny


@pytest.mark.parametrize("method", Method)
def test_every_method_finds_the_half_that_counts(method: Method) -> None:
    network, images = Places(16), torch.rand(1, 3, 16, 16) + 0.5
    heat = heat_map(network, images, torch.tensor([0]), method=method, layer="red")[0]
    assert heat.shape == (16, 16)
    assert float(heat.max()) == pytest.approx(1)
    assert float(heat.min()) >= 0
    if method not in (Method.GRAD_CAM, Method.GRAD_CAM_PLUS):  # these weigh whole maps, so both halves of red count
        assert float(heat[:, :6].mean()) > 5 * float(heat[:, 10:].mean())


def test_an_explanation_says_what_it_explains() -> None:
    torch.manual_seed(3)
    network, image = Tiny(), torch.randn(3, 8, 8)
    found = explain(network, image, methods=[Method.GRAD_CAM, Method.OCCLUSION])
    assert found.probabilities.tolist() == pytest.approx(class_probabilities(network, image[None])[0].tolist())
    assert found.target == int(found.probabilities.argmax())
    assert found.layer == "second"
    assert list(found.heats) == ["grad-cam at second", "occlusion"]
    other = explain(network, image, target=(found.target + 1) % 3)
    assert other.target != found.target
    assert not torch.equal(other.heats["grad-cam at second"], found.heats["grad-cam at second"])


def test_pixel_methods_need_no_layer() -> None:
    image = torch.randn(1, 28, 28)
    assert explain(create_model("perceptron"), image, methods=[Method.GRADIENT]).layer is None
    with pytest.raises(UsageError, match="no layer that keeps places"):
        explain(create_model("perceptron"), image)


def test_probabilities_sum_to_one_and_leave_the_mode() -> None:
    network = Tiny().train()
    assert class_probabilities(network, torch.randn(4, 3, 8, 8)).sum(1).tolist() == pytest.approx([1] * 4)
    assert network.training
