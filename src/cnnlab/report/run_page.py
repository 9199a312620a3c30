"""A run's report: how well it does, how it got there, where it errs, what it was told, where it ran, what it cost.

Made from the plain files of the run folder (`recipe.json`, `metrics.jsonl`, `result.json`, …) and, where they are
given, the network's answers to each image, which are kept as `predictions.json` so that the page can be made anew.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.errors import UsageError, reason_of
from cnnlab.report.charts import Line, Row, heat_map, line_chart, row_chart
from cnnlab.report.doubts import doubts
from cnnlab.report.file_links import file_link
from cnnlab.report.images import picture_file, thumbnail
from cnnlab.report.page import (
    Html,
    Section,
    between,
    element,
    facts,
    folded,
    gallery,
    grid,
    join,
    note,
    page,
    pairs,
    paragraph,
    percent,
    table,
    write_page,
)

REPORT, PREDICTIONS = "report.html", "predictions.json"
MISTAKES = 24  # pictures in the gallery
MOST_CLASSES_DRAWN = 24  # more make a confusion matrix unreadable; the table of pairs stays
CONFUSED_PAIRS = 12
PASSES = 3  # a training step is a forward pass and about twice its work backward

Record = Mapping[str, Any]
Images = Mapping[int, npt.NDArray[np.uint8]]


def write_run_report(
    folder: Path,
    *,
    predictions: Record | None = None,
    images: Images | None = None,
    named_recipe: Record | None = None,
    macs: int | None = None,
) -> Path:
    """Write `report.html` into a run folder, finished or not; returns its path.

    Args:
        folder: the run folder.
        predictions: `evaluate.answers.Answers` as a dictionary; None takes those of the folder's `predictions.json`.
        images: some images by their place in the part, uint8 (H, W, C): the worst mistakes are shown of these.
        named_recipe: the catalogue's recipe of this name, which the run's own is compared with.
        macs: multiply-accumulates of one image, forward.

    Raises:
        UsageError: the folder is no run, or one of its files is not what cnnlab writes.
    """
    if predictions is not None:
        shown = {str(index): thumbnail(image) for index, image in (images or {}).items()}
        text = json.dumps({**predictions, "images": shown})
        write_page(folder / PREDICTIONS, text)
    return write_page(folder / REPORT, run_page(folder, named_recipe=named_recipe, macs=macs))


def run_page(folder: Path, *, named_recipe: Record | None = None, macs: int | None = None) -> str:
    """The page of a run folder as HTML; arguments as for `write_run_report`.

    Raises:
        UsageError: the folder is no run, or one of its files is not what cnnlab writes.
    """
    if not (folder / "recipe.json").is_file():
        raise UsageError(f"{folder} is not a run folder (no recipe.json); cnnlab train --run runs/mine makes one")
    recipe, result = _read(folder, "recipe.json"), _read(folder, "result.json")
    data, predictions, config = (_read(folder, name) for name in ("data.json", PREDICTIONS, "config.json"))
    try:
        sections = [
            *doubts(result),
            Section("Curves", _curves(_read_lines(folder, "metrics.jsonl"))),
            *_predicted(predictions, folder),
            *_pictures(folder),
            Section("Recipe", _recipe(recipe, named_recipe)),
            Section("Cost", _cost(recipe, result, config, macs)),
            Section("Data", _data(data, _read_lines(folder, "test_reads.jsonl"))),
            Section("Environment", _environment(_read(folder, "environment.json"), _read(folder, "settings.json"))),
        ]
        title = f"{recipe['model']} on {data.get('name', recipe['data'])}"
        return page(title, _subtitle(folder, recipe, result), sections, lead=_headline(result, data))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"a file of {folder} is not as cnnlab writes it ({error!r}); was it changed?") from None


def _read(folder: Path, name: str) -> dict[str, Any]:
    """The values in a JSON file, empty where there is none."""
    path = folder / name
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read ({reason_of(error)}); was it changed?") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds no JSON object; was it changed?")
    return values


def _read_lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """The JSON objects in a file of lines; a last line cut short by a crash is left out."""
    path = folder / name
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


# -- the headline ------------------------------------------------------------------------------------------------


def _subtitle(folder: Path, recipe: Record, result: Record) -> str:
    seed = f", seed {result['seed']}" if "seed" in result else ""
    state = "" if result else "; unfinished"
    return f"Recipe {recipe['name']}{seed}; run {folder.name}{state}"


def _headline(result: Record, data: Record) -> Html | None:
    if not result:
        return None
    tiles: list[tuple[str, object, object]] = []
    if "test" in result:
        tiles.append(("Test accuracy", percent(result["test"]["top1"]), _how_tested(result["test"])))
    if "val" in result:
        tiles.append(("Validation accuracy", percent(result["val"]["top1"]), _how_tested(result["val"])))
    tiles.append(("Parameters", short(result["parameters"]), f"{result['parameters']:,}"))
    below = f"{result['epochs']:.1f} epochs of {data.get('train_images', 0):,} images"
    tiles.append(("Training", duration(result["train_seconds"]), below))
    return facts(tiles)


def _how_tested(found: Record) -> str:
    """What stands below an accuracy: how sure it is, on how many images, and by which protocol."""
    sure = f"95% interval {between(found['interval95'])}; " if "interval95" in found else ""
    return f"{sure}{found['images']:,} images, protocol {found['protocol']}"


def short(value: float) -> str:
    """A large number with three digits and its unit: 1.16 M, 431 T."""
    for size, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Seconds in the two units that say most: "42 s", "9 min 30 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


# -- curves ------------------------------------------------------------------------------------------------------


def _curves(records: Sequence[Record]) -> Html:
    def line(label: str, split: str, key: str, colour: int) -> Line:
        found = [each for each in records if each["split"] == split and isinstance(each.get(key), int | float)]
        return Line(label, [(each["step"], each[key]) for each in found], colour)

    rates = [each["lr"] for each in records if each.get("lr")]
    charts = [
        line_chart("Loss", [line("train", "train", "loss", 0), line("validation", "val", "loss", 1)], x_label="step"),
        line_chart(
            "Accuracy",
            [line("train", "train", "top1", 0), line("validation", "val", "top1", 1)],
            x_label="step",
            shares=True,
        ),
        line_chart(
            "Learning rate",
            [line("learning rate", "train", "lr", 2)],
            x_label="step",
            log=bool(rates) and max(rates) > 99 * min(rates),
        ),
        line_chart("Speed, images/s", [line("images/s", "train", "images_per_second", 3)], x_label="step"),
    ]
    said = (
        "Training figures are means over the steps between two records, of augmented images and with the recipe's own "
        "loss; validation figures are of unchanged images, one view each, and the plain log-loss."
    )
    return join([grid(charts), note(said)])


# -- answers -----------------------------------------------------------------------------------------------------


def _predicted(predictions: Record, folder: Path) -> list[Section]:
    if not predictions:
        said = "No predictions of single images were saved; to make them: cnnlab report RUN --split val"
        return [Section("Answers", note(said))]
    names = predictions["class_names"]
    counts = confusion(predictions["labels"], predictions["guesses"], len(names))
    return [
        Section("Classes", _classes(predictions)),
        Section("Confusion", _confusion(names, counts, predictions)),
        Section("Most confident mistakes", _mistakes(predictions, folder)),
    ]


def confusion(labels: Sequence[int], guesses: Sequence[int], classes: int) -> list[list[int]]:
    """How often each class (row) was taken for each class (column)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(labels, np.int64), np.asarray(guesses, np.int64)), 1)
    return counts.tolist()


