from __future__ import annotations

import json
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.explain.flow import (
    ACTIVATIONS,
    Flow,
    StepFlow,
    activation_statistics,
    from_dict,
    has_weight,
    is_residual,
    norm_drift,
    to_dict,
)
from cnnlab.models.catalog import create_model

from .networks import Tiny, chain, seeded


def step(network: nn.Module, images: Tensor, labels: Tensor, lr: float = 0.1) -> dict[str, Tensor]:
    """One plain update; returns the gradients by parameter."""
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    F.cross_entropy(network(images), labels).backward()
    gradients = {name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None}
    optimizer.step()
    optimizer.zero_grad()
    return gradients


def seen(network: nn.Module, images: Tensor, labels: Tensor, lr: float = 0.1) -> tuple[StepFlow, dict[str, Tensor]]:
    flow = Flow(network, every=1)
    flow.before_step(0)
    gradients = step(network, images, labels, lr)
    found = flow.after_step(0)
    assert found is not None
    return found, gradients


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(8, 3, 8, 8, generator=generator), torch.arange(8) % 3


def test_every_number_is_what_plain_torch_says(batch: tuple[Tensor, Tensor]) -> None:
    network = seeded(Tiny)
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    with torch.no_grad():
        first = torch.relu(network.conv1(batch[0]))
    found, gradients = seen(network, *batch)
    assert [each.name for each in found.layers] == ["conv1", "conv2", "classifier"]
    assert [each.activation for each in found.layers] == ["relu", "relu", ""]
    for each in found.layers:
        weight = f"{each.name}.weight"
        change = dict(network.named_parameters())[weight].detach() - before[weight]
        assert each.weight_norm == pytest.approx(float(before[weight].norm()), rel=1e-5)
        assert each.gradient_norm == pytest.approx(float(gradients[weight].norm()), rel=1e-5)
        assert each.update_ratio == pytest.approx(float(change.norm() / before[weight].norm()), rel=1e-4)
    conv1 = found.layers[0]
    assert conv1.mean == pytest.approx(float(first.mean()), rel=1e-5)
    assert conv1.deviation == pytest.approx(float(first.std(unbiased=False)), rel=1e-4)
    assert found.image_mean == pytest.approx(float(batch[0].mean()), abs=1e-6)
    assert found.image_deviation == pytest.approx(float(batch[0].std(unbiased=False)), rel=1e-5)


def test_watching_changes_nothing_and_leaves_no_hook(batch: tuple[Tensor, Tensor]) -> None:
    networks = [create_model("resnet20", num_classes=3) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    step(networks[0], *batch)
    seen(networks[1], *batch)
    for one, other in zip(networks[0].state_dict().values(), networks[1].state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in networks[1].modules())
    assert not any(each._post_accumulate_grad_hooks for each in networks[1].parameters())


def test_only_every_nth_step_is_watched(batch: tuple[Tensor, Tensor]) -> None:
    network = seeded(Tiny)
    flow = Flow(network, every=3)
    found = []
    for number in range(7):
        flow.before_step(number)
        assert bool(network.conv1._forward_hooks) == (number % 3 == 0)
        step(network, *batch)
        found.append(flow.after_step(number))
    assert [each.step for each in found if each is not None] == [0, 3, 6]


def test_closing_takes_a_half_done_sample_away(batch: tuple[Tensor, Tensor]) -> None:
    network = seeded(Tiny)
    flow = Flow(network, every=1)
    flow.before_step(0)
    flow.close()
    assert not network.conv1._forward_hooks
    assert flow.after_step(0) is None


def test_nothing_run_gives_no_record() -> None:
    flow = Flow(Tiny(), every=1)
    flow.before_step(0)
    assert flow.after_step(0) is None


def test_scaled_gradients_are_scaled_back(batch: tuple[Tensor, Tensor]) -> None:
    def norms(scale: float) -> list[float]:
        network = seeded(Tiny)
        flow = Flow(network, every=1)
        flow.before_step(0)
        (scale * F.cross_entropy(network(batch[0]), batch[1])).backward()
        found = flow.after_step(0, gradient_scale=scale)
        assert found is not None
        return [each.gradient_norm for each in found.layers]

    assert norms(1024.0) == pytest.approx(norms(1.0), rel=1e-5)


def test_a_record_survives_json(batch: tuple[Tensor, Tensor]) -> None:
    found, _ = seen(create_model("resnet20", num_classes=3), *batch)
    assert from_dict(json.loads(json.dumps(to_dict(found)))) == found


def test_residual_blocks_tell_shortcut_and_branch(batch: tuple[Tensor, Tensor]) -> None:
    network = create_model("resnet20", num_classes=3)
    inputs: list[Tensor] = []
    branches: list[Tensor] = []
    block = network.get_submodule("layer1.1")
    block.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach().clone()))
    network.get_submodule("layer1.1.bn2").register_forward_hook(lambda *it: branches.append(it[2].detach().clone()))
    found, _ = seen(network, *batch)
    told = {each.name: each for each in found.blocks}
    assert len(told) == 9
    assert told["layer1.1"].shortcut == pytest.approx(float(inputs[0].square().mean().sqrt()), rel=1e-4)
    assert told["layer1.1"].branch == pytest.approx(float(branches[0].square().mean().sqrt()), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "blocks"), [("plain20", 0), ("resnet20", 9), ("resnetv2_110", 54), ("wrn16_8", 6), ("seresnet50", 16)]
)
def test_residual_blocks_are_known_in_every_family(name: str, blocks: int) -> None:
    with torch.device("meta"):
        network = create_model(name)
    assert sum(is_residual(each) for each in network.modules()) == blocks


