"""How people lay out folders of images, recognised by the names of folders and files; no image is opened.

Read are folders by class, alone or in parts (`train`, `Validation`, `test1`), parts inside classes, and flat images
with a list of their classes or with classes in their names (`flat.py`), inside any folders that hold nothing else. What
can be read in two ways is refused with both, and parts are never taken for classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlab.data import folder_shapes
from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.data.flat import Beside, Flat, read_flat, refusal
from cnnlab.data.label_lists import candidates
from cnnlab.data.listing import Entry, Listing
from cnnlab.data.no_images import refuse_boxes, refuse_no_images
from cnnlab.data.part_lists import ByLists, parts_by_lists
from cnnlab.data.part_names import (
    goes_with_images,
    is_part_name,
    is_unlabelled,
    never_a_class,
    part_in_name,
    part_of_name,
)
from cnnlab.data.tables import ENDINGS
from cnnlab.data.tree import Folder, Tree, read_tree
from cnnlab.data.walk import told, told_of_others
from cnnlab.errors import DataError, command
from cnnlab.types import Split

_PICTURES = {"images", "image", "imgs", "img", "jpegimages"}
_SHOWN = 5


def scan(folder: Path, *, ignore: Path | None = None) -> Listing:
    """List the images of `folder`, whatever its layout, with their classes, and the parts that it has by itself.

    `ignore` is a file in it that is not read as a list, one that is to be written.

    Raises:
        DataError: there are no images, what they are cannot be told, or a class of train is empty.
    """
    tree = read_tree(folder)
    refuse_no_images(folder, tree)
    refuse_boxes(folder, tree.root)
    found = _Scan(folder, tree, (tree.root,), ignore).read(tree.root)
    held = {entry.path.rpartition("/")[0] for entry in found.entries}
    labels = {entry.label for entry in found.entries}
    others = [
        each.join(name)
        for each in tree.root.walk()
        for name in each.others
        if each.path in held and (each.name in labels or not name.lower().endswith(ENDINGS))  # a list of classes
    ]
    return replace(found, notes=(*tree.notes(folder), *found.notes, *told_of_others(folder, others)))


@dataclass(frozen=True)
class _Scan:
    """The folder asked for and all in it; `above` are the folders from it down to the one that is looked at."""

    root: Path
    tree: Tree
    above: tuple[Folder, ...]
    ignore: Path | None

    def read(self, base: Folder) -> Listing:
        """List the images of the data set whose folder is `base`, or one inside it that holds all images."""
        filled, copies = folder_shapes.without_copies(base)
        notes = self._copied(base, copies)
        if (only := folder_shapes.wrapped(base, filled)) is not None:
            notes = (*notes, *self._left_alone(base, [each for each in filled if each is not only]))
            return _with_notes(self._below(only).read(only), notes)
        if parts := folder_shapes.parts_of([each for each in base.folders if each not in copies]):
            found = self._parts(base, filled, parts)
        elif folder_shapes.is_class_first(filled):
            found = self._class_first(filled)
        elif filled:
            found = self._alone(base, filled) or self._classes(base, filled, None)
        else:
            found = self._flat(base, None, ())
        return _with_notes(found, notes)

    # -- parts ------------------------------------------------------------------------------------------------

    def _parts(self, base: Folder, filled: Sequence[Folder], parts: dict[Split, Folder]) -> Listing:
        """List the parts of `base`; without a train part, folders by class beside the others are train."""
        left = [each for each in filled if each not in parts.values()]
        found: list[Listing] = []
        if Split.TRAIN in parts:
            found.append(self._part(parts[Split.TRAIN], Split.TRAIN, ()))
        elif classes := [each for each in left if not is_part_name(each.name) and not never_a_class(each.name)]:
            given = any(folder_shapes.content(part).filled for part in parts.values())
            if len(classes) == 1 and folder_shapes.is_deep(classes[0]):
                raise self._unknown_part(base, classes[0])
            if len(classes) == 1 and not given:
                names = _some([each.name for each in parts.values()])
                raise self._no_classes(base, filled, f"{names} is read as a part; call it otherwise if it is a class")
            found.append(self._classes(base, classes, Split.TRAIN if given else None))
            left = [each for each in left if each not in classes]
        labels = sorted({entry.label for listing in found for entry in listing.entries})
        found += [self._part(part, split, labels) for split, part in parts.items() if split is not Split.TRAIN]
        entries = tuple(entry for listing in found for entry in listing.entries)
        notes = (*(note for listing in found for note in listing.notes), *self._left_alone(base, left))
        if not entries:
            raise DataError(f"{self._at(base)}: none of its parts has images by class: {'; '.join(notes)}")
        return Listing(entries, notes)

    def _unknown_part(self, base: Folder, folder: Folder) -> DataError:
        inside, parts = _some([each.name for each in folder.filled]), _some([each.name for each in base.filled])
        name = printable(folder.name)
        return DataError(
            f"{self._at(base)}: of its folders {parts}, {name} holds {inside}, and its name is that of no part. "
            f"If these are the classes to train on, call it train; if {name} is a class itself, put its images into it "
            "directly"
        )

    def _part(self, part: Folder, split: Split, classes: Sequence[str]) -> Listing:
        """List a part: folders by class, or flat images, of which `classes` are those of train."""
        content = folder_shapes.content(part)
        if not content.num_images:
            if split is Split.TRAIN and content.folders:
                self._refuse_empty(content.folders[0])
            return Listing(())
        below = self._below(part, content)
        filled, copies = folder_shapes.without_copies(content)
        found = below._classes(content, filled, split) if filled else below._flat(content, split, classes)
        return _with_notes(found, self._copied(content, copies))

    def _class_first(self, filled: Sequence[Folder]) -> Listing:
        """List parts that lie inside the classes: cat/train, cat/test, dog/train, dog/test."""
        entries = tuple(
            Entry(path, folder.name, part_of_name(part.name))
            for folder in filled
            for part in folder.filled
            for path in part.image_paths()
        )
        example = printable(filled[0].filled[0].path)
        return Listing(entries, (f"{printable(str(self.root))}: parts read inside the classes, as {example}",))

    # -- folders by class -------------------------------------------------------------------------------------

    def _classes(self, parent: Folder, filled: Sequence[Folder], split: Split | None) -> Listing:
        """List the folders by class in `parent`."""
        unlabelled = [each for each in filled if is_unlabelled(each.name)]
        filled = [each for each in filled if each not in unlabelled]
        if not filled:
            raise refusal(parent, split, self._beside(), f"unlabelled: {_some([each.name for each in unlabelled])}")
        if inner := folder_shapes.data_set_inside(filled):
            raise self._no_classes(parent, filled, f"{inner.name} is a data set: {self._command('train', inner)}")
        if unclear := folder_shapes.unclear_parts(filled):
            raise self._no_classes(parent, filled, f"{_some(unclear)} may be parts; call parts train, val and test")
        if any(never_a_class(each.name) for each in filled):
            return self._pictures(parent, filled)
        if split is None:
            self._refuse_two_readings(parent, filled)
        if all(folder_shapes.is_numbered(each.name) for each in filled):
            return self._pieces(parent, filled, split)
        for folder in parent.folders if split in (None, Split.TRAIN) else ():
            if not (folder.num_images or is_part_name(folder.name) or never_a_class(folder.name)):
                self._refuse_empty(folder)
        pictures = {each.name: folder_shapes.pictures_of(each, _PICTURES) for each in filled}
        beside = [inside for each in filled for inside in each.filled if pictures[each.name] not in (each, inside)]
        entries = tuple(Entry(path, each.name, split) for each in filled for path in pictures[each.name].image_paths())
        entries, by_lists = self._by_lists(entries) if split is None else (entries, ByLists({}))
        said = [f"{self._at(parent)}: {note}" for note in by_lists.notes]
        noted = self._noted(parent, filled, split, by_lists.used)
        return Listing(entries, (*self._left_alone(parent, [*unlabelled, *beside]), *said, *noted))

    def _by_lists(self, entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], ByLists]:
        """Put images of folders by class into the parts that lists beside them name."""
        found = parts_by_lists([entry.path for entry in entries], self._beside().lists())
        if not found.parts:
            return entries, found
        return tuple(replace(each, split=found.parts[each.path]) for each in entries if each.path in found.parts), found

    def _noted(
        self, parent: Folder, filled: Sequence[Folder], split: Split | None, used: Sequence[Path]
    ) -> tuple[str, ...]:
        """Say how folders by class were read where it may surprise; the lists `used` are said already."""
        beside = f"{self._at(parent)}: left alone, lying beside the folders by class: {_some(parent.images)}"
        deep = [each for each in filled if folder_shapes.is_deep(each)]
        inner = _some([f"{each.name} (with {_some([inside.name for inside in each.filled])})" for each in deep[:2]])
        outer = f"{self._at(parent)}: the outer folders are the classes: {inner}"
        places = [self.root / each.path for each in self._places()]
        lists = [path for path in candidates(places) if part_in_name(path.stem) in (None, Split.TRAIN)]
        lists = [path for path in lists if path not in used and split in (None, Split.TRAIN)]
        sheets = [path.name for path in lists if path.suffix.lower() != ".txt" or "split" in path.stem.lower()]
        unread = f"{self._at(parent)}: the folders say the classes; not read: {_some(sheets)}"
        return (*([beside] if parent.images else []), *([outer] if deep else []), *([unread] if sheets else []))

    def _alone(self, base: Folder, filled: Sequence[Folder]) -> Listing | None:
        """List the one folder of `base` where a list beside it, or the names in it, give its images classes."""
        if base.images or len(filled) != 1:
            return None
        flat = read_flat(filled[0], None, self._below(filled[0])._beside())
        return None if flat is None else _listing(flat, None)

    def _pictures(self, parent: Folder, filled: Sequence[Folder]) -> Listing:
        """List `images` beside `masks` and such, whose names are no classes."""
        pictures = [each for each in filled if each.name.lower() in _PICTURES]
        if len(pictures) == 1 and all(goes_with_images(each.name) for each in filled):
            rest = [each for each in filled if each is not pictures[0]]
            return _with_notes(self._below(pictures[0]).read(pictures[0]), self._left_alone(parent, rest))
        why = "names such as images, labels or masks are not taken for classes"
        raise self._no_classes(parent, filled, why)

    def _no_classes(self, parent: Folder, filled: Sequence[Folder], why: str) -> DataError:
        return DataError(
            f"{self._at(parent)}: read as classes, its folders would be {_some([each.name for each in filled])}, and "
            f"{why}. Accepted: a folder for each class, called after it, such as {self._at(parent)}/cat/1.jpg"
        )

    def _pieces(self, parent: Folder, filled: Sequence[Folder], split: Split | None) -> Listing:
        """List `part_1` and `part_2`, which are no classes, by one list beside them."""
        flat = read_flat(parent, split, self._beside())
        if flat is None:
            pieces = _some([each.name for each in filled])
            raise refusal(
                parent, split, self._beside(), f"its folders {pieces} number pieces of it, and are no classes"
            )
        return _listing(flat, split)

    def _refuse_two_readings(self, parent: Folder, filled: Sequence[Folder]) -> None:
        """Refuse folders that all hold the same folders: they may be classes, or data sets, or parts."""
        if common := folder_shapes.common_folders(filled):
            where = self._at(parent)
            first = self._command("train", filled[0])
            raise DataError(
                f"{where} can be read in two ways: its folders {_some([each.name for each in filled])} are classes, or "
                f"each is a data set of the classes {_some(common)}. To train on one of them: {first}. "
                "If they are parts, call them train, val and test; if they are classes, put their "
                "images into them directly"
            )

    def _refuse_empty(self, folder: Folder) -> None:
        """Refuse a class without an image, saying what its folder holds."""
        name = printable(folder.name)
        if why := self.tree.why_unreadable(folder):
            raise DataError(f"class {name!r}: its folder {why}; make it readable (chmod), or remove it")
        left_out = [each for each in self.tree.left_out if each.path.startswith(f"{folder.path}/")]
        seen = (*told(self.root, left_out), *told_of_others(self.root, folder.other_paths()))
        raise DataError(
            f"class {name!r} is empty: {self._at(folder)} has no image ({', '.join(SUFFIXES)}); add images or remove "
            "the folder" + "".join(f"\n  - {note}" for note in seen)
        )

    # -- flat images ------------------------------------------------------------------------------------------

    def _flat(self, folder: Folder, split: Split | None, classes: Sequence[str]) -> Listing:
        """List images without folders by class."""
        beside = self._beside()
        flat = None if is_unlabelled(folder.name) else read_flat(folder, split, beside, classes)
        if flat is not None:
            return _listing(flat, split)
        if split is not Split.TEST:
            raise refusal(folder, split, beside)
        where = self._at(folder)
        return Listing(
            (),
            (
                f"{where} has {folder.num_images:,} images without class folders, and no list of their classes: left "
                f"alone, there to be predicted: {command('predict', 'RUN', where)}",
            ),
        )

    def _beside(self) -> Beside:
        return Beside(self.root, self._places(), self.tree.root, self.ignore)

    def _places(self) -> tuple[Folder, ...]:
        """Where lists may lie: in the folders from the data folder down, and in those without images beside these."""
        places = [folder for above in self.above for folder in (above, *above.folders)]
        return tuple(dict.fromkeys(each for each in reversed(places) if each in self.above or not each.num_images))

    # -- words ------------------------------------------------------------------------------------------------

    def _below(self, *folders: Folder) -> _Scan:
        return replace(self, above=(*self.above, *folders))

    def _command(self, verb: str, folder: Folder) -> str:
        return printable(command(*verb.split(), self.root / folder.path))

    def _at(self, folder: Folder) -> str:
        return printable(str(self.root / folder.path))

    def _left_alone(self, parent: Folder, folders: Sequence[Folder]) -> tuple[str, ...]:
        paths = [each.path[len(parent.path) :].lstrip("/") for each in folders]
        names = _some([f"{path} ({each.num_images:,} images)" for path, each in zip(paths, folders, strict=True)])
        return (f"{self._at(parent)}: left alone, being no split or class: {names}",) if folders else ()

    def _copied(self, parent: Folder, copies: Sequence[Folder]) -> tuple[str, ...]:
        names = _some([each.name for each in copies])
        return (f"{self._at(parent)}: left alone, holding what lies beside it once more: {names}",) if copies else ()


def _listing(flat: Flat, split: Split | None) -> Listing:
    paths = sorted(flat.labels, key=lambda path: path.split("/"))
    return Listing(tuple(Entry(path, flat.labels[path], flat.parts.get(path, split)) for path in paths), flat.notes)


def _with_notes(listing: Listing, notes: Sequence[str]) -> Listing:
    return replace(listing, notes=(*notes, *listing.notes))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
