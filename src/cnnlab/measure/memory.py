"""How much memory a process has taken."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory that this process has held at once, in bytes, as the system counts it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("\nVmHWM:")[2].split()[0])  # of this program alone, unlike the other
    except OSError:
        import resource  # not on every system

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
