"""The textbook's deepest thought in its smallest network: one neuron a layer, and the product of its derivatives.

Layer l computes a(l) = f(w a(l-1) + b); with a shortcut, a(l) = a(l-1) + f(w a(l-1) + b). By the chain rule the
derivative of the output by the input is the product over layers of w f'(z), with a shortcut of 1 + w f'(z). The
sigmoid's f' is at most 1/4, so with |w| <= 1 four layers already leave at most 1/256. Nielsen 2015, "Neural networks
and deep learning", chapter 5; He et al. 2016 (arXiv:1603.05027), equation 5, for the shortcut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.errors import UsageError, unknown_name

Curve = Callable[[float], tuple[float, float]]
"""x -> f(x) and f'(x)."""


def sigmoid(x: float) -> tuple[float, float]:
    """1 / (1 + exp(-x)) and its slope, at most 1/4."""
    value = 0.5 * (1 + math.tanh(x / 2))  # no overflow, however far from 0
    return value, value * (1 - value)


def tanh(x: float) -> tuple[float, float]:
    """The hyperbolic tangent and its slope, at most 1."""
    value = math.tanh(x)
    return value, 1 - value * value


def relu(x: float) -> tuple[float, float]:
    """max(x, 0) and its slope, 1 above 0 and 0 else."""
    return max(x, 0.0), float(x > 0)


CURVES: dict[str, Curve] = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu}


@dataclass(frozen=True)
class Chain:
    """Derivatives by depth of one network: `products`[l] is that of layer l's output by the input, from depth 1 on."""

    activation: str
    shortcut: bool
    activations: tuple[float, ...]
    factors: tuple[float, ...]
    products: tuple[float, ...]


def chain(
    activation: str, *, depth: int, weight: float = 1.0, bias: float = 0.0, start: float = 0.5, shortcut: bool = False
) -> Chain:
    """The network of `depth` layers, one neuron each, all with one weight and bias, for the input `start`.

    Raises:
        UnknownNameError: the activation is not sigmoid, tanh or relu.
        UsageError: the depth is below 1.
    """
    if activation not in CURVES:
        raise unknown_name("activation", activation, CURVES)
    if depth < 1:
        raise UsageError(f"a depth of {depth}; give 1 layer or more")
    value, product = start, 1.0
    rows: list[tuple[float, float, float]] = []
    for _ in range(depth):
        made, slope = CURVES[activation](weight * value + bias)
        value = value + made if shortcut else made
        factor = weight * slope + (1.0 if shortcut else 0.0)
        product *= factor
        rows.append((value, factor, product))
    activations, factors, products = zip(*rows, strict=True)
    return Chain(activation, shortcut, activations, factors, products)


def all_chains(*, depth: int, weight: float = 1.0, bias: float = 0.0, start: float = 0.5) -> list[Chain]:
    """Sigmoid, tanh and ReLU, each without and with a shortcut."""
    return [
        chain(name, depth=depth, weight=weight, bias=bias, start=start, shortcut=shortcut)
        for name in CURVES
        for shortcut in (False, True)
    ]
