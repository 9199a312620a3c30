"""Every network by name, written out: its builder, year, paper and canonical input."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.errors import UsageError, offer, unknown_name
from cnnlab.models import (
    airnet,
    alexnet,
    bn_inception,
    densenet,
    googlenet,
    highway,
    inception_v3,
    inception_v4,
    lenet,
    nin,
    perceptron,
    plain_cifar,
    res2net,
    residual_units,
    resnet,
    resnet_1d,
    resnet_3d,
    resnet_cifar,
    resnet_cifar_wide,
    resnet_matlab,
    resnet_v2,
    resnext,
    senet,
    vgg,
    wide_resnet,
)
from cnnlab.models.layers import Network

LENET = "LeCun et al. 1998, Gradient-based learning applied to document recognition"
CAFFE = "Jia et al. 2014, arXiv:1408.5093"
NIN = "Lin, Chen and Yan 2013, arXiv:1312.4400"
ALEXNET = "Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks"
ONE_TOWER = "Krizhevsky 2014, arXiv:1404.5997"
VGG = "Simonyan and Zisserman 2014, arXiv:1409.1556"
GOOGLENET = "Szegedy et al. 2014, arXiv:1409.4842"
BN_INCEPTION = "Ioffe and Szegedy 2015, arXiv:1502.03167"
INCEPTION_V3 = "Szegedy et al. 2015, arXiv:1512.00567"
INCEPTION_V4 = "Szegedy et al. 2016, arXiv:1602.07261"
HIGHWAY = "Srivastava, Greff and Schmidhuber 2015, arXiv:1507.06228"
RESNET = "He et al. 2015, arXiv:1512.03385"
RESNET_V2 = "He et al. 2016, arXiv:1603.05027"
MATLAB = "MATLAB, Train Residual Network for Image Classification"
SENET = "Hu et al. 2017, arXiv:1709.01507"
WIDE_RESNET = "Zagoruyko and Komodakis 2016, arXiv:1605.07146"
RESNEXT = "Xie et al. 2016, arXiv:1611.05431"
DENSENET = "Huang et al. 2016, arXiv:1608.06993"
RES2NET = "Gao et al. 2019, arXiv:1904.01169"
R3D = "Tran et al. 2018, arXiv:1711.11248"


@dataclass(frozen=True)
class Entry:
    """One network of the catalogue: how to build it, where it is from, and the side of its images.

    `input_sizes` is for inputs that are not square images: (L,) of a signal, (T, H, W) of a clip.
    """

    build: Callable[..., Network]
    year: int
    paper: str
    pixels: int
    in_channels: int = 3
    input_sizes: tuple[int, ...] | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one canonical input without its channels, such as (224, 224)."""
        return self.input_sizes or (self.pixels, self.pixels)


