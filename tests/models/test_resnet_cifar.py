import pytest
import torch
import torch.nn.functional as F

from cnnlab.errors import UsageError
from cnnlab.models.describe import cost
from cnnlab.models.resnet_cifar import CifarResNet, ZeroPadShortcut, plain20, resnet20


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962), (1202, 19_421_274)],
)
def test_parameters_are_the_papers_for_residual_and_plain_alike(layers: int, parameters: int) -> None:
    with torch.device("meta"):
        assert cost(CifarResNet(layers), 3, 32).parameters == parameters
        assert cost(CifarResNet(layers, shortcut=None), 3, 32).parameters == parameters


def test_a_network_has_6n_plus_2_weighted_layers() -> None:
    for layers, blocks in {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 1202: 200}.items():
        assert layers == 6 * blocks + 2
    weighted = [m for m in resnet20().modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weighted) == 20


def test_option_b_adds_2752_parameters() -> None:
    assert cost(resnet20(shortcut="B"), 3, 32).parameters == 269_722 + 2_752


def test_option_c_projects_every_shortcut() -> None:
    projected = [name for name, _ in resnet20(shortcut="C").named_modules() if name.endswith("downsample.0")]
    assert len(projected) == 9


def test_maps_shrink_and_widen_as_the_table_says() -> None:
    features = resnet20()(torch.zeros(1, 3, 32, 32)), resnet20().features(torch.zeros(1, 3, 32, 32))
    shapes = {name: tuple(value.shape[1:]) for name, value in features[1].items()}
    assert shapes == {
        "stem": (16, 32, 32),
        "layer1": (16, 32, 32),
        "layer2": (32, 16, 16),
        "layer3": (64, 8, 8),
        "pooled": (64,),
    }
    assert features[0].shape == (1, 10)


def test_option_a_takes_every_second_pixel_and_pads_with_zero_channels() -> None:
    maps = torch.randn(2, 16, 8, 8)
    out = ZeroPadShortcut(16, 32, stride=2)(maps)
    torch.testing.assert_close(out[:, 8:24], maps[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_a_block_is_relu_of_branch_plus_shortcut() -> None:
    block = resnet20().layer1[0].eval()
    maps = torch.randn(1, 16, 8, 8)
    branch = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(maps)))))
    torch.testing.assert_close(block(maps.clone()), F.relu(branch + maps))


def test_a_plain_block_is_the_branch_alone() -> None:
    block = plain20().layer1[0].eval()
    maps = torch.randn(1, 16, 8, 8)
    branch = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(maps)))))
    torch.testing.assert_close(block(maps), F.relu(branch))


def test_an_unknown_shortcut_is_refused() -> None:
    with pytest.raises(UsageError, match="'A', 'B', 'C'"):
        CifarResNet(20, shortcut="D")  # type: ignore[arg-type]
