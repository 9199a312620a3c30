"""Small stand-ins for networks of public repositories: their entries and what is done with them, in our own words.

Each has the names and shapes that files of that repository have, on a network small enough for a test, and computes
what that repository's network computes. Equality with the repositories' own code was checked apart; see
docs/weights.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(
    inputs: int, outputs: int, side: int = 3, stride: int = 1, *, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, groups=groups, bias=bias)


class Parts(nn.Module):
    """Modules by their dotted names, and a function of them and the images."""

    def __init__(
        self, compute: Callable[[Callable[[str, Tensor], Tensor], Tensor], Tensor], **modules: nn.Module
    ) -> None:
        super().__init__()
        self.compute = compute
        for name, module in modules.items():
            place: nn.Module = self
            *outer, last = name.split("__")
            for part in outer:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            place.add_module(last, module)

    def forward(self, images: Tensor) -> Tensor:
        return self.compute(lambda name, maps: self.get_submodule(name)(maps), images)


def random_numbers(network: nn.Module) -> dict[str, Tensor]:
    """Weights that keep maps of one size, and statistics of norms that no other norm has."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.uniform_(0.5, 1.5, generator=draw)
            elif tensor.is_floating_point():
                fan = tensor[0].numel() if tensor.ndim > 1 else 50
                tensor.normal_(0, (2 / fan) ** 0.5, generator=draw)
    return network.state_dict()


def pooled(maps: Tensor) -> Tensor:
    return maps.mean(dim=(2, 3))


def weiaicunzai_resnet18() -> nn.Module:
    modules: dict[str, nn.Module] = {"conv1": nn.Sequential(conv(3, 64), nn.BatchNorm2d(64), nn.ReLU())}
    blocks = []
    inputs = 64
    for stage, width in ((2, 64), (3, 128), (4, 256), (5, 512)):
        for number in range(2):
            stride = 2 if width > inputs else 1
            name = f"conv{stage}_x__{number}"
            modules[f"{name}__residual_function"] = nn.Sequential(
                conv(inputs, width, stride=stride), nn.BatchNorm2d(width), nn.ReLU(), conv(width, width),
                nn.BatchNorm2d(width),
            )  # fmt: skip
            modules[f"{name}__shortcut"] = (
                nn.Sequential(conv(inputs, width, 1, stride), nn.BatchNorm2d(width)) if stride == 2 else nn.Sequential()
            )
            blocks.append(name.replace("__", "."))
            inputs = width
    modules["fc"] = nn.Linear(512, 100)

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = call("conv1", maps)
        for block in blocks:
            maps = F.relu(call(f"{block}.residual_function", maps) + call(f"{block}.shortcut", maps))
        return call("fc", pooled(maps))

    return Parts(compute, **modules)


def xternalz_wrn() -> nn.Module:
    """WRN-10-2."""
    modules: dict[str, nn.Module] = {"conv1": conv(3, 16)}
    inputs = 16
    for number, width in enumerate((32, 64, 128), start=1):
        name = f"block{number}__layer__0"
        modules[f"{name}__bn1"] = nn.BatchNorm2d(inputs)
        modules[f"{name}__conv1"] = conv(inputs, width, stride=1 if number == 1 else 2)
        modules[f"{name}__bn2"] = nn.BatchNorm2d(width)
        modules[f"{name}__conv2"] = conv(width, width)
        modules[f"{name}__convShortcut"] = conv(inputs, width, 1, 1 if number == 1 else 2)
        inputs = width
    modules.update(bn1=nn.BatchNorm2d(128), fc=nn.Linear(128, 10))

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = call("conv1", maps)
        for number in (1, 2, 3):
            name = f"block{number}.layer.0"
            active = F.relu(call(f"{name}.bn1", maps))
            inner = F.relu(call(f"{name}.bn2", call(f"{name}.conv1", active)))
            maps = call(f"{name}.conv2", inner) + call(f"{name}.convShortcut", active)
        return call("fc", pooled(F.relu(call("bn1", maps))))

    return Parts(compute, **modules)


