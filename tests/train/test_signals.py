import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from cnnlab.train.signals import StopRequest


@pytest.fixture
def restored_interrupt() -> Iterator[None]:
    """Ctrl-C as Python begins with it: a shell's background jobs, such as a test run may be, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_program_goes_on(number: signal.Signals) -> None:
    with StopRequest() as stop:
        assert stop.name is None
        os.kill(os.getpid(), number)
        assert stop.name == number.name


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_ctrl_c_acts_at_once(restored_interrupt: None) -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.name == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_sigterm_ends_the_process() -> None:
    code = (
        "import os, signal\nfrom cnnlab.train.signals import StopRequest\n"
        "with StopRequest():\n    os.kill(os.getpid(), 15)\n    os.kill(os.getpid(), 15)\n    print('alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stdout == ""


def test_other_threads_leave_signals_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with StopRequest() as stop:
            seen.append(stop.name)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
