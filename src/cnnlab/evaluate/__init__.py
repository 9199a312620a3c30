"""How good a network is: protocols, metrics and intervals.

The room can be called: `cnnlab.evaluate(classifier, "cifar10", protocol="flip")` tests and returns the figures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.evaluate.classifier import Classifier
    from cnnlab.evaluate.examine import Evaluation
    from cnnlab.types import Split


class _Evaluate(ModuleType):
    """This package, made callable, so that one name is both the room and what it does."""

    def __call__(
        self,
        classifier: Classifier,
        data: str | Path,
        *,
        protocol: str | None = None,
        split: str | Split = "test",
    ) -> Evaluation:
        """Test `classifier` on a split of `data` by `protocol` (None: its own); a test read is recorded."""
        from cnnlab.evaluate.examine import evaluate_on

        return evaluate_on(classifier, str(data), protocol=protocol, split=split)


sys.modules[__name__].__class__ = _Evaluate
