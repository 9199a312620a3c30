"""Asked to stop: Ctrl-C and SIGTERM finish the step, save, and leave; a second one leaves at once.

SIGUSR1 asks for a checkpoint at the end of the step, and training goes on.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAVE_SIGNALS = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()  # POSIX


class StopRequest:
    """While this is open, the first SIGINT or SIGTERM sets `name`; the second acts as it does by default.

    `takes_save` says whether SIGUSR1 came.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._save_asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets only this thread set handlers
            for each in STOP_SIGNALS:
                self._before[each] = signal.signal(each, self._note)
            for each in SAVE_SIGNALS:
                self._before[each] = signal.signal(each, self._note_save)
        return self

    def takes_save(self) -> bool:
        """Whether a checkpoint was asked for since the last call."""
        asked, self._save_asked = self._save_asked, False
        return asked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore(tuple(self._before))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore(STOP_SIGNALS)

    def _note_save(self, number: int, frame: FrameType | None) -> None:
        self._save_asked = True

    def _restore(self, numbers: tuple[signal.Signals, ...]) -> None:
        for each in numbers:
            if each in self._before:
                signal.signal(each, self._before.pop(each))
