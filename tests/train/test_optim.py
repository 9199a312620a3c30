from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.recipes.recipe import CAFFE_BIASES, AdamW, Multiply, Muon, RmsProp, Sgd
from cnnlab.train.optim import (
    ConvMuon,
    build_optimizers,
    in_use,
    orthogonal,
    orthogonal_padded,
    orthogonalise,
    put_rates_on,
    set_lr,
    slow_body,
)


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 5)
    )


def train_once(network: nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    network(images).square().mean().backward()
    for optimizer in optimizers:
        optimizer.step()


def test_sgd_with_momentum_and_decay_follows_the_formula_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    network = nn.Module()
    network.register_parameter("weight", weight)
    recipe = Sgd(lr=0.1, momentum=0.9, weight_decay=0.01)
    (optimizer,) = build_optimizers(recipe, network, decay_norms_and_biases=True)
    velocity, expected = torch.zeros(2), weight.detach().clone()
    for gradient in (torch.tensor([0.5, 0.5]), torch.tensor([-1.0, 2.0])):
        weight.grad = gradient.clone()
        optimizer.step()
        velocity = 0.9 * velocity + gradient + 0.01 * expected
        expected = expected - 0.1 * velocity
    torch.testing.assert_close(weight.detach(), expected)


@pytest.mark.parametrize("recipe", [Sgd(lr=0.1), AdamW(lr=0.01), RmsProp(lr=0.01), Muon(lr=0.1, rest=Sgd(lr=0.1))])
def test_every_parameter_is_updated_exactly_once(recipe: Sgd | AdamW | RmsProp | Muon) -> None:
    network = small_network()
    optimizers = build_optimizers(recipe, network, decay_norms_and_biases=True)
    owned = [p for each in optimizers for group in each.param_groups for p in group["params"]]
    assert sorted(map(id, owned)) == sorted(id(p) for p in network.parameters())
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    train_once(network, optimizers)
    unchanged = [name for name, p in network.named_parameters() if torch.equal(p, before[name])]
    # Shifting the input of a batch normalisation changes nothing, so its convolution's bias has no gradient.
    assert set(unchanged) <= {"0.bias"}


def test_norms_and_biases_are_spared_the_decay_when_asked() -> None:
    (optimizer,) = build_optimizers(Sgd(lr=0.1, weight_decay=0.5), small_network(), decay_norms_and_biases=False)
    decays = {p.ndim > 1: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decays == {True: 0.5, False: 0.0}


def test_muon_takes_the_convolutions_and_leaves_the_rest_to_sgd() -> None:
    recipe = Muon(lr=0.1, rest=Sgd(lr=0.2), linear=Sgd(lr=0.3))
    optimizers = build_optimizers(recipe, small_network(), decay_norms_and_biases=True)
    found = [({p.ndim for p in group["params"]}, group["lr"]) for each in optimizers for group in each.param_groups]
    assert found == [({4}, 0.1), ({2}, 0.3), ({1}, 0.2)]


def test_set_lr_scales_each_groups_own_rate() -> None:
    optimizers = build_optimizers(Muon(lr=0.1, rest=Sgd(lr=0.2)), small_network(), decay_norms_and_biases=True)
    set_lr(optimizers, 0.5)
    assert [group["lr"] for each in optimizers for group in each.param_groups] == pytest.approx([0.05, 0.1, 0.1])


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 6, 6)])
def test_newton_schulz_brings_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices, steps=8))
    assert values.shape[-1] == min(shape[1:])
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3


def test_newton_schulz_of_a_batch_equals_one_by_one() -> None:
    matrices = torch.randn(4, 5, 9, generator=torch.Generator().manual_seed(0))
    singly = torch.cat([orthogonalise(each[None], steps=3) for each in matrices])
    torch.testing.assert_close(orthogonalise(matrices, steps=3), singly)


def test_muons_first_step_by_hand() -> None:
    bank = nn.Parameter(torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)))
    gradient = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    before = bank.detach().clone()
    bank.grad = gradient.clone()
    ConvMuon([bank], lr=0.1, momentum=0.5, newton_schulz_steps=3).step()
    direction = orthogonalise(1.5 * gradient.flatten(1)[None], steps=3)[0].view_as(bank)
    expected = before * 2.0 / before.norm() - 0.1 * direction
    torch.testing.assert_close(bank.detach(), expected)


def test_caffes_biases_have_twice_the_rate_and_no_decay() -> None:
    network = small_network()
    (optimizer,) = build_optimizers(
        Sgd(lr=0.1, weight_decay=0.5), network, decay_norms_and_biases=True, multiply=(CAFFE_BIASES,)
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(p)]: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]
    }
    assert found["0.weight"] == found["1.weight"] == (0.1, 0.5)
    assert found["0.bias"] == found["1.bias"] == found["5.bias"] == (0.2, 0.0)
    set_lr([optimizer], 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.05, 0.1}


