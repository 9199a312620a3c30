import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.data.synthetic import synthetic
from cnnlab.models.layers import Network
from cnnlab.models.precision import resolve_precision
from cnnlab.models.resnet_cifar import resnet20
from cnnlab.recipes.recipe import ClipNorm, CrossEntropy, Sgd
from cnnlab.train.losses import build_loss
from cnnlab.train.optim import build_optimizers
from cnnlab.train.step import Rule, StepResult, plain_forward, train_step

PRECISION = resolve_precision("fp32", torch.device("cpu"))
RULE = Rule(build_loss(CrossEntropy()), PRECISION)


def take_step(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, lr: float = 0.1) -> StepResult:
    optimizers = build_optimizers(Sgd(lr=lr, momentum=0.0), network, decay_norms_and_biases=True)
    return train_step(network, plain_forward(network), images, labels, optimizers, PRECISION.scaler(), RULE)


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
        train_step(network, plain_forward(network), images, part.labels, optimizers, PRECISION.scaler(), RULE)
        for _ in range(25)
    ]
    assert results[-1].loss < results[0].loss / 2
    assert results[-1].correct > results[0].correct


def test_gradients_do_not_pile_up_from_step_to_step() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    take_step(network, torch.ones(1, 1, 1, 2), torch.tensor([0]))
    assert all(p.grad is None for p in network.parameters())


class WithAux(Network):
    """A linear network with one auxiliary head."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier, self.head_ = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(images.flatten(1))

    def forward_with_aux(self, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return self(images), {"aux": self.head_(images.flatten(1))}


def sgd(network: nn.Module) -> list[torch.optim.Optimizer]:
    return build_optimizers(Sgd(lr=0.1, momentum=0.0), network, decay_norms_and_biases=True)


IMAGES = torch.randn(4, 1, 1, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 1, 1])


def test_auxiliary_heads_count_their_weight_and_are_told_apart() -> None:
    torch.manual_seed(0)
    network = WithAux()
    optimizers = sgd(network)
    logits, aux = network.forward_with_aux(IMAGES)
    main, side = F.cross_entropy(logits, LABELS), F.cross_entropy(aux["aux"], LABELS)
    (main + 0.3 * side).backward()
    expected = [p.detach() - 0.1 * p.grad for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    rule = replace(RULE, aux_weight=0.3)
    result = train_step(network, network.forward_with_aux, IMAGES, LABELS, optimizers, PRECISION.scaler(), rule)
    assert result.loss == main.item()
    assert result.aux_losses == {"aux": side.item()}
    for parameter, value in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value)


def test_an_auxiliary_loss_that_is_no_number_stops_the_step_too() -> None:
    network = WithAux()
    with torch.no_grad():
        network.head_.bias.fill_(float("nan"))
    before = network.classifier.weight.detach().clone()
    rule = replace(RULE, aux_weight=0.3)
    result = train_step(network, network.forward_with_aux, IMAGES, LABELS, sgd(network), PRECISION.scaler(), rule)
    assert not result.finite
    assert torch.equal(network.classifier.weight, before)


def test_pieces_of_a_batch_make_the_same_update_as_the_whole() -> None:
    results = []
    for pieces in (1, 2, 4):
        torch.manual_seed(0)
        network = WithAux()
        rule = replace(RULE, pieces=pieces)
        result = train_step(network, plain_forward(network), IMAGES, LABELS, sgd(network), PRECISION.scaler(), rule)
        results.append((result, network.classifier.weight.detach()))
    for result, weight in results[1:]:
        assert result.correct == results[0][0].correct
        assert math.isclose(result.loss, results[0][0].loss, rel_tol=1e-5)
        torch.testing.assert_close(weight, results[0][1])


def test_gradients_are_clipped_before_the_update() -> None:
    network = WithAux()
    before = torch.cat([p.detach().flatten() for p in network.parameters()])
    rule = replace(RULE, clip=ClipNorm(norm=0.01))
    train_step(network, plain_forward(network), IMAGES, LABELS, sgd(network), PRECISION.scaler(), rule)
    moved = torch.cat([p.detach().flatten() for p in network.parameters()]) - before
    assert math.isclose(moved.norm().item(), 0.1 * 0.01, rel_tol=1e-3)


def test_shares_of_several_classes_are_trained_on_and_counted_by_the_largest() -> None:
    network = WithAux()
    shares = torch.tensor([[0.9, 0.1, 0.0]] * 4)
    with torch.no_grad():
        network.classifier.bias.copy_(torch.tensor([50.0, 0.0, 0.0]))
    result = train_step(network, plain_forward(network), IMAGES, shares, sgd(network), PRECISION.scaler(), RULE)
    assert result.correct == 4
