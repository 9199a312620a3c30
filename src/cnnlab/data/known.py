"""The images that a run trained or validated on, found again among others, whatever they are called there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from cnnlab.data.divided import files_of
from cnnlab.data.division import SPLITS, Division, hash_files
from cnnlab.data.photos import Files, Photos
from cnnlab.errors import DataError
from cnnlab.types import Split

_MOST_NAMESAKES = 16  # files of one name and size that are read; a name that more have says nothing


class Known:
    """What the images of a division were to its run.

    An image is known by its SHA-256 where the division has them. Of a larger set those of the same name and size are
    compared with the run's own files, or taken to be the same where these are gone.
    """

    def __init__(self, division: Division) -> None:
        self._division = division
        self._sizes = set(division.sizes.tolist())
        self._by_digest: dict[str, int] = {}
        for digest, split in zip(division.digests or (), division.splits.tolist(), strict=division.digests is not None):
            if digest:
                self._by_digest[digest] = min(split, self._by_digest.get(digest, split))

    def splits(self, photos: Photos) -> list[Split | None]:
        """What each of `photos` was to the run; None for one that it does not know."""
        sizes = [photos.files.num_bytes(index) for index in range(len(photos))]
        alike = [index for index, size in enumerate(sizes) if size in self._sizes]
        found: dict[int, Split] = {}
        if self._division.digests is None:
            found = dict(self._by_name(photos, sizes, alike))
        else:
            for index, digest in zip(alike, hash_files(photos.files, alike), strict=True):
                if digest in self._by_digest:
                    found[index] = SPLITS[self._by_digest[digest]]
        return [found.get(index) for index in range(len(photos))]

    def _by_name(self, photos: Photos, sizes: list[int], alike: list[int]) -> Iterator[tuple[int, Split]]:
        wanted = {(_base(photos.names[index]), sizes[index]) for index in alike}
        namesakes: dict[tuple[str, int], list[int]] = {}
        for place, (path, size) in enumerate(zip(self._division.paths, self._division.sizes.tolist(), strict=True)):
            if (key := (_base(path), size)) in wanted:
                namesakes.setdefault(key, []).append(place)
        own = self._own_files()
        for index in alike:
            places = namesakes.get((_base(photos.names[index]), sizes[index]), [])
            if not 0 < len(places) <= _MOST_NAMESAKES:
                continue
            [digest] = hash_files(photos.files, [index])
            theirs = ("" for _ in places) if own is None else hash_files(own, places)
            same = [place for place, each in zip(places, theirs, strict=True) if each in ("", digest)]
            if same:
                yield index, SPLITS[int(self._division.splits[same].min())]

    def _own_files(self) -> Files | None:
        """The run's own files in the order of its division; None where they are gone."""
        with suppress(DataError):
            files, places = files_of(self._division, self._division.folder)
            if (places >= 0).all():
                return files.take(places)
        return None


def _base(path: str) -> str:
    return path.rpartition("/")[2]
