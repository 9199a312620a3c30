from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from cnnlab.data.preprocess import measure, normalise
from cnnlab.data.synthetic import synthetic
from cnnlab.explain.methods import Method
from cnnlab.explain.sanity import LEARNED, randomised, rank_correlation, sanity
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network

from .networks import Tiny


def test_rank_correlation_is_scipys_with_ties_too() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randint(9, (5, 6, 7), generator=generator).float() for _ in range(2))
    found = rank_correlation(first, second)
    for ours, a, b in zip(found.tolist(), first.numpy(), second.numpy(), strict=True):
        assert ours == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(first, first**3).tolist() == pytest.approx([1.0] * 5)
    assert rank_correlation(torch.zeros(1, 4), torch.rand(1, 4)).tolist() == [0.0]


def test_layers_become_random_from_the_last_to_the_first() -> None:
    network = Tiny()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    changed: list[list[str]] = []
    for _, each in randomised(network):
        state = each.state_dict()
        changed.append(sorted({name.split(".")[0] for name in state if not torch.equal(state[name], before[name])}))
    assert changed == [["classifier"], ["classifier", "conv2"], ["classifier", "conv1", "conv2"]]
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    sizes = [np.sort(each.numpy().ravel()) for each in (before["conv1.weight"], state["conv1.weight"])]
    assert np.array_equal(*sizes)  # the same numbers in other places


@pytest.fixture(scope="module")
def learned() -> tuple[Network, torch.Tensor, torch.Tensor]:
    """A small ResNet that tells the synthetic shapes apart, and images it has not seen."""
    torch.manual_seed(0)
    parts = synthetic(640, 0, 24, pixels=32)
    preprocess = measure(parts.train.images)
    network = create_model("resnet_matlab", num_classes=10)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    images = normalise(parts.train.images, preprocess)
    for step in range(60):
        chosen = (torch.arange(32) + 32 * step) % 640
        F.cross_entropy(network(images[chosen]), parts.train.labels[chosen]).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert parts.test is not None
    seen, labels = normalise(parts.test.images, preprocess), parts.test.labels
    network.eval()
    with torch.no_grad():
        right = network(seen).argmax(1) == labels
    assert int(right.sum()) >= 8  # it has learned something to be randomised away
    return network, seen[right][:8], labels[right][:8]


@pytest.mark.parametrize("method", [Method.GRAD_CAM, Method.LAYER_CAM, Method.GRADIENT])
def test_maps_depend_on_what_was_learned(method: Method, learned: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    found = sanity(*learned, method=method, layer="layer2" if method is not Method.GRADIENT else None)
    assert found[0][0] == "fc"
    assert abs(found[-1][1]) < LEARNED


def test_a_map_that_ignores_the_network_is_found_out(
    learned: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.explain.sanity.heat_map", lambda network, images, targets, **_: images[:, 0].abs())
    assert sanity(*learned, method=Method.GRADIENT)[-1][1] == pytest.approx(1)
