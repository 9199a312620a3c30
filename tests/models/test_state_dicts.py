"""Which part of a file's value is taken as weights: the usual one, the one asked for, never one in silence."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from cnnlab.errors import DataError
from cnnlab.models import state_dicts
from cnnlab.models.inert import Inert, OddKey, UnreadTensor
from cnnlab.models.state_dicts import WRAPPERS, choose_state, find_states, is_averaged, is_fit_name, plain_values
from cnnlab.models.tensor_plans import StoragePlan, TensorPlan

PLAN = TensorPlan(StoragePlan(torch.float32, "0", 4), 0, (2, 2), (2, 1))
OTHER = TensorPlan(StoragePlan(torch.float32, "1", 4), 0, (2, 2), (2, 1))
SCALAR = TensorPlan(StoragePlan(torch.float32, "2", 1), 0, (), ())
STATE = {"conv.weight": PLAN, "conv.bias": SCALAR}
AVERAGED = {"conv.weight": OTHER, "conv.bias": SCALAR}


def chosen(value: object, **options: Any) -> str:
    return choose_state(value, **options).chosen.wrapper


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_usual_wrappers_are_opened(wrapper: str) -> None:
    for value in (
        {wrapper: STATE, "epoch": 1},
        {wrapper: {"w": SCALAR}, "acc": SCALAR},
        {"state_dict": {wrapper: STATE}},
    ):
        assert chosen(value).endswith(wrapper)
    assert choose_state({wrapper: STATE}).plans == STATE


@pytest.mark.parametrize("wrapper", ["generator", "my weights", "0", "resnet50"])
def test_unusual_wrappers_are_opened_where_they_are_the_only_ones(wrapper: str) -> None:
    assert chosen({wrapper: STATE, "epoch": 1, "metrics": {"acc": SCALAR}}) == wrapper
    assert chosen([STATE, {"state": {0: {"momentum": PLAN}}}]) == "0"


@pytest.mark.parametrize(
    "name", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "modelEMA", "swa_model", "params_ema"]
)
def test_averages_are_taken_on_demand_or_alone(name: str) -> None:
    both = {name: AVERAGED, "model": STATE}
    assert (chosen(both), chosen(both, ema=True)) == ("model", name)
    assert choose_state(both).others == (name,)
    assert chosen({name: AVERAGED}) == name
    assert is_averaged(name)


@pytest.mark.parametrize("name", ["model", "state_dict", "schema", "layer1", "avgpool", "cinema"])
def test_other_names_do_not_say_averaged(name: str) -> None:
    assert not is_averaged(name)


def test_an_optimizer_is_not_weights() -> None:
    groups = {"state": {0: {"momentum": PLAN}, 2**31: {"momentum": PLAN}}, "named": {"conv.weight": PLAN}}
    for name in ("optimizer", "optim_g", "opt", "model_optimizer", "lr_scheduler", "amp_scaler", "criterion"):
        assert chosen({name: groups, "net": STATE}) == "net"
    assert [each.wrapper for each in find_states({"x": groups})] == ["x.named"]


def test_the_same_weights_twice_are_no_question() -> None:
    assert chosen({"a": STATE, "b": dict(STATE)}) == "a"
    parallel = module({}, {"module": module({"weight": PLAN, "bias": SCALAR}, {})})
    assert chosen({"model": parallel, "model_state_dict": {"weight": PLAN, "bias": SCALAR}}) == "model"


def test_the_same_weights_under_two_keys_are_found_under_both() -> None:
    value = {"model": STATE, "ema": STATE}
    assert [each.wrapper for each in find_states(value)] == ["model", "ema"]
    assert (chosen(value), choose_state(value, ema=True).chosen.wrapper) == ("model", "ema")
    assert choose_state({"a": STATE, "teacher": STATE}, key="teacher").chosen.wrapper == "teacher"
    shared = module({"weight": PLAN}, {})
    assert [each.wrapper for each in find_states({"model": shared, "best": shared})] == ["model", "best"]


def test_a_network_among_the_arguments_of_its_trainer_is_not_meant() -> None:
    for name in ("hyper_parameters", "hparams"):
        value = {
            "state_dict": {"model.weight": PLAN, "model.bias": PLAN},
            name: {"model": module({"weight": PLAN}, {})},
        }
        assert [each.wrapper for each in find_states(value)] == ["state_dict"]


def test_of_several_the_usual_is_taken_and_the_others_are_named() -> None:
    choice = choose_state({"best": AVERAGED, "model": STATE, "discriminator": {"d.weight": PLAN}})
    assert (choice.chosen.wrapper, choice.others) == ("model", ("best", "discriminator"))
    for value in ({"netG": STATE, "netD": AVERAGED}, {"model": STATE, "net": AVERAGED}):
        with pytest.raises(DataError, match=r"holds several weights: '(netG', 'netD|model', 'net)'; say which"):
            choose_state(value)


def test_a_key_leads_to_weights_or_into_them() -> None:
    value = {"a": {"netG": STATE, "netD": AVERAGED}}
    for key in ("a.netD", "netD"):
        assert chosen(value, key=key) == "a.netD"
    assert choose_state(value, key="a.netD.conv").prefix == "conv"
    assert choose_state({"model": STATE, "x": {"encoder.weight": PLAN}}, key="encoder").prefix == "encoder"
    with pytest.raises(DataError, match=r"no weights under 'netX'; there are: 'a\.netG', 'a\.netD'"):
        choose_state(value, key="netX")


def module(parameters: object, modules: object, **state: object) -> Inert:
    return Inert("models Net", state={"_parameters": parameters, "_buffers": {}, "_modules": modules, **state})


def test_of_a_module_what_its_state_dict_would_hold() -> None:
    inner = module({"weight": PLAN, "bias": None}, {})
    buffers = {"mean": SCALAR, "passing": SCALAR}
    left_out = Inert("builtins set", arguments=(["passing"],))
    net = module({}, {"conv": inner, "again": inner}, _buffers=buffers, _non_persistent_buffers_set=left_out)
    choice = choose_state({"net": net, "acc": 1.0})
    assert choice.plans == {"mean": SCALAR, "conv.weight": PLAN, "again.weight": PLAN}
    assert (choice.chosen.wrapper, choice.chosen.module) == ("net", "models.Net")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "holds a int"),
        (Inert("os system"), "holds a os.system with no entries"),
        ([3], "holds a list"),
        ({}, "a dict with no entries"),
        ({"epoch": 3, "weights": 5}, "a dict with 'epoch', 'weights'; expected a state_dict"),
        (PLAN, r"holds a single tensor; expected a state_dict; .*torch\.save\("),
        ({"w": PLAN, "note": "text"}, "not tensors with a name: 'note'"),
        ({"w.weight": PLAN, 3: PLAN}, "not tensors with a name: 3"),
        ({"w.weight": PLAN, OddKey((1,)): PLAN}, "not tensors with a name: 'OddKey'"),
        ({"w.weight": PLAN, "x\x1b[0m": PLAN}, r"not tensors with a name: 'x\\x1b\[0m'"),
        (
            {"state_dict": {"w.weight": PLAN, "evil": Inert("os system", ("id",))}},
            r"under 'state_dict' .*'evil' \(a os.system\)",
        ),
        ({"w.weight": UnreadTensor("a sparse tensor")}, r"'w.weight' \(a sparse tensor\)"),
        ({"w.weight": PLAN, "v.weight": PLAN.storage}, "'v.weight'"),
        ({f"n{number}": number for number in range(12)}, "and 2 more"),
    ],
)
def test_what_holds_no_weights_is_refused(value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose_state(value)


def test_a_spoilt_state_dict_is_not_passed_over_for_what_hides_in_it() -> None:
    hidden = Inert("os system", state={"conv.weight": OTHER})
    for inside in (hidden, {"conv.weight": OTHER}, [{"conv.weight": OTHER}]):
        with pytest.raises(DataError, match="not tensors with a name: 'evil'"):
            choose_state({"state_dict": {**STATE, "evil": inside}})


def test_what_has_no_end_ends() -> None:
    value: dict[str, Any] = {}
    value["state_dict"] = value
    with pytest.raises(DataError, match="holds a dict with 'state_dict'"):
        choose_state(value)
    net = module({"weight": PLAN}, {})
    assert isinstance(net.state, dict)
    net.state["_modules"]["again"] = net
    with pytest.raises(DataError, match="without end"):
        choose_state(net)


def test_modules_that_double_are_refused_soon() -> None:
    net = module({"weight": PLAN}, {})
    for _ in range(60):
        net = module({}, {"a": net, "b": net})
    with pytest.raises(DataError, match="entries or without end"):
        choose_state(net)


def test_many_objects_of_one_large_dict_are_refused_soon() -> None:
    large = {f"n{number}": [] for number in range(100_000)}
    began = time.process_time()
    with pytest.raises(DataError, match="values to look for weights among"):
        choose_state([Inert("x y", state=large) for _ in range(100)])
    assert time.process_time() - began < 5


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_dicts, "MAX_ENTRIES", 1)
    with pytest.raises(DataError, match="of 2 entries; accepted: up to 1"):
        choose_state(STATE)
    with pytest.raises(DataError, match="a module of more than 1"):
        choose_state(module({"a": PLAN, "b": PLAN}, {}))


def test_no_more_than_a_few_are_told_apart() -> None:
    assert len(find_states({f"n{number}": {"w.weight": PLAN} for number in range(100)})) == state_dicts.MAX_FOUND


def test_plain_values_beside_the_weights() -> None:
    args = Inert("argparse Namespace", state={"arch": "resnet50", "device": Inert("torch device", ("cpu",))})
    value = {"epoch": 3, "lr": 0.1, "nan": float("nan"), "big": 2**64, "odd": "a\nb", "state_dict": STATE, "args": args}
    assert plain_values(value) == {"epoch": 3, "lr": 0.1, "args.arch": "resnet50"}
    assert plain_values({str(number): number for number in range(1000)}).keys() == {str(n) for n in range(100)}
    assert plain_values(3) == {}


def test_names_that_fit() -> None:
    assert is_fit_name("layer1.0.conv1.weight")
    for odd in ("a\tb", "a" * 301, "." * 31, "\ud800"):
        assert not is_fit_name(odd)
