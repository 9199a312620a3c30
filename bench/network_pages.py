"""Write docs/networks/: a page a family with its table, figure and differences, and the list of pages.

python bench/network_pages.py            # rewrite the pages and figures
python bench/network_pages.py --check    # fail if a page differs from the catalogue and the models' docstrings

Tables come from `models/table.json`, `paper_figures` and `official_weights`, differences from the docstrings of the
models' files, figures from `cnnlab.explain.draw`; only the introductions are written here.
"""

from __future__ import annotations

import ast
import fnmatch
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnlab.models.official_weights import AKAMASTER, CADENE, CHENYAOFO, OFFICIAL, TORCHVISION
from cnnlab.models.paper_figures import FIGURES, PaperFigures
from cnnlab.models.table import Row, read_table

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "networks"
MODELS = ROOT / "src" / "cnnlab" / "models"


@dataclass(frozen=True)
class Family:
    """One page: the networks that match `patterns`, the files that build them, and the one that is drawn."""

    slug: str
    title: str
    about: str
    patterns: tuple[str, ...]
    files: tuple[str, ...]
    figure: str
    commands: tuple[str, ...]


FAMILIES = (
    Family(
        slug="before-imagenet",
        title="Before ImageNet",
        about="""LeCun and colleagues wanted handwriting to be read without features made by hand. LeNet-5 learns its
own: small convolutions whose weights are shared over the image, each followed by subsampling, so that shifts matter
less, and few enough parameters for the computers of 1998. The paper measures it against plain multi-layer networks,
of which `perceptron` is one. `lenet5` is the network as printed; `lenet5_modern` and `lenet_caffe` are what people
have meant by LeNet since.""",
        patterns=("perceptron", "lenet*"),
        files=("lenet", "perceptron"),
        figure="lenet5",
        commands=("cnnlab inspect summary lenet5 --paper", "cnnlab train mnist --model lenet5_modern --epochs 5"),
    ),
    Family(
        slug="network-in-network",
        title="Network in Network",
        about="""Lin, Chen and Yan replace the linear filter of a convolution by a small network that slides over the
image, which comes to 1x1 convolutions after the ordinary one. The last layer makes one map a class and averages it,
so no fully-connected layers are left to overfit. Both ideas, the 1x1 convolution and global average pooling, are in
nearly every network since.""",
        patterns=("nin_*",),
        files=("nin",),
        figure="nin_cifar",
        commands=("cnnlab inspect summary nin_cifar", "cnnlab train cifar10 --model nin_cifar --epochs 20"),
    ),
    Family(
        slug="alexnet",
        title="AlexNet",
        about="""Krizhevsky, Sutskever and Hinton trained a large convolutional network on ImageNet's 1.2 million
images with two GPUs, and won the 2012 challenge by a margin that turned the field to deep learning. ReLU made
training fast, dropout and augmentation held overfitting down. Each GPU held half of the filters, which is why some of
its convolutions have two groups; `alexnet` is the later network without them that torchvision has.""",
        patterns=("alexnet*", "caffenet"),
        files=("alexnet",),
        figure="alexnet_2012",
        commands=("cnnlab inspect summary alexnet_2012 --paper", "cnnlab inspect graph caffenet --out caffenet.svg"),
    ),
    Family(
        slug="vgg",
        title="VGG",
        about="""Simonyan and Zisserman asked what depth alone is worth: everything is a 3x3 convolution, and networks
of 11 to 19 layers differ in nothing else. Two 3x3 convolutions see as much as one 5x5 with fewer weights and one more
non-linearity, and the deeper networks were better. Their plainness made them the features of many later works; most
of their parameters are in the first fully-connected layer.""",
        patterns=("vgg*",),
        files=("vgg",),
        figure="vgg16",
        commands=("cnnlab models 'vgg*'", "cnnlab inspect summary vgg16 --paper"),
    ),
    Family(
        slug="inception",
        title="Inception",
        about="""GoogLeNet looks at its maps in several ways at once, through 1x1, 3x3 and 5x5 convolutions side by
side, and lets 1x1 convolutions narrow the maps first, so that 22 layers need fewer operations than VGG's 11.
BN-Inception brought batch normalisation, v3 took large kernels apart into 3x3, 1x7 and 7x1, and v4 and the
Inception-ResNets made it all larger, the latter with shortcuts around each module. Auxiliary heads in the middle,
dashed in the figure, run in training only.""",
        patterns=("googlenet*", "bn_inception", "inception_*"),
        files=("googlenet", "bn_inception", "inception_v3", "inception_v4"),
        figure="googlenet_2014",
        commands=(
            "cnnlab inspect summary googlenet_2014 --paper",
            "cnnlab inspect graph inception_v3 --out inception_v3.svg",
        ),
    ),
    Family(
        slug="highway-and-plain",
        title="Highway and plain networks",
        about="""By 2015 deeper networks had become worse rather than better, even on the images they were trained on.
Srivastava, Greff and Schmidhuber answered with layers that learn, by a gate, how much of their input to pass on
unchanged, and trained networks of a hundred layers. The plain networks are the other side of the comparison in the
ResNet paper: the same layers as a ResNet with no way around them, so that degradation can be seen.""",
        patterns=("highway*", "plain*"),
        files=("highway", "plain_cifar"),
        figure="highway19",
        commands=(
            "cnnlab inspect summary highway19 --paper",
            "cnnlab inspect graph plain34 --out plain34.svg",
            "cnnlab train cifar10 --model plain56 --recipe resnet2015/cifar10",
        ),
    ),
    Family(
        slug="resnet",
        title="ResNet",
        about="""He, Zhang, Ren and Sun let each block learn only what to add to its input: the shortcut carries the
input itself past two or three convolutions. A block that should do nothing then has to learn zeros, not an identity,
and networks of 152 layers on ImageNet and 110 on CIFAR-10 trained well, better than shallower ones. Shortcuts where
the shape changes come in the paper's options A (zeros for new channels), B (a 1x1 convolution there) and C
(everywhere).""",
        patterns=(
            *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet*_v1", "resnet_cifar"),
            *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202"),
        ),
        files=("resnet", "resnet_cifar"),
        figure="resnet34",
        commands=(
            "cnnlab inspect summary resnet50 --paper",
            "cnnlab inspect summary resnet34 --paper --set shortcut=A",
            "cnnlab train cifar10 --model resnet20 --recipe resnet2015/cifar10",
        ),
    ),
    Family(
        slug="pre-activation",
        title="Pre-activation ResNet",
        about="""The ResNet paper's authors looked again at the order inside a block. With batch normalisation and
ReLU before each convolution, and nothing after the addition, the shortcuts are one clear path from the first layer to
the last, forward and backward. A network of 1001 layers then trains more easily than before, and generalises
better.""",
        patterns=("resnetv2_*", "residual_units"),
        files=("resnet_v2", "residual_units"),
        figure="resnetv2_50",
        commands=(
            "cnnlab inspect summary resnetv2_164 --paper",
            "cnnlab inspect graph resnetv2_1001 --out resnetv2_1001.svg",
        ),
    ),
    Family(
        slug="tutorial-nets",
        title="Networks of tutorials",
        about="""No paper describes these, yet many people meet them first: the residual network of a MATLAB tutorial,
a ResNet-20 in MATLAB's habits, and "ResNet-18 for CIFAR-10", ImageNet's network with a 3x3 stem, which has forty
times the parameters of the ResNet-20 that the paper used for CIFAR-10. Results of the two are often compared by
mistake.""",
        patterns=("resnet_matlab", "resnet[0-9][0-9]_cifar", "resnet1[0-9][0-9]_cifar"),
        files=("resnet_matlab", "resnet_cifar_wide"),
        figure="resnet_matlab",
        commands=(
            "cnnlab inspect summary resnet_matlab",
            "cnnlab train cifar10 --model resnet18_cifar --epochs 30",
        ),
    ),
    Family(
        slug="attention",
        title="Squeeze-and-excitation",
        about="""Hu and colleagues let a network weigh its own channels: a block averages each map, passes the
averages through two small fully-connected layers, and multiplies the maps with the result. It costs next to no
operations, fits into any network, and a network made of such blocks, SENet-154, won the last ImageNet challenge in
2017. In the figure it is the branch below the axis that ends in a multiplication.""",
        patterns=("seresnet*", "legacy_seresnet*", "se_bn_inception", "senet154"),
        files=("senet",),
        figure="seresnet50",
        commands=(
            "cnnlab inspect summary seresnet50 --paper",
            "cnnlab inspect graph senet154 --out senet154.svg",
        ),
    ),
    Family(
        slug="later-kin",
        title="Later kin",
        about="""What came of residual networks: Wide ResNet found that width is worth as much as depth and trains
faster; ResNeXt splits a block's 3x3 convolution into groups; DenseNet hands every layer the maps of all layers before
it, side by side instead of added; Res2Net builds a small hierarchy inside the block. Stochastic depth leaves blocks
out at random in training, and is an option of the residual networks here.""",
        patterns=("wide_resnet*", "wrn*", "resnext*", "densenet*", "res2net*"),
        files=("wide_resnet", "resnext", "densenet", "res2net", "stochastic_depth"),
        figure="densenet121",
        commands=(
            "cnnlab models 'wrn*'",
            "cnnlab inspect summary densenet121",
            "cnnlab inspect graph res2net50_26w_4s --out res2net50.svg",
        ),
    ),
    Family(
        slug="other-dimensions",
        title="Other dimensions",
        about="""Convolution is not only for images. `resnet18_1d` takes signals, such as sound or a sensor's
readings, and is our own reading of ResNet-18; `resnet18_3d` takes clips of video and is the R3D-18 of Tran and
colleagues, who asked whether kernels should reach through time as well as space.""",
        patterns=("resnet18_1d", "resnet18_3d"),
        files=("resnet_1d", "resnet_3d"),
        figure="resnet18_3d",
        commands=("cnnlab inspect summary resnet18_1d", "cnnlab inspect summary resnet18_3d --pixels 64"),
    ),
    Family(
        slug="speed",
        title="Speed",
        about="""AirNet is our own: a small residual network made for the fastest run to 94% on CIFAR-10. It starts
with filters that whiten small patches and are not trained, and ends in a global max pool, so that one network trains
at several resolutions in turn. `cnnlab train` uses it where nothing else is asked for.""",
        patterns=("airnet",),
        files=("airnet",),
        figure="airnet",
        commands=("cnnlab inspect summary airnet", "cnnlab train cifar10"),
    ),
)


