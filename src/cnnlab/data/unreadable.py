"""Image files that cannot be read: counted, named, and too many of them refused."""

from __future__ import annotations

from collections.abc import Sequence

from cnnlab.errors import DataError

_SHOWN = 10


def refuse_too_many(reasons: Sequence[str], count: int, max_bad: float, where: str) -> None:
    """Raise `DataError` when the `reasons` of unreadable images are more than `max_bad` of `count`.

    One is always let pass, unless `max_bad` is 0. `where` begins the message.
    """
    allowed = max(1, int(max_bad * count)) if max_bad else 0
    if len(reasons) > allowed:
        first = "".join(f"\n  - {reason}" for reason in reasons[:_SHOWN])
        more = f"\n  - and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
        raise DataError(
            f"{where}: {len(reasons)} of {count} images cannot be read, accepted: {allowed} "
            f"(max_bad {max_bad:g}); mend or remove them, or raise max_bad:{first}{more}"
        )


class Unreadable:
    """The unreadable photos met so far in a part of `count`, by index, each with its reason."""

    def __init__(self, count: int, max_bad: float, where: str) -> None:
        self._count, self._max_bad, self._where = count, max_bad, where
        self._reasons: dict[int, str] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._reasons

    def __len__(self) -> int:
        return len(self._reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each could not be read, in the order of the part."""
        return tuple(self._reasons[index] for index in sorted(self._reasons.copy()))

    def add(self, index: int, reason: str) -> None:
        """Note one more; raises `DataError` when they are too many, or all there are."""
        self._reasons[index] = reason
        refuse_too_many(self.reasons, self._count, self._max_bad, self._where)
        if len(self) == self._count:
            raise self.none_left()

    def none_left(self) -> DataError:
        """The error to raise where no photo can be read."""
        return DataError(f"{self._where}: none of {self._count} images can be read: {self.reasons[0]}")
