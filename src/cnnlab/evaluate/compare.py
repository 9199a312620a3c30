"""Several trained networks side by side, on the same images: who is better, by how much, how sure, at what cost."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.named import is_name
from cnnlab.data.parts import Part, file_of, name_of
from cnnlab.data.paths import same_path, whole_path
from cnnlab.data.photos import Photos
from cnnlab.data.preprocess import normalise
from cnnlab.errors import DataError, UsageError, command
from cnnlab.evaluate.answers import Answers, ClassScore, answers_from
from cnnlab.evaluate.class_match import some_names
from cnnlab.evaluate.classifier import Classifier, Config, load, read_config, trained_on
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.intervals import spread, wilson
from cnnlab.evaluate.locate import seeds_of
from cnnlab.evaluate.paired import bootstrap_difference, holm, mcnemar, paired_interval, seeds_test
from cnnlab.evaluate.predict import original_image
from cnnlab.evaluate.protocols import get_protocol, looks
from cnnlab.evaluate.tested_on import load_unseen, part_of, require_split, split_there
from cnnlab.models.describe import cost
from cnnlab.types import Split

DISAGREEMENTS = 36  # images shown
SIGNIFICANT = 0.05
# What two runs of one recipe may differ in; their data is compared by its SHA-256, however it is spelt.
NOT_OF_THE_RECIPE = (
    *("seed", "data", "data_folder", "manifest", "device", "compiled", "graphs", "gpu_jpegs", "save_seconds", "keep"),
    *("workers", "on_bad_step", "spike", "rank_seconds", "fsdp", "auto_batch_size", "auto_lr"),
)
LATENCY_SECONDS = 3.0  # to spend on timing, at most
LATENCY_ROUNDS = 50


@dataclass(frozen=True)
class RunScore:
    """One run, or several seeds of one: accuracies in [0, 1], what it costs, seconds of one image alone.

    `interval95` is over images for a single run, and of the mean over seeds for several, whose deviation is `std`.
    `latency_ratio` is to the first run's, the median over interleaved rounds.
    """

    run: str
    model: str
    recipe: str | None
    protocol: str
    top1: float
    interval95: tuple[float, float]
    seeds: tuple[float, ...]
    std: float | None
    parameters: int
    macs: int
    latency_seconds: float
    latency_ratio: float
    per_class: tuple[ClassScore, ...]


@dataclass(frozen=True)
class ClassDifference:
    """The first run's accuracy minus the second's on one class, with its 95% interval."""

    name: str
    images: int
    difference: float
    interval95: tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Two runs held against each other: `difference` is the first's accuracy minus the second's.

    `interval95` is the paired bootstrap's; `p` is the test's, `p_holm` corrected for the number of pairs; `better`
    is the run that is, None where no difference is shown, or where both are seeds of one recipe (`one_recipe`) and
    differ by luck alone; `words` says it.
    """

    first: str
    second: str
    difference: float
    interval95: tuple[float, float]
    test: str
    only_first: int | None
    only_second: int | None
    p: float
    p_holm: float
    better: str | None
    words: str
    per_class: tuple[ClassDifference, ...]
    one_recipe: bool = False


@dataclass(frozen=True)
class Disagreement:
    """An image that some runs recognise and others do not: each run's most frequent guess and its probability.

    `name` is what it is called, `file` where it lies if it is a file of its own.
    """

    index: int
    label: str
    guesses: tuple[str, ...]
    confidences: tuple[float, ...]
    name: str = ""
    file: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds, as plain values ready for JSON."""

    data: str
    split: str
    images: int
    class_names: tuple[str, ...]
    runs: tuple[RunScore, ...]
    pairs: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]
    disagreeing_images: int
    notes: tuple[str, ...] = ()  # what else is to be known of the images, such as which were left out


@dataclass(frozen=True)
class _Contender:
    """A run on its way through a comparison: its answers by seed, their folders, and the first seed's network."""

    name: str
    folders: tuple[Path, ...]
    classifier: Classifier
    answers: tuple[Answers, ...]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """(S, N), a row a seed."""
        return np.stack([each.hits for each in self.answers])


