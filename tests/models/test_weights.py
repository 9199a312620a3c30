"""Files of torchvision, timm and others, written by their own networks, load strictly into ours; nothing else does."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import cnnlab
from cnnlab.errors import DataError
from cnnlab.models import Network, create_model
from cnnlab.models.weight_files import read_weights
from cnnlab.models.weights import LoadReport, load_weights, some
from tests.models.oracle import random_state

State = dict[str, Tensor]


def empty(name: str, **options: object) -> Network:
    """A network of ours whose numbers are all NaN or -1, so that whatever was not loaded shows."""
    with torch.device("meta"):
        network = create_model(name, **options)
    network.to_empty(device="cpu")
    for tensor in network.state_dict().values():
        tensor.fill_(torch.nan if tensor.is_floating_point() else -1)
    return network


def numbers(build: Callable[[], nn.Module]) -> State:
    """A random state_dict of another library's network, its counters 5."""
    with torch.device("meta"):
        network = build()
    state = random_state(network)
    return {name: state[name].clone() + 5 * name.endswith("tracked") for name in network.state_dict()}


def ours(name: str, **options: object) -> State:
    return numbers(lambda: create_model(name, **options))


def save(path: Path, state: object) -> Path:
    """Write by suffix: `.safetensors`, `.th` for the format before torch 1.6, else the zip archive."""
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path)  # type: ignore[attr-defined]
    else:
        torch.save(state, path, _use_new_zipfile_serialization=path.suffix != ".th")
    return path


def assert_loaded(network: nn.Module, wanted: State) -> None:
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


SAME_NAMES = {
    "resnet18": lambda: torchvision.models.resnet18(),
    "densenet121": lambda: torchvision.models.densenet121(),
    "googlenet": lambda: torchvision.models.googlenet(init_weights=False),
    "resnetv2_50": lambda: timm.create_model("resnetv2_50"),
    "seresnet50": lambda: timm.create_model("seresnet50"),
}


@pytest.mark.parametrize("name", SAME_NAMES)
def test_files_of_torchvision_and_timm(tmp_path: Path, name: str) -> None:
    state = numbers(SAME_NAMES[name])
    network = empty(name)
    report = load_weights(network, save(tmp_path / "a.pth", state))
    assert_loaded(network, state)
    assert report.mapped == {entry: entry for entry in state}
    assert report.family.startswith("names as they stand")
    assert (report.renamed, report.reshaped, report.kept, report.left_out) == ({}, (), (), ())


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".safetensors"])
def test_every_format(tmp_path: Path, suffix: str) -> None:
    state, network = ours("resnet20"), empty("resnet20")
    cnnlab.load_weights(network, str(save(tmp_path / f"a{suffix}", state)))
    assert_loaded(network, state)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["module.", "_orig_mod."]), max_size=3).map("".join),
    st.sampled_from([None, "state_dict", "model", "model_state_dict", "net"]),
    st.sampled_from([".pth", ".th"]),
)
def test_any_wrapping_loads_the_same(tmp_path: Path, prefix: str, wrapper: str | None, suffix: str) -> None:
    state, network = ours("lenet_caffe"), empty("lenet_caffe")
    wrapped: object = {prefix + name: tensor for name, tensor in state.items()}
    load_weights(network, save(tmp_path / f"a{suffix}", {wrapper: wrapped, "epoch": 3} if wrapper else wrapped))
    assert_loaded(network, state)


def test_akamasters_checkpoints(tmp_path: Path) -> None:
    state = ours("resnet20")
    theirs = {f"module.{name.replace('fc.', 'linear.')}": tensor for name, tensor in state.items()}
    network = empty("resnet20")
    report = load_weights(network, save(tmp_path / "a.th", {"state_dict": theirs, "best_prec1": 91.73}))
    assert_loaded(network, state)
    assert report.renamed == {"fc.weight": "linear.weight", "fc.bias": "linear.bias"}
    assert "CIFAR" in report.family


def test_kuangliu_s_checkpoints(tmp_path: Path) -> None:
    state = ours("resnet18_cifar")
    renamed = {name: name.replace("fc.", "linear.").replace("downsample", "shortcut") for name in state}
    theirs = {f"module.{renamed[name]}": tensor for name, tensor in state.items()}
    network = empty("resnet18_cifar")
    report = load_weights(network, save(tmp_path / "a.pth", {"net": theirs, "acc": 95.5, "epoch": 199}))
    assert_loaded(network, state)
    assert report.renamed["layer2.0.downsample.0.weight"] == "layer2.0.shortcut.0.weight"


