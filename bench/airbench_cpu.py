"""airbench94_muon (Jordan 2024) on a CPU as it is: batch 2000, every choice its authors' own.

    git clone https://github.com/KellerJordan/cifar10-airbench
    python bench/airbench_cpu.py cifar10-airbench/airbench94_muon.py --epochs 8

The script is read from where it was cloned, and run after the replacements below, which take it from CUDA and half
precision to a CPU and float32 (or, asked for, bfloat16); each must be found as often as is said, so a script that has
changed is refused. Nothing of it is kept. Prints a JSON line an epoch (seconds, test accuracy) and one at the end
(accuracy averaging views).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cnnlab.data.parts import Part
from cnnlab.data.sources import load

EPOCHS = 8  # its own
NUMBER = r"([0-9.]+)"
ROW = re.compile(
    rf"\|\s+(?:\d*)\s+\|\s+(\d+|eval)\s+\|\s+{NUMBER}\s+\|\s+{NUMBER}\s+\|\s+{NUMBER}?\s+\|\s+{NUMBER}\s+\|"
)

REPLACED = (  # what, by what, how often
    ("@torch.compile\n", "", 1),
    ('torch.device("cuda")', 'torch.device("cpu")', 1),
    ("starter = torch.cuda.Event(enable_timing=True)", "import time; starter = [0.0]", 1),
    ("ender = torch.cuda.Event(enable_timing=True)", "", 1),
    ("starter.record()", "starter[0] = time.perf_counter()", 1),
    ("ender.record()", "", 1),
    ("torch.cuda.synchronize()", "", 1),
    ("1e-3 * starter.elapsed_time(ender)", "time.perf_counter() - starter[0]", 1),
    ('main("warmup", model)\n', "\n", 1),
    ("range(200)", "range(1)", 1),
    ('"Mean: %.4f    Std: %.4f" % (accs.mean(), accs.std())', '""', 1),
    (".cuda()", "", 1),
    ('model.compile(mode="max-autotune")', "", 1),
)
IMAGES, FILTERS, LAYERS = "self.images.half()", ".bfloat16()", "mod.half()"
FORMATS = {
    "float32": ((FILTERS, ".float()", 1), (IMAGES, "self.images.float()", 1), (LAYERS, "mod.float()", 1)),
    "bfloat16": ((IMAGES, "self.images.bfloat16()", 1), (LAYERS, "mod.bfloat16()", 1)),
}


def for_a_cpu(script: str, *, epochs: int, channels_last: bool, number_format: str) -> str:
    """The script for a CPU, ended after so many of its 8 epochs' time: the schedule stays that of 8."""
    for old, new, count in (*FORMATS[number_format], *REPLACED):
        if script.count(old) != count:
            raise SystemExit(f"{old!r} is {script.count(old)} times in the script, not {count}: another version of it?")
        script = script.replace(old, new)
    if not channels_last:
        script = script.replace(".to(memory_format=torch.channels_last)", "")
    head, found, _ = script.partition("\n    log_dir =")
    if not found or "range(ceil(total_train_steps / len(train_loader)))" not in head:
        raise SystemExit("the script is not as expected: another version of it?")
    head = head.replace("range(ceil(total_train_steps / len(train_loader)))", f"range({epochs})")
    return head.replace('print_string += "|"', 'print_string += "|"; sys.stdout.flush()')


def write_data(folder: Path) -> None:
    """CIFAR-10 as the script keeps it, from cnnlab's own copy."""
    parts = load("cifar10", final=True)
    for name, part in (("train", parts.train), ("test", parts.test)):
        assert isinstance(part, Part)
        held = {"images": part.images.permute(0, 2, 3, 1).contiguous(), "labels": part.labels, "classes": []}
        torch.save(held, folder / f"{name}.pt")


def ported_run(
    script: Path, *, epochs: int = EPOCHS, channels_last: bool = True, number_format: str = "float32", seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Run the script; yields after each epoch, and at the end (`epoch` is then "eval"), seconds and test accuracy.

    Seconds are the script's own: training without the tests between epochs, and at the end the test by six views.
    """
    text = for_a_cpu(script.read_text(), epochs=epochs, channels_last=channels_last, number_format=number_format)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cifar10").mkdir()
        write_data(Path(folder) / "cifar10")
        ported = Path(folder) / "ported.py"
        ported.write_text(text.replace("import torch\n", f"import torch\ntorch.manual_seed({seed})\n", 1))
        run = subprocess.Popen([sys.executable, str(ported)], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        for line in run.stdout:
            if row := ROW.match(line):
                epoch, _, top1, views, seconds = row.groups()
                found = {"epoch": epoch, "test_top1": float(top1), "views_top1": float(views) if views else None}
                yield {**found, "seconds": float(seconds)}
        if run.wait() != 0:
            raise SystemExit(f"the script ended with {run.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of its 8, then stop")
    parser.add_argument("--contiguous", action="store_true", help="the other memory layout")
    parser.add_argument("--format", choices=FORMATS, default="float32")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    how = {"channels_last": not args.contiguous, "number_format": args.format, "seed": args.seed}
    for row in ported_run(args.script, epochs=args.epochs, **how):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