def _part(predictions: Record) -> str:
    images = len(predictions["labels"])
    return f"{images:,} images of the {predictions['split']} part, protocol {predictions['protocol']}"


def _classes(predictions: Record) -> Html:
    scores = [each for each in predictions["per_class"] if each["images"]]
    scores.sort(key=lambda each: each["recognised"] / each["images"])
    rows = [Row(each["name"], each["recognised"] / each["images"], tuple(each["interval95"])) for each in scores]
    drawn = rows[:MOST_CLASSES_DRAWN]
    title = "Accuracy by class" if len(drawn) == len(rows) else f"Accuracy of the {len(drawn)} hardest classes"
    cells = [
        (
            each["name"],
            f"{each['images']:,}",
            f"{each['recognised']:,}",
            percent(row.value),
            between(each["interval95"]),
        )
        for each, row in zip(scores, rows, strict=True)
    ]
    columns = ("class", "images", "recognised", "accuracy", "95% interval")
    chart = row_chart(f"{title}, hardest first", drawn, shares=True, write=lambda value: percent(value, 1))
    whole = table(columns, cells, caption="All classes", numbers=columns[1:])
    said = note(f"{_part(predictions)}. Whiskers are 95% intervals over images (Wilson 1927), each by itself.")
    if len(drawn) < len(rows):
        return join([chart, said, folded(f"All {len(rows):,} classes as a table", whole)])
    return join([grid([chart, whole]), said])


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]], predictions: Record) -> Html:
    pairs_found = Counter(
        {(i, j): count for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count}
    )
    rows = [
        (names[i], names[j], f"{count:,}", percent(count / sum(counts[i]), 1))
        for (i, j), count in pairs_found.most_common(CONFUSED_PAIRS)
    ]
    caption = f"The {len(rows)} most frequent confusions of {len(pairs_found):,}"
    drawn = None
    if len(names) <= MOST_CLASSES_DRAWN:
        drawn = heat_map("What was taken for what", names, counts, rows="truth", columns="answer")
    columns = ("truth", "answer", "images", "share of the class")
    confused = (
        table(columns, rows, caption=caption, numbers=columns[2:]) if rows else paragraph("Nothing was confused.")
    )
    said = (
        f"{_part(predictions)}. Rows are the truth, columns the answer; mistakes are coloured relative to the largest."
    )
    return join([grid([part for part in (drawn, confused) if part is not None]), note(said)])


