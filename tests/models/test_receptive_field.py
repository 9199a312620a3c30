from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.catalog import create_model
from cnnlab.models.receptive_field import follow, start
from cnnlab.models.summary import Layer, Summary, summarise

# A network, a layer of it, and an image wide enough for a position in the middle to see no border.
WATCHED = [
    ("lenet5", "c3", (32, 32)),
    ("lenet5", "s4", (32, 32)),
    ("resnet20", "layer2.0", (8, 48)),
    ("highway19", "stage2", (8, 64)),
    ("airnet", "group2", (16, 64)),
    ("googlenet", "inception3a", (15, 97)),
    ("densenet40_12", "features.transition1", (4, 48)),
    ("resnet18_1d", "layer1", (128,)),
]


class Function(nn.Module):
    """A network of one function, which `summarise` shows through the convolution after it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.after = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.function(images))


def row(summary: Summary, name: str) -> Layer:
    return next(layer for layer in summary.layers if layer.name == name)


def of(function: Callable[[Tensor], Tensor], channels: int = 4, size: tuple[int, ...] = (16, 16)) -> Layer:
    return row(summarise(Function(function), channels, size, depth=9), "after")


def columns_seen(network: nn.Module, layer: str, sizes: tuple[int, ...]) -> Tensor:
    """Which column of the image reaches which column of a layer's output, (columns, positions).

    Each image of the batch is NaN in one column, and whatever depends on it is NaN as well.
    """
    found: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda _module, _images, out: found.append(out))
    images = torch.zeros(sizes[-1], network.in_channels, *sizes, dtype=torch.float64)
    for column in range(sizes[-1]):
        images[column, ..., column] = torch.nan
    with torch.no_grad():
        network(images)
    hook.remove()
    return found[0].isnan().flatten(1, -2).any(dim=1)


@pytest.mark.parametrize(("name", "layer", "sizes"), WATCHED)
def test_what_a_layer_sees_is_what_a_nan_in_the_image_reaches(name: str, layer: str, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = create_model(name).double().eval()
    reached = columns_seen(network, layer, sizes)
    told = row(summarise(network, network.in_channels, sizes, depth=layer.count(".") + 1), layer)
    middle = reached.shape[1] // 2
    columns = [reached[:, position].nonzero().flatten() for position in (middle, middle - 1)]
    first, last = int(columns[0][0]), int(columns[0][-1])
    assert told.receptive_field is not None
    assert told.stride is not None
    assert 0 < first <= last < sizes[-1] - 1, "no border in sight"
    assert told.receptive_field[-1] == last - first + 1
    assert told.stride[-1] == last - int(columns[1][-1])


def test_convolutions_and_poolings_add_up() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(4, 4, (1, 5), dilation=2),
    )
    layers = summarise(net, 3, (64, 64), depth=1).layers
    assert [layer.receptive_field for layer in layers] == [(7, 7), (11, 11), (11, 11 + 4 * 2 * 4)]
    assert [layer.stride for layer in layers] == [(2, 2), (4, 4), (4, 4)]


def test_branches_side_by_side_see_what_all_of_them_see() -> None:
    def branches(maps: Tensor) -> Tensor:
        wide = F.avg_pool2d(maps, 5, stride=1, padding=2)
        return torch.cat((maps, wide, F.max_pool2d(maps, 3, stride=1, padding=1)), dim=1)

    assert of(branches).receptive_field == (5, 5)


def test_branches_that_are_shifted_see_both_ends() -> None:
    assert of(lambda maps: maps[:, :, :, 4:] + maps[:, :, :, :-4]).receptive_field == (1, 5)


def test_padding_shifts_what_positions_see() -> None:
    assert of(lambda maps: maps + F.pad(maps, (3, 0))[:, :, :, :-3]).receptive_field == (1, 4)


def test_every_second_pixel_doubles_the_stride() -> None:
    found = of(lambda maps: F.avg_pool2d(maps[:, :, ::2, ::2], 2))
    assert (found.receptive_field, found.stride) == ((3, 3), (4, 4))


def test_global_pooling_sees_all_and_has_no_stride() -> None:
    found = of(lambda maps: F.avg_pool2d(maps, 2).mean(dim=(2, 3)))
    assert (found.receptive_field, found.stride) == ((16, 16), None)


def test_an_average_that_misses_a_border_does_not_see_all() -> None:
    assert of(lambda maps: maps[:, :, 1:, :].mean(dim=(2, 3))).receptive_field == (15, 16)


def test_a_gate_from_all_positions_makes_each_see_all() -> None:
    found = of(lambda maps: maps * torch.sigmoid(maps.mean(dim=(2, 3), keepdim=True)))
    assert (found.receptive_field, found.stride) == ((16, 16), (1, 1))


def test_flattened_maps_see_what_they_saw_until_a_linear_layer_reads_them() -> None:
    linear = nn.Linear(4 * 8 * 8, 5, device="meta")
    assert of(lambda maps: F.avg_pool2d(maps, 2).flatten(1)).receptive_field == (2, 2)
    assert of(lambda maps: linear(F.avg_pool2d(maps, 2).flatten(1))).receptive_field == (16, 16)
    assert of(lambda maps: F.avg_pool2d(maps, 2).flatten(1).unflatten(1, (4, 64, 1))).receptive_field == (2, 2)


def test_averages_to_parts_are_windows() -> None:
    assert of(lambda maps: F.adaptive_avg_pool2d(maps, 4)).receptive_field == (4, 4)


@pytest.mark.parametrize(
    "function",
    [
        lambda maps: maps.sort(dim=3).values,
        lambda maps: maps.transpose(2, 3),
        lambda maps: F.adaptive_avg_pool2d(maps, 5),
        lambda maps: F.interpolate(maps, scale_factor=2),
        lambda maps: maps[:, :, :, :8] + maps[:, :, :, ::2],
        lambda maps: torch.cat((maps, maps), dim=2),
        lambda maps: F.conv2d(maps.flatten(1)[:, :, None, None], torch.empty(3, 1024, 1, 1, device="meta")),
        lambda maps: F.relu(maps.sort(dim=3).values) + maps,
    ],
    ids=["sort", "transpose", "uneven windows", "resize", "two strides", "stacked", "mixed channels", "after unknown"],
)
def test_what_cannot_be_told_is_not_guessed(function: Callable[[Tensor], Tensor]) -> None:
    assert of(function).receptive_field is None


def test_an_operation_is_followed_by_name() -> None:
    image = torch.empty(1, 3, 8, 6)
    view = start(image)
    assert [(axis.dim, axis.pixels, axis.size) for axis in view] == [(2, 8, 1), (3, 6, 1)]
    assert follow("relu", [(view, image)], [image], image) == view
    assert follow("relu", [(None, image)], [image], image) is None
    assert follow("roll", [(view, image)], [image, 1], image) is None
