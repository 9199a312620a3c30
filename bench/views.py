"""What more views of each test image are worth, on the validation images of networks that experiments have kept.

python bench/fast_experiments.py "last level, narrower" --networks networks
python bench/views.py networks/*.safetensors

Adds to bench/results/views.json, from which docs/performance.md has its table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from cnnlab.evaluate.metrics import top_k_accuracy
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import create_model
from cnnlab.train.record import RunFolder
from cnnlab.train.run import Inputs, Settings
from cnnlab.train.watch import Watch
from fast_experiments import EXPERIMENTS

RESULT = Path(__file__).parent / "results" / "views.json"
PROTOCOLS = ("center", "flip", "shift6", "shift18")


def measured(weights: Path) -> dict[str, Any]:
    """The accuracy of one network by each protocol; its file is called as the experiment that trained it."""
    name, seed = weights.stem.rsplit(", seed ", 1)
    recipe = EXPERIMENTS[name].recipe
    network = create_model(recipe.model, **recipe.model_options)
    network.load_state_dict(load_file(weights))
    network.eval().to(memory_format=torch.channels_last)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", resume=False) as run:
        inputs = Inputs.gather(recipe, Settings(seed=0, device="cpu"), run, Watch())
    top1 = {}
    for views in PROTOCOLS:
        found = predict_part(network, inputs.parts.val, get_protocol(views), inputs.preprocess, inputs.device)
        top1[views] = top_k_accuracy(found.probabilities, found.labels)
    return {"name": name, "seed": int(seed), "images": len(inputs.parts.val), "top1": top1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", type=Path, metavar="FILE")
    for weights in parser.parse_args().networks:
        found = measured(weights)
        held = json.loads(RESULT.read_text()) if RESULT.is_file() else []
        RESULT.write_text(json.dumps([*held, found], indent=1) + "\n")
        print(found["name"], ", ".join(f"{views} {value:.2%}" for views, value in found["top1"].items()), flush=True)


if __name__ == "__main__":
    main()
