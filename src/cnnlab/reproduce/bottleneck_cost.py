"""Why a bottleneck: 69,632 weights where two 3x3 convolutions at 256 channels have 1,179,648."""

from __future__ import annotations

from torch import nn

from cnnlab.models.describe import count_parameters
from cnnlab.models.resnet import BasicBlock, Bottleneck
from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import exact
from cnnlab.reproduce.reproduction import Findings, Reproduction, no_plans
from cnnlab.reproduce.runs import Results

PAPER = {"bottleneck at 256 channels": 69_632, "two 3x3 at 256 channels": 1_179_648, "two 3x3 at 64 channels": 73_728}


def weights(block: nn.Module) -> int:
    """The weights of a block's convolutions; batch normalisation is not counted, as in the paper."""
    return sum(count_parameters(each) for each in block.modules() if isinstance(each, nn.Conv2d))


def count() -> dict[str, int]:
    """The weights of the three blocks of Figure 5, by name, from our own networks' blocks."""
    blocks = (
        Bottleneck(256, 64, 1, shortcut="B", stride_on="1x1"),
        BasicBlock(256, 256, 1, shortcut="B"),
        BasicBlock(64, 64, 1, shortcut="B"),
    )
    return {name: weights(block) for name, block in zip(PAPER, blocks, strict=True)}


def read(_: Results) -> Findings:
    """Count them."""
    counted = count()
    bars = [Row(name, number) for name, number in counted.items()]
    bottleneck, wide, narrow = counted.values()
    return Findings(
        claims=[exact(f"weights of {name}", number, PAPER[name]) for name, number in counted.items()],
        values=[Value(name, f"{number:,}", f"{PAPER[name]:,}") for name, number in counted.items()]
        + [Value("two 3x3 at 256 over a bottleneck", f"{wide / bottleneck:.1f} times", "17 times")]
        + [Value("a bottleneck over two 3x3 at 64", f"{bottleneck / narrow:.2f} times", "similar")],
        figures=[row_chart("Weights of a block", bars, bars=True, write=lambda value: f"{value:,.0f}")],
        ours=f"{bottleneck:,} against {wide:,} weights",
    )


REPRODUCTION = Reproduction(
    name="bottleneck-cost",
    title="What a bottleneck saves",
    effect="a bottleneck at 256 channels costs what two 3x3 convolutions at 64 do",
    claim="Reducing 256 channels to 64, convolving, and restoring them has about the complexity of a two-layer block "
    "at 64 channels, a seventeenth of one at 256.",
    paper="He et al. 2015 (arXiv:1512.03385), section 4.1, Figure 5; the counts follow from its kernels and widths",
    plans=no_plans,
    read=read,
)
