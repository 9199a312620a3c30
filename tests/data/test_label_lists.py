from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.data.file_index import FileIndex
from cnnlab.data.label_lists import candidates, read_labels
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import touch

NAMES = ("a b.jpg", "c, d.jpg", "3.png", "4.png")
IMAGES = FileIndex(f"images/{name}" for name in NAMES)
CLASSES = ["cat", "dog", "dog", "cat"]


def labels(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    found = read_labels(path, IMAGES)
    assert found is not None
    return [found.labels[f"images/{name}"][0] for name in NAMES if f"images/{name}" in found.labels]


@pytest.mark.parametrize(
    "text",
    [
        'filename,label\na b.jpg,cat\n"c, d.jpg",dog\n3.png,dog\n4.png,cat\n',
        "Image;Id\na b;cat\nc, d;dog\n3;dog\n4;cat\n",
        "image_class\timage\ncat\ta b.jpg\ndog\tc, d.jpg\ndog\t3.png\ncat\t4.png\n",
        'id,breed,age,weight\na b,cat,1,2.5\n"c, d",dog,2,7.1\n3,dog,3,8\n4,cat,9,1\n',
        'class id,filepaths,labels\n0,x/a b.jpg,cat\n1,"x/c, d.jpg",dog\n1,x/3.png,dog\n0,x/4.png,cat\n',
        'file, cat, dog\na b.jpg,1,0\n"c, d.jpg",0,1\n3.png,0,1\n4.png,1,0\n',
        'image,Finding Labels,Age\na b.jpg,cat,7\n"c, d.jpg",dog,8\n3.png,dog,9\n4.png,cat,9\n',
        "a b.jpg cat\nc, d.jpg dog\n3.png dog\n4.png cat\n",
        "images/a b.jpg cat\nimages/c, d.jpg dog\nimages/3.png dog\nimages/4.png cat\n",
        "a b.jpg\tcat\t0\t0\t9\t9\nc, d.jpg\tdog\t1\t1\t8\t8\n3.png\tdog\t1\t2\t3\t4\n4.png\tcat\t5\t6\t7\t8\n",
        'ImageId,PredictionString\na b,cat 1 2 3 4\n"c, d",dog 5 6 7 8 dog 1 2 3 4\n3,dog 1 1 1 1\n4,cat 0 0 0 0\n',
    ],
)
def test_classes_are_found_however_the_list_is_written(tmp_path: Path, text: str) -> None:
    assert labels(tmp_path / "x.csv", text) == CLASSES


def test_numbers_written_as_fractions_are_numbers(tmp_path: Path) -> None:
    assert labels(tmp_path / "x.csv", 'name,target\na b.jpg,0.0\n"c, d.jpg",1.0\n') == ["0", "1"]


def test_lists_of_one_class_are_that_class(tmp_path: Path) -> None:
    assert labels(tmp_path / "x.csv", "path,label\n3.png,['cat']\n4.png,['house cat']\n") == ["cat", "house cat"]


def test_labels_may_have_spaces(tmp_path: Path) -> None:
    assert labels(tmp_path / "x.txt", "a b.jpg golden retriever\n3.png tabby cat\n") == [
        "golden retriever",
        "tabby cat",
    ]


def test_parts_are_read_where_a_column_names_them(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,label,data set\n3.png,cat,train\n4.png,dog,valid\n")
    found = read_labels(tmp_path / "x.csv", IMAGES)
    assert found is not None
    assert found.parts == {"images/3.png": Split.TRAIN, "images/4.png": Split.VAL}
    assert found.first_lines["dog"] == f"{tmp_path / 'x.csv'} line 3"


def test_a_list_without_classes_names_images_all_the_same(tmp_path: Path) -> None:
    for text in ("id\n3.png\n4.png\n", "id,width\n3.png,\n4.png,\n", "3\n4\n"):
        (tmp_path / "test.csv").write_text(text)
        found = read_labels(tmp_path / "test.csv", IMAGES)
        assert found is not None
        assert (dict(found.labels), found.unlabelled) == ({}, {"images/3.png", "images/4.png"})


def test_images_that_are_not_there_are_kept_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,label\n3.png,cat\n5.png,dog\n4.png,\n")
    found = read_labels(tmp_path / "x.csv", IMAGES)
    assert found is not None
    assert (found.missing, found.unlabelled) == (("5.png",), {"images/4.png"})
    (tmp_path / "x.csv").write_text("name,label\n8.png,cat\n9.png,dog\n")
    assert read_labels(tmp_path / "x.csv", IMAGES) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\n3.png,cat\n3,dog\n", r"line 3: '3' has several classes, 'cat', 'dog'; several labels an image"),
        ("path,labels\n3.png,cat|dog\n4.png,dog\n", r"line 2: '3.png' has several classes, 'cat', 'dog'"),
        ('path,label\n3.png,"cat,dog"\n4.png,dog\na b.jpg,cat\n', "line 2: '3.png' has several classes, 'cat', 'dog'"),
        ("path,labels\n3.png,cat dog\n4.png,dog\na b.jpg,cat\n", "line 2: '3.png' has several classes, 'cat', 'dog'"),
        ("path,label\n3.png,\"['cat', 'cow']\"\n4.png,\"['dog']\"\n", "'3.png' has several classes, 'cat', 'cow'"),
        ("path,tags\n3.png,haze primary\n4.png,clear primary\n", "line 2: '3.png' has several classes, 'haze', 'prim"),
        ("path,cat,dog\n3.png,1,1\n4.png,0,1\n", "line 2: '3.png' has several classes, 'cat', 'dog'"),
        (
            "path,label,breed\n3.png,cat,a\n4.png,cat,b\n",
            "classes may be in 'label', 'breed'; call the column of classes",
        ),
        ("3.png,cat,black\n4.png,cat,white\n", "may be in column 2, column 3"),
        ("path,age\n3.png,0.5\n4.png,7\n", r"column 'age': fractions such as 0\.5, which are no classes"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        labels(tmp_path / "x.csv", text)


@pytest.mark.parametrize("text", ["path,label\n3.png,cat\n4.png,%s\n", "3.png %s\n4.png cat\n"])
@pytest.mark.parametrize("name", ["snake grass", "cat, tabby", "grass snake"])
def test_names_of_several_words_are_one_class(tmp_path: Path, text: str, name: str) -> None:
    cell = f'"{name}"' if "," in text else name
    assert sorted(labels(tmp_path / ("x.csv" if "," in text else "x.txt"), text % cell)) == sorted(["cat", name])


@pytest.mark.parametrize("nothing", ["nan", "NULL", "<NA>", ""])
def test_what_tables_write_for_nothing_is_no_class(tmp_path: Path, nothing: str) -> None:
    (tmp_path / "x.csv").write_text(f"path,label\n3.png,cat\n4.png,{nothing}\n")
    found = read_labels(tmp_path / "x.csv", IMAGES)
    assert found is not None
    assert (set(found.labels), found.unlabelled) == ({"images/3.png"}, {"images/4.png"})


@pytest.mark.parametrize(
    "text",
    [
        ",id,label\n0,2,ant\n1,1,bee\n2,0,cow\n",
        "Unnamed: 0;image;label\n0;2;ant\n1;1;bee\n2;0;cow\n",
        "id,path,label\n0,2.jpg,ant\n1,1.jpg,bee\n2,0.jpg,cow\n",
        "index,file,label\n0,x/2.jpg,ant\n1,x/1.jpg,bee\n2,x/0.jpg,cow\n",
    ],
)
def test_numbers_of_rows_are_no_images(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    found = read_labels(tmp_path / "x.csv", FileIndex(f"{number}.jpg" for number in range(3)))
    assert found is not None
    assert {path: label for path, (label, _) in found.labels.items()} == {
        "2.jpg": "ant",
        "1.jpg": "bee",
        "0.jpg": "cow",
    }


def test_numbers_of_classes_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("".join(f"{number % 2},{number}\n" for number in range(6)))
    found = read_labels(tmp_path / "x.csv", FileIndex(f"{number}.jpg" for number in range(6)))
    assert found is not None
    assert [found.labels[f"{number}.jpg"][0] for number in range(6)] == ["0", "1"] * 3


def test_a_column_with_another_value_for_each_image_has_no_classes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,caption\n" + "".join(f"{n}.jpg,words {n}\n" for n in range(30)))
    with pytest.raises(DataError, match="column 'caption': 30 different values for 30 images"):
        read_labels(tmp_path / "x.csv", FileIndex(f"{n}.jpg" for n in range(30)))


def test_two_images_that_a_cell_may_mean_are_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,label\nb/1.jpg,cat\n1.jpg,dog\n")
    with pytest.raises(DataError, match=r"x\.csv line 3: '1.jpg' may be 'a/1.jpg' or 'b/1.jpg'"):
        read_labels(tmp_path / "x.csv", FileIndex(["a/1.jpg", "b/1.jpg"]))


def test_which_files_may_be_lists(tmp_path: Path) -> None:
    touch(tmp_path, "labels.csv", "Train.TSV", "val.txt", "README.txt", "sample_submission.csv", "sampleSubmission.csv",
          "classes.txt", ".hidden.csv", "x.xlsx", "x.ods", "deep/y.csv")  # fmt: skip
    assert [path.name for path in candidates([tmp_path, tmp_path / "deep"])] == [
        "Train.TSV", "labels.csv", "val.txt", "x.xlsx", "y.csv",
    ]  # fmt: skip


def test_endless_lines_take_no_time(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("3.png cat\n" + "a " * 200_000 + "\n")
    found = read_labels(tmp_path / "x.txt", IMAGES)
    assert found is not None
    assert [label for label, _ in found.labels.values()] == ["cat"]
