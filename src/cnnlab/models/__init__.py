"""The networks, one file a paper, and what they cost."""

from cnnlab.models.catalog import MODELS, create_model, list_models
from cnnlab.models.layers import Network

__all__ = ["MODELS", "Network", "create_model", "list_models"]