def compare(
    folders: Sequence[Path],
    data: str | None = None,
    *,
    folder: Path | None = None,
    protocol: str | None = None,
    split: str | Split | None = None,
    device: str = "auto",
) -> tuple[Comparison, Part | Photos]:
    """Hold runs against each other on the same images; each is a run folder, a bundle or a folder of seeds.

    Args:
        folders: two or more.
        data: a data set or a folder of images; None takes the one that all were trained on.
        folder: the user's own copy of a published set.
        protocol: how each image is looked at; None takes each run's own.
        split: which part (None: test, else val); each reading of the test part is recorded in the run's folder.
        device: where the networks run.

    Returns:
        The comparison, and the part it was made on, whose images `disagreements` count.

    Raises:
        UsageError: fewer than two runs, an unfinished one, other classes or inputs, or an unknown split or protocol.
        DataError: the data cannot be used, or has no such part.
    """
    if len(folders) < 2:
        raise UsageError(f"compare needs two runs or more; seen {len(folders)}; say: cnnlab compare RUN RUN")
    if split is not None:
        require_split(split)
    if protocol is not None:
        get_protocol(protocol)
    members = [seeds_of(each) for each in folders]
    every = [seed for seeds in members for seed in seeds]
    _require_alike(every, [read_config(each) for each in every])
    data = data or _common_data(every)
    splits = None if split is None else (Split(split),)
    names = read_config(every[0]).labels.names
    parts = load_unseen(names, every, data, folder=folder, splits=splits)
    split = Split(split or split_there(parts))
    part = part_of(parts, split, data)
    firsts = [load(seeds[0], device=device) for seeds in members]
    why = command("compare", *folders)
    contenders = []
    for name, first, seeds in zip(_names(folders), firsts, members, strict=True):
        answers = [_ask(first, part, protocol, split, why)]
        answers += [_ask(load(each, device=device), part, protocol, split, why) for each in seeds[1:]]
        contenders.append(_Contender(name, tuple(seeds), first, tuple(answers)))
    return replace(_compare(contenders, part, data, split), notes=parts.notes), part


def _ask(classifier: Classifier, part: Part | Photos, protocol: str | None, split: Split, why: str) -> Answers:
    evaluation, outcome = examine([classifier], part, protocol=protocol, split=split, why=why)
    names = classifier.config.labels.names
    return answers_from(outcome, names, split=str(split), protocol=evaluation.protocol)


def _names(folders: Sequence[Path]) -> list[str]:
    """What to call the runs: the folders' own names if these differ, else their paths, numbered if equal too."""
    for names in ([each.name for each in folders], [str(each) for each in folders]):
        if all(names) and len(set(names)) == len(names):
            return names
    return [f"{each} ({number})" for number, each in enumerate(folders, 1)]


# -- what can be compared ----------------------------------------------------------------------------------------


def _require_alike(folders: Sequence[Path], configs: Sequence[Config]) -> None:
    first = configs[0]
    for folder, config in zip(folders, configs, strict=True):
        if config.labels != first.labels:
            raise UsageError(
                f"{folders[0]} knows the classes {some_names(first.labels.names)}; {folder} knows "
                f"{some_names(config.labels.names)}; only runs with the same classes in the same order can be compared"
            )
        if config.in_channels != first.in_channels:
            raise UsageError(
                f"{folders[0]} takes images of {first.in_channels} channels; {folder} takes {config.in_channels}; "
                "only runs with the same input can be compared"
            )


def _common_data(folders: Sequence[Path]) -> str:
    found = {folder: trained_on(folder) for folder in folders}
    first = folders[0]
    for folder, data in found.items():
        if data != found[first] and (is_name(data) or is_name(found[first]) or not same_path(data, found[first])):
            raise UsageError(
                f"{first} was trained on {found[first]}, {folder} on {data}; name the data to compare them on: "
                f"{command('compare', first, folder, 'DATA')}"
            )
    return found[first]


# -- the comparison ----------------------------------------------------------------------------------------------


