"""Which images a network is tested on: its run's own, divided as they were, or another labelled set, whole.

Never is an image that a run trained on reported as a test of it. Its own data is found by the division that it wrote
when it began (`data/division.py`), from wherever and however it is named. Of other data, what the run trained or
validated on is recognised by its content, left out and told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnlab.data.divided import find_divided, lies_in
from cnnlab.data.division import SPLITS, Division, read_division
from cnnlab.data.folder import on_disk_parts, open_whole
from cnnlab.data.known import Known
from cnnlab.data.named import is_name, locate
from cnnlab.data.parts import Part, Parts, choose, name_of, photos_of
from cnnlab.data.paths import same_path
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError, UsageError, unknown_name
from cnnlab.evaluate.class_match import match_classes, some_names
from cnnlab.evaluate.classifier import Classifier
from cnnlab.evaluate.older_runs import older_division, was_given_a_published_set
from cnnlab.types import Split

SHOWN_IMAGES = 5


def load_for(
    members: Sequence[Classifier],
    data: str,
    *,
    folder: Path | None = None,
    max_bad: float = 0.01,
    splits: Collection[Split] | None = None,
    skip_unknown: bool = False,
    keep_known: bool = False,
) -> Parts:
    """The parts of `data` that may be shown to all `members`, with the numbers that they give the classes.

    Photos stay on disk. The run's own data is divided as it was when the run began; of another folder or manifest all
    images are the test part, unless it names parts by itself. `notes` say what is left out and why.

    Args:
        members: networks that know the same classes.
        data: a data set's name, a folder or a manifest.
        folder: the user's own copy of a published set.
        max_bad: the share of the images that may be unreadable.
        splits: what will be asked for, None for what `split_there` says: that it is as it was is checked by content.
        skip_unknown: leave out the classes that the network does not know, in place of refusing them.
        keep_known: also give what a member was trained on, for what is no test.

    Raises:
        UsageError: the members do not know the same classes.
        DataError: the data cannot be used, has classes that the members do not know, or what they were trained on
            cannot be told from the rest; says which, and what to do.
    """
    _require_same_classes(members)
    runs = [each.folder for each in members if each.folder is not None]
    names = members[0].config.labels.names
    return load_unseen(
        names,
        runs,
        data,
        folder=folder,
        max_bad=max_bad,
        splits=splits,
        skip_unknown=skip_unknown,
        keep_known=keep_known,
    )


def load_unseen(
    names: Sequence[str],
    runs: Sequence[Path],
    data: str,
    *,
    folder: Path | None = None,
    max_bad: float = 0.01,
    splits: Collection[Split] | None = None,
    skip_unknown: bool = False,
    keep_known: bool = False,
) -> Parts:
    """As `load_for`, for the networks of `runs` that know the classes `names`; none is loaded."""
    if is_name(data):
        if splits is not None and Split.VAL in splits:
            _require_same_held_out(runs, data)
        parts = _published(runs, data, folder, max_bad)
        return match_classes(parts, names, data, skip_unknown=skip_unknown)
    histories = [_History.of(run, data) for run in dict.fromkeys(runs)]
    owner = next((each for each in histories if each.own), None)
    division = None if owner is None else owner.division
    parts = _other(data) if division is None else _own(division, splits or (_tested(division),))
    parts = match_classes(parts, names, data, skip_unknown=skip_unknown)
    for each in () if keep_known else histories:
        if owner is None or not each.same_division(owner):
            parts = _without_known(each, parts, data, splits or (split_there(parts),))
    return parts


def part_of(parts: Parts, split: Split | None, data: str) -> Part | Photos:
    """One part of a data set; without `split` the one that tests a network: see `split_there`.

    Raises:
        DataError: it has no such part.
    """
    part: Part | Photos | None = getattr(parts, split or split_there(parts))
    if part is None or len(part) == 0:
        counts = {each: len(found) for each in SPLITS if (found := getattr(parts, each)) is not None and len(found)}
        there = ", ".join(f"{count:,} in {each}" for each, count in counts.items()) or "none"
        other = next((each for each in (Split.VAL, Split.TEST, Split.TRAIN) if each in counts), None)
        hint = f"; try --split {other}" if other else ""
        raise DataError(f"{data} has no {split or Split.TEST} part; its images: {there}{hint}")
    return part


def split_there(parts: Parts) -> Split:
    """The part of a data set that tests a network where none is asked for: test, or val where there is no test part."""
    return Split.VAL if not parts.test and len(parts.val) else Split.TEST


def require_split(split: str) -> None:
    """Refuse, with `UnknownNameError`, a split that is not train, val or test."""
    if split not in list(Split):
        raise unknown_name("split", split, list(Split))


def _require_same_classes(members: Sequence[Classifier]) -> None:
    names = members[0].config.labels.names
    for each in members[1:]:
        if each.config.labels.names != names:
            raise UsageError(
                f"an ensemble needs the same classes in the same order; {members[0].folder} has {some_names(names)}; "
                f"{each.folder} has {some_names(each.config.labels.names)}"
            )


# -- what the members were trained on ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _History:
    """What a run was given, as far as that is known; `own` where the data asked for is just that."""

    run: Path
    division: Division | None
    own: bool

    @classmethod
    def of(cls, run: Path, data: str) -> _History:
        """The history of the run, or of the bundle, in a folder.

        Raises:
            DataError: `data` may be what it was trained on, but how it was divided then is not known.
        """
        division = read_division(run)
        if division is not None:
            own = own_division(division, data)
            return cls(run, own or division, own is not None)
        parts = older_division(run, data)
        return cls(run, parts, parts is not None)

    def same_division(self, other: _History) -> bool:
        """Whether both runs were given the same images for the same."""
        mine, others = self.division, other.division
        if mine is None or others is None or len(mine) != len(others):
            return False
        return bool((mine.splits == others.splits).all()) and list(mine.paths) == list(others.paths)


def own_division(division: Division, data: str) -> Division | None:
    """A run's division where `data` is what it was trained on: that folder or manifest, or a copy of it; else None."""
    path = Path(data).expanduser()
    if same_path(path, division.folder) or (division.manifest is not None and same_path(path, division.manifest)):
        return division
    if path.is_dir() and lies_in(division, path):
        return replace(division, folder=path, manifest=None)
    return None


