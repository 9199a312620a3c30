"""What the papers themselves print about the size of their networks, to lay beside our own counts.

Only figures that were checked, by the tag at the end of each `source`: [T] against a transcription of the paper, [S]
in a primary source of its authors, [C] by counting. A network without an entry has no such figure. What papers call
FLOPs are multiply-accumulates (MACs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PaperFigures:
    """One network's size as its paper prints it (`text`) and as numbers, None where the paper prints none.

    `source` says where, and how it was checked; `note` why ours differ, as far as that is known.
    """

    parameters: int | None
    macs: int | None
    text: str
    source: str
    note: str = ""


def _millions(parameters: float, text: str, source: str, note: str = "") -> PaperFigures:
    return PaperFigures(round(parameters * 1e6), None, text, source, note)


def _billions(macs: float, text: str, source: str, note: str = "") -> PaperFigures:
    return PaperFigures(None, round(macs * 1e9), text, source, note)


def _vgg(millions: int, column: str) -> PaperFigures:
    return _millions(millions, f"{millions} million parameters", f"{VGG}, Table 2, column {column} [T]")


def _cifar(millions: float, note: str = "") -> PaperFigures:
    return _millions(millions, f"{millions} million parameters", f"{RESNET}, Table 6 [T]", note)


def _resnet(billions: float, note: str = "") -> PaperFigures:
    return _billions(billions, f"{billions} x 10^9 FLOPs", f"{RESNET}, Table 1 [T]", note)


def _senet(billions: float, note: str) -> PaperFigures:
    return _billions(billions, f"{billions:.2f} GFLOPs", f"{SENET} [T]", note)


VGG = "Simonyan and Zisserman 2014"
RESNET = "He et al. 2015"
RESNET_V2 = "He et al. 2016"
HIGHWAY = "Srivastava, Greff and Schmidhuber 2015"
SENET = "Hu et al. 2017"
DENSENET = "Huang et al. 2016"

SHORTCUTS = "The paper's Table 2 has option A (`--set shortcut=A`); B, the default here, adds projections."
STRIDE = (
    "Here the stride is on the 3x3 convolutions, as in torchvision and its weights; the paper's is on the first 1x1, "
    "which costs 6% less for 50 layers: {paper}."
)
PLAIN = "The figure is of the residual network: without parameters in its shortcuts, the plain one has as many."
RESCALING = "Ours leaves out the pooling and rescaling of SE blocks, which are no convolutions or linear layers."
SEPARABLE = (
    "Table 1 is summed, its K taken as 1024. Its first row is a separable 7x7 convolution (2.7K, 34M); as in every "
    "released model ours is dense (9,408 weights, 118M). Ours has biases as well (8,280), and auxiliary heads are "
    "left out on both sides."
)

FIGURES: Mapping[str, PaperFigures] = MappingProxyType(
    {
        "lenet5": PaperFigures(
            60_000,
            340_908,
            "60,000 trainable parameters, 340,908 connections",
            "LeCun et al. 1998, section II.B [T]",
            "Connections are more than MACs: with biases (6,508), S2 and S4 (7,880) and the output (840) ours are "
            "340,908 too.",
        ),
        "alexnet_2012": _millions(60, "60 million parameters", "Krizhevsky, Sutskever and Hinton 2012 [C]"),
        "vgg11": _vgg(133, "A"),
        "vgg11_lrn": _vgg(133, "A-LRN"),
        "vgg13": _vgg(133, "B"),
        "vgg16_c": _vgg(134, "C"),
        "vgg16": PaperFigures(
            138_000_000,
            15_300_000_000,
            "138 million parameters; 15.3 billion FLOPs",
            f"{VGG}, Table 2, column D [T]; FLOPs as {RESNET} has them [T]",
            "The convolutions alone are 15.35 billion; ours counts the fully-connected layers as well.",
        ),
        "vgg19": PaperFigures(
            144_000_000,
            19_600_000_000,
            "144 million parameters; 19.6 billion FLOPs",
            f"{VGG}, Table 2, column E [T]; FLOPs as {RESNET} has them [T]",
        ),
        "googlenet": PaperFigures(
            6_960_845,
            1_502_000_000,
            "6,797.7K parameters, 1,502M operations",
            "Szegedy et al. 2014, Table 1 [T]",
            "torchvision's network is not the paper's: 3x3 kernels where the paper has 5x5, batch normalisation, no "
            "biases. That its MACs come near is chance: the paper's 7x7 convolution is separable. The paper's own "
            "network is `googlenet_2014`. Auxiliary heads are left out on both sides.",
        ),
        "googlenet_2014": PaperFigures(
            6_960_845,
            1_502_000_000,
            "6,797.7K parameters, 1,502M operations",
            "Szegedy et al. 2014, Table 1 [T]",
            SEPARABLE,
        ),
        "bn_inception": PaperFigures(
            13_600_000,
            2_000_000_000,
            "13.6 million parameters; 2.0 billion operations",
            "Ioffe and Szegedy 2015 [T]; operations as Szegedy et al. 2015, Table 3, has them [T]",
            "The difference in parameters is not explained: the layers of the paper's own Figure 5, which ours has, "
            "count 11.29 million.",
        ),
        "inception_v3": _billions(
            4.8,
            "4.8 billion operations, fewer than 25 million parameters",
            "Szegedy et al. 2015, Table 3 and text [T]",
            "Ours is the graph that was released, whose stem differs from the paper's Table 1; whether that is all "
            "of the difference is not known.",
        ),
        "highway19": _millions(2.3, "about 2.3 million parameters", f"{HIGHWAY}, Table 2 [T]"),
        "highway32": _millions(
            1.25,
            "about 1.25 million parameters",
            f"{HIGHWAY}, Table 2 [T]",
            "The paper gives no widths for this network; ours were chosen to come near its size.",
        ),
        "plain18": _resnet(1.8),
        "plain34": _resnet(3.6),
        "resnet18": _resnet(1.8, SHORTCUTS),
        "resnet34": _resnet(3.6, SHORTCUTS),
        "resnet50": _resnet(3.8, STRIDE.format(paper="`resnet50_v1`")),
        "resnet101": _resnet(7.6, STRIDE.format(paper="`resnet101_v1`")),
        "resnet152": _resnet(11.3, STRIDE.format(paper="`resnet152_v1`")),
        "resnet50_v1": _resnet(3.8),
        "resnet101_v1": _resnet(7.6),
        "resnet152_v1": _resnet(11.3),
        "plain20": _cifar(0.27, PLAIN),
        "plain32": _cifar(0.46, PLAIN),
        "plain44": _cifar(0.66, PLAIN),
        "plain56": _cifar(0.85, PLAIN),
        "plain110": _cifar(1.7, PLAIN),
        "resnet20": _cifar(0.27),
        "resnet32": _cifar(0.46),
        "resnet44": _cifar(0.66),
        "resnet56": _cifar(0.85),
        "resnet110": _cifar(1.7),
        "resnet1202": _cifar(19.4),
        "resnetv2_164": _millions(1.7, "1.7 million parameters", f"{RESNET_V2} [C]"),
        "resnetv2_1001": _millions(
            10.2, "10.2 million parameters", f"{RESNET_V2} [C]", "The difference of 1% is not explained."
        ),
        "seresnet50": _senet(3.87, f"{STRIDE.format(paper='`legacy_seresnet50`')} {RESCALING}"),
        "seresnet101": _senet(7.60, f"{STRIDE.format(paper='`legacy_seresnet101`')} {RESCALING}"),
        "seresnet152": _senet(11.32, f"{STRIDE.format(paper='`legacy_seresnet152`')} {RESCALING}"),
        "legacy_seresnet50": _senet(3.87, RESCALING),
        "legacy_seresnet101": _senet(7.60, RESCALING),
        "legacy_seresnet152": _senet(11.32, RESCALING),
        "se_bn_inception": _senet(2.04, RESCALING),
        "densenet40_12": _millions(1.0, "1.0 million parameters", f"{DENSENET} [T]"),
        "densenet_bc100_12": _millions(0.8, "0.8 million parameters", f"{DENSENET} [T]"),
    }
)
