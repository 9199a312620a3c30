import numpy as np
import pytest
import torch

from cnnlab.data.upload import SideStream, upload

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_an_array_and_a_tensor_arrive_as_they_are(device: str) -> None:
    values = np.arange(12).reshape(3, 4)[:, ::-1]
    for given in (values, torch.from_numpy(values.copy()), upload(values, torch.device(device))):
        there = upload(given, torch.device(device))
        assert there.device.type == device
        assert there.tolist() == values.tolist()


@pytest.mark.parametrize("device", DEVICES)
def test_what_comes_beside_is_finished_before_it_is_taken(device: str) -> None:
    side = SideStream(torch.device(device))
    tensor = torch.arange(1000, dtype=torch.uint8)
    given = tensor.pin_memory() if device == "cuda" else tensor.clone()
    arrived = side.begin(given, lambda there: there.add_(1)).take()
    assert arrived.device.type == device
    assert torch.equal(arrived.cpu(), tensor + 1)
    assert torch.equal(side.begin(tensor).take().cpu(), tensor)


def test_an_error_in_finishing_comes_to_who_asked() -> None:
    def fail(_: torch.Tensor) -> None:
        raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        SideStream(torch.device("cpu")).begin(torch.zeros(1), fail)
