"""The catalogue as a table of plain values, without torch: `cnnlab models` reads it in a blink.

`table.json` is counted by `bench/model_table.py` from the networks themselves; a test counts them anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Row:
    """One network of the catalogue.

    Attributes:
        name: as `create_model` takes it.
        year: of the paper.
        paper: authors, year and where to find it.
        input: the canonical image, channels first, such as `3x224x224`.
        parameters: learnable numbers, auxiliary heads included.
        macs: multiply-accumulates of convolutions and linear layers for one such image; papers say FLOPs.
        depth: convolutions and linear layers on the longest way from the image to the logits.
        tensors: entries of its state_dict with two dimensions or more, without shortcuts' and auxiliary heads'.
        weights: the published files that `--pretrained` knows, by name.
        linear_macs: those of `macs` in linear layers, which do not grow with the image.
        smallest_pixels: the shortest side that an image may have.
        one_size: whether an image must have exactly that size.
        norms: whether it has batch normalisation.
    """

    name: str
    year: int
    paper: str
    input: str
    parameters: int
    macs: int
    depth: int
    tensors: int
    weights: tuple[str, ...]
    linear_macs: int
    smallest_pixels: int
    one_size: bool
    norms: bool


def read_table() -> tuple[Row, ...]:
    """Every network of the catalogue, in its order."""
    text = resources.files(__package__).joinpath("table.json").read_text(encoding="utf-8")
    return tuple(Row(**{**row, "weights": tuple(row["weights"])}) for row in json.loads(text))
