from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from cnnlab.errors import CnnlabError, DataError, UnknownNameError, UsageError
from cnnlab.evaluate.classifier import load, save
from cnnlab.evaluate.compare import (
    Comparison,
    Pair,
    _judged,
    _made_alike,
    compare,
    interleaved_seconds,
)
from cnnlab.evaluate.examine import evaluate_on
from cnnlab.evaluate.locate import runs_and_data, seeds_of
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost


def untrained(run: Path, folder: Path, seed: int, model: str = "resnet20") -> Path:
    """A run like `run`, with another network drawn from `seed` in place of the trained one."""
    shutil.copytree(run, folder)
    config = load(run).config
    torch.manual_seed(seed)
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    (folder / "recipe.json").write_text(json.dumps({**recipe, "model": model}), encoding="utf-8")
    save(folder, create_model(model, num_classes=config.num_classes), replace(config, architecture=model))
    return folder


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.evaluate.compare.LATENCY_SECONDS", 0.0)


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> list[Path]:
    """A trained run, and one with random weights and another network."""
    trained = Path(shutil.copytree(tiny_run, tmp_path / "trained"))
    return [trained, untrained(tiny_run, tmp_path / "random", 7, "resnet32")]


@pytest.fixture
def seeds(tiny_run: Path, tmp_path: Path) -> Path:
    """A folder of three seeds, as `cnnlab train --runs 3` leaves it."""
    for seed in (2, 10, 9):
        untrained(tiny_run, tmp_path / "seeds" / f"seed{seed}", seed)
    return tmp_path / "seeds"


def on_train(folders: list[Path]) -> Comparison:
    """Compared on the training part, the largest: 30 images or so."""
    return compare(folders, split="train", device="cpu")[0]


# -- what is found -----------------------------------------------------------------------------------------------


def test_the_figures_are_those_that_each_run_has_by_itself(runs: list[Path], shapes: Path) -> None:
    found = on_train(runs)
    assert [each.run for each in found.runs] == ["trained", "random"]
    assert [each.model for each in found.runs] == ["resnet20", "resnet32"]
    for run, score in zip(runs, found.runs, strict=True):
        classifier = load(run, device="cpu")
        alone = evaluate_on(classifier, str(shapes), split="train")
        assert (score.top1, score.interval95, score.protocol) == (alone.top1, alone.interval95, "flip")
        expected = cost(classifier.network, 3, 16)
        assert (score.parameters, score.macs) == (expected.parameters, expected.macs)
        assert sum(each.recognised for each in score.per_class) == round(alone.top1 * found.images)
        assert (score.seeds, score.std, score.recipe) == ((alone.top1,), None, "tiny")
        assert score.latency_seconds > 0
    assert found.runs[0].latency_ratio == 1


def test_the_pair_is_tested_on_its_own_images(runs: list[Path]) -> None:
    found = on_train(runs)
    [pair] = found.pairs
    assert pair.only_first is not None
    assert pair.only_second is not None
    assert pair.difference == pytest.approx((pair.only_first - pair.only_second) / found.images)
    assert pair.difference == pytest.approx(found.runs[0].top1 - found.runs[1].top1)
    assert pair.p == stats.binomtest(pair.only_first, pair.only_first + pair.only_second).pvalue
    assert pair.p_holm == pair.p
    assert pair.interval95[0] <= pair.difference <= pair.interval95[1]
    assert found.disagreeing_images == pair.only_first + pair.only_second
    counted = sum(each.difference * each.images for each in pair.per_class)
    assert counted == pytest.approx(pair.only_first - pair.only_second)


def test_disagreements_are_images_that_divide_the_runs(runs: list[Path]) -> None:
    found, part = compare(runs, split="train", device="cpu")
    assert 0 < len(found.disagreements) <= found.disagreeing_images
    for each in found.disagreements:
        assert each.label == found.class_names[int(part.labels[each.index])]
        assert sum(guess == each.label for guess in each.guesses) == 1


def test_two_equal_runs_give_no_difference(runs: list[Path]) -> None:
    [pair] = on_train([runs[0], runs[0]]).pairs
    assert (pair.difference, pair.interval95, pair.p, pair.better) == (0, (0, 0), 1, None)
    assert pair.words == "no difference: both recognise the same images"
    assert pair.first != pair.second