def _compare(contenders: Sequence[_Contender], part: Part | Photos, data: str, split: Split) -> Comparison:
    first = contenders[0].answers[0]
    if any(answers.indices != first.indices for each in contenders for answers in each.answers):
        raise DataError(f"the runs could not read the same images of {data}; mend or remove the damaged ones")
    inputs = [_one_input(each.classifier, part, first.indices[0]) for each in contenders]
    seconds = interleaved_seconds([each.classifier for each in contenders], inputs)
    pairs = [_pair(*two) for two in itertools.combinations(contenders, 2)]
    corrected = holm([pair.p for pair in pairs])
    shown, count = _disagreements(contenders)
    shown = tuple(_named(each, part) for each in shown)
    return Comparison(
        data=data,
        split=str(split),
        images=len(first.indices),
        class_names=first.class_names,
        runs=tuple(
            _score(each, image, times, seconds[0])
            for each, image, times in zip(contenders, inputs, seconds, strict=True)
        ),
        pairs=tuple(_judged(replace(pair, p_holm=p)) for pair, p in zip(pairs, corrected, strict=True)),
        disagreements=shown,
        disagreeing_images=count,
    )


def _named(found: Disagreement, part: Part | Photos) -> Disagreement:
    path = file_of(part, found.index)
    file = None if path is None else str(whole_path(path))
    return replace(found, name=name_of(part, found.index), file=file)


def _one_input(classifier: Classifier, part: Part | Photos, index: int) -> Tensor:
    """What the network sees of one image: (1, C, H, W), normalised, on its device."""
    preprocess = classifier.config.preprocess
    [pixels] = looks(original_image(part, index), get_protocol("center"), preprocess)
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    return normalise(image.to(classifier.device), preprocess)


def _score(contender: _Contender, image: Tensor, times: Sequence[float], reference: Sequence[float]) -> RunScore:
    config = contender.classifier.config
    over_seeds = spread([each.top1 for each in contender.answers])
    hits = contender.hits
    found = cost(contender.classifier.network, config.in_channels, tuple(image.shape[2:]))
    return RunScore(
        run=contender.name,
        model=config.architecture,
        recipe=_recipe(contender.classifier.folder),
        protocol=contender.answers[0].protocol,
        top1=over_seeds.mean,
        interval95=over_seeds.interval95 or wilson(int(hits.sum()), hits.size),
        seeds=tuple(each.top1 for each in contender.answers),
        std=over_seeds.std if over_seeds.count > 1 else None,
        parameters=found.parameters,
        macs=found.macs,
        latency_seconds=statistics.median(times),
        latency_ratio=statistics.median(mine / first for mine, first in zip(times, reference, strict=True)),
        per_class=contender.answers[0].per_class,
    )


