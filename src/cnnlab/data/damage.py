"""Photos that are damaged but could be read: counted and named, and used all the same."""

from __future__ import annotations

_SHOWN = 5


class Damaged:
    """The damaged photos met so far, each with what its decoder says of it; any thread may add one."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def add(self, name: str, reason: str) -> None:
        """Note the photo `name`; once is enough."""
        self._reasons.setdefault(name, reason)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Each photo with its reason, by name."""
        return tuple(f"{name}: {reason}" for name, reason in sorted(self._reasons.copy().items()))

    @property
    def notes(self) -> tuple[str, ...]:
        """One line that says how many there are and names the first; none where there are none."""
        reasons = self.reasons
        if not reasons:
            return ()
        more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
        shown = "; ".join(reasons[:_SHOWN])
        return (f"{len(reasons)} damaged photos are used as far as they can be read; replace them: {shown}{more}",)
