import copy

import pytest
import torch
from torch import nn

from cnnlab.recipes.recipe import Ema, Polyak
from cnnlab.train.average import averaged_copy, new_share, update_average, update_average_on_device


def test_the_average_moves_by_hand_computed_shares() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = averaged_copy(network)
    with torch.no_grad():
        average.weight.fill_(1.0)
        network.weight.fill_(3.0)
    update_average(average, network, new_share(Ema(decay=0.9), step=10_000, averaged=0))
    torch.testing.assert_close(average.weight, torch.tensor([[1.2]]))
    update_average(average, network, new_share(Ema(decay=0.9), step=1, averaged=1))  # early: the decay is 2 / 11
    torch.testing.assert_close(average.weight, torch.tensor([[1.2 + (3 - 1.2) * 9 / 11]]))


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    network = nn.BatchNorm1d(2)
    average = averaged_copy(network)
    network(torch.randn(8, 2) + 5)
    update_average(average, network, share=0.5)
    torch.testing.assert_close(average.running_mean, network.running_mean / 2)
    assert int(average.num_batches_tracked) == 1


def test_the_average_is_apart_from_the_network_and_never_trained() -> None:
    network = nn.Linear(2, 2)
    average = averaged_copy(network)
    with torch.no_grad():
        network.weight.add_(1.0)
    assert not torch.equal(average.weight, network.weight)
    assert not any(p.requires_grad for p in average.parameters())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.8, 1.0])
def test_a_share_on_the_device_does_the_same_to_the_last_bit(share: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 40, 3), nn.BatchNorm2d(40)).to(memory_format=torch.channels_last)
    plain = averaged_copy(network)
    network(torch.randn(2, 3, 8, 8))
    with torch.no_grad():
        network[0].weight.add_(torch.randn_like(network[0].weight))
    on_device = copy.deepcopy(plain)
    if share:
        update_average(plain, network, share)
    update_average_on_device(on_device, network, torch.tensor(share))
    for name, value in plain.state_dict().items():
        assert torch.equal(on_device.state_dict()[name], value), name
    assert int(on_device[1].num_batches_tracked) == bool(share)


def test_polyaks_average_is_the_plain_mean() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = averaged_copy(network)
    for averaged, value in enumerate((1.0, 2.0, 6.0)):
        with torch.no_grad():
            network.weight.fill_(value)
        update_average(average, network, new_share(Polyak(), step=99, averaged=averaged))
    torch.testing.assert_close(average.weight, torch.tensor([[3.0]]))
