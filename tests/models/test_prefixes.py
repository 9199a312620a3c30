"""What wrappers put before names is taken off, in any nesting, and what they put beside is left out and named."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.errors import DataError
from cnnlab.models.prefixes import ANYWHERE, AT_FRONT, unwrap

NETWORK = ("conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight", "fc.weight", "fc.bias")


def under(prefix: str, names: tuple[str, ...] = NETWORK) -> list[str]:
    return [prefix + name for name in names]


def test_names_without_a_wrapper_stay() -> None:
    found = unwrap(NETWORK)
    assert found.theirs == {name: name for name in NETWORK}
    assert (found.prefix, found.notes) == ("", ())
    assert unwrap([]).theirs == {}


@settings(deadline=None)
@given(st.lists(st.sampled_from(ANYWHERE + AT_FRONT), max_size=4))
def test_any_nesting_reads_the_same(wrappers: list[str]) -> None:
    prefix = "".join(f"{each}." for each in wrappers)
    found = unwrap(under(prefix))
    assert found.theirs == {name: prefix + name for name in NETWORK}
    assert found.prefix == prefix


def test_every_name_of_the_file_is_taken_or_named() -> None:
    names = under("module.encoder_q.") + under("module.encoder_k.") + ["module.queue", "module.queue_ptr"]
    found = unwrap(names)
    assert list(found.theirs) == list(NETWORK)
    assert (found.prefix, found.notes) == ("module.encoder_q.", ("left out: encoder_k (6), queue (1), queue_ptr (1)",))
    for only in ("module.encoder_k", "encoder_k", "encoder_k."):
        other = unwrap(names, only=only)
        assert list(other.theirs.values()) == under("module.encoder_k.")
        assert other.prefix == "module.encoder_k."


def test_lightning_keeps_more_than_the_network() -> None:
    names = [*under("model."), "criterion.weight", "train_acc.tp", "val_loss.total", *under("ema_model.module.")]
    found = unwrap(names)
    assert list(found.theirs) == list(NETWORK)
    left_out = "left out: criterion (1), train_acc (1), val_loss (1), ema_model (6)"
    assert found.notes == (left_out, "--ema takes the averaged ones")
    averaged = unwrap(names, ema=True)
    assert list(averaged.theirs.values()) == under("ema_model.module.")


def test_what_is_unknown_beside_the_network_stays_to_be_refused_by_name() -> None:
    assert list(unwrap([*under("model."), "mystery.0.weight"]).theirs) == [*NETWORK, "mystery.0.weight"]


@pytest.mark.parametrize(
    "front", ["projector", "projection_head", "predictor", "accuracy", "class_weights", "attacker"]
)
def test_what_only_training_needs_is_left_out_and_said(front: str) -> None:
    found = unwrap([*under("encoder."), f"{front}.0.weight", f"{front}.0.bias"])
    assert tuple(found.theirs) == NETWORK
    assert found.notes == (f"left out: {front} (2)",)


def test_counts_of_multiplications_are_left_out_and_said() -> None:
    names = [*under("module."), "module.total_ops", "module.conv1.total_params"]
    found = unwrap(names)
    assert tuple(found.theirs) == NETWORK
    assert found.notes == ("left out: total_ops and total_params of thop (2)",)
    assert tuple(unwrap(names, only="module").theirs) == NETWORK
    assert list(unwrap(["total_ops"]).theirs) == ["total_ops"]  # a file of nothing else is refused by name


@pytest.mark.parametrize("head", ["fc", "classifier", "linear"])
def test_a_head_beside_the_backbone(head: str) -> None:
    body = NETWORK[:4]
    found = unwrap([*under("backbone.", body), f"{head}.weight", f"{head}.bias"])
    assert list(found.theirs) == [*body, f"{head}.weight", f"{head}.bias"]
    assert found.prefix == "backbone."


def test_mmpretrain_has_its_classifier_in_head() -> None:
    body = NETWORK[:4]
    found = unwrap([*under("backbone.", body), "head.fc.weight", "head.fc.bias", "data_preprocessor.mean"])
    assert list(found.theirs) == list(NETWORK)
    assert found.notes == ("names without 'head.', too", "left out: data_preprocessor (1)")


def test_parallel_parts_inside_a_network() -> None:
    """As PyTorch's ImageNet example wrote VGG and AlexNet."""
    found = unwrap(["features.module.0.weight", "features.module.3.weight", "classifier.1.weight"])
    assert list(found.theirs) == ["features.0.weight", "features.3.weight", "classifier.1.weight"]
    assert found.notes == ("names without 'module' inside",)


def test_an_averaged_model_counts_its_models() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    averaged = torch.optim.swa_utils.AveragedModel(network)
    found = unwrap(averaged.state_dict())
    assert list(found.theirs) == list(network.state_dict())
    assert (found.prefix, found.notes) == ("module.", ("an average of several models (AveragedModel)",))


def test_a_parallel_network_of_torch() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    assert list(unwrap(nn.DataParallel(network).state_dict()).theirs) == list(network.state_dict())


def test_a_prefix_that_only_some_names_have_belongs_to_them() -> None:
    for names in (["module.weight", "weight"], ["model", "model.weight"], ["net.a", "model.a"], ["weight"]):
        assert list(unwrap(names).theirs) == names


@pytest.mark.parametrize("part", ["features", "classifier", "layers"])
def test_a_network_of_one_part_keeps_its_name(part: str) -> None:
    names = [f"{part}.conv1.weight", f"{part}.conv2.weight"]
    assert list(unwrap(names).theirs) == names
    assert list(unwrap(under("my_resnet.")).theirs) == list(NETWORK), "a name that nobody foresaw"
    assert list(unwrap(["seq.0.weight", "seq.1.weight"]).theirs) == ["seq.0.weight", "seq.1.weight"]


def test_what_is_asked_for_has_to_be_there() -> None:
    with pytest.raises(DataError, match=r"no entry of its weights begins with 'decoder\.'; they begin with conv1, bn1"):
        unwrap(NETWORK, only="decoder")
    with pytest.raises(DataError, match="no averaged weights"):
        unwrap(NETWORK, ema=True)
    with pytest.raises(DataError, match=r"several averaged weights .*: ema, swa; say which"):
        unwrap(under("ema.") + under("swa."), ema=True)
    with pytest.raises(DataError, match="begin differently"):
        unwrap(["a.x.weight", "b.x.weight"], only="x")


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["module", "model", "ema", "fc", "0", "head", "n_averaged"]), min_size=1),
        unique_by=tuple,
    )
)
def test_no_two_entries_become_one(parts: list[list[str]]) -> None:
    names = [".".join(each) for each in parts]
    found = unwrap(names)
    assert set(found.theirs.values()) <= set(names)
    assert len(set(found.theirs.values())) == len(found.theirs)
    assert found.theirs.keys() == set(names) or found.prefix or found.notes
