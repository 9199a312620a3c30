"""A long list of short texts in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt


class Names(Sequence[str]):
    """A sequence of texts kept as one run of bytes: 1.28 million paths take 60 MB, not 140.

    Names of files that are not UTF-8 are kept as Python gives them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        self._bytes = b"".join(encoded)
        lengths = np.fromiter((len(each) for each in encoded), np.int64, len(encoded))
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Names: ...
    def __getitem__(self, index: int | slice) -> str | Names:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self._bytes[self._starts[index] : self._ends[index]].decode("utf-8", "surrogateescape")

    def take(self, indices: npt.NDArray[np.int64]) -> Names:
        """Give the names at `indices` (M,); the bytes are shared."""
        chosen = Names(())
        chosen._bytes, chosen._starts, chosen._ends = self._bytes, self._starts[indices], self._ends[indices]
        return chosen
