"""A network that answers: torchvision's as it comes, ours, ours optimised, and through a compiler or a runtime.

Random weights and images: neither time nor memory depends on them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.bench.peers import installed
from cnnlab.bench.row import Case, Curve, Found, Plan, Plot
from cnnlab.bench.training import CPU
from cnnlab.bench.turns import Way, Work, own_processes, take_turns, timed
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.models.device import place_network
from cnnlab.models.fold import fold_norms
from cnnlab.models.layers import Network
from cnnlab.models.pack import pack_filters

BATCHES = (1, 2, 4, 8, 32)
IMAGES = 16  # a turn at least, so that one of small batches is long enough
PLAIN, USUAL = "torchvision", "torchvision, inference mode"
AUX = ("googlenet", "inception_v3")
PEERS = ("torchvision", "onnx", "onnxscript", "onnxruntime", "compiler")

Answer = Callable[[Tensor], object]


def ways(name: str) -> dict[str, Way]:
    """Each way of answering with the network `name` that can be had here."""
    found: dict[str, Way] = {
        PLAIN: partial(answering, partial(theirs, name), name, channels_last=False, gradients=True),
        USUAL: partial(answering, partial(theirs, name), name, channels_last=False),
        "cnnlab": partial(answering, partial(ours, name), name),
        "cnnlab, optimised": partial(answering, partial(optimised, name), name),
    }
    if installed("compiler"):
        found["cnnlab, torch.compile with freezing"] = partial(answering, partial(compiled, name), name)
    if installed("onnx", "onnxscript", "onnxruntime"):
        found["onnxruntime"] = partial(in_onnxruntime, name)
    return found


def measure(name: str, plan: Plan, batches: Sequence[int] = BATCHES) -> Found:
    """Milliseconds of a single image, and images a second of batches, of every way."""
    speeds: dict[int, dict[str, list[float]]] = {}
    with own_processes(ways(name), plan.threads) as works:
        for batch in batches:
            plan.say(f"infer-{name}: batches of {batch}")
            seconds = take_turns({way: partial(work, batch) for way, work in works.items()}, plan.rounds)
            speeds[batch] = {way: [batch / each for each in values] for way, values in seconds.items()}
    alone = {way: [1e3 / each for each in values] for way, values in speeds[1].items()}
    cases = [Case("batch 1", "ms", alone, against=USUAL)]
    cases += [Case(f"batch {batch}", "images/s", speeds[batch], against=USUAL) for batch in batches if batch > 1]
    return Found(tuple(cases), (_plot(name, speeds),))


def _plot(name: str, speeds: Mapping[int, Mapping[str, Sequence[float]]]) -> Plot:
    from statistics import median

    curves = [Curve(way, [(batch, median(of[way])) for batch, of in speeds.items()]) for way in speeds[1]]
    title = f"{name}: images a second against batch size"
    return Plot("speed-by-batch", title, "images a batch", "images/s", curves, log_x=True)


@contextmanager
def answering(
    build: Callable[[], nn.Module], name: str, *, channels_last: bool = True, gradients: bool = False
) -> Iterator[Work]:
    """A module in evaluation mode: seconds of a batch of as many images as asked for, the mean of a few."""
    torch.manual_seed(0)
    module = build().eval()
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    with torch.set_grad_enabled(gradients) if gradients else torch.inference_mode():
        yield lambda batch: _seconds(module, _images(name, batch).contiguous(memory_format=memory_format))


def _images(name: str, batch: int) -> Tensor:
    return torch.randn(batch, 3, *MODELS[name].sizes)


def _seconds(answer: Answer, images: Tensor) -> float:
    times = -(-IMAGES // len(images))
    answer(images)  # what depends on the size of a batch is set up
    return timed(lambda: [answer(images) for _ in range(times)]) / times


def theirs(name: str) -> nn.Module:
    """The module of torchvision, without auxiliary heads and without drawing weights where it can be helped."""
    import torchvision

    options: dict[str, Any] = {"aux_logits": False, "init_weights": False} if name in AUX else {}
    module: nn.Module = getattr(torchvision.models, name)(**options)
    return module


def ours(name: str) -> Network:
    """Our network as `cnnlab predict` runs it."""
    return place_network(create_model(name, **({"aux_heads": False} if name in AUX else {})), CPU)


def optimised(name: str) -> Network:
    """Our network as `cnnlab predict --fast` runs it."""
    network = place_network(fold_norms(ours(name), MODELS[name].sizes), CPU).requires_grad_(False)
    pack_filters(network)
    return network


def compiled(name: str) -> nn.Module:
    """Our network through torch.compile, which also folds and packs what is frozen."""
    from torch._inductor import config

    config.freezing = True  # of this process alone
    module: nn.Module = torch.compile(ours(name).eval())  # type: ignore[assignment]
    return module


@contextmanager
def in_onnxruntime(name: str) -> Iterator[Work]:
    """The module of torchvision exported, in onnxruntime with torch's number of threads."""
    import onnxruntime

    torch.manual_seed(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        axes = {0: torch.export.Dim("batch", min=1, max=1024)}
        images = _images(name, 2)
        torch.onnx.export(theirs(name).eval(), (images,), path, dynamo=True, dynamic_shapes=(axes,), verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        inputs = session.get_inputs()[0].name
        yield lambda batch: _seconds(lambda each: session.run(None, {inputs: each.numpy()}), _images(name, batch))
