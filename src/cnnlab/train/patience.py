"""Early stopping: how long a training has gone on without a lower validation error.

Goodfellow, Bengio and Courville 2016, "Deep learning", algorithm 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence


def best_epoch(val_errors: Sequence[float]) -> int:
    """The first epoch, from 0, with the lowest of `val_errors`, one an epoch; there is at least one."""
    return val_errors.index(min(val_errors))


def waited_epochs(val_errors: Sequence[float]) -> int:
    """How many epochs came after the best one; 0 before the first."""
    return len(val_errors) - 1 - best_epoch(val_errors) if val_errors else 0
