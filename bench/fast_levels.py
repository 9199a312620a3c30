"""Take over what finished runs of the fast recipes reached, for the table of docs/performance.md.

cnnlab train --recipe fast/cifar10-95 --final --run runs/95
python bench/fast_levels.py runs/95

They are added to bench/results/fast-levels.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parent / "results" / "fast-levels.json"
RESULT = ("recipe", "seed", "epochs", "steps", "train_seconds", "images_per_second", "parameters", "val", "test")
PLACE = ("time", "processor", "cpu_capability", "threads")


def taken_over(run: Path) -> dict[str, Any]:
    """What the record keeps of a finished run."""
    result, data, recipe, place = (
        json.loads((run / f"{name}.json").read_text()) for name in ("result", "data", "recipe", "environment")
    )
    kept = {name: result[name] for name in RESULT if name in result}
    return {
        **kept,
        "train_images": data["train_images"],
        "trained_share": recipe["hardest"]["share"] if recipe.get("hardest") else 1.0,
        "whole_from": recipe["hardest"].get("until", 1.0) if recipe.get("hardest") else 0.0,
        "precision": recipe["precision"],
        "resolutions": [each["pixels"] for each in recipe["resolutions"]],
        "environment": {name: place[name] for name in PLACE} | {"torch": place["packages"]["torch"]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    record: list[dict[str, Any]] = json.loads(RECORD.read_text()) if RECORD.exists() else []
    record += [taken_over(run) for run in parser.parse_args().runs]
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
