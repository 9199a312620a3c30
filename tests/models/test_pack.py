from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost
from cnnlab.models.pack import PackedConv, pack_filters

CONVOLUTIONS = {
    "plain": nn.Conv2d(6, 8, 3, padding=1),
    "pointwise without bias": nn.Conv2d(6, 8, 1, bias=False),
    "grouped and strided": nn.Conv2d(6, 8, (3, 5), stride=2, padding=(1, 2), groups=2),
    "dilated": nn.Conv2d(6, 8, 3, dilation=2),
    "depthwise": nn.Conv2d(6, 6, 3, groups=6),
}
needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 6, 15, 12, generator=torch.Generator().manual_seed(0))


@needs_onednn
@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format], ids=str)
def test_a_packed_convolution_gives_the_same_maps(
    name: str, memory_format: torch.memory_format, images: Tensor
) -> None:
    conv = CONVOLUTIONS[name]
    packed = PackedConv(conv)
    for batch in (images, images[:1], images[:, :, :9]):  # any number and size
        with torch.no_grad():
            found = packed(batch.contiguous(memory_format=memory_format))
            torch.testing.assert_close(found, conv(batch), atol=1e-5, rtol=1e-5)


@needs_onednn
def test_gradients_are_those_of_the_plain_convolution(images: Tensor) -> None:
    conv = CONVOLUTIONS["plain"]
    one, other = images.clone().requires_grad_(), images.clone().requires_grad_()
    conv(one).sum().backward()
    PackedConv(conv)(other).sum().backward()
    assert torch.equal(one.grad, other.grad)


@needs_onednn
def test_what_can_be_packed_is_and_the_rest_stays() -> None:
    network = create_model("resnet20").eval()
    network.layer1[0].conv1 = nn.Conv2d(16, 16, 3, padding="same", bias=False)
    network.layer1[0].conv2 = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect", bias=False)
    before = network(torch.ones(1, 3, 32, 32))
    pack_filters(network)
    kinds = [type(each) for each in network.modules() if isinstance(each, nn.Conv2d)]
    assert kinds.count(nn.Conv2d) == 2
    assert kinds.count(PackedConv) == 17
    with torch.inference_mode():
        torch.testing.assert_close(network(torch.ones(1, 3, 32, 32)), before, atol=1e-5, rtol=1e-5)


@needs_onednn
def test_it_can_be_copied_counted_and_read_as_any_network() -> None:
    network = create_model("resnet20").eval()
    counted, names = cost(network, 3, 32), list(network.state_dict())
    pack_filters(network)
    assert cost(network, 3, 32) == counted
    assert list(network.state_dict()) == names
    again = copy.deepcopy(network)
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again(images), network(images))


def test_nothing_is_packed_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    network = create_model("resnet20").eval()
    pack_filters(network)
    assert not any(isinstance(each, PackedConv) for each in network.modules())
