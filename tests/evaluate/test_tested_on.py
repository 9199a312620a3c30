from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cnnlab.data.folder import split_folder
from cnnlab.data.parts import Parts, photos_of
from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.evaluate.tested_on import load_unseen, part_of, require_split, split_there
from cnnlab.train.own_data import write_data
from cnnlab.train.record import RunFolder
from cnnlab.types import Split

from ..conftest import CLASSES, draw


def drawn(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    """PNGs of the kinds that folders are named after, other ones for another `first`."""
    for below, count in counts.items():
        (folder / below).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = CLASSES[CLASSES.index(name)] if (name := Path(below).name) in CLASSES else "disc"
            Image.fromarray(draw(kind, first + number, (20 + len(below), 24))).save(folder / below / f"{number:03}.png")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return drawn(tmp_path / "photos", dict.fromkeys(CLASSES, 20))


def trained(run: Path, data: Path, manifest: Path | None = None, **settings: object) -> Path:
    """What a run on `data` leaves that says what it was given."""
    parts = load_data(data, manifest=manifest, photos=True, final=bool(settings.get("final")))
    with RunFolder(run, resume=False) as folder:
        write_data(folder, parts, str(manifest or data))
        told = {"data": str(data), "manifest": None if manifest is None else str(manifest), "final": False, **settings}
        folder.write_json("settings.json", told)
        folder.write_json("recipe.json", {"data": "cifar10", "crop": {"kind": "any"}})
    return run


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    return trained(tmp_path / "runs/one", photos)


def names(parts: Parts, split: Split = Split.TEST) -> list[str]:
    part = getattr(parts, split)
    found = None if part is None else photos_of(part)
    return [] if found is None else list(found.names)


def given(run: Path, split: str) -> list[str]:
    rows = (run / "division.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [row.split(",")[0] for row in rows if row.split(",")[2] == split]


# -- the run's own data ------------------------------------------------------------------------------------------


def test_its_own_data_is_divided_as_then_however_it_is_spelt(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "noise.csv"
    split_folder(photos, manifest, val=0.1, test=0.4, seed=7)
    run = trained(tmp_path / "run", photos, manifest)
    assert len(given(run, "test")) == 24
    (tmp_path / "link").symlink_to(photos)
    (tmp_path / "elsewhere").mkdir()
    whole = str(photos)
    for here, spellings in {
        tmp_path: ("photos", "photos/", "./photos", "elsewhere/../photos", "link", "noise.csv", whole),
        tmp_path / "elsewhere": ("../photos", whole, str(manifest)),
    }.items():
        monkeypatch.chdir(here)
        for data in spellings:
            parts = load_unseen(CLASSES, [run], data)
            for split in Split:
                assert names(parts, split) == given(run, split)
            assert parts.notes == ()
    manifest.unlink()
    assert names(load_unseen(CLASSES, [run], whole)) == given(run, "test")
    assert names(load_unseen(CLASSES, [run], str(manifest))) == given(run, "test")


def test_photos_added_later_do_not_reshuffle_the_parts(run: Path, photos: Path) -> None:
    drawn(photos, dict.fromkeys(CLASSES, 40), first=500)  # 20 of each lie over the old ones
    shutil.rmtree(photos)
    drawn(photos, dict.fromkeys(CLASSES, 20))
    for kind in CLASSES:
        for number in range(30):
            Image.fromarray(draw(kind, 900 + number)).save(photos / kind / f"0{number:03}a.png")
    parts = load_unseen(CLASSES, [run], str(photos))
    assert names(parts) == given(run, "test")
    [note] = parts.notes
    assert note.startswith("left out, 90 images that the run was not given, added since: checks/0000a.png, ")


def test_what_changed_is_left_out_and_named(run: Path, photos: Path) -> None:
    first, second, third, *rest = given(run, "test")
    (photos / first).unlink()
    shutil.copy(photos / given(run, "train")[0], photos / second)
    (photos / third).rename(photos / "disc/moved.png")
    parts = load_unseen(CLASSES, [run], str(photos))
    assert names(parts) == rest
    assert parts.notes == (
        f"left out, 1 image no longer there: {first}",
        f"left out, 1 image altered since: {second}",
        f"left out, 1 image moved since: {third} (now disc/moved.png)",
    )


def test_data_that_is_gone_is_named(run: Path, photos: Path) -> None:
    photos.rename(photos.with_name("moved"))
    with pytest.raises(DataError, match="photos, which the run was trained on, is gone; put it back"):
        load_unseen(CLASSES, [run], str(photos))


def test_data_and_run_may_be_moved_and_copied(run: Path, photos: Path, tmp_path: Path) -> None:
    test = given(run, "test")
    moved = tmp_path / "far/data"
    moved.parent.mkdir()
    photos.rename(moved)
    run = run.rename(tmp_path / "far/run")
    parts = load_unseen(CLASSES, [run], str(moved))
    assert (names(parts), parts.notes) == (test, ())
    assert names(parts, Split.TRAIN) == given(run, "train")


def test_of_a_final_run_nothing_is_left_to_validate_on(photos: Path, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", photos, final=True)
    parts = load_unseen(CLASSES, [run], str(photos))
    assert (len(parts.val), names(parts)) == (0, given(run, "test"))
    with pytest.raises(DataError, match="has no val part; its images: 54 in train, 6 in test; try --split test"):
        part_of(parts, Split.VAL, str(photos))


# -- other data --------------------------------------------------------------------------------------------------


def test_a_new_labelled_folder_is_tested_whole_and_a_class_may_be_missing(run: Path, tmp_path: Path) -> None:
    heldout = drawn(tmp_path / "heldout", {"stripes": 3, "checks": 4}, first=100)
    parts = load_unseen(CLASSES, [run], str(heldout))
    assert parts.test is not None
    labels = {CLASSES.index(name.partition("/")[0]) for name in names(parts)}
    assert len(parts.test) == 7
    assert set(parts.test.labels.tolist()) == labels == {0, 2}
    assert [parts.class_names[label] for label in parts.test.labels.tolist()] == ["checks"] * 4 + ["stripes"] * 3
    assert (split_there(parts), len(parts.train), len(parts.val)) == (Split.TEST, 0, 0)
    assert parts.notes == ("no images of 1 of the network's 3 classes: disc",)


def test_a_folder_of_the_same_name_elsewhere_is_another_data_set(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path / "elsewhere/photos", dict.fromkeys(CLASSES, 20), first=100)
    monkeypatch.chdir(tmp_path / "elsewhere")
    parts = load_unseen(CLASSES, [run], "photos")
    assert (len(names(parts)), parts.notes) == (60, ())


def test_a_folder_with_parts_keeps_them_and_its_test_part_comes_first(run: Path, tmp_path: Path) -> None:
    counts = {f"{part}/{kind}": 2 + len(part) for part in ("train", "val", "test") for kind in CLASSES}
    parts = load_unseen(CLASSES, [run], str(drawn(tmp_path / "other", counts, first=100)))
    assert [len(names(parts, split)) for split in Split] == [21, 15, 18]
    assert split_there(parts) is Split.TEST
    only = {f"train/{kind}": 3 for kind in CLASSES}
    assert len(names(load_unseen(CLASSES, [run], str(drawn(tmp_path / "only", only, first=200))))) == 9


def test_what_a_run_trained_on_is_never_tested_whatever_it_is_called(run: Path, photos: Path, tmp_path: Path) -> None:
    other = drawn(tmp_path / "other", dict.fromkeys(CLASSES, 10), first=100)
    for number, path in enumerate(given(run, "train")[:12]):
        shutil.copy(photos / path, other / path.partition("/")[0] / f"new{number}.png")
    shutil.copy(photos / given(run, "val")[0], other / "disc/val.png")
    shutil.copy(photos / given(run, "test")[0], other / "disc/test.png")
    parts = load_unseen(CLASSES, [run], str(other))
    assert len(names(parts)) == 31
    assert "disc/test.png" in names(parts)
    [note] = parts.notes
    told = f"of 44 images of {other}, 12 were trained on and 1 were validated on by {run} and are left out: "
    assert note.startswith(told)
    kept = load_unseen(CLASSES, [run], str(other), keep_known=True)
    assert len(names(kept)) == 44


def test_a_part_of_its_own_data_named_as_another_folder_is_seen_through(run: Path, photos: Path) -> None:
    parts = load_unseen(CLASSES, [run], f"{photos}/disc/..")
    assert names(parts) == given(run, "test")


def test_classes_that_the_network_does_not_know_are_refused_or_left_out(run: Path, tmp_path: Path) -> None:
    other = drawn(tmp_path / "other", {"horse": 2, "disc": 3}, first=100)
    with pytest.raises(DataError, match=r"unknown to it in .*: horse \(2 images\)"):
        load_unseen(CLASSES, [run], str(other))
    assert len(names(load_unseen(CLASSES, [run], str(other), skip_unknown=True))) == 3


def test_where_all_was_trained_on_nothing_is_reported(run: Path, photos: Path, tmp_path: Path) -> None:
    for path in given(run, "train")[:5]:
        (tmp_path / "again" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / path, tmp_path / "again" / path)
    with pytest.raises(DataError, match=r"of 5 images of .*, 5 were trained on by .*: none is left to test it on"):
        load_unseen(CLASSES, [run], str(tmp_path / "again"))


def test_another_manifest_of_its_own_folder_is_other_data(run: Path, photos: Path, tmp_path: Path) -> None:
    manifest = photos / "all_test.csv"
    chosen = [*given(run, "train")[:4], *given(run, "test")[:2]]
    rows = [f"{path},{path.partition('/')[0]},test" for path in chosen]
    manifest.write_text("\n".join(["path,label,split", *rows]) + "\n", encoding="utf-8")
    parts = load_unseen(CLASSES, [run], str(manifest))
    assert names(parts) == chosen[4:]
    assert parts.notes[-1].startswith(f"of 6 images of {manifest}, 4 were trained on by {run} and are left out: ")


def test_a_bundle_does_not_say_what_it_was_trained_on(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    parts = load_unseen(CLASSES, [tmp_path / "bundle"], str(photos))
    assert len(names(parts)) == 60
    [note] = parts.notes
    assert note.startswith(f"{tmp_path / 'bundle'} does not say which images it was trained on")


# -- several runs ------------------------------------------------------------------------------------------------


def test_several_runs_are_tested_on_what_none_of_them_saw(photos: Path, tmp_path: Path) -> None:
    manifests = [tmp_path / f"{seed}.csv" for seed in (1, 2)]
    for seed, manifest in enumerate(manifests):
        split_folder(photos, manifest, val=0.1, test=0.4, seed=seed)
    runs = [trained(tmp_path / f"runs/{each.stem}", photos, each) for each in manifests]
    parts = load_unseen(CLASSES, runs, str(photos))
    assert set(names(parts)) == set(given(runs[0], "test")) & set(given(runs[1], "test"))
    assert 0 < len(names(parts)) < 24
    [note] = parts.notes
    assert note.startswith("of 24 images of ")
    assert f"by {runs[1]} and are left out" in note
    same = [runs[0], Path(shutil.copytree(runs[0], tmp_path / "runs/again"))]
    assert names(load_unseen(CLASSES, same, str(photos))) == given(runs[0], "test")


def test_validation_images_of_a_published_set_that_another_run_may_have_trained_on_are_refused(tmp_path: Path) -> None:
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        run.mkdir()
        (run / "settings.json").write_text('{"data": "synthetic"}', encoding="utf-8")
        (run / "recipe.json").write_text('{"data": "synthetic"}', encoding="utf-8")
        (run / "data.json").write_text(json.dumps({"sha256": run.name}), encoding="utf-8")
    known = load_data("synthetic").class_names
    with pytest.raises(UsageError, match=r"one and .*two held out other validation images .*--split test"):
        load_unseen(known, runs, "synthetic", splits=(Split.VAL,))
    assert len(names(load_unseen(known, runs, "synthetic"))) == 0  # which has no files
    (runs[1] / "data.json").unlink()
    with pytest.raises(UsageError, match="two does not say how its data was divided"):
        load_unseen(known, runs, "synthetic", splits=(Split.VAL,))


# -- which part --------------------------------------------------------------------------------------------------


def test_the_part_that_there_is_is_taken(photos: Path) -> None:
    parts = load_data(photos, photos=True)
    without = replace(parts, test=None)
    assert (split_there(parts), split_there(without)) == (Split.TEST, Split.VAL)
    assert part_of(without, None, "photos") is parts.val
    with pytest.raises(DataError, match="photos has no test part; its images: 49 in train, 5 in val; try --split val"):
        part_of(without, Split.TEST, "photos")


def test_a_misspelt_split_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="no split 'tset'; did you mean 'test'"):
        require_split("tset")
