"""Kill real trainings at random moments, resume them, and compare the end with an undisturbed one.

python bench/kill_and_resume.py --trainings 3 --kills 4
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults.campaign import FAST, PLAIN, campaign


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=3, help="for each of the two recipes")
    parser.add_argument("--kills", type=int, default=4, help="for each training")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [
            each for recipe in (PLAIN, FAST) for each in campaign(Path(folder), recipe, args.trainings, args.kills)
        ]
    for each in outcomes:
        kills_said = zip(each.kills, each.killed_at_steps, strict=True)
        where = ", ".join(f"{name} after step {step}" for name, step in kills_said)
        weights, log = ("equal" if same else "DIFFER" for same in (each.same_weights, each.same_log))
        print(f"{each.recipe}: {where}: weights {weights}, log {log}")
    kills = sum(len(each.kills) for each in outcomes)
    whole = sum(each.same_weights and each.same_log for each in outcomes)
    print(
        f"{kills} kills in {len(outcomes)} trainings; {whole} of {len(outcomes)} ended bit-equal to the undisturbed one"
    )
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps([asdict(each) for each in outcomes], indent=1))
    sys.exit(0 if whole == len(outcomes) else 1)


if __name__ == "__main__":
    main()
