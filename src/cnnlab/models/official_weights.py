"""The files of weights that projects publish: where, how to recognise them, and what belongs to them.

torchvision's first versions ("IMAGENET1K_V1"), Cadene's ports of networks that torchvision lacks, akamaster's
residual networks for CIFAR-10, and chenyaofo's with projections, and VGG. Accuracies are those that each project
reports of its own files: one centre crop of the 50,000 ImageNet validation images, or the 10,000 CIFAR-10 test
images. Names carry the first hexadecimal digits of the file's SHA-256. Loading one is `load_weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cnnlab.errors import unknown_name
from cnnlab.types import Preprocess

TORCHVISION = "https://download.pytorch.org/models"
CADENE = "http://data.lip6.fr/cadene/pretrainedmodels"
AKAMASTER = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"
CHENYAOFO = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download"
IMAGENET_TERMS = "trained on ImageNet, whose terms of use may apply to what is made from it"
TORCHVISION_LICENCE = f"BSD-3-Clause, as torchvision; {IMAGENET_TERMS}"
CADENE_LICENCE = f"BSD-3-Clause, as Cadene's pretrained-models.pytorch; {IMAGENET_TERMS}"
AKAMASTER_LICENCE = "BSD-2-Clause, as akamaster's pytorch_resnet_cifar10"
CHENYAOFO_LICENCE = "BSD-3-Clause, as chenyaofo's pytorch-cifar-models"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
CROP_224 = Preprocess(resize_pixels=256, crop_pixels=224, mean=MEAN, std=STD)
# Google's range of -1 to 1. torchvision keeps ImageNet's mean and deviation for its two, and undoes them in the
# network (`transform_input`), which comes to the same.
CROP_224_HALF = Preprocess(resize_pixels=256, crop_pixels=224, mean=HALF, std=HALF)
CROP_299_HALF = Preprocess(resize_pixels=342, crop_pixels=299, mean=HALF, std=HALF)
CADENE_299_HALF = Preprocess(resize_pixels=341, crop_pixels=299, mean=HALF, std=HALF)
CAFFE_BGR = Preprocess(
    resize_pixels=256,
    crop_pixels=224,
    mean=(104 / 255, 117 / 255, 128 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    bgr=True,
)
CIFAR_32 = Preprocess(resize_pixels=32, crop_pixels=32, mean=MEAN, std=STD)
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)  # by chenyaofo's training logs


@dataclass(frozen=True)
class Weights:
    """One published file.

    Attributes:
        name: the network of our catalogue that it is for.
        url: where the project keeps it.
        sha256_prefix: the first hexadecimal digits of its SHA-256.
        licence: under which terms.
        preprocess: what has to be done to an RGB image.
        trained_on: the data set, which says what the outputs mean.
        classes: the number of outputs; with 1001 of them the first is "background", which is no class of ImageNet.
        top1: share of the project's test images whose first answer is right, as it reports.
        top5: share whose first five answers hold the right one; None where the project does not say.
        options: of the network's builder.
    """

    name: str
    url: str
    sha256_prefix: str
    licence: str
    preprocess: Preprocess
    trained_on: Literal["imagenet", "cifar10"]
    classes: int
    top1: float
    top5: float | None
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """The file's name, such as `resnet50-0676ba61.pth`."""
        return self.url.rpartition("/")[2]


def _torchvision(file: str, top1: float, top5: float, name: str = "", preprocess: Preprocess = CROP_224) -> Weights:
    stem, _, sha256_prefix = file.rpartition("-")
    return Weights(
        name=name or stem,
        url=f"{TORCHVISION}/{file}.pth",
        sha256_prefix=sha256_prefix,
        licence=TORCHVISION_LICENCE,
        preprocess=preprocess,
        trained_on="imagenet",
        classes=1000,
        top1=top1,
        top5=top5,
    )


def _cadene(name: str, file: str, top1: float, top5: float, preprocess: Preprocess = CROP_224) -> Weights:
    classes = 1001 if preprocess is CADENE_299_HALF else 1000  # from TensorFlow, with "background" first
    return Weights(
        name=name,
        url=f"{CADENE}/{file}.pth",
        sha256_prefix=file.rpartition("-")[2],
        licence=CADENE_LICENCE,
        preprocess=preprocess,
        trained_on="imagenet",
        classes=classes,
        top1=top1,
        top5=top5,
    )


