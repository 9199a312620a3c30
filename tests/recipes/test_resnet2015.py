"""Every value of the paper, copied from section 4.2 of arXiv:1512.03385 and not from the code."""

from __future__ import annotations

from cnnlab.recipes import RECIPES, get_recipe, to_dict

# "We use a weight decay of 0.0001 and momentum of 0.9, and adopt the weight initialization in [13] and BN [16] but
# with no dropout. These models are trained with a mini-batch size of 128 on two GPUs. We start with a learning rate
# of 0.1, divide it by 10 at 32k and 48k iterations, and terminate training at 64k iterations, which is determined on a
# 45k/5k train/val split. We follow the simple data augmentation in [24] for training: 4 pixels are padded on each
# side, and a 32x32 crop is randomly sampled from the padded image or its horizontal flip. For testing, we only
# evaluate the single view of the original 32x32 image." Inputs: "with the per-pixel mean subtracted".
PAPER = {
    "data": "cifar10",
    "val_images": 50_000 - 45_000,
    "batch_size": 128,
    "steps": 64_000,
    "epochs": None,
    "optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0001},
    "schedule": {"kind": "multistep", "at_steps": [32_000, 48_000], "at_epochs": [], "factor": 0.1},
    "augment": [{"kind": "pad_crop", "pixels": 4, "mode": "zero"}, {"kind": "flip", "probability": 0.5}],
    "normalisation": "pixel_mean",
    "initialisation": "he_fan_in",
    "label_smoothing": 0.0,
    "decay_norms_and_biases": True,
    "average": None,
    "precision": "fp32",
    "protocol": "center",
    "resolutions": [],
    "cpu_minutes": None,
    "crop": None,
    "pad_pixels": 0,
    "initialisation_std": None,
    "start": None,
    "dropout": None,
    "model_options": {},
    "loss": {"kind": "cross_entropy"},
    "aux_weight": 0.0,
    "multiply": [],
    "clip": None,
    "hardest": None,
    "accumulate": 1,
    "test_resize_pixels": None,
    "test_crop_pixels": None,
}
OURS = {
    "name",
    "paper",
    "model",
    "warmup",
    "folder_pixels",
    "gmac",
    "expected",
    "differences",
    "reasons",
}  # ours to say


def test_the_recipe_is_the_papers() -> None:
    values = to_dict(get_recipe("resnet2015/cifar10"))
    assert {key: value for key, value in values.items() if key not in OURS} == PAPER


def test_the_110_layer_network_differs_by_its_warm_up_alone() -> None:
    # "we use 0.01 to warm up the training until the training error is below 80% (about 400 iterations)"
    base, deep = to_dict(get_recipe("resnet2015/cifar10")), to_dict(get_recipe("resnet2015/cifar10-110"))
    changed = {key for key in base if base[key] != deep[key]}
    assert changed == {"name", "model", "warmup", "gmac", "expected"}
    assert base["warmup"] is None
    assert deep["warmup"] == {"kind": "until_error", "error": 0.8, "factor": 0.1}
    assert deep["warmup"]["factor"] * deep["optimizer"]["lr"] == 0.1 * 0.1


def test_the_networks_and_their_errors_are_those_of_table_6() -> None:
    small, deep = RECIPES["resnet2015/cifar10"], RECIPES["resnet2015/cifar10-110"]
    assert (small.model, deep.model) == ("resnet20", "resnet110")
    assert "8.75%" in small.expected
    assert "6.43%" in deep.expected
    assert "6.61 +- 0.16" in deep.expected
    assert "1512.03385" in small.paper


def test_what_differs_from_the_paper_is_said() -> None:
    assert len(get_recipe("resnet2015/cifar10").differences) == 3


def test_imagenet_is_section_3_4() -> None:
    # "The image is resized with its shorter side randomly sampled in [256,480] for scale augmentation [41]. A 224x224
    # crop is randomly sampled from an image or its horizontal flip, with the per-pixel mean subtracted [21]. The
    # standard color augmentation in [21] is used. ... mini-batch size of 256. The learning rate starts from 0.1 and is
    # divided by 10 when the error plateaus, and the models are trained for up to 60x10^4 iterations. We use a weight
    # decay of 0.0001 and a momentum of 0.9. ... for comparison studies we adopt the standard 10-crop testing".
    values = to_dict(get_recipe("resnet2015/imagenet"))
    assert values["crop"] == {"kind": "scale_jitter", "pixels": 224, "shorter_side": [256, 480], "centre_square": False}
    assert (values["batch_size"], values["steps"], values["protocol"]) == (256, 600_000, "10crop")
    assert values["optimizer"] == PAPER["optimizer"]
    assert (values["schedule"]["kind"], values["schedule"]["factor"]) == ("plateau", 0.1)
    assert {change["kind"] for change in values["augment"]} == {"flip", "pca_noise"}