MODELS: dict[str, Entry] = {
    "perceptron": Entry(perceptron.perceptron, 1998, LENET, 28, 1),
    "lenet5": Entry(lenet.lenet5, 1998, LENET, 32, 1),
    "lenet5_modern": Entry(lenet.lenet5_modern, 1998, LENET, 32, 1),
    "lenet_caffe": Entry(lenet.lenet_caffe, 2014, CAFFE, 28, 1),
    "nin_cifar": Entry(nin.nin_cifar, 2013, NIN, 32),
    "nin_imagenet": Entry(nin.nin_imagenet, 2013, NIN, 224),
    "alexnet": Entry(alexnet.alexnet, 2014, ONE_TOWER, 224),
    "alexnet_2012": Entry(alexnet.alexnet_2012, 2012, ALEXNET, 227),
    "caffenet": Entry(alexnet.caffenet, 2014, CAFFE, 227),
    "vgg11": Entry(vgg.vgg11, 2014, VGG, 224),
    "vgg11_lrn": Entry(vgg.vgg11_lrn, 2014, VGG, 224),
    "vgg13": Entry(vgg.vgg13, 2014, VGG, 224),
    "vgg16_c": Entry(vgg.vgg16_c, 2014, VGG, 224),
    "vgg16": Entry(vgg.vgg16, 2014, VGG, 224),
    "vgg19": Entry(vgg.vgg19, 2014, VGG, 224),
    "vgg11_cifar": Entry(vgg.vgg11_cifar, 2014, VGG, 32),
    "vgg_cifar": Entry(vgg.vgg_cifar, 2014, VGG, 32),
    "vgg11_bn": Entry(vgg.vgg11_bn, 2014, VGG, 224),
    "vgg13_bn": Entry(vgg.vgg13_bn, 2014, VGG, 224),
    "vgg16_bn": Entry(vgg.vgg16_bn, 2014, VGG, 224),
    "vgg19_bn": Entry(vgg.vgg19_bn, 2014, VGG, 224),
    "googlenet": Entry(googlenet.googlenet, 2014, GOOGLENET, 224),
    "googlenet_2014": Entry(googlenet.googlenet_2014, 2014, GOOGLENET, 224),
    "bn_inception": Entry(bn_inception.bn_inception, 2015, BN_INCEPTION, 224),
    "inception_v3": Entry(inception_v3.inception_v3, 2015, INCEPTION_V3, 299),
    "inception_v4": Entry(inception_v4.inception_v4, 2016, INCEPTION_V4, 299),
    "inception_resnet_v1": Entry(inception_v4.inception_resnet_v1, 2016, INCEPTION_V4, 299),
    "inception_resnet_v2": Entry(inception_v4.inception_resnet_v2, 2016, INCEPTION_V4, 299),
    "highway19": Entry(highway.highway19, 2015, HIGHWAY, 32),
    "highway32": Entry(highway.highway32, 2015, HIGHWAY, 32),
    "plain18": Entry(resnet.plain18, 2015, RESNET, 224),
    "plain34": Entry(resnet.plain34, 2015, RESNET, 224),
    "plain20": Entry(resnet_cifar.plain20, 2015, RESNET, 32),
    "plain32": Entry(resnet_cifar.plain32, 2015, RESNET, 32),
    "plain44": Entry(resnet_cifar.plain44, 2015, RESNET, 32),
    "plain56": Entry(resnet_cifar.plain56, 2015, RESNET, 32),
    "plain110": Entry(resnet_cifar.plain110, 2015, RESNET, 32),
    "highway_dense": Entry(highway.highway_dense, 2015, HIGHWAY, 28, 1),
    "plain_dense": Entry(highway.plain_dense, 2015, HIGHWAY, 28, 1),
    "plain_cifar": Entry(plain_cifar.plain_cifar, 2015, RESNET, 32),
    "resnet18": Entry(resnet.resnet18, 2015, RESNET, 224),
    "resnet34": Entry(resnet.resnet34, 2015, RESNET, 224),
    "resnet50": Entry(resnet.resnet50, 2015, RESNET, 224),
    "resnet101": Entry(resnet.resnet101, 2015, RESNET, 224),
    "resnet152": Entry(resnet.resnet152, 2015, RESNET, 224),
    "resnet50_v1": Entry(resnet.resnet50_v1, 2015, RESNET, 224),
    "resnet101_v1": Entry(resnet.resnet101_v1, 2015, RESNET, 224),
    "resnet152_v1": Entry(resnet.resnet152_v1, 2015, RESNET, 224),
    "resnet20": Entry(resnet_cifar.resnet20, 2015, RESNET, 32),
    "resnet32": Entry(resnet_cifar.resnet32, 2015, RESNET, 32),
    "resnet44": Entry(resnet_cifar.resnet44, 2015, RESNET, 32),
    "resnet56": Entry(resnet_cifar.resnet56, 2015, RESNET, 32),
    "resnet110": Entry(resnet_cifar.resnet110, 2015, RESNET, 32),
    "resnet1202": Entry(resnet_cifar.resnet1202, 2015, RESNET, 32),
    "resnet_cifar": Entry(resnet_cifar.resnet_cifar, 2015, RESNET, 32),
    "residual_units": Entry(residual_units.residual_units, 2016, RESNET_V2, 32),
    "resnetv2_50": Entry(resnet_v2.resnetv2_50, 2016, RESNET_V2, 224),
    "resnetv2_101": Entry(resnet_v2.resnetv2_101, 2016, RESNET_V2, 224),
    "resnetv2_152": Entry(resnet_v2.resnetv2_152, 2016, RESNET_V2, 224),
    "resnetv2_200": Entry(resnet_v2.resnetv2_200, 2016, RESNET_V2, 224),
    "resnetv2_110": Entry(resnet_v2.resnetv2_110, 2016, RESNET_V2, 32),
    "resnetv2_164": Entry(resnet_v2.resnetv2_164, 2016, RESNET_V2, 32),
    "resnetv2_1001": Entry(resnet_v2.resnetv2_1001, 2016, RESNET_V2, 32),
    "resnetv2_cifar": Entry(resnet_v2.resnetv2_cifar, 2016, RESNET_V2, 32),
    "resnetv2_18_cifar": Entry(resnet_v2.resnetv2_18_cifar, 2016, RESNET_V2, 32),
    "resnetv2_34_cifar": Entry(resnet_v2.resnetv2_34_cifar, 2016, RESNET_V2, 32),
    "resnetv2_50_cifar": Entry(resnet_v2.resnetv2_50_cifar, 2016, RESNET_V2, 32),
    "resnetv2_101_cifar": Entry(resnet_v2.resnetv2_101_cifar, 2016, RESNET_V2, 32),
    "resnetv2_152_cifar": Entry(resnet_v2.resnetv2_152_cifar, 2016, RESNET_V2, 32),
    "resnet_matlab": Entry(resnet_matlab.resnet_matlab, 2019, MATLAB, 32),
    "resnet18_cifar": Entry(resnet_cifar_wide.resnet18_cifar, 2015, RESNET, 32),
    "resnet34_cifar": Entry(resnet_cifar_wide.resnet34_cifar, 2015, RESNET, 32),
    "resnet50_cifar": Entry(resnet_cifar_wide.resnet50_cifar, 2015, RESNET, 32),
    "resnet101_cifar": Entry(resnet_cifar_wide.resnet101_cifar, 2015, RESNET, 32),
    "resnet152_cifar": Entry(resnet_cifar_wide.resnet152_cifar, 2015, RESNET, 32),
    "seresnet50": Entry(senet.seresnet50, 2017, SENET, 224),
    "seresnet101": Entry(senet.seresnet101, 2017, SENET, 224),
    "seresnet152": Entry(senet.seresnet152, 2017, SENET, 224),
    "legacy_seresnet50": Entry(senet.legacy_seresnet50, 2017, SENET, 224),
    "legacy_seresnet101": Entry(senet.legacy_seresnet101, 2017, SENET, 224),
    "legacy_seresnet152": Entry(senet.legacy_seresnet152, 2017, SENET, 224),
    "se_bn_inception": Entry(senet.se_bn_inception, 2017, SENET, 224),
    "senet154": Entry(senet.senet154, 2017, SENET, 224),
    "seresnet20": Entry(senet.seresnet20, 2017, SENET, 32),
    "wide_resnet50_2": Entry(wide_resnet.wide_resnet50_2, 2016, WIDE_RESNET, 224),
    "wide_resnet101_2": Entry(wide_resnet.wide_resnet101_2, 2016, WIDE_RESNET, 224),
    "wrn16_8": Entry(wide_resnet.wrn16_8, 2016, WIDE_RESNET, 32),
    "wrn22_8": Entry(wide_resnet.wrn22_8, 2016, WIDE_RESNET, 32),
    "wrn40_4": Entry(wide_resnet.wrn40_4, 2016, WIDE_RESNET, 32),
    "wrn28_10": Entry(wide_resnet.wrn28_10, 2016, WIDE_RESNET, 32),
    "wrn_cifar": Entry(wide_resnet.wrn_cifar, 2016, WIDE_RESNET, 32),
    "resnext50_32x4d": Entry(resnext.resnext50_32x4d, 2016, RESNEXT, 224),
    "resnext101_32x4d": Entry(resnext.resnext101_32x4d, 2016, RESNEXT, 224),
    "resnext101_32x8d": Entry(resnext.resnext101_32x8d, 2016, RESNEXT, 224),
    "resnext101_64x4d": Entry(resnext.resnext101_64x4d, 2016, RESNEXT, 224),
    "resnext29_8x64d": Entry(resnext.resnext29_8x64d, 2016, RESNEXT, 32),
    "resnext29_16x64d": Entry(resnext.resnext29_16x64d, 2016, RESNEXT, 32),
    "resnext_cifar": Entry(resnext.resnext_cifar, 2016, RESNEXT, 32),
    "densenet121": Entry(densenet.densenet121, 2016, DENSENET, 224),
    "densenet161": Entry(densenet.densenet161, 2016, DENSENET, 224),
    "densenet169": Entry(densenet.densenet169, 2016, DENSENET, 224),
    "densenet201": Entry(densenet.densenet201, 2016, DENSENET, 224),
    "densenet40_12": Entry(densenet.densenet40_12, 2016, DENSENET, 32),
    "densenet_bc100_12": Entry(densenet.densenet_bc100_12, 2016, DENSENET, 32),
    "densenet_cifar": Entry(densenet.densenet_cifar, 2016, DENSENET, 32),
    "res2net50_26w_4s": Entry(res2net.res2net50_26w_4s, 2019, RES2NET, 224),
    "res2net50_14w_8s": Entry(res2net.res2net50_14w_8s, 2019, RES2NET, 224),
    "res2net50_26w_6s": Entry(res2net.res2net50_26w_6s, 2019, RES2NET, 224),
    "res2net50_26w_8s": Entry(res2net.res2net50_26w_8s, 2019, RES2NET, 224),
    "res2net50_48w_2s": Entry(res2net.res2net50_48w_2s, 2019, RES2NET, 224),
    "res2net101_26w_4s": Entry(res2net.res2net101_26w_4s, 2019, RES2NET, 224),
    "resnet18_1d": Entry(resnet_1d.resnet18_1d, 2015, RESNET, 1024, in_channels=1, input_sizes=(1024,)),
    "resnet18_3d": Entry(resnet_3d.resnet18_3d, 2018, R3D, 112, input_sizes=(16, 112, 112)),
    "airnet": Entry(airnet.airnet, 2026, "cnnlab's own", 32),
}


def list_models(pattern: str = "*") -> list[str]:
    """The names that match a shell pattern such as `resnet*`, in the catalogue's order."""
    return fnmatch.filter(MODELS, pattern)


def require_model(name: str) -> Entry:
    """The catalogue's entry for `name`.

    Raises:
        UnknownNameError: there is no such network; the message offers the nearest names.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS, see="cnnlab models")
    return MODELS[name]


def create_model(name: str, **options: object) -> Network:
    """A new, randomly initialised network.

    Args:
        name: one of `list_models()`.
        **options: the builder's own arguments, such as `num_classes`, `in_channels` or `shortcut`.

    Raises:
        UnknownNameError: there is no such network; the message offers the nearest names.
        UsageError: the network has no such option.
    """
    build = require_model(name).build
    known = inspect.signature(build).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"model {name!r} has no option {option!r}; {offer(option, known)}")
    network = build(**options)
    network.made_as = (name, dict(options))
    return network
