from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.imagenet import words_of_classes
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load
from cnnlab.errors import DataError

from .conftest import jpeg, photo, write_photos

WNIDS = ("n01440764", "n02012849", "n03126707")
FILES = tuple(f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, 6))
LABELS = (2, 0, 1, 1, 0)  # of FILES, counting sorted wnids


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """ImageNet's layout with flat validation files, and no list of their labels yet."""
    folder = write_photos(tmp_path / "imagenet", {f"train/{wnid}": 3 for wnid in WNIDS})
    (folder / "val").mkdir()
    for number, name in enumerate(FILES):
        (folder / "val" / name).write_bytes(jpeg(photo(30, 40, 500 + number)))
    return folder


def val_labels(folder: Path) -> list[int]:
    parts = load(folder, photos=True)
    assert isinstance(parts.val, Photos)
    assert [name.rpartition("/")[2] for name in parts.val.names] == list(FILES)
    assert len(parts.train) == 9
    return parts.val.labels.tolist()


def test_a_list_of_numbers_counts_the_sorted_wnids(imagenet: Path) -> None:
    lines = [f"{name} {label}" for name, label in zip(FILES, LABELS, strict=True)]
    (imagenet / "val.txt").write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    assert val_labels(imagenet) == list(LABELS)


def test_a_list_of_wnids_as_csv(imagenet: Path) -> None:
    lines = [f"val/{name},{WNIDS[label]}" for name, label in zip(FILES, LABELS, strict=True)]
    (imagenet / "val.csv").write_text("\n".join(["file,wnid", *lines]), encoding="utf-8")
    assert val_labels(imagenet) == list(LABELS)


def test_the_competitions_solution_has_boxes_behind_the_wnid(imagenet: Path) -> None:
    lines = [
        f"{name.removesuffix('.JPEG')},{WNIDS[label]} 111 108 230 366 {WNIDS[0]} 1 2 3 4"
        for name, label in zip(FILES, LABELS, strict=True)
    ]
    solution = imagenet.parent / "LOC_val_solution.csv"
    solution.write_text("\n".join(["ImageId,PredictionString", *lines]), encoding="utf-8")
    assert val_labels(imagenet) == list(LABELS)


def write_devkit(folder: Path) -> Path:
    """A development kit that numbers the classes 3, 1, 2 in the order of WNIDS, with a parent class 4."""
    data = folder / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    numbers = {0: 3, 1: 1, 2: 2}
    truth = "\n".join(str(numbers[label]) for label in LABELS)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth + "\n", encoding="utf-8")
    kind = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("num_children", "f8")]
    rows = [(3, WNIDS[0], "tench", 0), (1, WNIDS[1], "crane", 0), (2, WNIDS[2], "crane", 0), (4, "n0", "thing", 3)]
    from scipy.io import savemat

    savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=kind)})
    return data


def test_the_devkits_numbers_are_not_the_order_of_the_wnids(imagenet: Path) -> None:
    write_devkit(imagenet)
    assert val_labels(imagenet) == list(LABELS)


def test_a_devkit_without_its_meta_says_what_else_will_do(imagenet: Path) -> None:
    data = write_devkit(imagenet)
    (data / "meta.mat").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"meta\.mat cannot be read .*val\.txt with a line for each file"):
        load(imagenet, photos=True)
    (data / "meta.mat").unlink()
    with pytest.raises(DataError, match=r"meta\.mat explains, which is missing; add it, or write .*val\.txt"):
        load(imagenet, photos=True)


def test_a_ground_truth_of_another_length_is_refused(imagenet: Path) -> None:
    truth = write_devkit(imagenet) / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n2\n", encoding="utf-8")
    with pytest.raises(DataError, match="has 2 labels for 5 files"):
        load(imagenet, photos=True)
    truth.write_text("1\n2\n9\n1\n1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: class '9' \(None\) is none of train's 3"):
        load(imagenet, photos=True)


@pytest.mark.parametrize("label", ["3", "-1", "n99999999"])
def test_a_label_out_of_range_is_refused_with_its_line(label: str, imagenet: Path) -> None:
    lines = [f"{name} 0" for name in FILES]
    lines[2] = f"{FILES[2]} {label}"
    (imagenet / "val.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=rf"val\.txt line 3: class '{label}'; accepted: a class of train, or 0 to 2"):
        load(imagenet, photos=True)


def test_files_are_told_apart_behind_their_first_dot(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "imagenet", {f"train/{wnid}": 3 for wnid in WNIDS})
    (folder / "val").mkdir()
    for number in range(3):
        (folder / "val" / f"img.{number}.jpg").write_bytes(jpeg(photo(30, 40)))
    (folder / "val.txt").write_text("img.0.jpg 2\nimg.1.JPEG 0\nval/img.2 1\n", encoding="utf-8")
    assert load(folder, photos=True).val.labels.tolist() == [2, 0, 1]


def test_a_file_with_two_classes_is_refused(imagenet: Path) -> None:
    lines = [f"{name} 0" for name in FILES] + [f"{FILES[1].removesuffix('.JPEG')} 0", f"val/{FILES[1]} 2"]
    (imagenet / "val.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=rf"line 7: 'val/{FILES[1]}' has several classes, '0', '2'"):
        load(imagenet, photos=True)


def test_files_without_a_line_are_named(imagenet: Path) -> None:
    (imagenet / "val.txt").write_text(f"{FILES[0]} 1\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"has no line for val/{FILES[1]}"):
        load(imagenet, photos=True)


def test_flat_files_without_any_list_say_what_is_accepted(imagenet: Path) -> None:
    with pytest.raises(
        DataError, match=r"val has 5 images without class folders.*val\.csv or val\.txt, ImageNet's LOC_val_solution"
    ):
        load(imagenet, photos=True)


def test_flat_test_files_have_no_labels_and_are_left_alone(imagenet: Path) -> None:
    (imagenet / "val").rename(imagenet / "test")
    parts = load(imagenet, photos=True)
    assert parts.test is None
    assert any("test has 5 images" in note and "left alone" in note for note in parts.notes)


@pytest.mark.parametrize(("name", "between"), [("LOC_synset_mapping.txt", " "), ("words.txt", "\t")])
def test_classes_are_shown_by_their_words(name: str, between: str, imagenet: Path) -> None:
    words = ("tench, Tinca tinca", "crane", "crane")
    lines = [f"{wnid}{between}{text}" for wnid, text in zip(WNIDS, words, strict=True)]
    (imagenet / name).write_text("\n".join(lines), encoding="utf-8")
    shown = ("tench, Tinca tinca", "crane (n02012849)", "crane (n03126707)")
    assert words_of_classes(imagenet, WNIDS) == shown
    (imagenet / "val").rename(imagenet / "elsewhere")
    assert load(imagenet, photos=True).class_names == shown
    assert words_of_classes(imagenet / "elsewhere", ("cat",)) == ("cat",)
