"""The parts of the campaign, in the order they run."""

from __future__ import annotations

from cnnlab.selftest.artefacts import ARTEFACTS
from cnnlab.selftest.bad_files import BAD_FILES
from cnnlab.selftest.campaign import Part
from cnnlab.selftest.checkpoints import CHECKPOINTS
from cnnlab.selftest.images import IMAGES
from cnnlab.selftest.kills import KILLS
from cnnlab.selftest.numbers import NUMBERS
from cnnlab.selftest.ranks import RANKS
from cnnlab.selftest.workers import WORKERS

PARTS: dict[str, Part] = {
    "kills": KILLS,
    "checkpoints": CHECKPOINTS,
    "numbers": NUMBERS,
    "ranks": RANKS,
    "workers": WORKERS,
    "images": IMAGES,
    "artefacts": ARTEFACTS,
    "bad-files": BAD_FILES,
}
"""Every part by its name; `cnnlab.cli.selftest.NAMES` lists the same for `--help`."""
