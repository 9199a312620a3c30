"""The files of weights that projects publish: where, how to recognise them, and what belongs to them.

All are torchvision's first versions ("IMAGENET1K_V1"), trained on ILSVRC-2012; accuracies are those of its
documentation, one centre crop of the 50,000 validation images. Their names carry the first eight hexadecimal
digits of the file's SHA-256. Loading one is `load_weights`; the network has to be built with `options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cnnlab.errors import unknown_name
from cnnlab.types import Preprocess

DOWNLOADS = "https://download.pytorch.org/models"
LICENCE = "BSD-3-Clause, as torchvision; trained on ImageNet, whose terms of use may apply to what is made from it"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CROP_224 = Preprocess(resize_pixels=256, crop_pixels=224, mean=MEAN, std=STD)
CROP_299 = Preprocess(resize_pixels=342, crop_pixels=299, mean=MEAN, std=STD)


@dataclass(frozen=True)
class Weights:
    """One published file.

    Attributes:
        name: the network of our catalogue that it is for.
        url: where the project keeps it.
        sha256_prefix: the first hexadecimal digits of its SHA-256.
        licence: under which terms.
        preprocess: what has to be done to an RGB image.
        classes: the number of outputs.
        top1: share of ImageNet validation images whose first answer is right, as the project reports.
        top5: share whose first five answers hold the right one.
        options: what `create_model` needs besides the name; the inputs of two networks are rescaled.
    """

    name: str
    url: str
    sha256_prefix: str
    licence: str
    preprocess: Preprocess
    classes: int
    top1: float
    top5: float
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def filename(self) -> str:
        """The file's name, such as `resnet50-0676ba61.pth`."""
        return self.url.rpartition("/")[2]


def _torchvision(file: str, top1: float, top5: float, name: str = "", preprocess: Preprocess = CROP_224) -> Weights:
    stem, _, sha256_prefix = file.rpartition("-")
    rescaled = {"transform_input": True} if name in ("googlenet", "inception_v3") else {}
    return Weights(
        name=name or stem,
        url=f"{DOWNLOADS}/{file}.pth",
        sha256_prefix=sha256_prefix,
        licence=LICENCE,
        preprocess=preprocess,
        classes=1000,
        top1=top1,
        top5=top5,
        options=MappingProxyType(rescaled),
    )


OFFICIAL: tuple[Weights, ...] = (
    _torchvision("alexnet-owt-7be5be79", 0.56522, 0.79066, "alexnet"),
    _torchvision("vgg11-8a719046", 0.69020, 0.88628),
    _torchvision("vgg13-19584684", 0.69928, 0.89246),
    _torchvision("vgg16-397923af", 0.71592, 0.90382),
    _torchvision("vgg19-dcbb9e9d", 0.72376, 0.90876),
    _torchvision("vgg11_bn-6002323d", 0.70370, 0.89810),
    _torchvision("vgg13_bn-abd245e5", 0.71586, 0.90374),
    _torchvision("vgg16_bn-6c64b313", 0.73360, 0.91516),
    _torchvision("vgg19_bn-c79401a0", 0.74218, 0.91842),
    _torchvision("googlenet-1378be20", 0.69778, 0.89530, "googlenet"),
    _torchvision("inception_v3_google-0cc3c7bd", 0.77294, 0.93450, "inception_v3", CROP_299),
    _torchvision("resnet18-f37072fd", 0.69758, 0.89078),
    _torchvision("resnet34-b627a593", 0.73314, 0.91420),
    _torchvision("resnet50-0676ba61", 0.76130, 0.92862),
    _torchvision("resnet101-63fe2227", 0.77374, 0.93546),
    _torchvision("resnet152-394f9c45", 0.78312, 0.94046),
    _torchvision("wide_resnet50_2-95faca4d", 0.78468, 0.94086),
    _torchvision("wide_resnet101_2-32ee1156", 0.78848, 0.94284),
    _torchvision("resnext50_32x4d-7cdf4587", 0.77618, 0.93698),
    _torchvision("resnext101_32x8d-8ba56ff5", 0.79312, 0.94526),
    _torchvision("densenet121-a639ec97", 0.74434, 0.91972),
    _torchvision("densenet161-8d451a50", 0.77138, 0.93560),
    _torchvision("densenet169-b2777c0a", 0.75600, 0.92806),
    _torchvision("densenet201-c1103571", 0.76896, 0.93370),
)


def find_weights(name: str) -> Weights:
    """The published file for a network, by the network's name or by the file's.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
    """
    for weights in OFFICIAL:
        if name in (weights.name, weights.filename):
            return weights
    raise unknown_name("published weights for", name, [weights.name for weights in OFFICIAL])