def test_the_dotted_densenets_of_torchvision_without_counters(tmp_path: Path) -> None:
    state = ours("densenet121")
    theirs = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in theirs
    network = empty("densenet121")
    report = load_weights(network, save(tmp_path / "a.th", theirs))
    kept = {name: torch.tensor(-1) for name in report.kept}
    assert_loaded(network, {**state, **kept})
    assert all(name.endswith("num_batches_tracked") for name in report.kept)
    assert len(report.kept) == 121


@pytest.mark.parametrize("name", ["densenet121", "resnet18"])
def test_cadenes_last_linear(tmp_path: Path, name: str) -> None:
    state, network = ours(name, num_classes=3), empty(name, num_classes=3)
    theirs = {re.sub(r"^(classifier|fc)\.", "last_linear.", entry): tensor for entry, tensor in state.items()}
    report = load_weights(network, save(tmp_path / "a.pth", theirs))
    assert_loaded(network, state)
    assert set(report.renamed.values()) == {"last_linear.weight", "last_linear.bias"}


def small_vgg(name: str) -> Network:
    """VGG with the hidden layers narrowed: the full ones have half a gigabyte."""
    network = create_model(name, num_classes=4)
    network.classifier[0], network.classifier[3] = nn.Linear(512 * 49, 8), nn.Linear(8, 8)  # type: ignore[index,operator]
    network.classifier[6] = nn.Linear(8, 4)  # type: ignore[index,operator]
    return network


def test_timms_vgg_with_its_convolutions_for_linear_layers(tmp_path: Path) -> None:
    with torch.device("meta"):
        network, full = small_vgg("vgg11"), timm.create_model("vgg11")
    renamed = {"classifier.0.": "pre_logits.fc1.", "classifier.3.": "pre_logits.fc2.", "classifier.6.": "head.fc."}
    state = {name: tensor.clone() for name, tensor in random_state(network).items()}
    theirs = {}
    for name, tensor in state.items():
        prefix = name.rpartition(".")[0] + "."
        their_name = name.replace(prefix, renamed.get(prefix, prefix))
        side = {"pre_logits.fc1.weight": 7, "pre_logits.fc2.weight": 1}.get(their_name)
        theirs[their_name] = tensor.reshape(len(tensor), -1, side, side) if side else tensor
    assert theirs.keys() == full.state_dict().keys()
    network = network.to_empty(device="cpu")
    report = load_weights(network, save(tmp_path / "a.pth", theirs))
    assert_loaded(network, state)
    assert report.reshaped == ("classifier.0.weight", "classifier.3.weight")


def test_other_dtypes_are_converted(tmp_path: Path) -> None:
    state, network = ours("lenet_caffe"), empty("lenet_caffe")
    load_weights(network, save(tmp_path / "a.safetensors", {name: each.bfloat16() for name, each in state.items()}))
    assert_loaded(network, {name: tensor.bfloat16().float() for name, tensor in state.items()})


def test_auxiliary_heads_may_be_left_out_by_name(tmp_path: Path) -> None:
    state, network = numbers(SAME_NAMES["googlenet"]), empty("googlenet", aux_heads=False)
    report = load_weights(network, save(tmp_path / "a.pth", state))
    assert_loaded(network, state)
    assert report.left_out == tuple(name for name in state if name.startswith("aux"))
    assert "left out: aux1.conv.conv.weight" in str(report)
    stranger = {**ours("lenet_caffe"), "aux1.weight": torch.ones(1)}
    with pytest.raises(DataError, match=r"unexpected: aux1\.weight"):
        load_weights(empty("lenet_caffe"), save(tmp_path / "b.pth", stranger))


