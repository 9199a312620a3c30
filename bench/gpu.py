"""All rows that a GPU has in the performance table, in one call: cnnlab beside its peers, taking turns.

| row | cnnlab | beside |
|---|---|---|
| `94` | seconds of a run of `--recipe-94` and its test accuracy | cifar10-speedrun, airbench94_muon |
| `96` | the same of `--recipe-96` | airbench96_faster |
| `resnet50` | training images/s at 224, bf16, compiled, photos made beforehand | timm's model, optimizer and loader |
| `cifar-resnets` | training images/s of ResNet-20, 56 and 110, batch 128 | the usual loop: DataLoader, PIL, fp32 |
| `photos` | images/s of the photo pipeline alone, by CPU and by GPU decoding | what `resnet50` needs |

    python bench/gpu.py --peers FOLDER --runs 25
    python bench/gpu.py --device cpu --quick      # our side of every row in miniature: tests this script

FOLDER holds clones of github.com/KellerJordan/cifar10-airbench and github.com/hiverge/cifar10-speedrun, which are not
changed: their scripts run by path, in a folder of their own that holds CIFAR-10 as they look for it. timm is the
installed package. Every contender is a process that rests until it is its turn; the first turn warms up and is left
out. So that a few minutes of a GPU are of use, `--rows` chooses, and each row is written to `--out` as soon as it is
measured, beside those that are there.

Seconds of a run are what the peers' own timers count: initialisation from data, training and the final test; not
loading, compiling and, for us, capturing CUDA graphs, nor anything measured for interest on the way. `whole_seconds` is
everything. All train on the 50,000 images and are tested on the 10,000.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.bench.training import FAR, begun, noise_parts, paper_rule
from cnnlab.bench.usual_loop import usual_steps
from cnnlab.data.loader import Batch, Changes, make_batch
from cnnlab.data.parts import Part
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import usable_cores
from cnnlab.data.sources import load
from cnnlab.data.upload import SideStream, upload
from cnnlab.errors import UsageError
from cnnlab.measure.machine import measure_machine, wait_for
from cnnlab.measure.operations import time_operations
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost
from cnnlab.models.device import keep_freed_memory, place_network
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Recipe, with_settings
from cnnlab.train.batches import augment_with
from cnnlab.train.loop import CALIBRATION_IMAGES, Training
from cnnlab.train.record import environment
from cnnlab.train.run import Settings, train_run

MARK = "@answer "  # before what a contender says, among whatever else it prints; as in gate/sitecustomize.py
GATE = Path(__file__).parent / "gate"
OUT = Path(__file__).parent / "results" / "gpu.json"
PEERS = {
    "cifar10-speedrun": ("94", "cifar10-speedrun/cifar10_speedrun.py"),
    "airbench94_muon": ("94", "cifar10-airbench/airbench94_muon.py"),
    "airbench96_faster": ("96", "cifar10-airbench/airbench96_faster.py"),
}

Answer = dict[str, float]
Turns = Iterator[Answer]


@dataclass(frozen=True)
class Sizes:
    """How large everything is: as the table has it, or just enough to run on a CPU."""

    data: str = "cifar10"
    fast: tuple[str, ...] = ()  # settings of the fast recipes
    photos_model: str = "resnet50"
    photos_pixels: int = 224
    photos_batch: int = 256
    photo_files: int = 1024
    cifar_models: tuple[str, ...] = ("resnet20", "resnet56", "resnet110")
    cifar_batch: int = 128
    cifar_images: int = 50_000
    steps: int = 50  # a turn
    usual_workers: tuple[int, ...] = (2, 16)
    compiled: bool = True


QUICK = Sizes(
    data="synthetic",
    fast=("batch_size=100", "steps=3", 'resolutions=[{"until": 0.5, "pixels": 16}]'),
    photos_model="resnet18",
    photos_pixels=32,
    photos_batch=4,
    photo_files=8,
    cifar_models=("resnet20",),
    cifar_batch=4,
    cifar_images=64,
    steps=2,
    usual_workers=(0,),
    compiled=False,
)


# -- contenders of ours: generators that do one turn each time they are asked ---------------------------------------


def fast_runs(how: Mapping[str, Any]) -> Turns:
    """Whole runs of a fast recipe, each of another seed."""
    sizes = Sizes(**how["sizes"])
    recipe = with_settings(get_recipe(how["recipe"]), list(sizes.fast))
    for seed in count():
        settings = Settings(
            data=sizes.data,
            data_folder=how["data_folder"],
            seed=seed,
            device=how["device"],
            final=True,
            compiled=how["compiled"],
            graphs=True,
        )
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            result = train_run(recipe, settings, Path(folder) / "run").result
        images = sum(recipe.trained_images(step / result["steps"]) for step in range(result["steps"]))
        training = images / result["images_per_second"]
        yield {
            "seconds": calibration_seconds(recipe, torch.device(how["device"])) + training + result["test"]["seconds"],
            "accuracy": result["test"]["top1"],
            "compile_seconds": result["compile_seconds"],
            "whole_seconds": time.perf_counter() - started,
        }


def calibration_seconds(recipe: Recipe, device: torch.device) -> float:
    """How long a network takes to initialise itself from training images; hardly any, for those that do not."""
    network = place_network(create_model(recipe.model), device)
    images = torch.randn(CALIBRATION_IMAGES, 3, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    wait_for(device)
    started = time.perf_counter()
    network.calibrate(images)
    wait_for(device)
    return time.perf_counter() - started


def training_steps(how: Mapping[str, Any]) -> Turns:
    """Our training of a CIFAR network by the ResNet paper's rule, as many steps a turn."""
    sizes, device = Sizes(**how["sizes"]), torch.device(how["device"])
    keep_freed_memory()
    recipe, parts = paper_rule(how["model"], sizes.cifar_batch), noise_parts(sizes.cifar_images)
    with begun(recipe, parts, device=device, compiled=how["compiled"], graphs=True) as training:
        yield from our_speeds(training, sizes)


