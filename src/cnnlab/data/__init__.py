"""Images, from a file on disk to a batch on the device.

`load` gives a data set as three parts held in memory. Names are imported when first used, so that
`cnnlab.data.decode` and `cnnlab.data.download` work without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.data.parts import Part, Parts
    from cnnlab.data.sources import load

__all__ = ["Part", "Parts", "load"]


def __getattr__(name: str) -> object:
    if name == "load":
        from cnnlab.data.sources import load

        return load
    if name in ("Part", "Parts"):
        from cnnlab.data import parts

        return getattr(parts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
