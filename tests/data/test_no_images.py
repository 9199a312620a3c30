from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data.no_images import refuse_boxes, refuse_no_images
from cnnlab.data.tree import read_tree
from cnnlab.errors import DataError

from .conftest import touch


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["train.zip", "test.zip"], r"it has: test\.zip, train\.zip; expected train/<class>.*; unpack test\.zip first"),
        (["data_batch_1"], "name the data set cifar10"),
        (["train-images-idx3-ubyte.gz"], "name the data set mnist"),
        (["a/1.tiff2", "a/2.tiff2", "b/c"], r"it has: a/, b/ \(files in it: 2 \.tiff2, 1 no ending; read are \.jpg"),
        ([".hidden/a.jpg"], r"it has: nothing; .*hidden, their names beginning with a dot: \.hidden"),
    ],
)
def test_what_is_there_instead_is_said_with_what_to_do(tmp_path: Path, files: list[str], said: str) -> None:
    with pytest.raises(DataError, match=f"(?s){said}"):
        refuse_no_images(tmp_path, read_tree(touch(tmp_path, *files)))


def test_images_are_not_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "labels/1.jpg", "labels/1.txt", "captions/2.txt")
    refuse_no_images(tmp_path, read_tree(tmp_path))
    refuse_boxes(tmp_path, read_tree(tmp_path).root)


@pytest.mark.parametrize("box", ["labels/train/{}.txt", "train/labels/{}.txt", "Annotations/{}.xml"])
def test_boxes_for_each_image_are_a_data_set_for_detection(tmp_path: Path, box: str) -> None:
    touch(tmp_path, *(f"images/train/{number}.jpg" for number in range(3)), *(box.format(n) for n in range(3)))
    with pytest.raises(DataError, match=r"is a data set for detection: .* has 3 files for single images, such as 0"):
        refuse_boxes(tmp_path, read_tree(tmp_path).root)


def test_lists_of_classes_in_a_folder_are_no_boxes(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.jpg", "train/b.jpg", "labels/train.txt", "labels/val.txt")
    refuse_boxes(tmp_path, read_tree(tmp_path).root)
