from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.residual_units import BRANCHES, ResidualUnit, residual_units
from cnnlab.models.resnet_cifar import resnet20


def test_original_units_with_the_identity_are_resnet20() -> None:
    ours, other = residual_units().eval(), resnet20().eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), other.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 16, 16)
    assert torch.allclose(ours(images), other(images), atol=1e-5)


@pytest.mark.parametrize("unit", BRANCHES)
def test_the_branch_has_the_papers_order(unit: str) -> None:
    letters = {nn.Conv2d: "C", nn.BatchNorm2d: "B", nn.ReLU: "R"}
    made = ResidualUnit(4, 4, 1, unit, "identity", 0.0)  # type: ignore[arg-type]
    assert "".join(letters[type(each)] for each in made.branch) == BRANCHES[unit]  # type: ignore[index]
    assert residual_units(layers=8, unit=unit)(torch.randn(2, 3, 8, 8)).shape == (2, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shortcut", "of_input", "of_branch"),
    [
        ("identity", 1.0, 1.0),
        ("scaled", 0.5, 0.5),
        ("exclusive_gate", 1 - 0.1192029, 0.1192029),  # sigmoid(-2)
        ("shortcut_gate", 1 - 0.1192029, 1.0),
    ],
)
def test_the_sum_is_the_papers(shortcut: str, of_input: float, of_branch: float) -> None:
    unit = ResidualUnit(4, 4, 1, "relu_before", shortcut, -2.0).eval()  # type: ignore[arg-type]
    if unit.gate is not None:
        nn.init.zeros_(unit.gate.weight)
    maps = torch.randn(2, 4, 6, 6)
    assert torch.allclose(unit(maps), of_input * maps + of_branch * unit.branch(maps), atol=1e-5)


def test_a_convolution_stands_on_every_shortcut_and_dropout_only_drops_in_training() -> None:
    convolved = residual_units(layers=8, shortcut="conv1x1")
    kernels = [each.kernel_size for each in convolved.modules() if isinstance(each, nn.Conv2d)]
    assert kernels.count((1, 1)) == 3
    unit = ResidualUnit(4, 4, 1, "relu_before", "dropout", 0.0)
    for norm in (each for each in unit.branch if isinstance(each, nn.BatchNorm2d)):
        nn.init.zeros_(norm.weight)  # the branch becomes 0
    maps = torch.ones(2, 4, 6, 6)
    assert set(unit(maps).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(unit.eval()(maps), maps)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"layers": 9}, "9 layers"), ({"unit": "ful"}, "did you mean 'full'"), ({"shortcut": "scale"}, "'scaled'")],
)
def test_what_it_cannot_be_is_refused(options: dict[str, int | str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        residual_units(**options)  # type: ignore[arg-type]
