from __future__ import annotations

import socket

import pytest
import torch

from .conftest import is_local


@pytest.mark.parametrize("address", ["/run/a.sock", ("127.0.0.1", 80), ("::1", 80, 0, 0), ("localhost", 80)])
def test_this_machine_is_local(address: object) -> None:
    assert is_local(address)


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443), ("2001:db8::1", 80, 0, 0)])
def test_other_machines_are_not_local(address: object) -> None:
    assert not is_local(address)


def test_a_test_cannot_reach_another_machine() -> None:
    with pytest.raises(OSError, match="may not connect"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_tests_run_on_one_thread() -> None:
    assert torch.get_num_threads() == 1
