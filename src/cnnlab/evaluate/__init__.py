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
        split: str | Split | None = None,
        skip_unknown: bool = False,
    ) -> Evaluation:
        """Test `classifier` on `data` by `protocol` (None: its own); a test read is recorded.

        Its own data is divided as when it was trained; of other labelled images all are used. None takes the test part,
        or the validation part where there is no other. `skip_unknown` leaves out classes the network does not know.
        """
        from cnnlab.evaluate.examine import evaluate_on

        return evaluate_on(classifier, str(data), protocol=protocol, split=split, skip_unknown=skip_unknown)


sys.modules[__name__].__class__ = _Evaluate
