from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.errors import UsageError
from cnnlab.recipes import RECIPES, Recipe, difference, from_dict, read, to_dict, with_settings
from cnnlab.recipes.recipe import AdamW, Constant, Cosine, Hardest, MultiStep, Muon, Resolution, Sgd

PLAIN = Recipe(
    name="plain", paper="none", model="resnet20", batch_size=8, optimizer=Sgd(lr=0.1), schedule=Constant(), steps=3
)


@pytest.mark.parametrize("name", RECIPES)
def test_json_and_back_is_exact(name: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(to_dict(RECIPES[name])), encoding="utf-8")
    assert read(path) == RECIPES[name]


def test_json_writes_every_field_out() -> None:
    assert to_dict(PLAIN)["label_smoothing"] == 0.0
    assert to_dict(PLAIN)["optimizer"] == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
        "kind": "sgd",
    }


def test_fields_left_out_take_their_defaults() -> None:
    assert from_dict({key: value for key, value in to_dict(PLAIN).items() if key != "augment"}) == PLAIN


@given(lr=st.floats(1e-9, 1e9), momentum=st.floats(0, 0.999), smoothing=st.floats(0, 0.999))
def test_numbers_set_are_kept_to_the_last_bit(lr: float, momentum: float, smoothing: float) -> None:
    settings = [f"optimizer.lr={lr!r}", f"optimizer.momentum={momentum!r}", f"label_smoothing={smoothing!r}"]
    expected = replace(PLAIN, optimizer=Sgd(lr=lr, momentum=momentum), label_smoothing=smoothing)
    assert with_settings(PLAIN, settings) == expected


@given(st.text())
def test_any_text_can_be_a_name(text: str) -> None:
    assert with_settings(PLAIN, [f"expected={json.dumps(text)}"]).expected == text


@given(st.text(max_size=30))
def test_any_setting_is_applied_or_refused_by_a_message(setting: str) -> None:
    try:
        changed = with_settings(PLAIN, [setting])
    except UsageError:
        return
    assert isinstance(changed, Recipe)


def test_a_setting_may_replace_a_whole_choice() -> None:
    changed = with_settings(PLAIN, ['schedule={"kind": "cosine"}', 'optimizer={"kind": "adamw", "lr": 0.001}'])
    assert (changed.schedule, changed.optimizer) == (Cosine(), AdamW(lr=0.001))


def test_later_settings_win() -> None:
    assert with_settings(PLAIN, ["batch_size=4", "batch_size=16"]).batch_size == 16


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_truth_may_be_written_as_json_or_python(text: str, value: bool) -> None:
    assert with_settings(PLAIN, [f"optimizer.nesterov={text}"]).optimizer == Sgd(lr=0.1, nesterov=value)


def test_setting_epochs_takes_the_place_of_steps_and_back() -> None:
    by_epochs = with_settings(PLAIN, ["epochs=2"])
    assert (by_epochs.steps, by_epochs.epochs) == (None, 2)
    assert with_settings(by_epochs, ["steps=5"]) == replace(PLAIN, steps=5)


REFUSED_SETTINGS = [
    ("lr", "no '='"),
    ("optimizer.lrr=1", r"no recipe field 'optimizer.lrr'; did you mean 'lr'\? known: lr, momentum"),
    ("optimiser.lr=1", "did you mean 'optimizer'"),
    ("btach_size=1", "did you mean 'batch_size'"),
    ("optimizer.lr.x=1", "'x' is asked of a plain value, 0.1"),
    ("warmup.error=0.5", "'error' is asked of a plain value, None"),
    ("batch_size=0", "batch_size: must be 1 or more; seen 0"),
    ("batch_size=many", "batch_size: must be a whole number; seen 'many'"),
    ("optimizer.lr=-1", "must be above 0; seen -1"),
    ("optimizer.lr=Infinity", "finite"),
    ("optimizer.momentum=1", "must be below 1; seen 1"),
    ("label_smoothing=NaN", "label_smoothing"),
    ("schedule.kind=cosin", "schedule: no such choice, seen 'cosin'; did you mean 'cosine'"),
    ("protocol=fliip", r"no such choice, seen 'fliip'; did you mean 'flip'\?"),
    ("steps=null", "exactly one of steps and epochs; it has steps=None and epochs=None"),
    ('epochs={"a": 1}', "epochs"),
    ("=1", "no recipe field ''"),
]