def test_several_pairs_are_corrected(runs: list[Path], tiny_run: Path, tmp_path: Path) -> None:
    third = untrained(tiny_run, tmp_path / "third", 3)
    pairs = on_train([*runs, third]).pairs
    assert [(each.first, each.second) for each in pairs] == [
        ("trained", "random"),
        ("trained", "third"),
        ("random", "third"),
    ]
    smallest = min(pairs, key=lambda each: each.p)
    assert smallest.p_holm == min(1, 3 * smallest.p)


def pair(p: float, difference: float, only: tuple[int, int] = (9, 1)) -> Pair:
    return Pair("a", "b", difference, (0, 0), "", *only, p, p, None, "", ())


def test_the_verdict_names_the_better_only_where_it_is_shown() -> None:
    assert (_judged(pair(0.01, 0.0825)).better, _judged(pair(0.01, -0.1)).better) == ("a", "b")
    assert _judged(pair(0.01, 0.0825)).words == "a is better than b by 8.25 points"
    assert (_judged(pair(0.06, 0.1)).better, _judged(pair(0.06, 0.1)).words) == (None, "no difference shown")
    assert _judged(pair(1.0, 0, (0, 0))).words == "no difference: both recognise the same images"


def test_seeds_of_one_recipe_differ_by_luck() -> None:
    lucky = _judged(replace(pair(0.01, -0.0825), one_recipe=True))
    assert lucky.better is None
    assert lucky.words == "the luck of the seed, as one recipe made both; b is 8.25 points ahead"
    assert _judged(replace(pair(0.06, 0.1), one_recipe=True)).words == "no difference shown"


def test_runs_are_of_one_recipe_where_nothing_but_the_seed_differs(tiny_run: Path, tmp_path: Path) -> None:
    trained = Path(shutil.copytree(tiny_run, tmp_path / "trained"))
    other = untrained(tiny_run, tmp_path / "other", 3)
    assert on_train([trained, other]).pairs[0].one_recipe
    change(other, "settings.json", seed=3, data="./elsewhere/shapes", device="cuda", keep=5)
    assert _made_alike([trained], [other])
    changed: dict[str, dict[str, object]] = {
        "recipe.json": {"batch_size": 16},
        "settings.json": {"epochs": 7.0},
        "data.json": {"sha256": "of other images"},
    }
    for file, changes in changed.items():
        before = (other / file).read_bytes()
        change(other, file, **changes)
        assert not _made_alike([trained], [other]), file
        (other / file).write_bytes(before)
    (other / "settings.json").unlink()
    assert not _made_alike([trained], [other])  # a bundle does not say


# -- seeds -------------------------------------------------------------------------------------------------------


def test_a_folder_of_seeds_is_one_run_with_a_spread(seeds: Path, runs: list[Path]) -> None:
    found = on_train([seeds, runs[0]])
    several, one = found.runs
    assert several.run == "seeds"
    assert len(several.seeds) == 3
    assert several.top1 == pytest.approx(np.mean(several.seeds))
    assert several.std == pytest.approx(np.std(several.seeds, ddof=1))
    [pair] = found.pairs
    assert (pair.only_first, pair.test) == (None, "Student's t over seeds")
    t = (one.top1 - several.top1) / (several.std * np.sqrt(4 / 3))
    assert pair.p == pytest.approx(2 * stats.t.sf(abs(t), 2), rel=1e-4)
    assert pair.difference == pytest.approx(several.top1 - one.top1)


def test_two_folders_of_seeds_are_welchs_test(seeds: Path, tiny_run: Path, tmp_path: Path) -> None:
    for seed in (20, 21, 22, 23):
        untrained(tiny_run, tmp_path / "others" / f"seed{seed}", seed)
    found = on_train([seeds, tmp_path / "others"])
    expected = stats.ttest_ind(*(each.seeds for each in found.runs), equal_var=False).pvalue
    assert found.pairs[0].p == pytest.approx(expected, rel=1e-4)


def test_seeds_come_in_their_order(seeds: Path, tiny_run: Path) -> None:
    (seeds / "seedling").mkdir()
    assert [each.name for each in seeds_of(seeds)] == ["seed2", "seed9", "seed10"]
    assert seeds_of(tiny_run) == [tiny_run]
    assert seeds_of(seeds / "seedling") == [seeds / "seedling"]


# -- the test part -----------------------------------------------------------------------------------------------


