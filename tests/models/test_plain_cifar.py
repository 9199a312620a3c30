from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import count_parameters
from cnnlab.models.plain_cifar import plain_cifar
from cnnlab.models.resnet_cifar import plain20


def test_as_it_stands_it_is_plain20() -> None:
    ours, other = plain_cifar().eval(), plain20().eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), other.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(ours(images), other(images))


@pytest.mark.parametrize(("layers", "norm"), [(8, True), (8, False), (26, False)])
def test_it_has_so_many_layers_with_biases_where_no_norm_follows(layers: int, norm: bool) -> None:
    network = plain_cifar(layers=layers, norm=norm, width=4)
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    assert len(convolutions) + 1 == layers
    assert all((each.bias is None) is norm for each in convolutions)
    assert any(isinstance(each, nn.BatchNorm2d) for each in network.modules()) is norm
    assert network.features(torch.randn(1, 3, 8, 8))["pooled"].shape == (1, 16)


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid)])
def test_every_convolution_is_activated(activation: str, kind: type[nn.Module]) -> None:
    network = plain_cifar(layers=8, activation=activation)  # type: ignore[arg-type]
    assert sum(isinstance(each, kind) for each in network.modules()) == 7


def test_half_the_width_has_about_a_quarter_of_the_parameters() -> None:
    assert count_parameters(plain_cifar(width=8)) / count_parameters(plain_cifar()) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"layers": 9}, "9 layers; give 6 n"), ({"activation": "gelu"}, "known: relu, tanh, sigmoid")],
)
def test_what_it_cannot_be_is_refused(options: dict[str, int | str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plain_cifar(**options)  # type: ignore[arg-type]