def _mistakes(predictions: Record, folder: Path) -> Html:
    shown = predictions.get("images", {})
    columns = (predictions[name] for name in ("indices", "labels", "guesses", "confidences"))
    wrong = [(place, *each) for place, each in enumerate(zip(*columns, strict=True)) if each[1] != each[2]]
    wrong.sort(key=lambda each: -each[4])
    if not wrong:
        return paragraph("It made no mistake.")
    names = predictions["class_names"]
    pictures = [
        mistake_picture(shown[str(index)], names[label], names[guess], sure, *_file(predictions, place, index), folder)
        for place, index, label, guess, sure in wrong[:MISTAKES]
        if str(index) in shown
    ]
    said = f"Of {len(wrong):,} mistakes among {_part(predictions)}, those it was surest of."
    return join([note(said), gallery(pictures)])


def _file(predictions: Record, place: int, index: int) -> tuple[str, str | None]:
    """What an image is called, and its path where it is a file of its own."""
    names, folder = predictions.get("names"), predictions.get("folder")
    if not names:
        return f"image {index}", None
    name = names[place]
    return name.encode("utf-8", "backslashreplace").decode(), None if folder is None else f"{folder}/{name}"


def mistake_picture(
    source: str, truth: str, answer: str, sure: float, name: str, file: str | None, page_folder: Path | None
) -> tuple[str, str, tuple[object, ...]]:
    """A mistake for a gallery: its picture as a data URI, what it shows in words, and the lines below it."""
    link = file_link(name, file, page_folder)
    lines = (element("strong", None, answer), f"{percent(sure, 1)} sure", f"truth: {truth}", link)
    return source, f"{name}: {truth} taken for {answer}", lines


def _pictures(folder: Path) -> list[Section]:
    """What the flow doctor drew while the run was watched."""
    path = folder / "flow.png"
    if not path.is_file():
        return []
    image = element(
        "img", {"src": picture_file(path), "alt": "Gradients by depth and step, as the flow doctor drew them"}
    )
    return [Section("Flow of gradients", element("div", {"class": "picture"}, image))]


# -- what it was told --------------------------------------------------------------------------------------------


def _recipe(recipe: Record, named: Record | None) -> Html:
    parts: list[Html] = [pairs({"Paper": recipe.get("paper"), "Expected": recipe.get("expected") or None})]
    parts.append(_changes(recipe, named))
    if recipe.get("reasons"):
        parts.append(element("h3", None, "Why this recipe"))
        parts.append(element("ul", None, *(element("li", None, each) for each in recipe["reasons"])))
    if recipe.get("differences"):
        parts.append(element("h3", None, "Where the recipe differs from its paper"))
        parts.append(element("ul", None, *(element("li", None, each) for each in recipe["differences"])))
    whole = element("pre", None, json.dumps(recipe, indent=1, ensure_ascii=False))
    parts.append(folded("The whole recipe, as recipe.json", whole))
    return join(parts)


def _changes(recipe: Record, named: Record | None) -> Html:
    if named is None:
        return note(f"There is no recipe {recipe['name']} in the catalogue to compare this one with.")
    changes = [change for change in differences(recipe, named) if change[0] != "reasons"]  # which are said below
    if not changes:
        return paragraph(f"Every value is the one of the recipe {recipe['name']}.")
    rows = [(name, _shown(asked), _shown(ours)) for name, asked, ours in changes]
    caption = f"Where this run was told otherwise than the recipe {recipe['name']} says"
    return table(("field", "recipe", "this run"), rows, caption=caption)


