"""Every recipe by name, written out."""

from __future__ import annotations

from pathlib import Path

from cnnlab.errors import unknown_name
from cnnlab.recipes import (
    alexnet2012,
    bn_inception2015,
    densenet2016,
    fast,
    googlenet2014,
    highway2015,
    inception_v3_2015,
    inception_v4_2016,
    lenet1998,
    matlab2019,
    modern,
    nin2013,
    recipe,
    resnet2015,
    resnet_v2_2016,
    resnext2016,
    senet2017,
    vgg2014,
    wide_resnet2016,
)
from cnnlab.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "fast/cifar10": fast.CIFAR10,
    "fast/cifar10-95": fast.CIFAR10_95,
    "fast/cifar10-96": fast.CIFAR10_96,
    "fast/mnist": fast.MNIST,
    "modern/cifar10": modern.CIFAR10,
    "modern/imagenet": modern.IMAGENET,
    "modern/photos": modern.PHOTOS,
    "modern/finetune": modern.FINETUNE,
    "modern/finetune-photos": modern.FINETUNE_PHOTOS,
    "lenet1998/mnist": lenet1998.MNIST,
    "lenet1998/mnist-caffe": lenet1998.CAFFE_MNIST,
    "alexnet2012/imagenet": alexnet2012.IMAGENET,
    "alexnet2012/imagenet-caffe": alexnet2012.IMAGENET_CAFFE,
    "nin2013/cifar10": nin2013.CIFAR10,
    "nin2013/imagenet": nin2013.IMAGENET,
    "vgg2014/cifar10": vgg2014.CIFAR10,
    "vgg2014/imagenet-a": vgg2014.IMAGENET_A,
    "vgg2014/imagenet-d": vgg2014.IMAGENET_D,
    "vgg2014/imagenet-d-jitter": vgg2014.IMAGENET_D_JITTER,
    "vgg2014/imagenet-e": vgg2014.IMAGENET_E,
    "googlenet2014/imagenet": googlenet2014.IMAGENET,
    "googlenet2014/imagenet-bvlc": googlenet2014.IMAGENET_BVLC,
    "bn_inception2015/imagenet-x5": bn_inception2015.IMAGENET_X5,
    "bn_inception2015/imagenet-x30": bn_inception2015.IMAGENET_X30,
    "inception_v3_2015/imagenet": inception_v3_2015.IMAGENET,
    "highway2015/cifar10": highway2015.CIFAR10,
    "highway2015/cifar10-32": highway2015.CIFAR10_32,
    "resnet2015/cifar10": resnet2015.CIFAR10,
    "resnet2015/cifar10-110": resnet2015.CIFAR10_110,
    "resnet2015/imagenet": resnet2015.IMAGENET,
    "inception_v4_2016/imagenet": inception_v4_2016.IMAGENET,
    "inception_v4_2016/imagenet-resnet-v1": inception_v4_2016.IMAGENET_RESNET_V1,
    "inception_v4_2016/imagenet-resnet-v2": inception_v4_2016.IMAGENET_RESNET_V2,
    "resnet_v2_2016/cifar10": resnet_v2_2016.CIFAR10,
    "resnet_v2_2016/cifar10-1001": resnet_v2_2016.CIFAR10_1001,
    "resnet_v2_2016/imagenet": resnet_v2_2016.IMAGENET,
    "wide_resnet2016/cifar10": wide_resnet2016.CIFAR10,
    "wide_resnet2016/cifar10-dropout": wide_resnet2016.CIFAR10_DROPOUT,
    "resnext2016/cifar10": resnext2016.CIFAR10,
    "resnext2016/imagenet": resnext2016.IMAGENET,
    "densenet2016/cifar10": densenet2016.CIFAR10,
    "densenet2016/cifar10-40": densenet2016.CIFAR10_40,
    "densenet2016/imagenet": densenet2016.IMAGENET,
    "senet2017/imagenet": senet2017.IMAGENET,
    "senet2017/imagenet-released": senet2017.IMAGENET_RELEASED,
    "senet2017/imagenet-154": senet2017.IMAGENET_154,
    "matlab2019/cifar10": matlab2019.CIFAR10,
}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`, or the one in the JSON file `name` when it ends in `.json`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
        UsageError: the file does not hold a recipe.
    """
    if name.endswith(".json"):
        return recipe.read(Path(name))
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES, see="cnnlab recipes")
    return RECIPES[name]