@pytest.mark.parametrize(("setting", "message"), REFUSED_SETTINGS)
def test_a_wrong_setting_is_refused_with_what_is_accepted(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        with_settings(PLAIN, [setting])


REFUSED_VALUES = [
    ({"labelsmoothing": 0.1}, "unknown field 'labelsmoothing'; did you mean 'label_smoothing'"),
    ({"qqqq": 0.1}, "unknown field 'qqqq'$"),
    ({"optimizer": {"kind": "sgd", "lr": 0.1, "momentun": 0.9}}, "unknown field .*momentun'; did you mean 'momentum'"),
    ({"optimizer": {"kind": "sgd"}}, "field 'optimizer.sgd.lr' is missing"),
    ({"resolutions": [{"until": 0.5, "pixel": 8}]}, "did you mean 'pixels'"),
    ({"optimizer": {"kind": "sgd", "lr": "fast"}}, "seen 'fast'"),
    ({"epochs": 2}, "exactly one of steps and epochs; it has steps=3 and epochs=2"),
    (
        {"resolutions": [{"until": 0.5, "pixels": 8}, {"until": 0.4, "pixels": 16}]},
        r"later and later; seen \[0.5, 0.4\]",
    ),
    ({"schedule": {"kind": "multistep", "at_steps": [20, 10]}}, r"must rise; seen \(20, 10\)"),
    ({"schedule": {"kind": "multistep", "at_steps": [10, 10]}}, "must rise"),
]


PHOTOS = {
    "crop": {"kind": "random_area", "pixels": 24},
    "test_resize_pixels": 28,
    "test_crop_pixels": 24,
    "normalisation": "imagenet",
}
CONTRADICTIONS: list[tuple[dict[str, object], str]] = [
    ({"loss": {"kind": "hinge"}, "label_smoothing": 0.1}, "label_smoothing=0.1 goes with the loss cross_entropy"),
    (
        {"loss": {"kind": "hinge"}, "augment": [{"kind": "mixup"}]},
        "mixup give labels that are shares; the loss 'hinge'",
    ),
    (
        {"loss": {"kind": "map", "rubbish": 1}, "augment": [{"kind": "cutmix"}]},
        "cutmix .* use cross_entropy, mse or mae",
    ),
    ({"augment": [{"kind": "photometric"}, {"kind": "trivial_augment"}]}, "trivial_augment .* must come before"),
    ({"accumulate": 3}, "batch_size=8 does not divide into accumulate=3 equal pieces"),
    (
        {"accumulate": 8, "hardest": {"share": 0.5}},
        "batch_size=8 at hardest.share=0.5 does not divide into accumulate=8 equal pieces",
    ),
    ({"initialisation_std": 0.1}, "initialisation_std=0.1 goes with gaussian and truncated_normal, not with 'own'"),
    ({"schedule": {"kind": "plateau"}, "val_images": 0}, "val_images=0 leaves nothing to validate on"),
    ({"schedule": {"kind": "onecycle", "peak_at": 0.5}, "warmup": {"kind": "linear", "steps": 5}}, "leave warmup out"),
    ({"crop": {"kind": "random_area", "pixels": 24}}, "crop, test_resize_pixels and test_crop_pixels belong together"),
    ({"test_crop_pixels": 24, "test_resize_pixels": 28}, "belong together"),
    ({**PHOTOS, "test_resize_pixels": 20}, "test_crop_pixels=24 cannot be cut out of test_resize_pixels=20"),
    ({**PHOTOS, "normalisation": "pixel_mean"}, "for images of one size in memory; with a crop of photos"),
    ({"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0, "nesterov": True}}, "give a momentum"),
    ({"multiply": [{"parameters": "*", "lrr": 2}]}, "unknown field 'multiply.0.lrr'; did you mean 'lr'"),
    ({"crop": {"kind": "scale_jitter", "pixel": 3}}, "did you mean 'pixels'"),
    ({"loss": {"kind": "hinge", "pwer": 2}}, "did you mean 'power'"),
]


@pytest.mark.parametrize(("changes", "message"), CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_dict({**to_dict(PLAIN), **changes})


def test_photos_with_all_that_belongs_to_them_are_accepted() -> None:
    assert from_dict({**to_dict(PLAIN), **PHOTOS}).test_crop_pixels == 24


def test_a_difference_names_the_fields_and_both_values() -> None:
    assert difference(PLAIN, replace(PLAIN, batch_size=16, dropout=0.5)) == {
        "batch_size": [8, 16],
        "dropout": [None, 0.5],
    }
    assert difference(PLAIN, PLAIN) == {}


def test_the_length_is_said_in_words() -> None:
    assert replace(PLAIN, steps=64_000).length == "64,000 steps"
    assert replace(PLAIN, steps=None, epochs=2.5).length == "2.5 epochs"


@pytest.mark.parametrize(("changes", "message"), REFUSED_VALUES)
def test_wrong_values_are_refused_with_what_is_accepted(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_dict({**to_dict(PLAIN), **changes})


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"'name' is missing; .*'paper' is missing"):
        from_dict({"model": "resnet20"})


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        PLAIN.steps = 4  # type: ignore[misc]


def test_contradictions_are_refused_in_python_too() -> None:
    with pytest.raises(UsageError, match="exactly one"):
        replace(PLAIN, steps=None)
    with pytest.raises(UsageError, match="must rise"):
        replace(PLAIN, schedule=MultiStep(at_steps=(2, 1)))
    with pytest.raises(UsageError, match="later and later"):
        replace(PLAIN, resolutions=(Resolution(until=0.5, pixels=8), Resolution(until=0.5, pixels=9)))


def test_muon_holds_an_optimizer_for_the_rest() -> None:
    muon = replace(PLAIN, optimizer=Muon(lr=0.2, rest=Sgd(lr=0.1)))
    assert with_settings(muon, ["optimizer.rest.lr=0.05"]).optimizer == Muon(lr=0.2, rest=Sgd(lr=0.05))


BROKEN_FILES = {
    "cut short": b'{"name": "x", ',
    "empty": b"",
    "not text": b"\xff\xfe\x00\x01",
    "a list": b"[1, 2]",
    "a number": b"3",
    "nothing": b"null",
}


@pytest.mark.parametrize("content", BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read a recipe from .*gone.json"):
        read(tmp_path / "gone.json")
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path)


def test_another_network_begins_without_the_options_of_the_first() -> None:
    fast = RECIPES["fast/cifar10"]
    assert with_settings(fast, ["model=airnet"]).model_options == fast.model_options != {}
    assert with_settings(fast, ["model=resnet20"]).model_options == {}
    assert with_settings(fast, ["model_options.widths=[8, 8, 16]"]).model_options == {"widths": (8, 8, 16)}


@pytest.mark.parametrize(("batch_size", "share", "images"), [(1024, 0.5, 512), (10, 0.25, 2), (3, 0.1, 1)])
def test_a_share_of_each_batch_is_trained_on_and_never_none(batch_size: int, share: float, images: int) -> None:
    assert replace(PLAIN, batch_size=batch_size).trained_images(0.0) == batch_size
    hard = replace(PLAIN, batch_size=batch_size, hardest=Hardest(share=share))
    assert [hard.trained_images(done) for done in (0.0, 0.5, 0.999)] == [images] * 3
    late = replace(hard, hardest=Hardest(share=share, until=0.75))
    assert [late.trained_images(done) for done in (0.0, 0.749, 0.75, 0.999)] == [images, images, *[batch_size] * 2]


def test_what_steps_are_taken_on_is_told_in_words() -> None:
    assert replace(PLAIN, batch_size=1024).batches == "batches of 1,024"
    hard = replace(PLAIN, batch_size=1024, hardest=Hardest(share=0.25))
    assert hard.batches == "batches of 1,024, the hardest 256 of each trained on"
    late = replace(hard, hardest=Hardest(share=0.25, until=0.8))
    assert late.batches == "batches of 1,024, the hardest 256 of each trained on, all in the last 20%"


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_that_is_none_or_all_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=r"hardest\.share: must be (above 0|below 1)"):
        from_dict({**to_dict(PLAIN), "hardest": {"share": share}})


def test_a_recipe_for_another_network_may_take_the_hardest_images_too() -> None:
    changed = with_settings(PLAIN, ["hardest={}"])
    assert changed.hardest == Hardest(share=0.5, model="airnet", model_options={"widths": (32, 64, 64)}, learns_every=4)
    assert from_dict(json.loads(json.dumps(to_dict(changed)))) == changed


def test_an_option_of_the_network_need_not_stand_in_the_recipe_yet() -> None:
    made = with_settings(RECIPES["modern/cifar10"], ["model=plain20", "model_options.norm=false"])
    assert made.model_options == {"norm": False}
