"""cnnlab: the laboratory for the classic convolutional networks.

Train them, test them by each paper's own rules, see why they work, compare them and ship them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlab import data as data
    from cnnlab import evaluate as evaluate
    from cnnlab import train as train
    from cnnlab.evaluate.pretrained import load as load
    from cnnlab.models.catalog import create_model as create_model
    from cnnlab.models.catalog import list_models as list_models
    from cnnlab.models.weights import load_weights as load_weights

__version__ = "0.1.0"

# Where each public name lives; imported on first use, so that `import cnnlab` costs nothing.
_HOMES = {
    "create_model": "cnnlab.models.catalog",
    "list_models": "cnnlab.models.catalog",
    "load": "cnnlab.evaluate.pretrained",
    "load_weights": "cnnlab.models.weights",
}
_ROOMS = ("data", "evaluate", "models", "recipes", "train")
__all__ = ["create_model", "data", "evaluate", "list_models", "load", "load_weights", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"cnnlab.{name}")
    raise AttributeError(f"module 'cnnlab' has no attribute {name!r}")
