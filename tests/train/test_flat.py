import torch
from torch import Tensor, nn

from cnnlab.train.flat import Flat


def some_tensors() -> list[Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(3, 4),
        torch.tensor(7),
        torch.randn(2, 3, 5, 5).contiguous(memory_format=torch.channels_last),
        torch.randn(6, 4)[:, ::2],  # with gaps
        torch.tensor(2.5),
        torch.zeros(0, 3),
        nn.Parameter(torch.randn(4)),
        torch.randn(8, 2).T,
    ]


def test_what_is_gathered_is_one_tensor_a_format_and_a_copy() -> None:
    tensors = some_tensors()
    flat = Flat(tensors)
    assert flat.formats == (torch.float32, torch.int64)
    floats, whole = flat.gather()
    assert floats.shape == (12 + 150 + 12 + 1 + 4 + 16,)
    assert whole.tolist() == [7]
    tensors[0].zero_()
    assert not torch.equal(floats, flat.gather()[0])


def test_scattering_what_was_gathered_puts_all_back_to_the_last_bit() -> None:
    tensors = some_tensors()
    flat, before = Flat(tensors), [each.detach().clone() for each in tensors]
    gathered = flat.gather()
    with torch.no_grad():
        for each in tensors:
            each.fill_(9)
    flat.scatter(gathered)
    assert all(torch.equal(each.detach(), old) for each, old in zip(tensors, before, strict=True))


def test_a_truth_value_decides_what_stays() -> None:
    for kept in (True, False):
        tensors = some_tensors()
        flat, before = Flat(tensors), [each.detach().clone() for each in tensors]
        gathered = flat.gather()
        with torch.no_grad():
            for each in tensors:
                each.fill_(float("nan") if each.is_floating_point() else 9)
        flat.keep_where(torch.tensor(kept), gathered)
        for each, old in zip(tensors, before, strict=True):
            if kept and each.numel():
                assert not torch.equal(each.detach(), old)
            else:
                assert torch.equal(each.detach(), old)


def test_the_weights_of_a_network_lie_in_one_order() -> None:
    one = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    other = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    Flat(other.parameters()).scatter(Flat(one.parameters()).gather())
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)


def test_nothing_is_one_of_nothing() -> None:
    flat = Flat([])
    assert flat.gather() == []
    flat.keep_where(torch.tensor(False), [])