def _recipe(folder: Path | None) -> str | None:
    try:
        return str(json.loads(((folder or Path()) / "recipe.json").read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a bundle does not say


def _pair(first: _Contender, second: _Contender) -> Pair:
    single = len(first.answers) == len(second.answers) == 1
    mine, other = first.hits[0], second.hits[0]
    only_first, only_second = int((mine & ~other).sum()), int((other & ~mine).sum())
    accuracies = [[each.top1 for each in side.answers] for side in (first, second)]
    differences = first.hits.mean(axis=0) - second.hits.mean(axis=0)  # (N,)
    p = mcnemar(only_first, only_second) if single else seeds_test(*accuracies)
    return Pair(
        first=first.name,
        second=second.name,
        difference=float(differences.mean()),
        interval95=bootstrap_difference(first.hits, second.hits),
        test="McNemar, exact" if single else "Student's t over seeds",
        only_first=only_first if single else None,
        only_second=only_second if single else None,
        p=p,
        p_holm=p,
        better=None,
        one_recipe=_made_alike(first.folders, second.folders),
        words="",
        per_class=_class_differences(first.answers[0], differences),
    )


def _class_differences(answers: Answers, differences: npt.NDArray[np.float64]) -> tuple[ClassDifference, ...]:
    found = []
    for place, name in enumerate(answers.class_names):
        mine = differences[np.asarray(answers.labels) == place]
        mean = float(mine.mean()) if len(mine) else 0.0
        found.append(ClassDifference(name, len(mine), mean, paired_interval(mine)))
    return tuple(found)


def _judged(pair: Pair) -> Pair:
    if pair.p_holm >= SIGNIFICANT or pair.difference == 0:
        same = pair.only_first == pair.only_second == 0
        return replace(pair, words="no difference: both recognise the same images" if same else "no difference shown")
    better, worse = (pair.first, pair.second) if pair.difference > 0 else (pair.second, pair.first)
    ahead = f"{100 * abs(pair.difference):.2f} points"
    if pair.one_recipe:
        return replace(pair, words=f"the luck of the seed, as one recipe made both; {better} is {ahead} ahead")
    return replace(pair, better=better, words=f"{better} is better than {worse} by {ahead}")


def _made_alike(first: Sequence[Path], second: Sequence[Path]) -> bool:
    """Whether all runs of both sides were made by one recipe on the same images, and differ in their seeds at most."""
    ways = [_way(each) for each in (*first, *second)]
    return ways[0] is not None and all(each == ways[0] for each in ways)


def _way(folder: Path) -> tuple[Any, ...] | None:
    """What a run was made by besides its seed; None where its folder does not say, as a bundle's."""
    try:
        recipe, settings, data = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("recipe.json", "settings.json", "data.json")
        )
        own = {name: value for name, value in settings.items() if name not in NOT_OF_THE_RECIPE}
        return recipe, own, data["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _disagreements(contenders: Sequence[_Contender]) -> tuple[tuple[Disagreement, ...], int]:
    """The images some contenders recognise and others do not, those first that divide them most; and how many."""
    shares = np.stack([each.hits.mean(axis=0) for each in contenders])  # (contenders, N)
    trust = np.stack([np.mean([a.label_probabilities for a in each.answers], axis=0) for each in contenders])
    apart, gap = np.ptp(shares, axis=0), np.ptp(trust, axis=0)
    places = np.flatnonzero(apart > 0)
    order = np.lexsort((places, -gap[places], -apart[places]))
    return tuple(_disagreement(contenders, int(place)) for place in places[order[:DISAGREEMENTS]]), len(places)


def _disagreement(contenders: Sequence[_Contender], place: int) -> Disagreement:
    first = contenders[0].answers[0]
    guesses = [_guess(contender.answers, place) for contender in contenders]
    return Disagreement(
        index=first.indices[place],
        label=first.class_names[first.labels[place]],
        guesses=tuple(first.class_names[guess] for guess, _ in guesses),
        confidences=tuple(confidence for _, confidence in guesses),
    )


def _guess(answers: Sequence[Answers], place: int) -> tuple[int, float]:
    """The most frequent guess of several seeds, with the mean probability of those who made it."""
    guess, _ = Counter(each.guesses[place] for each in answers).most_common(1)[0]
    return guess, statistics.fmean(each.confidences[place] for each in answers if each.guesses[place] == guess)


@torch.inference_mode()
def interleaved_seconds(classifiers: Sequence[Classifier], inputs: Sequence[Tensor]) -> list[list[float]]:
    """Seconds that each network takes for its input alone, in rounds: all once, then all again, for up to 3 s.

    A disturbance of the machine then falls on all of them; compare within a round.
    """
    pairs = list(zip(classifiers, inputs, strict=True))
    for classifier, image in pairs * 3:  # the first calls choose algorithms and ask for memory
        _seconds(classifier, image)
    began = time.perf_counter()
    rounds: list[list[float]] = []
    while len(rounds) < 3 or (len(rounds) < LATENCY_ROUNDS and time.perf_counter() - began < LATENCY_SECONDS):
        rounds.append([_seconds(classifier, image) for classifier, image in pairs])
    return [list(times) for times in zip(*rounds, strict=True)]


def _seconds(classifier: Classifier, image: Tensor) -> float:
    started = time.perf_counter()
    classifier.network(image).cpu()  # copying the answer waits for the device
    return time.perf_counter() - started