def photo_steps(how: Mapping[str, Any]) -> Turns:
    """Our training on photos whose pixels are there already, in pinned memory: all but reading and decoding."""
    sizes, device = Sizes(**how["sizes"]), torch.device(how["device"])
    keep_freed_memory()
    recipe = photo_recipe(sizes)
    with photos(sizes) as folder:
        parts = load(folder, photos=True, val_images=0)
        with begun(recipe, parts, device=device, compiled=sizes.compiled, graphs=True) as training:
            training.batches = MadeBatches(recipe, training, sizes)  # type: ignore[assignment]
            yield from our_speeds(training, sizes)


def pipeline(how: Mapping[str, Any]) -> Turns:
    """Batches of photos from the disk to the device, without a training."""
    sizes, device = Sizes(**how["sizes"]), torch.device(how["device"])
    keep_freed_memory()
    recipe = photo_recipe(sizes)
    with photos(sizes) as folder:
        parts = load(folder, photos=True, val_images=0)
        with begun(recipe, parts, device=device, gpu_jpegs=how["gpu_jpegs"]) as training:
            batches = training.batches
            inner = batches._batches
            assert isinstance(inner, PhotoBatches)
            if how["gpu_jpegs"] and inner.notes:
                raise UsageError(inner.notes[0])
            places = (divmod(number, batches.steps_per_epoch) for number in count())
            yield from speeds(lambda: batches.batch(*next(places)), sizes.steps, sizes.photos_batch, device)


def our_speeds(training: Training, sizes: Sizes) -> Turns:
    """Images a second of our next steps, whatever is due at them included."""
    return speeds(training.step, sizes.steps, training.recipe.batch_size, training.device, training.end_steps)


def speeds(
    step: Callable[[], object],
    steps: int,
    batch_size: int,
    device: torch.device,
    end: Callable[[], object] = lambda: None,
) -> Turns:
    """Images a second of the next `steps` steps, each of `batch_size` images; `end` ends what they have begun."""
    while True:
        wait_for(device)
        started = time.perf_counter()
        for _ in range(steps):
            step()
        end()
        wait_for(device)
        yield {"images_per_second": steps * batch_size / (time.perf_counter() - started)}


class MadeBatches:
    """Batches as `PhotoBatches` makes them of pixels that are decoded already: brought over, mirrored, normalised."""

    steps_per_epoch = FAR

    def __init__(self, recipe: Recipe, training: Training, sizes: Sizes) -> None:
        self._how = training.preprocess, Changes(images=augment_with(recipe.augment, training.seed))
        self._side, self._device, self.pixels = SideStream(training.device), training.device, sizes.photos_pixels
        self._made = made_pixels(sizes, training.device)
        self._labels = torch.arange(sizes.photos_batch) % len(training.parts.class_names)
        self._next = self._side.begin(self._made[0])

    def batch(self, epoch: int, position: int) -> Batch:
        """The batch at `position`; the one after it begins its way to the device."""
        now, self._next = self._next, self._side.begin(self._made[(position + 1) % len(self._made)])
        keys = np.arange(len(self._labels)) + position % 64 * len(self._labels)
        pixels = now.take().permute(0, 3, 1, 2)
        return make_batch(pixels, upload(self._labels, self._device), keys, keys, epoch, *self._how)


