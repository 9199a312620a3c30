"""Maps laid side by side give what they give one by one, forward and backward."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.overrides import TorchFunctionMode

from cnnlab.models.catalog import create_model
from cnnlab.models.precision import cpu_capability, has_matrix_tiles, resolve_precision
from cnnlab.models.strips import Strips, lay_beside, maps_beside, take_apart
from cnnlab.types import PrecisionName

CPU = torch.device("cpu")


class Widths(TorchFunctionMode):
    """Writes down how wide the maps are that convolutions get."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def __torch_function__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.conv2d:
            self.seen.append(args[0].shape[3])
        return func(*args, **(kwargs or {}))


def maps_of(count: int, channels: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(count + 31 * width)
    drawn = torch.randn(count, channels, height, width, generator=generator)
    return drawn.to(memory_format=torch.channels_last)


def trained(conv: nn.Conv2d, maps: Tensor) -> tuple[Tensor, ...]:
    """The outputs, and the gradients of the maps and of all parameters, of some loss."""
    inputs = maps.clone(memory_format=torch.channels_last).requires_grad_()
    outputs = conv(inputs)
    loss = (outputs * torch.linspace(-1, 1, outputs.numel()).view(outputs.shape)).sum()
    return outputs.detach(), *torch.autograd.grad(loss, (inputs, *conv.parameters()))


@given(
    count=st.integers(1, 70),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    padding=st.integers(0, 2),
    bias=st.booleans(),
)
def test_outputs_and_gradients_are_those_of_the_plain_convolution(
    count: int, height: int, width: int, padding: int, bias: bool
) -> None:
    conv = nn.Conv2d(3, 5, 2 * padding + 1, padding=padding, bias=bias).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    maps = maps_of(count, 3, height, width)
    plain = trained(conv, maps)
    with Strips():
        strips = trained(conv, maps)
    for ours, theirs in zip(strips, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert strips[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("width", "count", "beside"),
    [
        (1, 1024, 32),
        (2, 1024, 32),
        (3, 1024, 16),
        (5, 512, 16),
        (7, 512, 8),
        (8, 512, 8),
        (9, 512, 1),
        (7, 6, 2),
        (7, 5, 1),
    ],
)
def test_a_strip_is_some_64_pixels_wide_and_its_maps_go_into_the_batch(width: int, count: int, beside: int) -> None:
    assert maps_beside(maps_of(count, 4, width, width), 3, 1) == beside


def test_maps_come_back_as_they_were() -> None:
    maps = maps_of(12, 4, 3, 5)
    strips = lay_beside(maps, 4, gap=2)
    assert strips.shape == (3, 4, 3, 28)
    assert torch.equal(strips[1, :, :, 7:14], F.pad(maps[5], (0, 2)))
    assert torch.equal(take_apart(strips, 4, 5), maps)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3, padding=1, stride=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    ],
    ids=["stride", "dilation", "groups", "no padding", "1x1", "same", "reflect"],
)
def test_other_convolutions_are_left_as_they_are(conv: nn.Conv2d) -> None:
    maps = maps_of(64, 4, 5, 5)
    with Widths() as widths, Strips():
        assert torch.equal(conv(maps), conv(maps))
    assert max(widths.seen) <= 7, "the five pixels, and padding beforehand at most"


def test_a_compiled_network_takes_its_maps_one_by_one() -> None:
    widths = []

    def noted(graph: GraphModule, inputs: list[Tensor]) -> GraphModule:
        widths.extend(node.meta["example_value"].shape[3] for node in graph.graph.nodes if "conv2d" in str(node.target))
        return graph

    compiled = torch.compile(nn.Conv2d(4, 4, 3, padding=1), backend=noted)
    with Strips():
        compiled(maps_of(64, 4, 7, 7))
    assert widths == [7]


def test_a_network_takes_steps_as_without_strips() -> None:
    torch.manual_seed(0)
    network = create_model("airnet", widths=(8, 16, 24), depth=3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = maps_of(64, 3, 32, 32), torch.arange(64) % 10
    gradients = []
    for context in (torch.enable_grad(), Strips()):
        network.zero_grad()
        with context:
            loss = F.cross_entropy(network(images), labels)
        loss.backward()
        gradients.append({name: each.grad for name, each in network.named_parameters() if each.grad is not None})
    plain, strips = gradients
    assert plain.keys() == strips.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(
            strips[name], gradient, rtol=1e-3, atol=1e-5, msg=lambda said, name=name: f"{name}: {said}"
        )


@pytest.mark.parametrize(
    ("precision", "tiles", "widest"),
    [("bf16", True, 64), ("bf16", False, 7), ("fp32", True, 7)],
    ids=["bf16 with tiles", "bf16 without", "float32"],
)
def test_a_training_in_bf16_lays_them_side_by_side_where_the_processor_has_tiles(
    precision: PrecisionName, tiles: bool, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.models.precision.has_matrix_tiles", lambda: tiles)
    conv, widths = nn.Conv2d(4, 4, 3, padding=1), Widths()
    with widths, resolve_precision(precision, CPU).autocast():
        conv(maps_of(64, 4, 7, 7))
    assert widths.seen == [widest]


def test_whether_a_processor_has_tiles_is_what_torch_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_matrix_tiles() == bool(torch.cpu.get_capabilities().get("amx_bf16"))
    for found in ({"amx_bf16": True}, {"amx_bf16": False}, {}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert has_matrix_tiles() == cpu_capability().endswith(", AMX") == found.get("amx_bf16", False)