def densenet(
    block: str, *, norm: str = "bn1", transition: str = "1", head: str = "fc", new_first: bool = False
) -> nn.Module:
    """DenseNet-BC with k = 4 and two layers a block; `block` is `dense{}` or `block{}__layer`."""
    modules: dict[str, nn.Module] = {"conv1": conv(3, 8)}
    channels = 8
    for number in (1, 2, 3):
        for layer in range(2):
            name = f"{block.format(number)}__{layer}"
            modules[f"{name}__bn1"], modules[f"{name}__conv1"] = nn.BatchNorm2d(channels), conv(channels, 16, 1)
            modules[f"{name}__bn2"], modules[f"{name}__conv2"] = nn.BatchNorm2d(16), conv(16, 4)
            channels += 4
        if number < 3:
            modules[f"trans{number}__bn{transition}"] = nn.BatchNorm2d(channels)
            modules[f"trans{number}__conv{transition}"] = conv(channels, channels // 2, 1)
            channels //= 2
    modules.update({norm: nn.BatchNorm2d(channels), head: nn.Linear(channels, 10)})

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = call("conv1", maps)
        for number in (1, 2, 3):
            for layer in range(2):
                name = f"{block.format(number)}.{layer}".replace("__", ".")
                new = call(f"{name}.conv1", F.relu(call(f"{name}.bn1", maps)))
                new = call(f"{name}.conv2", F.relu(call(f"{name}.bn2", new)))
                maps = torch.cat([new, maps] if new_first else [maps, new], 1)
            if number < 3:
                name = f"trans{number}"
                maps = call(f"{name}.conv{transition}", F.relu(call(f"{name}.bn{transition}", maps)))
                maps = F.avg_pool2d(maps, 2)
        return call(head, pooled(F.relu(call(norm, maps))))

    return Parts(compute, **modules)


def weiaicunzai_densenet() -> nn.Module:
    """DenseNet-BC with k = 4 and two layers a block, whose transitions have no ReLU."""
    modules: dict[str, nn.Module] = {"conv1": conv(3, 8)}
    order = []
    channels = 8
    for number in range(3):
        block = f"features__dense_block_layer_{number}" if number < 2 else "features__dense_block2"
        for layer in range(2):
            name = f"{block}__bottle_neck_layer_{layer}__bottle_neck"
            modules[name] = nn.Sequential(
                nn.BatchNorm2d(channels), nn.ReLU(), conv(channels, 16, 1), nn.BatchNorm2d(16), nn.ReLU(), conv(16, 4)
            )
            order.append(name.replace("__", "."))
            channels += 4
        if number < 2:
            name = f"features__transition_layer_{number}__down_sample"
            modules[name] = nn.Sequential(nn.BatchNorm2d(channels), conv(channels, channels // 2, 1), nn.AvgPool2d(2))
            order.append(name.replace("__", "."))
            channels //= 2
    modules.update(features__bn=nn.BatchNorm2d(channels), linear=nn.Linear(channels, 100))

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = call("conv1", maps)
        for name in order:
            maps = call(name, maps) if "transition" in name else torch.cat([maps, call(name, maps)], 1)
        return call("linear", pooled(F.relu(call("features.bn", maps))))

    return Parts(compute, **modules)


def prlz77_resnext() -> nn.Module:
    """ResNeXt of one block a stage (11 layers), 2 groups of width 16."""
    modules: dict[str, nn.Module] = {"conv_1_3x3": conv(3, 64), "bn_1": nn.BatchNorm2d(64)}
    inputs = 64
    for stage, outputs in ((1, 256), (2, 512), (3, 1024)):
        name, inner = f"stage_{stage}__stage_{stage}_bottleneck_0", 32 * 2 ** (stage - 1)
        modules[f"{name}__conv_reduce"], modules[f"{name}__bn_reduce"] = conv(inputs, inner, 1), nn.BatchNorm2d(inner)
        modules[f"{name}__conv_conv"] = conv(inner, inner, stride=1 if stage == 1 else 2, groups=2)
        modules[f"{name}__bn"] = nn.BatchNorm2d(inner)
        modules[f"{name}__conv_expand"] = conv(inner, outputs, 1)
        modules[f"{name}__bn_expand"] = nn.BatchNorm2d(outputs)
        modules[f"{name}__shortcut__shortcut_conv"] = conv(inputs, outputs, 1, 1 if stage == 1 else 2)
        modules[f"{name}__shortcut__shortcut_bn"] = nn.BatchNorm2d(outputs)
        inputs = outputs
    modules["classifier"] = nn.Linear(1024, 10)

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = F.relu(call("bn_1", call("conv_1_3x3", maps)))
        for stage in (1, 2, 3):
            name = f"stage_{stage}.stage_{stage}_bottleneck_0"
            inner = F.relu(call(f"{name}.bn_reduce", call(f"{name}.conv_reduce", maps)))
            inner = F.relu(call(f"{name}.bn", call(f"{name}.conv_conv", inner)))
            inner = call(f"{name}.bn_expand", call(f"{name}.conv_expand", inner))
            around = call(f"{name}.shortcut.shortcut_bn", call(f"{name}.shortcut.shortcut_conv", maps))
            maps = F.relu(inner + around)
        return call("classifier", pooled(maps))

    return Parts(compute, **modules)


def pre_activation(
    shortcut: str, widths: tuple[int, ...], *, reads: str, last_norm: bool, head: str, blocks: int
) -> nn.Module:
    """Basic pre-activation units: kuangliu's four stages, or bearpaw's three."""
    modules: dict[str, nn.Module] = {"conv1": conv(3, widths[0])}
    units: list[tuple[str, bool]] = []
    inputs = widths[0]
    for stage, width in enumerate(widths, start=1):
        for number in range(blocks):
            name, stride = f"layer{stage}__{number}", 1 if stage == 1 or number else 2
            modules[f"{name}__bn1"] = nn.BatchNorm2d(inputs)
            modules[f"{name}__conv1"] = conv(inputs, width, stride=stride)
            modules[f"{name}__bn2"], modules[f"{name}__conv2"] = nn.BatchNorm2d(width), conv(width, width)
            if stride == 2:
                modules[f"{name}__{shortcut}__0"] = conv(inputs, width, 1, 2)
            units.append((name.replace("__", "."), stride == 2))
            inputs = width
    modules |= {"bn": nn.BatchNorm2d(inputs)} if last_norm else {}
    modules[head] = nn.Linear(inputs, 10)

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = call("conv1", maps)
        for name, changes in units:
            active = F.relu(call(f"{name}.bn1", maps))
            around = call(f"{name}.{shortcut}.0", active if reads == "activated" else maps) if changes else maps
            inner = call(f"{name}.conv2", F.relu(call(f"{name}.bn2", call(f"{name}.conv1", active))))
            maps = inner + around
        return call(head, pooled(F.relu(call("bn", maps)) if last_norm else maps))

    return Parts(compute, **modules)


def tutorial_lenet() -> nn.Module:
    modules = {
        "conv1": nn.Conv2d(3, 6, 5), "conv2": nn.Conv2d(6, 16, 5), "fc1": nn.Linear(400, 120),
        "fc2": nn.Linear(120, 84), "fc3": nn.Linear(84, 10),
    }  # fmt: skip

    def compute(call: Callable[[str, Tensor], Tensor], maps: Tensor) -> Tensor:
        maps = F.max_pool2d(F.relu(call("conv1", maps)), 2)
        maps = F.max_pool2d(F.relu(call("conv2", maps)), 2)
        return call("fc3", F.relu(call("fc2", F.relu(call("fc1", maps.flatten(1))))))

    return Parts(compute, **modules)


def d2l_lenet() -> nn.Module:
    layers = (
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(),
        nn.Linear(84, 10),
    )  # fmt: skip
    return nn.Sequential(OrderedDict(net=nn.Sequential(*layers)))


def fbresnet18() -> nn.Module:
    """torchvision's ResNet-18 with a bias in every convolution, and Cadene's name of the last layer."""
    import torchvision

    network = torchvision.models.resnet18(num_classes=10)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            place = network.get_submodule(name.rpartition(".")[0])
            twin = nn.Conv2d(
                module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding, bias=True
            )
            setattr(place, name.rpartition(".")[2], twin)
    network.last_linear = network.fc
    del network.fc
    network.fc = network.last_linear
    return network
