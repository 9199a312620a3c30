"""The networks, one file a paper, and what they cost.

Names are imported when first used, so that `cnnlab.models.table` works without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.models.catalog import MODELS, create_model, list_models
    from cnnlab.models.layers import Network

__all__ = ["MODELS", "Network", "create_model", "list_models"]

_HOMES = {"MODELS": "catalog", "Network": "layers", "create_model": "catalog", "list_models": "catalog"}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"cnnlab.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