def test_missing_auxiliary_heads_are_explained(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", ours("googlenet", aux_heads=False))
    with pytest.raises(
        DataError, match=r"aux1\.conv\.conv\.weight.* and .* more; create the network with aux_heads=False"
    ):
        load_weights(empty("googlenet"), path)


def test_another_number_of_classes_offers_to_drop_the_head(tmp_path: Path) -> None:
    state, network = ours("resnet20", num_classes=100), create_model("resnet20")
    path, own = save(tmp_path / "a.pth", state), network.classifier.weight.clone()
    with pytest.raises(
        DataError, match=r"fc.weight \(100, 64\), ours \(10, 64\).*100 classes, the network 10: pass drop_head"
    ):
        load_weights(network, path)
    assert not torch.equal(network.conv1.weight, state["conv1.weight"]), "a refused file must change nothing"
    report = load_weights(network, path, drop_head=True)
    assert report.kept == report.left_out == ("fc.weight", "fc.bias")
    assert torch.equal(network.classifier.weight, own)
    assert torch.equal(network.conv1.weight, state["conv1.weight"])


def test_dropping_the_head_drops_those_of_auxiliary_heads(tmp_path: Path) -> None:
    network = empty("googlenet", num_classes=2)
    report = load_weights(network, save(tmp_path / "a.pth", numbers(SAME_NAMES["googlenet"])), drop_head=True)
    assert {name.rpartition(".")[0] for name in report.kept} == {"fc", "aux1.fc2", "aux2.fc2"}
    assert not network.aux1.fc1.weight.isnan().any()


def test_a_head_under_another_name_is_dropped_too(tmp_path: Path) -> None:
    theirs = {name.replace("fc.", "linear."): each for name, each in ours("resnet20", num_classes=100).items()}
    report = load_weights(create_model("resnet20"), save(tmp_path / "a.th", theirs), drop_head=True)
    assert report.left_out == ("linear.weight", "linear.bias")


def test_weights_of_another_network_say_which(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", ours("resnet20"))
    with pytest.raises(DataError) as caught:
        load_weights(empty("resnet32"), path)
    message = str(caught.value)
    assert message.startswith(f"{path} does not fit this CifarResNet: ")
    assert "60 missing in the file: layer1.3.conv1.weight" in message
    assert " and 50 more; " in message
    assert message.endswith("the file looks like plain20 or resnet20")


def test_what_does_not_fit_is_listed_by_name(tmp_path: Path) -> None:
    state = ours("lenet_caffe")
    first, second, *_ = [name for name in state if name.endswith("weight")]
    changed = {**state, "more": torch.ones(1), second: torch.ones(2, 3), f"{first[:-6]}bias": torch.ones(20).long()}
    del changed[first]
    with pytest.raises(DataError) as caught:
        load_weights(empty("lenet_caffe"), save(tmp_path / "a.pth", changed))
    message = str(caught.value)
    assert f"1 missing in the file: {first}" in message
    assert "1 unexpected: more" in message
    assert f"{second} (2, 3), ours " in message
    assert f"{first[:-6]}bias int64 (20,), ours (20,)" in message
    assert "drop_head" not in message


def test_a_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    network = empty("lenet_caffe")
    path = save(tmp_path / "among.pth", {"state_dict": {**ours("lenet_caffe"), "evil": Touch()}})
    with pytest.raises(DataError, match=r"entries that are not tensors with a name: 'evil' \(a posix\.system\)"):
        load_weights(network, path)
    assert all(tensor.isnan().all() for tensor in network.parameters())
    load_weights(network, save(tmp_path / "beside.pth", {"state_dict": ours("lenet_caffe"), "args": Touch()}))
    assert not any(tensor.isnan().any() for tensor in network.parameters())
    assert not (tmp_path / "canary").exists()


def test_where_the_weights_were_found_is_said(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in ours("lenet_caffe").items()}
    averaged = {name: tensor + 1 for name, tensor in state.items()}
    path = save(tmp_path / "a.pth.tar", {"net": state, "ema": averaged, "optimizer": {"state": {2**47: {"m": state}}}})
    network = empty("lenet_caffe")
    report = load_weights(network, path)
    assert report.found == (
        "taken from 'net'",
        "names without 'module.'",
        "averaged weights are there too, under 'ema': --ema takes them",
    )
    assert all(line in str(report) for line in report.found)
    first = next(iter(network.parameters())).clone()
    for options in ({"ema": True}, {"key": "ema"}):
        assert "taken from 'ema'" in load_weights(network, path, **options).found
        assert torch.equal(next(iter(network.parameters())), first + 1)


def test_a_last_layer_behind_dropout_is_the_last_layer(tmp_path: Path) -> None:
    theirs = ours("resnet18", num_classes=5)
    behind = {name.replace("fc.", "fc.1."): each for name, each in theirs.items()}
    network = empty("resnet18", num_classes=5)
    load_weights(network, save(tmp_path / "a.pth", behind))
    assert_loaded(network, theirs)
    two = {**behind, "fc.3.weight": torch.zeros(5, 5), "fc.3.bias": torch.zeros(5)}
    path = save(tmp_path / "b.pth", two)
    with pytest.raises(DataError, match=r"2 missing in the file: fc\.weight, fc\.bias; 4 unexpected: fc\.1\.weight"):
        load_weights(network, path)
    assert load_weights(network, path, drop_head=True).left_out == tuple(name for name in two if name.startswith("fc."))


def test_the_children_of_a_resnet_in_a_sequential(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18()
    state = {
        f"backbone.{name}": each for name, each in nn.Sequential(*list(theirs.children())[:-1]).state_dict().items()
    }
    state["projection_head.0.weight"] = torch.zeros(3, 3)
    network = empty("resnet18")
    report = load_weights(network, save(tmp_path / "a.ckpt", {"state_dict": state}), drop_head=True)
    assert report.kept == ("fc.weight", "fc.bias")
    assert "left out: projection_head (1)" in report.found
    body = {name: each for name, each in network.state_dict().items() if not name.startswith("fc.")}
    assert all(torch.equal(each, theirs.state_dict()[name]) for name, each in body.items())


def test_entries_of_a_trainer_beside_the_network_are_named_with_how_to_leave_them_out(tmp_path: Path) -> None:
    theirs = ours("resnet20")
    state = {f"model.{name}": each for name, each in theirs.items()}
    path = save(tmp_path / "a.ckpt", {"state_dict": {**state, "mystery.buffer": torch.ones(3)}})
    with pytest.raises(DataError, match=r"unexpected: mystery\.buffer; to leave out .* 'model\.': --key model"):
        load_weights(empty("resnet20"), path)
    network = empty("resnet20")
    load_weights(network, path, key="model")
    assert_loaded(network, theirs)
    path = save(tmp_path / "b.pth", {**theirs, "best_acc": torch.tensor(0.9)})
    with pytest.raises(DataError, match="unexpected: best_acc; if they are not part of the network"):
        load_weights(network, path)


def test_a_file_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    theirs = ours("resnet20")
    path = save(tmp_path / "a.pth", {"teacher": theirs, "student": {"x.weight": torch.ones(1)}})
    found = read_weights(path, key="teacher")
    path.unlink()
    network = empty("resnet20")
    assert load_weights(network, found).path == path
    assert_loaded(network, theirs)


def test_two_entries_for_one_name_the_file(tmp_path: Path) -> None:
    state = ours("resnet20")
    both = {**{name.replace("fc.", "linear."): each for name, each in state.items()}, "fc.weight": state["fc.weight"]}
    with pytest.raises(DataError, match=r"a\.pth: has two entries for one of ours"):
        load_weights(empty("resnet20"), save(tmp_path / "a.pth", both))


def test_a_report_reads_as_text() -> None:
    names = tuple(f"bn{number}.num_batches_tracked" for number in range(12))
    report = LoadReport(Path("a.th"), "CIFAR", {"fc.weight": "linear.weight", "a": "a"}, (), names, ())
    assert str(report).splitlines() == [
        "a.th: 2 entries loaded, CIFAR",
        "fc.weight from linear.weight",
        f"kept: {', '.join(names[:10])} and 2 more",
    ]
    assert some([]) == ""


def test_idle_biases_go_into_the_running_means(tmp_path: Path) -> None:
    theirs = create_model("bn_inception", conv_bias=True, num_classes=5).eval()
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.1)
    path = save(tmp_path / "a.pth", theirs.state_dict())
    network = create_model("bn_inception", num_classes=5).eval()
    report = load_weights(network, path)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(images), theirs(images), rtol=1e-4, atol=1e-5)
    assert len(report.folded) == 69
    assert "folded: conv1_7x7_s2.bias" in str(report)


def test_biases_that_no_norm_follows_stay_strangers(tmp_path: Path) -> None:
    state = {**ours("wrn16_8"), "layer1.1.conv1.bias": torch.zeros(128)}  # there a norm stands before it
    with pytest.raises(DataError, match=r"unexpected: layer1\.1\.conv1\.bias"):
        load_weights(empty("wrn16_8"), save(tmp_path / "a.pth", state))


@pytest.mark.parametrize(("had", "wants"), [(3, 1), (1, 3), (3, 4), (4, 3)])
def test_the_first_layer_is_adapted_to_other_channels(tmp_path: Path, had: int, wants: int) -> None:
    theirs = create_model("resnet20", in_channels=had).eval()
    path = save(tmp_path / "a.pth", theirs.state_dict())
    network = create_model("resnet20", in_channels=wants).eval()
    with pytest.raises(DataError, match=r"conv1\.weight"):
        load_weights(network, path)
    report = load_weights(network, path, adapt_channels=True)
    grey = torch.randn(2, 1, 32, 32)
    if (had, wants) in ((3, 1), (1, 3)):
        with torch.no_grad():
            same = torch.allclose(network(grey.repeat(1, wants, 1, 1)), theirs(grey.repeat(1, had, 1, 1)), atol=1e-4)
        assert same, "the same image in every channel gives the same answer"
    assert report.adapted.startswith(f"the first layer, conv1, is adapted: its {had} input channels are ")
    assert report.adapted in str(report)


def test_a_report_names_the_twins(tmp_path: Path) -> None:
    report = load_weights(create_model("resnet20"), save(tmp_path / "a.pth", ours("resnet20")))
    assert report.twins[0] == "plain20 (no shortcuts)"
    assert "the file may as well be: plain20 (no shortcuts); or " in str(report)
    assert load_weights(create_model("perceptron"), save(tmp_path / "b.pth", ours("perceptron"))).twins == ()
