from __future__ import annotations

import tarfile

import pytest

from cnnlab.data.shard_samples import ShardSamples, split_key
from cnnlab.errors import DataError


def read(*members: tuple[str, bytes]) -> list[tuple[str, str]]:
    samples = ShardSamples("s.tar")
    for name, data in members:
        member = tarfile.TarInfo(name)
        if samples.is_label(member):
            samples.add_label(member, data)
        else:
            samples.add_image(member)
    return [(image.name, label) for image, label in samples.labelled()]


def test_a_key_is_the_name_up_to_its_first_dot() -> None:
    assert split_key("a.b/img.left.JPG") == ("a.b/img", "left.jpg")
    assert split_key("1") == ("/1", "")


def test_images_find_their_labels_in_any_order() -> None:
    members = [
        ("b.cls", b"1\n"),
        ("a.jpg", b""),
        ("b.PNG", b""),
        ("a.json", b'{"label": "dog", "x": [1]}'),
        ("a.txt", b""),
    ]
    assert read(*members) == [("a.jpg", "dog"), ("b.PNG", "1")]
    assert read(("x/1.jpg", b""), ("y/1.jpg", b""), ("x/1.cls", b"0"), ("y/1.cls", b"1")) == [
        ("x/1.jpg", "0"), ("y/1.jpg", "1"),
    ]  # fmt: skip


def test_beside_a_class_file_json_may_say_other_things() -> None:
    for json in (b'{"caption": "x"}', b'{"label": null}', b"[1"):
        assert read(("a.jpg", b""), ("a.json", json), ("a.cls", b"3")) == [("a.jpg", "3")]


def test_other_images_of_a_key_are_left_alone() -> None:
    assert read(("a.jpg", b""), ("a.mask.png", b""), ("a.cls", b"3")) == [("a.jpg", "3")]


@pytest.mark.parametrize("label", ["null", "true", "1.5", "[1, 2]", '["cat", "dog"]', "{}", '""', '" "'])
def test_a_label_that_is_no_name_or_number_is_refused(label: str) -> None:
    with pytest.raises(DataError, match=r"s\.tar: a\.json: the label is .*several labels an image are not supported"):
        read(("a.jpg", b""), ("a.json", b'{"label": %s}' % label.encode()))


@pytest.mark.parametrize("label", [b"", b" \n", b"[0, 1]", b'{"a": 1}', b"[" + b"1, " * 100 + b"1]"])
def test_a_class_file_that_has_none_is_refused(label: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.cls: the label is .{1,45}; accepted: .*several labels"):
        read(("a.jpg", b""), ("a.cls", label))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("a.jpg", b""), ("a.jpg", b"")], r"s\.tar: a\.jpg is there twice, with one key, 'a'"),
        ([("a.jpg", b""), ("a.png", b"")], r"a\.jpg and a\.png, with one key, 'a' \(the name up to its first dot\)"),
        ([("a.cls", b"1"), ("a.cls", b"2")], r"a\.cls is there twice"),
        ([("img.001.jpg", b""), ("img.001.cls", b"1")], r"img\.001\.jpg has the key 'img', .*such as img_001\.jpg"),
        ([("a.jpg", b"")], r"a\.jpg has no label; accepted: a member \.cls or \.json of the same key"),
    ],
)
def test_members_that_cannot_be_put_together_are_named(members: list[tuple[str, bytes]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(*members)
