"""Which folder and file names mean a part of a data set, and which are never a class."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from cnnlab.types import Split

_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainset", "trainingset", "trainval"), Split.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "valset", "validset", "validationset"), Split.VAL),
    **dict.fromkeys(("test", "testing", "tst", "testset", "eval", "evaluation", "holdout"), Split.TEST),
}
_BESIDE_A_PART = {
    *("set", "sets", "data", "dataset", "split", "part", "folder", "images", "image", "imgs", "img", "photos"),
    *("pictures", "pics", "samples", "files", "seg", "jpg", "jpeg", "png", "labels", "label", "annotations", "list"),
    *("solution", "the", "new", "small", "full", "original", "standard", "copy"),
}
_UNLABELLED = {"unlabeled", "unlabelled", "unsup", "unsupervised", "pred", "predict", "prediction", "predictions"}
_NEVER_CLASSES = {
    *("images", "image", "imgs", "img", "jpegimages", "labels", "annotations", "annotation", "bbox", "bboxes"),
}
_BESIDE_IMAGES = {"mask", "masks", "label", "boxes", "segmentation", "segmentations", "trimaps", "groundtruth"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")


def part_of_name(name: str) -> Split | None:
    """The part that a name means: `Training`, `train_images`, `test1`, `val2017`, `seg_train`; else None."""
    for words in (_runs(name), _words(name)):
        rest = [word for word in words if word not in _BESIDE_A_PART]
        if len(rest) == 1 and rest[0] in _WORDS:
            return _WORDS[rest[0]]
    return None


def parts_of_names(names: Iterable[str]) -> dict[str, Split]:
    """The parts that some of `names`, which lie side by side, mean: {name: part}.

    `letters-train` and `letters-test` mean parts where they lie side by side; one of them alone may be a class.
    """
    names = list(names)
    found = {name: part for name in names if (part := part_of_name(name)) is not None}
    alike: dict[tuple[str, ...], dict[str, Split]] = defaultdict(dict)
    for name in names:
        words = _words(name)
        meant = [word for word in words if word in _WORDS]
        if name not in found and len(meant) == 1:
            alike[tuple(word for word in words if word not in _WORDS)][name] = _WORDS[meant[0]]
    for group in alike.values():
        if len(set(group.values())) > 1:
            found.update(group)
    return {name: found[name] for name in names if name in found}


def part_in_name(name: str) -> Split | None:
    """The one part that a file's name speaks of, whatever else it says: `flowers_val_labels.csv`; else None."""
    meant = {_WORDS[word] for word in (*_runs(name), *_words(name)) if word in _WORDS}
    return meant.pop() if len(meant) == 1 else None


def is_unlabelled(name: str) -> bool:
    """Whether a folder's name says that its images have no classes: `unlabeled`, `seg_pred`."""
    return any(word in _UNLABELLED for word in _words(name))


def never_a_class(name: str) -> bool:
    """Whether a folder's name says what its files are rather than what is on them: `images`, `labels`."""
    return name.strip().lower() in _NEVER_CLASSES


def goes_with_images(name: str) -> bool:
    """Whether a folder beside `images` says something of them; elsewhere `mask` or `boxes` may be a class."""
    return never_a_class(name) or name.strip().lower() in _BESIDE_IMAGES


def is_part_name(name: str) -> bool:
    """Whether a name is a part's, or says that there are no classes."""
    return part_of_name(name) is not None or is_unlabelled(name)


def _runs(name: str) -> list[str]:
    """The letters of a name between all other signs, in small letters: `Test_Set` and `TeSt` have `test`."""
    return re.findall(r"[^\W\d_]+", name.lower())


def _words(name: str) -> list[str]:
    """The words of a name, also where capitals begin them: `trainLabels` has `train` and `labels`."""
    return [word.lower() for word in _WORD.findall(name)]