def networks(family: Family) -> list[Row]:
    """The rows of the catalogue that the page is about, in the catalogue's order."""
    return [row for row in read_table() if any(fnmatch.fnmatchcase(row.name, each) for each in family.patterns)]


def page(family: Family) -> str:
    """The page of a family as Markdown."""
    rows = networks(family)
    parts = [
        f"# {family.title}",
        family.about,
        f"![{family.figure}: its stages, blocks and shapes]({family.slug}.svg)",
        "## The networks",
        table(rows),
        notes(rows),
        "## Try it",
        "```bash\n" + "\n".join(family.commands) + "\n```",
        *differences(family),
        "[All families](README.md)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(rows: list[Row]) -> str:
    """Size, depth, the papers' own figures and published weights."""
    lines = [
        "| network | year | input | parameters | MACs | layers | the paper says | published weights |",
        "|---|---|---|--:|--:|--:|---|---|",
    ]
    for row in rows:
        figures = FIGURES.get(row.name)
        lines.append(
            f"| `{row.name}` | {row.year} | {row.input} | {row.parameters:,} | {row.macs / 1e6:,.2f} M | {row.depth} "
            f"| {figures.text if figures else ''} | {', '.join(weights(row.name))} |"
        )
    return "\n".join(lines)


def weights(name: str) -> Iterator[str]:
    """The published files of a network, with the accuracy that their project reports."""
    projects = {TORCHVISION: "torchvision", CADENE: "Cadene", AKAMASTER: "akamaster", CHENYAOFO: "chenyaofo"}
    for each in OFFICIAL:
        if each.name == name:
            project = next(name for url, name in projects.items() if each.url.startswith(url))
            yield f"{project}, {100 * each.top1:.2f}%"


def notes(rows: list[Row]) -> str:
    """What the columns mean, and where the papers' figures are from and why ours differ."""
    meaning = (
        "MACs are multiply-accumulates of convolutions and linear layers for one image, what papers call FLOPs; layers "
        "are convolutions and linear layers on the longest way through. Parameters include auxiliary heads."
    )
    if any(True for row in rows for _ in weights(row.name)):
        meaning += " Beside published weights stands the top-1 accuracy that their project reports."
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.name in FIGURES:
            found.setdefault(source(FIGURES[row.name]), []).append(f"`{row.name}`")
    lines = [f"- {', '.join(names)}: {text}" for text, names in found.items()]
    return "\n\n".join([meaning, "\n".join(["The papers' figures:", "", *lines])] if lines else [meaning])


def source(figures: PaperFigures) -> str:
    """Where a figure is from and why ours differs; the tag at its end says how it was checked."""
    tags = {
        "[T]": "checked against a transcription",
        "[S]": "checked in a primary source",
        "[C]": "checked by counting",
    }
    where = figures.source
    for tag, meaning in tags.items():
        where = where.replace(f" {tag}", f" ({meaning})")
    return f"{where}. {figures.note}".strip()


def differences(family: Family) -> Iterator[str]:
    """The lists of differences in the docstrings of the models' files."""
    found = [
        (docstring, differing) for file in family.files for docstring, differing in [_differences(file)] if differing
    ]
    if found:
        yield "## What differs"
    for docstring, differing in found:
        title, _, source_ = docstring.partition("\n")[0].rstrip(".:").partition(". ")
        yield f"### {title}"
        yield source_ and f"*{source_}*"
        yield differing


def _differences(file: str) -> tuple[str, str]:
    """The docstring of a model's file, and its lists of differences as Markdown."""
    docstring = ast.get_docstring(ast.parse((MODELS / f"{file}.py").read_text(encoding="utf-8"))) or ""
    _, _, text = docstring.partition("\nDifferences")
    listed = re.sub(r"^(?:Differences)?, (.*):$", r"For \1:\n", text, flags=re.MULTILINE)
    return docstring, listed.removeprefix(":").strip()


def index() -> str:
    """The list of families."""
    lines = [
        "# The networks, family by family",
        "",
        "Each page says what the paper was about, lists its networks beside the paper's own figures, draws one of them",
        "and tells how ours differ. `cnnlab inspect graph NAME` draws any of them, `cnnlab models` lists all.",
        "",
        "| family | networks |",
        "|---|---|",
    ]
    for family in FAMILIES:
        names = ", ".join(f"`{row.name}`" for row in networks(family))
        lines.append(f"| [{family.title}]({family.slug}.md) | {names} |")
    return "\n".join(lines) + "\n"


def texts() -> dict[str, str]:
    """Every page by its file's name."""
    return {"README.md": index()} | {f"{family.slug}.md": page(family) for family in FAMILIES}


def figures() -> Iterator[tuple[str, str]]:
    """Every figure by its file's name, each drawn when asked for."""
    from cnnlab.explain.draw import draw_network

    for family in FAMILIES:
        yield f"{family.slug}.svg", draw_network(family.figure)


def differing() -> list[str]:
    """The names of pages whose text is not what would be written now."""
    return [
        name
        for name, text in texts().items()
        if not (PAGES / name).is_file() or (PAGES / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write, or with `--check` compare the texts."""
    if "--check" in sys.argv:
        stale = differing()
        raise SystemExit(f"run python bench/network_pages.py; out of date: {', '.join(stale)}" if stale else 0)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in [*texts().items(), *figures()]:
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