def _akamaster(file: str, top1: float) -> Weights:
    name, _, sha256_prefix = file.rpartition("-")
    return Weights(
        name=name,
        url=f"{AKAMASTER}/{file}.th",
        sha256_prefix=sha256_prefix,
        licence=AKAMASTER_LICENCE,
        preprocess=CIFAR_32,
        trained_on="cifar10",
        classes=10,
        top1=top1,
        top5=None,
    )


def _chenyaofo(file: str, name: str, top1: float, top5: float, options: Mapping[str, object]) -> Weights:
    return Weights(
        name=name,
        url=f"{CHENYAOFO}/{file}.pt",
        sha256_prefix=file.rpartition("-")[2],
        licence=CHENYAOFO_LICENCE,
        preprocess=Preprocess(resize_pixels=32, crop_pixels=32, mean=CIFAR_MEAN, std=CIFAR_STD),
        trained_on="cifar10",
        classes=10,
        top1=top1,
        top5=top5,
        options=options,
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
    _torchvision("googlenet-1378be20", 0.69778, 0.89530, "googlenet", CROP_224_HALF),
    _torchvision("inception_v3_google-0cc3c7bd", 0.77294, 0.93450, "inception_v3", CROP_299_HALF),
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
    _cadene("bn_inception", "bn_inception-52deb4733", 0.73524, 0.91562, CAFFE_BGR),
    _cadene("inception_v4", "inceptionv4-8e4777a0", 0.80062, 0.94926, CADENE_299_HALF),
    _cadene("inception_resnet_v2", "inceptionresnetv2-520b38e4", 0.80170, 0.95234, CADENE_299_HALF),
    _cadene("legacy_seresnet50", "se_resnet50-ce0d4300", 0.77636, 0.93752),
    _cadene("legacy_seresnet101", "se_resnet101-7e38fcc6", 0.78396, 0.94258),
    _cadene("legacy_seresnet152", "se_resnet152-d17c99b7", 0.78658, 0.94374),
    _cadene("senet154", "senet154-c7b49a05", 0.81304, 0.95498),
    _akamaster("resnet20-12fca82f", 0.9173),
    _akamaster("resnet32-d509ac18", 0.9263),
    _akamaster("resnet44-014dd654", 0.9310),
    _akamaster("resnet56-4bfd9763", 0.9339),
    _akamaster("resnet110-1d1ed7c2", 0.9368),
    _akamaster("resnet1202-f3b1deed", 0.9382),
    _chenyaofo("resnet/cifar10_resnet20-4118986f", "resnet20", 0.9260, 0.9981, {"shortcut": "B"}),
    _chenyaofo("resnet/cifar10_resnet32-ef93fc4d", "resnet32", 0.9353, 0.9977, {"shortcut": "B"}),
    _chenyaofo("resnet/cifar10_resnet44-2a3cabcb", "resnet44", 0.9401, 0.9977, {"shortcut": "B"}),
    _chenyaofo("resnet/cifar10_resnet56-187c023a", "resnet56", 0.9437, 0.9983, {"shortcut": "B"}),
    _chenyaofo("vgg/cifar10_vgg11_bn-eaeebf42", "vgg_cifar", 0.9279, 0.9972, {"column": "A", "batch_norm": True}),
    _chenyaofo("vgg/cifar10_vgg13_bn-c01e4a43", "vgg_cifar", 0.9400, 0.9977, {"column": "B", "batch_norm": True}),
    _chenyaofo("vgg/cifar10_vgg16_bn-6ee7ea24", "vgg_cifar", 0.9416, 0.9971, {"batch_norm": True}),
    _chenyaofo("vgg/cifar10_vgg19_bn-57191229", "vgg_cifar", 0.9391, 0.9964, {"column": "E", "batch_norm": True}),
)


def find_by_sha256(digest: str) -> Weights | None:
    """The published file with this SHA-256, in hexadecimal digits; a file's name proves nothing."""
    return next((weights for weights in OFFICIAL if digest.startswith(weights.sha256_prefix)), None)


def find_weights(name: str) -> Weights:
    """The published file for a network, by the network's name or by the file's.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
    """
    for weights in OFFICIAL:
        if name in (weights.name, weights.filename):
            return weights
    names = [weights.name for weights in OFFICIAL]
    raise unknown_name("published weights for", name, names, see="cnnlab models, column weights")