def _tested(division: Division) -> Split:
    return Split.TEST if len(division.places(Split.TEST)) else Split.VAL


def _own(division: Division, splits: Collection[Split]) -> Parts:
    found, changes = find_divided(division, division.folder, splits)
    parts = on_disk_parts(found, str(division.folder))
    return replace(parts, notes=(*parts.notes, *changes.notes))


# -- a published set ---------------------------------------------------------------------------------------------


def _published(runs: Sequence[Path], data: str, folder: Path | None, max_bad: float) -> Parts:
    """A published set, its validation images those that the first run held out of its training."""
    held = _held_out(runs[0] if runs else None, data)
    return load_data(
        data,
        folder=folder or held.folder,
        val_images=held.images,
        final=held.final,
        photos=True,
        max_bad=max_bad,
    )


def _require_same_held_out(runs: Sequence[Path], data: str) -> None:
    """Refuse validation images of a published set that one run held out and another may have trained on.

    Raises:
        UsageError: names two runs that were given other ones, or one that does not say.
    """
    digests = {}
    for run in runs if len(runs) > 1 else ():
        try:
            if json.loads((run / "settings.json").read_text(encoding="utf-8"))["data"] == data:
                digests[run] = json.loads((run / "data.json").read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise UsageError(f"{run} does not say how its data was divided; ask with --split test") from None
    for run, digest in digests.items():
        if digest != digests[first := next(iter(digests))]:
            raise UsageError(
                f"{first} and {run} held out other validation images (--final, or another val_images), so one may have "
                "trained on what the other is tested on; ask with --split test"
            )


@dataclass(frozen=True)
class _HeldOut:
    """How many validation images of a published set a run held out, and where its copy of the set lies."""

    folder: Path | None = None
    images: int | None = None
    final: bool = False


def _held_out(run: Path | None, data: str) -> _HeldOut:
    try:
        settings = json.loads(((run or Path()) / "settings.json").read_text(encoding="utf-8")) if run else {}
        recipe = json.loads(((run or Path()) / "recipe.json").read_text(encoding="utf-8")) if run else {}
        if settings.get("data") != data:
            return _HeldOut()
        folder = settings.get("data_folder")
        return _HeldOut(
            folder=Path(folder) if folder else None,
            images=recipe.get("val_images") if recipe.get("data") == data else None,
            final=bool(settings.get("final")),
        )
    except (OSError, ValueError, AttributeError):  # a bundle has no such files
        return _HeldOut()


# -- another labelled set ----------------------------------------------------------------------------------------


def _other(data: str) -> Parts:
    """All images of a folder or a manifest: those of its train part are the test part if it has no other."""
    path, manifest = locate(data)
    parts = replace(open_whole(path, manifest=manifest), name=data)
    if parts.test or len(parts.val):
        return parts
    return replace(parts, test=parts.train, train=choose(parts.train, np.zeros(0, np.int64)))


def _without_known(history: _History, parts: Parts, data: str, asked: Collection[Split]) -> Parts:
    """The parts without the images that a run trained on, and the test part without what it validated on.

    What is left out of the parts that are `asked` for is told.

    Raises:
        DataError: none is left.
    """
    run = history.run
    if history.division is None:
        said = f"{run} does not say which images it was trained on: whether some of {data} are among them is not known"
        return parts if was_given_a_published_set(run) else replace(parts, notes=(*parts.notes, said))
    known = Known(history.division)
    val, seen_in_val = _new(parts.val, Split.VAL, known)
    test, seen_in_test = _new(parts.test, Split.TEST, known)
    assert val is not None
    told = {Split.VAL: (parts.val, seen_in_val), Split.TEST: (parts.test, seen_in_test)}
    notes = [_told(*told[split], run, data) for split in told if split in asked]
    return replace(parts, val=val, test=test, notes=(*parts.notes, *(note for note in notes if note is not None)))


Seen = dict[int, Split]


def _new(part: Part | Photos | None, split: Split, known: Known) -> tuple[Part | Photos | None, Seen]:
    """A part without the images that a run saw in an earlier part of its own, and which these are."""
    photos = None if part is None else photos_of(part)
    if part is None or photos is None:
        return part, {}
    before = SPLITS[: SPLITS.index(split)]
    seen = {index: each for index, each in enumerate(known.splits(photos)) if each in before}
    if not seen:
        return part, {}
    rest = np.array([index for index in range(len(part)) if index not in seen], np.int64)
    return choose(part, rest), {index: each for index, each in seen.items() if each is not None}


def _told(before: Part | Photos | None, seen: Seen, run: Path, data: str) -> str | None:
    """What to say of images that are left out because a run knows them; refuses where none is left."""
    if before is None or not seen:
        return None
    counts = {split: sum(each is split for each in seen.values()) for split in (Split.TRAIN, Split.VAL)}
    words = {Split.TRAIN: "trained on", Split.VAL: "validated on"}
    how = " and ".join(f"{counts[split]:,} were {words[split]}" for split in counts if counts[split])
    shown = ", ".join(name_of(before, index) for index in list(seen)[:SHOWN_IMAGES])
    more = ", …" if len(seen) > SHOWN_IMAGES else ""
    what = f"of {len(before):,} images of {data}, {how} by {run}"
    if len(seen) == len(before):
        raise DataError(f"{what}: none is left to test it on; give images that are new to it")
    return f"{what} and are left out: {shown}{more}"