# -- contenders of others' -----------------------------------------------------------------------------------------


def usual(how: Mapping[str, Any]) -> Turns:
    """The loop of tutorials."""
    sizes, device = Sizes(**how["sizes"]), torch.device(how["device"])
    steps = usual_steps(how["model"], sizes.cifar_images, sizes.cifar_batch, workers=how["workers"], device=device)
    yield from speeds(lambda: next(steps), sizes.steps, sizes.cifar_batch, device)


def timm_steps(how: Mapping[str, Any]) -> Turns:
    """Train as timm does: its model, SGD and prefetching loader, in channels_last with bf16 autocast, compiled.

    The pixels are there already, in pinned memory, as in `photo_steps`.
    """
    import timm
    from timm.data.loader import PrefetchLoader
    from timm.optim import create_optimizer_v2

    sizes, device = Sizes(**how["sizes"]), torch.device(how["device"])
    network = timm.create_model(sizes.photos_model).to(device).to(memory_format=torch.channels_last).train()
    run: nn.Module = torch.compile(network) if sizes.compiled else network  # type: ignore[assignment]
    optimizer = create_optimizer_v2(network, opt="sgd", lr=0.1, momentum=0.9, weight_decay=1e-4)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1).to(device)

    def step() -> None:
        images, labels = next(batches)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(run(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    labels = torch.arange(sizes.photos_batch) % 2
    pixels = [each.permute(0, 3, 1, 2).contiguous() for each in made_pixels(sizes, torch.device("cpu"))]
    pinned = [(each.pin_memory() if device.type == "cuda" else each, labels) for each in pixels]
    batches = iter(PrefetchLoader(over_and_over(pinned), device=device))
    yield from speeds(step, sizes.steps, sizes.photos_batch, device)


def over_and_over(batches: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch after batch, from the beginning again at the end."""
    while True:
        yield from batches


# -- what they train on --------------------------------------------------------------------------------------------


def photo_recipe(sizes: Sizes) -> Recipe:
    """modern/imagenet, at this size."""
    recipe = get_recipe("modern/imagenet")
    assert recipe.crop is not None
    return replace(
        recipe,
        model=sizes.photos_model,
        batch_size=sizes.photos_batch,
        crop=replace(recipe.crop, pixels=sizes.photos_pixels),  # type: ignore[arg-type]
        test_crop_pixels=sizes.photos_pixels,
        warmup=None,
    )


def made_pixels(sizes: Sizes, device: torch.device) -> list[Tensor]:
    """Four batches of pixels (N, H, W, 3), pinned where `device` is a GPU."""
    shape = (sizes.photos_batch, sizes.photos_pixels, sizes.photos_pixels, 3)
    made = [torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(i)).to(torch.uint8) for i in range(4)]
    return [each.pin_memory() if device.type == "cuda" else each for each in made]


@contextlib.contextmanager
def photos(sizes: Sizes) -> Iterator[Path]:
    """A folder of JPEGs of 500 x 375 pixels and about 110 kB, ImageNet's mean: smooth shapes and a little noise."""
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(sizes.photo_files):
            path = Path(folder) / "train" / f"class{number % 2}" / f"{number:05}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(draw.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375))
            grain = draw.normal(0, 11, (375, 500, 1))
            Image.fromarray((np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        yield Path(folder)


def write_for_peers(folder: Path, data_folder: str | None) -> None:
    """CIFAR-10 as the peers' scripts look for it: `cifar10/train.pt` and `test.pt`."""
    parts = load("cifar10", folder=Path(data_folder) if data_folder else None, final=True)
    assert isinstance(parts.train, Part)
    assert isinstance(parts.test, Part)
    (folder / "cifar10").mkdir()
    for name, part in (("train", parts.train), ("test", parts.test)):
        images = part.images.permute(0, 2, 3, 1).contiguous()
        content = {"images": images, "labels": part.labels, "classes": list(parts.class_names)}
        torch.save(content, folder / "cifar10" / f"{name}.pt")


# -- processes that take turns -------------------------------------------------------------------------------------


class Contender:
    """A process that does one turn when told to, and says what came of it on a line of its own."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        """Start Python with these arguments, in `folder` and with these variables besides."""
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self) -> Answer:
        """Let it do one turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))  # type: ignore[no-any-return]
        raise RuntimeError(f"{self.name} ended with code {self._process.wait()}; its errors are above")

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


SERVED: dict[str, Callable[[Mapping[str, Any]], Turns]] = {
    "fast": fast_runs,
    "training": training_steps,
    "photos": photo_steps,
    "pipeline": pipeline,
    "usual": usual,
    "timm": timm_steps,
}


def serve(name: str, how: str) -> None:
    """Be the contender `name`: a turn for each line that comes."""
    turns = SERVED[name](json.loads(how))
    for _ in sys.stdin:
        tell(next(turns))


def tell(answer: Answer) -> None:
    """Say what came of a turn."""
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()


def peers_script(name: str, script: Path, folder: Path) -> Contender:
    """A peer's script, run as it is in `folder`; it waits after each of its runs."""
    return Contender(name, [str(script.resolve())], folder, {"PYTHONPATH": str(GATE), "CNNLAB_BENCH_GATE": "1"})


def take_turns(contenders: Sequence[Contender], runs: int) -> dict[str, list[Answer]]:
    """What each answers in every round; a round before them warms up. Every other goes the other way about."""
    answers: dict[str, list[Answer]] = {each.name: [] for each in contenders}
    try:
        for number in range(runs + 1):
            for each in list(contenders)[:: 1 if number % 2 else -1]:
                answer = each.ask()
                if number:
                    answers[each.name].append(answer)
                say(f"  {number or 'warm-up'}: {each.name} {answer}")
    finally:
        for each in contenders:
            each.end()
    return answers


def say(text: str) -> None:
    """Tell whoever looks on."""
    print(text, file=sys.stderr, flush=True)


# -- rows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """What was asked for on the command line."""

    sizes: Sizes
    device: str
    runs: int
    peers: Path | None
    data_folder: str | None
    recipes: Mapping[str, str]
    compiled: bool

    def contender(self, name: str, served: str, **how: Any) -> Contender:
        """One of ours, or of a package that is installed."""
        how = {"sizes": asdict(self.sizes), "device": self.device, "compiled": self.compiled, **how}
        return Contender(name, [__file__, "serve", served, json.dumps(how)])


def to_accuracy(row: str, job: Job) -> dict[str, Any]:
    """Seconds and accuracy of runs of a fast recipe, and of the peers that are there."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = {
            name: job.peers / path
            for name, (of_row, path) in PEERS.items()
            if of_row == row and job.peers is not None and (job.peers / path).is_file()
        }
        if scripts:
            write_for_peers(Path(folder), job.data_folder)
        contenders = [peers_script(name, path, Path(folder)) for name, path in scripts.items()]
        ours = job.contender("cnnlab", "fast", recipe=job.recipes[row], data_folder=job.data_folder)
        answers = take_turns([*contenders, ours], job.runs)
    found = summed_up(answers, "seconds")
    return {
        **found,
        "recipe": job.recipes[row],
        "peers": {name: peer(path) for name, path in scripts.items()},
        "accuracy": {name: spread([each["accuracy"] for each in given]) for name, given in answers.items()},
        "whole_seconds": spread([each["whole_seconds"] for each in answers["cnnlab"]]),
    }


def resnet50(job: Job) -> dict[str, Any]:
    """Images a second of our step and of timm's, and what share of the machine's best ours is."""
    contenders = [job.contender("cnnlab", "photos")]
    if installed("timm"):
        contenders.insert(0, job.contender("timm", "timm"))
    found = summed_up(take_turns(contenders, job.runs), "images_per_second")
    return {**found, **roof(job.sizes, torch.device(job.device), found["values"]["cnnlab"]["median"])}


def cifar_resnets(job: Job) -> dict[str, Any]:
    """Images a second of our step and of the usual loop, for each depth."""
    found = {}
    for model in job.sizes.cifar_models:
        say(f" {model}")
        contenders = [job.contender("cnnlab", "training", model=model)]
        for workers in sorted({min(each, usable_cores()) for each in job.sizes.usual_workers}):
            name = f"usual loop, {workers} workers"
            contenders.append(job.contender(name, "usual", model=model, workers=workers))
        found[model] = summed_up(take_turns(contenders, job.runs), "images_per_second")
    return {"networks": found}


def pipelines(job: Job) -> dict[str, Any]:
    """Images a second that the photo pipeline brings to the device: the ceiling of any training on photos here."""
    contenders = [job.contender(f"cnnlab, {usable_cores()} threads", "pipeline", gpu_jpegs=False)]
    if job.device != "cpu":
        contenders.append(job.contender("cnnlab, JPEGs by the GPU", "pipeline", gpu_jpegs=True))
    return summed_up(take_turns(contenders, job.runs), "images_per_second")


ROWS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "94": partial(to_accuracy, "94"),
    "96": partial(to_accuracy, "96"),
    "resnet50": resnet50,
    "cifar-resnets": cifar_resnets,
    "photos": pipelines,
}


def summed_up(answers: Mapping[str, Sequence[Answer]], what: str) -> dict[str, Any]:
    """Median, mean and spread of each contender, and ours as a ratio to each other: the median over the rounds."""
    values = {name: [each[what] for each in given] for name, given in answers.items()}
    ours = next(name for name in values if name.startswith("cnnlab"))
    ratios = {
        name: statistics.median(one / other for one, other in zip(values[ours], theirs, strict=True))
        for name, theirs in values.items()
        if name != ours
    }
    return {"unit": what, "values": {name: spread(each) for name, each in values.items()}, "ratios": ratios}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Values with their median, mean and standard deviation."""
    return {
        "median": statistics.median(values),
        "mean": statistics.mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "all": list(values),
    }


def roof(sizes: Sizes, device: torch.device, images_per_second: float) -> dict[str, Any]:
    """What share of the machine's best a training of photos reaches, by arithmetic alone and operation by operation.

    The second is the least time that every operation of a pass needs by itself, each tensor read and written once:
    fused ones may do better.
    """
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    machine = measure_machine(device, kind)
    network = place_network(create_model(sizes.photos_model), device).to(kind)
    batch = min(32, sizes.photos_batch)
    images = torch.randn(batch, 3, sizes.photos_pixels, sizes.photos_pixels, device=device, dtype=kind)
    timing = time_operations(network, images.contiguous(memory_format=torch.channels_last), rounds=1)
    floor = sum(
        machine.floor_seconds(each.forward_macs, each.forward_bytes)
        + machine.floor_seconds(each.backward_macs, each.backward_bytes)
        for each in timing.operations
    )
    macs = 3 * cost(create_model(sizes.photos_model), 3, sizes.photos_pixels).macs
    return {
        "matrix_product_tflops": 2e-12 * machine.macs_per_second,
        "copy_gb_per_second": 1e-9 * machine.bytes_per_second,
        "share_of_matrix_product": images_per_second * macs / machine.macs_per_second,
        "share_of_roof_by_operation": images_per_second * floor / batch,
    }


def peer(script: Path) -> dict[str, str]:
    """What was run of others': the script's sum, and the commit of its clone where git knows it."""
    git = subprocess.run(
        ["git", "-C", str(script.parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {"sha256": hashlib.sha256(script.read_bytes()).hexdigest(), "commit": git.stdout.strip()}


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    import importlib.util

    return importlib.util.find_spec(package) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="default: all")
    parser.add_argument("--runs", type=int, default=25, help="rounds that count")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="clones of the peers' repositories")
    parser.add_argument("--data-folder", metavar="DIR", help="your own copy of CIFAR-10")
    parser.add_argument("--recipe-94", default="fast/cifar10", metavar="NAME")
    parser.add_argument("--recipe-96", default="fast/cifar10-96", metavar="NAME")
    parser.add_argument("--compile", action="store_true", help="compile our CIFAR networks, too")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="everything in miniature; figures mean nothing")
    parser.add_argument("--out", type=Path, default=OUT, help="record, as JSON")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; --device cpu --quick tries this script")
    job = Job(
        QUICK if args.quick else Sizes(),
        args.device,
        args.runs,
        args.peers,
        args.data_folder,
        {"94": args.recipe_94, "96": args.recipe_96},
        args.compile,
    )
    record = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    for row in args.rows:
        say(row)
        record[row] = measured(row, job)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1), encoding="utf-8")
    for row in args.rows:
        for name, found in record[row].get("networks", {"": record[row]}).items():
            print(row, name, json.dumps(found.get("ratios", found)))


def measured(row: str, job: Job) -> dict[str, Any]:
    """A row and what it was measured on; a recipe that is not there is said so, and the other rows go on."""
    started = time.perf_counter()
    try:
        get_recipe(job.recipes.get(row, "fast/cifar10"))
    except UsageError as error:
        say(f" left out: {error}")
        return {"left_out": str(error)}
    found = ROWS[row](job)
    return {
        **found,
        "runs": job.runs,
        "quick": job.sizes == QUICK,
        "seconds_measured": time.perf_counter() - started,
        "variables": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(("CUDA_", "OMP_"))},
        "environment": environment(torch.device(job.device)),
    }


if __name__ == "__main__":
    serve(*sys.argv[2:]) if sys.argv[1:2] == ["serve"] else main()
