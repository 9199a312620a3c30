import math

import torch
from torch import nn

from cnnlab.data.synthetic import synthetic
from cnnlab.models.resnet_cifar import resnet20
from cnnlab.recipes.recipe import Sgd
from cnnlab.train.optim import build_optimizers
from cnnlab.train.precision import resolve_precision
from cnnlab.train.step import StepResult, train_step

PRECISION = resolve_precision("fp32", torch.device("cpu"))


def take_step(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, lr: float = 0.1) -> StepResult:
    optimizers = build_optimizers(Sgd(lr=lr, momentum=0.0), network, decay_norms_and_biases=True)
    return train_step(network, images, labels, optimizers, PRECISION, PRECISION.scaler(), label_smoothing=0.0)


def test_one_step_of_softmax_regression_by_hand() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[0.5, -0.5], [0.0, 1.0]]))
    image = torch.tensor([[[[1.0, 2.0]]]])
    result = take_step(network, image, torch.tensor([0]))
    logits = (0.5 * 1 - 0.5 * 2, 1.0 * 2)
    p0 = math.exp(logits[0]) / (math.exp(logits[0]) + math.exp(logits[1]))
    gradient = torch.tensor([[p0 - 1, 2 * (p0 - 1)], [1 - p0, 2 * (1 - p0)]])
    expected = torch.tensor([[0.5, -0.5], [0.0, 1.0]]) - 0.1 * gradient
    assert math.isclose(result.loss, -math.log(p0), rel_tol=1e-5)
    assert result.correct == 0
    torch.testing.assert_close(network[1].weight.detach(), expected)


def test_a_loss_that_is_no_number_changes_no_weight() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    before = [p.detach().clone() for p in network.parameters()]
    result = take_step(network, torch.tensor([[[[1.0, float("nan")]]]]), torch.tensor([0]))
    assert not result.finite
    assert all(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


def test_the_loss_falls_on_32_images() -> None:
    torch.manual_seed(0)
    part = synthetic(train_images=32, val_images=0, test_images=0, pixels=16).train
    images = part.images.float().div(255).sub(0.5).contiguous(memory_format=torch.channels_last)
    network = resnet20()
    optimizers = build_optimizers(Sgd(lr=0.05), network, decay_norms_and_biases=True)
    results = [
        train_step(network, images, part.labels, optimizers, PRECISION, PRECISION.scaler(), label_smoothing=0.0)
        for _ in range(25)
    ]
    assert results[-1].loss < results[0].loss / 2
    assert results[-1].correct > results[0].correct


def test_gradients_do_not_pile_up_from_step_to_step() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    take_step(network, torch.ones(1, 1, 1, 2), torch.tensor([0]))
    assert all(p.grad is None for p in network.parameters())