def test_patterns_that_both_match_are_multiplied() -> None:
    multiply = (Multiply(parameters="5.*", lr=10.0, decay=3.0), Multiply(parameters="*.bias", lr=2.0, decay=0.0))
    (optimizer,) = build_optimizers(
        Sgd(lr=0.1, weight_decay=0.5), small_network(), decay_norms_and_biases=True, multiply=multiply
    )
    found = {(round(group["lr"], 9), group["weight_decay"]) for group in optimizer.param_groups}
    assert found == {(0.1, 0.5), (0.2, 0.0), (1.0, 1.5), (2.0, 0.0)}


def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"called '5.weigth'; there are 5.weight"):
        build_optimizers(
            Sgd(lr=0.1), small_network(), decay_norms_and_biases=True, multiply=(Multiply(parameters="5.weigth"),)
        )


def test_layers_of_another_rate_are_trained_at_it_by_muon_too() -> None:
    multiply = (Multiply(parameters="3.*", lr=0.5),)
    recipe = Muon(lr=0.1, rest=Sgd(lr=0.2))
    optimizers = build_optimizers(recipe, small_network(), decay_norms_and_biases=True, multiply=multiply)
    rates = [sorted({group["lr"] for group in each.param_groups}) for each in optimizers]
    assert rates == [[0.05, 0.1], [0.2], [0.1, 0.2]]


@pytest.mark.parametrize(
    ("model", "last"),
    [("resnet20", ["fc.weight", "fc.bias"]), ("alexnet", ["classifier.6.weight", "classifier.6.bias"])],
)
def test_all_layers_but_the_last_are_slow(model: str, last: list[str]) -> None:
    network = create_model(model)
    multiply = slow_body(network, 0.1)
    (optimizer,) = build_optimizers(Sgd(lr=0.5), network, decay_norms_and_biases=True, multiply=multiply)
    set_lr([optimizer], 0.5)
    lr = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    for name, parameter in network.named_parameters():
        assert lr[id(parameter)] == pytest.approx(0.25 if name in last else 0.025), name


def test_an_optimizer_whose_parameters_are_all_frozen_is_not_in_use() -> None:
    network = small_network()
    muon = build_optimizers(Muon(lr=0.1, rest=Sgd(lr=0.1)), network, decay_norms_and_biases=True)
    assert in_use(muon) == muon
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.ndim < 3)
    assert in_use(muon) == muon[1:]


@pytest.mark.parametrize(
    "recipe",
    [Sgd(lr=0.1, momentum=0.9, weight_decay=1e-3), AdamW(lr=0.01), Muon(lr=0.1, rest=Sgd(lr=0.1), linear=Sgd(lr=0.1))],
    ids=["sgd", "adamw", "muon"],
)
def test_rates_held_on_the_device_do_the_same_to_the_last_bit(recipe: Sgd | AdamW | Muon) -> None:
    networks = [small_network() for _ in range(2)]
    optimizers = [build_optimizers(recipe, each, decay_norms_and_biases=True) for each in networks]
    put_rates_on(optimizers[1], torch.device("cpu"))
    held = [group["lr"] for each in optimizers[1] for group in each.param_groups]
    for step in range(4):
        for network, its in zip(networks, optimizers, strict=True):
            set_lr(its, 1 - step / 7)
            train_once(network, its)
    assert [group["lr"] for each in optimizers[1] for group in each.param_groups] == held  # the same tensors
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(one, other)


SHAPES = ((64, 27), (16, 72), (8, 8), (16, 72), (30, 7))


@pytest.mark.parametrize(
    ("half", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 3e-3), (torch.bfloat16, 3e-2)], ids=str
)
@pytest.mark.parametrize("together", [orthogonal, orthogonal_padded])
def test_matrices_in_a_half_format_come_to_the_same(
    together: Callable[..., list[torch.Tensor]], half: torch.dtype, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    scales = (1e-6, 1.0, 1e-3, 1e4, 1.0)  # of gradients, most of which float16 does not hold
    given = [torch.randn(shape, generator=generator) * scale for shape, scale in zip(SHAPES, scales, strict=True)]
    found = together(given, 3, half)
    for one, other in zip(found, orthogonal(given, 3), strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < tolerance


def test_muon_in_a_half_format_is_near_the_whole_one() -> None:
    networks = [small_network() for _ in range(2)]
    recipe = Muon(lr=0.1, rest=Sgd(lr=0.1))
    for network, half in zip(networks, (None, torch.bfloat16), strict=True):
        train_once(network, build_optimizers(recipe, network, decay_norms_and_biases=True, half=half))
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.01)
