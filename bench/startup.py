"""How long `cnnlab --help` takes, beside a Python that does nothing: `python bench/startup.py`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 20
COMMANDS = {"help": ["-m", "cnnlab", "--help"], "pass": ["-c", "pass"]}


def seconds_of(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    for arguments in COMMANDS.values():  # once unmeasured: the files are read, the bytecode is there
        seconds_of(arguments)
    measured: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):  # interleaved, so that both meet the same machine
        for name, arguments in COMMANDS.items():
            measured[name].append(seconds_of(arguments))
    found = {
        name: {"median": statistics.median(all_runs), "min": min(all_runs), "max": max(all_runs)}
        for name, all_runs in measured.items()
    }
    print(json.dumps({"runs": RUNS, "unit": "seconds", **found}))
    ours, bare = found["help"], found["pass"]
    print(
        f"cnnlab --help: median {ours['median']:.3f} s ({ours['min']:.3f} to {ours['max']:.3f}); "
        f"python -c pass: {bare['median']:.3f} s ({bare['min']:.3f} to {bare['max']:.3f})"
    )


if __name__ == "__main__":
    main()