def test_highway_gates_start_as_open_as_their_bias_says(batch: tuple[Tensor, Tensor]) -> None:
    found, _ = seen(create_model("highway19", num_classes=3), *batch)
    assert len(found.gates) == 14
    for gate in found.gates:
        assert gate.openness == pytest.approx(1 / (1 + math.exp(2)), abs=0.03)
    assert len(found.without_gates) == len(found.layers) - 14


def test_norms_tell_mode_batches_and_drift() -> None:
    norm = nn.BatchNorm2d(2)
    values = torch.randn(32, 2, 6, 6, generator=torch.Generator().manual_seed(1)) * 3 + 10
    drift, ratio, batches = norm_drift(norm, values).tolist()
    assert (round(drift), batches) == (10, 0)
    assert ratio == pytest.approx(3, rel=0.1)
    for _ in range(200):
        norm(values)
    assert norm_drift(norm, values)[0] < 0.01


def test_norms_in_evaluation_mode_are_seen(batch: tuple[Tensor, Tensor]) -> None:
    network = create_model("resnet20", num_classes=3)
    network.bn1.eval()
    found, _ = seen(network, *batch)
    assert [each.name for each in found.norms if not each.training] == ["bn1"]


def test_statistics_of_known_values() -> None:
    values = torch.tensor([[[0.0], [2.0]], [[0.0], [4.0]]])  # channel 0 is dead, channel 1 differs by 2
    mean, deviation, variation, dead, saturated = activation_statistics(values, "relu").tolist()
    assert (mean, dead, saturated) == (1.5, 0.5, 0.0)
    assert deviation == pytest.approx(values.std(unbiased=False).item())
    assert variation == pytest.approx(math.sqrt(0.5 / 5.0))
    alike = torch.ones(4, 3, 2, 2)
    assert activation_statistics(alike, "")[2] == 0
    assert activation_statistics(alike[:1], "")[2] == 1  # one image: no variation to see
    ends = torch.tensor([[0.001], [0.999], [0.5], [0.9]])
    assert activation_statistics(ends, "sigmoid")[4] == 0.5
    assert activation_statistics(torch.tensor([[-0.99], [0.99], [0.5], [0.0]]), "tanh")[4] == 0.5


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU])
def test_activations_are_known_as_modules_and_as_functions(
    activation: type[nn.Module], batch: tuple[Tensor, Tensor]
) -> None:
    found, _ = seen(chain(3, activation), *batch)
    assert found.layers[0].activation in ACTIVATIONS.values()
    assert found.layers[0].activation == activation.__name__.lower()


def test_what_has_a_weight() -> None:
    frozen = nn.Linear(2, 2).requires_grad_(False)
    assert [has_weight(each) for each in (nn.Conv2d(1, 1, 1), nn.BatchNorm2d(3), nn.ReLU(), frozen)] == [
        *(True, False, False, False)
    ]