def test_each_reading_of_the_test_part_is_recorded_in_every_run(runs: list[Path], seeds: Path) -> None:
    folders = [runs[0], *seeds_of(seeds)]
    before = [(each / "test_reads.jsonl").read_text(encoding="utf-8").splitlines() for each in folders]
    compare([runs[0], seeds], device="cpu")
    for folder, lines in zip(folders, before, strict=True):
        *old, last = (folder / "test_reads.jsonl").read_text(encoding="utf-8").splitlines()
        assert old == lines
        assert json.loads(last)["why"] == f"cnnlab compare {runs[0]} {seeds}"


def test_other_parts_are_not_recorded(runs: list[Path]) -> None:
    before = (runs[0] / "test_reads.jsonl").read_bytes()
    compare(runs, split="val", device="cpu")
    assert (runs[0] / "test_reads.jsonl").read_bytes() == before


# -- refused -----------------------------------------------------------------------------------------------------


def change(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def spoil_classes(folder: Path) -> None:
    change(folder, "config.json", labels={"names": ["checks", "disc", "dots"]})


def spoil_input(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change(folder, "config.json", in_channels=1, preprocess={**config["preprocess"], "mean": [0.5], "std": [0.2]})


def unfinish(folder: Path) -> None:
    (folder / "config.json").unlink()


def move_data(folder: Path) -> None:
    change(folder, "settings.json", data="elsewhere/photos")


REFUSED = {
    "other classes": (spoil_classes, r"knows the classes checks, disc, stripes; .* checks, disc, dots"),
    "another input": (spoil_input, r"takes images of 3 channels; .* takes 1"),
    "unfinished": (unfinish, r"is an unfinished run; finish it with: cnnlab train --resume"),
    "other data": (move_data, r"on elsewhere/photos; name the data to compare them on"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused_before_the_test_part_is_read(case: str, runs: list[Path]) -> None:
    spoil, message = REFUSED[case]
    spoil(runs[1])
    before = (runs[0] / "test_reads.jsonl").read_bytes()
    with pytest.raises(UsageError, match=message):
        compare(runs, device="cpu")
    assert (runs[0] / "test_reads.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"split": "tset"}, UnknownNameError, "did you mean 'test'"),
        ({"protocol": "flop"}, UnknownNameError, "did you mean 'flip'"),
        ({"data": "gone/photos"}, DataError, "there is no folder gone/photos"),
    ],
)
def test_a_mistake_is_named(options: dict[str, str], error: type[CnnlabError], message: str, runs: list[Path]) -> None:
    with pytest.raises(error, match=message):
        compare(runs, device="cpu", **options)


def test_one_run_alone_is_refused(tiny_run: Path) -> None:
    with pytest.raises(UsageError, match="compare needs two runs or more; seen 1"):
        compare([tiny_run])


def test_validation_images_that_another_run_trained_on_are_left_out_and_told(runs: list[Path]) -> None:
    whole = compare(runs, split="val", device="cpu")[0]
    path = runs[1] / "division.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",val,", ",train,", 1), encoding="utf-8")
    found, part = compare(runs, split="val", device="cpu")
    assert (found.images, len(part)) == (whole.images - 1, whole.images - 1)
    [note] = found.notes
    assert note.startswith(f"of {whole.images} images of ")
    assert f", 1 were trained on by {runs[1]} and are left out: " in note
    assert whole.notes == ()


def test_data_named_by_the_user_may_differ_from_the_runs_own(runs: list[Path], shapes: Path) -> None:
    move_data(runs[1])
    found, part = compare(runs, str(shapes), device="cpu")
    assert found.images == len(part)


def test_the_last_path_is_data_where_it_is_no_run(runs: list[Path], seeds: Path) -> None:
    one, two = map(str, runs)
    assert runs_and_data([one, two]) == (runs, None)
    assert runs_and_data([one, two, "cifar10"]) == (runs, "cifar10")
    assert runs_and_data([one, two, str(seeds)]) == ([*runs, seeds], None)
    assert runs_and_data([one, "mistyped"]) == ([runs[0], Path("mistyped")], None)


# -- time --------------------------------------------------------------------------------------------------------


def test_networks_take_turns(runs: list[Path]) -> None:
    order: list[str] = []
    classifiers = [load(each, device="cpu") for each in runs]
    for classifier in classifiers:
        name = classifier.config.architecture
        classifier.network.register_forward_hook(lambda *_, name=name: order.append(name))
    found = interleaved_seconds(classifiers, [torch.zeros(1, 3, 16, 16)] * 2)
    assert order[-6:] == ["resnet20", "resnet32"] * 3
    assert [len(times) for times in found] == [3, 3]