def differences(ours: Record, named: Record) -> list[tuple[str, Any, Any]]:
    """The fields in which two recipes differ: (dotted name, named recipe's value, ours), None where it has none.

    A whole field that ours lacks is younger than the run, and no choice of it.
    """
    first, second = flat({name: value for name, value in named.items() if name in ours}), flat(ours)
    return [
        (name, first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def flat(values: Record, before: str = "") -> dict[str, Any]:
    """Nested values by their dotted names; lists stay whole."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return found


def _shown(value: object) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- what it cost, and where it ran ------------------------------------------------------------------------------


def _cost(recipe: Record, result: Record, config: Record, macs: int | None) -> Html:
    if not result:
        return note("The run is not finished.")
    batch_size, hardest = recipe["batch_size"], recipe.get("hardest")
    images = result.get("images_seen", result["steps"] * batch_size)
    trained = result.get("images_trained", images)
    learned = f", trained on {trained:,} of them" if trained < images else ""
    relative = mean_work(recipe.get("resolutions", ()), hardest, config.get("preprocess", {}).get("crop_pixels"))
    work = None if macs is None else f"about {short(PASSES * macs * images * relative)} multiply-accumulates"
    values: dict[str, object] = {
        "Training time": duration(result["train_seconds"]),
        "Device": result["device"],
        "Steps": f"{result['steps']:,} of {batch_size:,} images{_trained_on(hardest)}",
        "Images seen": f"{images:,} ({result['epochs']:.2f} epochs){learned}",
        "Speed": f"{result['images_per_second']:,.0f} images/s",
        "Parameters": f"{result['parameters']:,}",
        "One image, forward": None if macs is None else f"{short(macs)} multiply-accumulates",
        "Whole training": work,
    }
    said = "Whole training: 3 passes per image, smaller where images were smaller."
    return join([pairs(values), note(said) if macs is not None else None])


def _trained_on(hardest: Record | None) -> str:
    if hardest is None:
        return ""
    last = 1 - hardest.get("until", 1.0)
    return f", trained on the hardest {hardest['share']:.0%}" + (f", on all in the last {last:.0%}" if last else "")


def mean_work(resolutions: Sequence[Record], hardest: Record | None, full_pixels: int | None) -> float:
    """What a step costs in the mean over the training, relative to one on a whole batch of images of `full_pixels`."""
    small = [(each["until"], (each["pixels"] / full_pixels) ** 2) for each in resolutions if full_pixels]
    few = [(hardest.get("until", 1.0), hardest["share"])] if hardest else []
    ends, total = sorted({0.0, *(until for until, _ in (*small, *few)), 1.0}), 0.0
    for start, end in pairwise(ends):
        here = (next((part for until, part in parts if start < until), 1.0) for parts in (small, few))
        total += (end - start) * math.prod(here)
    return total


def _data(data: Record, reads: Sequence[Record]) -> Html:
    values = pairs(
        {
            "Name": data.get("name"),
            "Source": data.get("source"),
            "Images": f"{data.get('train_images', 0):,} to train on, {data.get('val_images', 0):,} to validate, "
            f"{data.get('test_images', 0):,} to test",
            "Classes": ", ".join(data.get("class_names", ())[:50]),
            "Left out": f"{len(data['skipped']):,} files" if data.get("skipped") else None,
            "SHA-256": data.get("sha256"),
        }
    )
    if not reads:
        return join([values, note("The test part was never read.")])
    rows = [
        (each["time"][:19].replace("T", " "), each["why"], each["protocol"], f"{each['images']:,}") for each in reads
    ]
    times = "once" if len(reads) == 1 else f"{len(reads)} times"
    caption = f"The test part was read {times}; times are UTC"
    return join([values, table(("when", "why", "protocol", "images"), rows, caption=caption, numbers=("images",))])


def _commit(environment: Record) -> str | None:
    commit = environment.get("git")
    return f"{commit}, with changes" if commit and environment.get("git_changed") else commit


def _environment(environment: Record, settings: Record) -> Html:
    command = " ".join(str(each) for each in environment.get("command", ()))
    packages = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items())
    values = {
        "Began": str(environment["time"])[:19].replace("T", " ") + " UTC" if "time" in environment else None,
        "Command": element("code", None, command) if command else None,
        "cnnlab": environment.get("cnnlab"),
        "Commit": _commit(environment),
        "Python": environment.get("python"),
        "Packages": packages or None,
        "System": environment.get("platform"),
        "Processor": environment.get("processor"),
        "Cores, threads": f"{environment.get('cores')}, {environment.get('threads')}" if environment else None,
        "Device": environment.get("device"),
        "CUDA, driver": f"{environment['cuda']}, {environment['driver']}" if environment.get("driver") else None,
    }
    asked = element("pre", None, json.dumps(settings, indent=1, ensure_ascii=False))
    return join([pairs(values), folded("Settings, as settings.json", asked) if settings else None])
