"""Steps that are begun and read later, against the same steps taken one by one: on a CPU equal to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cnnlab.errors import NonFiniteLossError, UsageError
from cnnlab.explain.live import LiveFlow
from cnnlab.models.catalog import create_model
from cnnlab.models.precision import resolve_precision
from cnnlab.recipes.recipe import (
    AdamW,
    ClipNorm,
    Hardest,
    Mixup,
    Muon,
    OneCycle,
    Plateau,
    Polyak,
    Recipe,
    Resolution,
    RmsProp,
    Sgd,
    WarmupUntilError,
)
from cnnlab.train.bad_step import STOP, OnBadStep, parse_on_bad_step
from cnnlab.train.graphed import AHEAD_STEPS, GraphedStep, Reading, use_graphs, why_not
from cnnlab.train.loop import Training, fit
from cnnlab.train.losses import build_loss
from cnnlab.train.optim import build_optimizers
from cnnlab.train.record import TIMING, read_records
from cnnlab.train.state import snapshot
from cnnlab.train.step import Numbers, Rule
from cnnlab.train.watch import Moment, Watch
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE

CPU = torch.device("cpu")
FP32 = resolve_precision("fp32", CPU)
# Eight steps an epoch: more than are begun ahead, so that some are read before an epoch ends.
SGD = replace(RECIPE, model="resnet_matlab", model_options={"width": 4, "units": 1}, steps=20, batch_size=8)
MUON = replace(
    SGD,
    optimizer=Muon(lr=0.1, rest=Sgd(lr=0.05, nesterov=True), linear=Sgd(lr=0.01)),
    schedule=OneCycle(peak_at=0.25),
    resolutions=(Resolution(until=0.3, pixels=12), Resolution(until=0.6, pixels=14)),
    label_smoothing=0.1,
)
HARD = replace(MUON, hardest=Hardest(model_options={"widths": (4, 4, 4)}))
RECIPES = {
    "sgd with an average": SGD,
    "muon at three resolutions": MUON,
    "adamw, clipped, in two pieces, mean of the last half": replace(
        SGD, optimizer=AdamW(lr=0.01), clip=ClipNorm(norm=0.5), accumulate=2, average=Polyak(from_share=0.5)
    ),
    "muon on the harder half": HARD,
    "muon on the harder half, then on all": replace(HARD, hardest=replace(HARD.hardest, until=0.7)),
    "mixed labels, dropout, no average": replace(
        SGD, model="nin_cifar", model_options={}, augment=(Mixup(),), average=None, steps=9
    ),
    "warm-up until the error falls": replace(
        SGD, warmup=WarmupUntilError(error=0.999, factor=0.1), schedule=OneCycle(peak_at=0.0), steps=28
    ),
    "a rate that falls by the validation": replace(SGD, schedule=Plateau(factor=0.5, patience_epochs=1)),
}


def numbers(training: Training) -> dict[str, Tensor]:
    tensors = snapshot(training).tensors
    return {f"{group}.{name}": each.clone() for group in tensors for name, each in tensors[group].items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def untimed(folder: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key not in TIMING} for each in read_records(folder)]


class Looking(Watch):
    def __init__(self) -> None:
        self.moments: list[tuple[int, float, float, int]] = []
        self.lines: list[str] = []

    def stepped(self, moment: Moment) -> None:
        self.moments.append((moment.step, moment.share, moment.lr, moment.pixels))

    def said(self, message: str) -> None:
        self.lines.append(message)


def poison(training: Training, wild: Callable[[int], bool]) -> None:
    """Let the images of some steps hold a NaN."""

    def change(_: object, given: tuple[Tensor]) -> tuple[Tensor] | None:
        if not training.network.training or not wild(training.clock.step):
            return None
        images = given[0].clone()
        images[0, 0, 0, 0] = float("nan")
        return (images,)

    training.network.register_forward_pre_hook(change)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_steps_read_later_end_bit_equal_to_steps_read_at_once(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe
) -> None:
    plain_watch, watch = Looking(), Looking()
    plain = training_in(tmp_path / "plain", recipe, watch=plain_watch)
    begun = training_in(tmp_path / "begun", recipe, watch=watch, graphs=True)
    assert plain.graphed is None
    assert begun.graphed is not None
    fit(plain)
    fit(begun)
    assert same(numbers(plain), numbers(begun))
    assert untimed(tmp_path / "plain") == untimed(tmp_path / "begun")
    assert watch.moments == plain_watch.moments
    kinds = {
        (pixels, recipe.trained_images((step - 1) / plain.clock.total_steps)) for step, _, _, pixels in watch.moments
    }
    warmed_up = sum(images for _, images in kinds)
    assert begun.progress.images_seen + warmed_up == plain.progress.images_seen
    assert begun.progress.compile_seconds > 0 == plain.progress.compile_seconds


def test_steps_are_begun_ahead_of_what_is_read(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", SGD, graphs=True)
    over = [len(training.step()) for _ in range(8)]  # an epoch; the first step makes ready, the last waits for all
    assert over == [1, *[0] * AHEAD_STEPS, 1, 1, 1 + AHEAD_STEPS]
    assert training.progress.validated_step == 8


@pytest.mark.parametrize(
    ("recipe", "bad"),
    [(SGD, (5,)), (SGD, (1, 2)), (SGD, (7, 8, 19)), (MUON, (4, 11, 12, 15))],
    ids=["inside", "the first", "at the end of an epoch", "muon"],
)
def test_a_bad_step_is_left_out_to_the_last_bit(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe, bad: tuple[int, ...]
) -> None:
    ended = []
    for graphs in (False, True):
        folder = tmp_path / str(graphs)
        training = training_in(folder, recipe, on_bad_step=parse_on_bad_step("skip"), graphs=graphs)
        poison(training, lambda step: step in bad)
        fit(training)
        assert training.progress.bad_steps == list(bad)
        ended.append((numbers(training), untimed(folder), (folder / "bad-step.json").read_bytes()))
    assert same(ended[0][0], ended[1][0])
    assert ended[0][1:] == ended[1][1:]


def test_a_training_that_stops_is_where_the_bad_step_left_it(training_in: TrainingIn, tmp_path: Path) -> None:
    ended = []
    for graphs in (False, True):
        training = training_in(tmp_path / str(graphs), SGD, graphs=graphs)
        weight = training.network.classifier.weight
        weight.register_hook(lambda it, of=training: it * float("inf") if of.clock.step == 9 else None)
        with pytest.raises(NonFiniteLossError, match=r"the norm of the gradient became (nan|inf) at step 9") as raised:
            fit(training)
        said = str(raised.value).replace(str(tmp_path / str(graphs)), "")
        ended.append((numbers(training), training.clock.step, said))
    assert same(ended[0][0], ended[1][0])
    assert ended[0][1:] == ended[1][1:]


def test_going_back_to_a_checkpoint_is_the_same(training_in: TrainingIn, tmp_path: Path) -> None:
    ended = []
    for graphs in (False, True):
        watch = Looking()
        training = training_in(
            tmp_path / str(graphs), SGD, on_bad_step=parse_on_bad_step("rollback:2"), graphs=graphs, watch=watch
        )
        poison(training, lambda step: step in (6, 13))
        fit(training)
        ended.append((numbers(training), watch.lines, untimed(tmp_path / str(graphs))))
    assert same(ended[0][0], ended[1][0])
    assert ended[0][1:] == ended[1][1:]
    assert "weights are back at step-00000000" in ended[1][1][0]


@pytest.mark.parametrize(
    ("recipe", "stop_after"), [(SGD, 1), (SGD, 13), (MUON, 6), (HARD, 6)], ids=["soon", "late", "muon", "hard"]
)
def test_a_resumed_training_ends_bit_equal_with_either_kind_of_steps(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe, stop_after: int
) -> None:
    whole = training_in(tmp_path / "whole", recipe)
    fit(whole)
    for before, after in ((True, True), (True, False), (False, True)):
        folder = tmp_path / f"{before}-{after}"
        stopped = training_in(folder, recipe, graphs=before)
        for _ in range(stop_after):
            stopped.step()
        stopped.save()
        stopped.step()
        stopped.run.close()
        resumed = training_in(folder, recipe, resume=True, graphs=after)
        resumed.restore("last")
        assert resumed.clock.step == stop_after
        fit(resumed)
        assert same(numbers(whole), numbers(resumed))
        assert untimed(tmp_path / "whole") == untimed(folder)


def test_a_training_may_go_back_while_steps_are_under_way(training_in: TrainingIn, tmp_path: Path) -> None:
    whole = training_in(tmp_path / "whole", SGD)
    fit(whole)
    training = training_in(tmp_path / "run", SGD, graphs=True)
    for _ in range(3):
        training.step()
    training.save()
    for _ in range(3):
        training.step()
    training.restore("last")
    fit(training)
    assert same(numbers(whole), numbers(training))


def test_steps_that_something_looks_into_are_taken_plainly(training_in: TrainingIn, tmp_path: Path) -> None:
    plain = training_in(tmp_path / "plain", SGD, watch_steps=partial(LiveFlow, every=3))
    begun = training_in(tmp_path / "begun", SGD, watch_steps=partial(LiveFlow, every=3), graphs=True)
    fit(plain)
    fit(begun)
    assert same(numbers(plain), numbers(begun))
    flows = [read_records(tmp_path / name, "flow.jsonl") for name in ("plain", "begun")]
    assert [each["step"] for each in flows[1]] == [0, 3, 6, 9, 12, 15, 18]
    assert flows[0] == flows[1]


def test_what_thaws_is_made_ready_anew(training_in: TrainingIn, tmp_path: Path) -> None:
    how = {"frozen": "layer*", "unfreeze_at": 0.5}
    recipe = replace(RECIPE, average=None, steps=16)
    plain = training_in(tmp_path / "plain", recipe, **how)
    begun = training_in(tmp_path / "begun", recipe, graphs=True, **how)
    fit(plain)
    fit(begun)
    assert same(numbers(plain), numbers(begun))


def test_a_time_budget_waits_for_each_step(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", SGD, graphs=True)
    training.clock.budget_seconds = 1000.0
    assert [len(training.step()) for _ in range(4)] == [1, 1, 1, 1]


def test_where_no_graph_can_be_made_steps_are_taken_one_by_one(
    training_in: TrainingIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(GraphedStep, "prepare", refuse)
    watch = Looking()
    plain, training = training_in(tmp_path / "plain", SGD), training_in(tmp_path / "run", SGD, graphs=True, watch=watch)
    fit(plain)
    fit(training)
    assert same(numbers(plain), numbers(training))
    assert watch.lines == [
        "steps are taken one by one, as no CUDA graph can be made of them: operation not permitted when stream is "
        "capturing"
    ]


# -- what a step may not do --------------------------------------------------------------------------------------

ASKING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::equal", "aten::item"}


class Silent(TorchDispatchMode):
    """Notes what would let the host wait for a GPU, which a CUDA graph cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in ASKING:
            self.asked.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@contextmanager
def silence() -> Iterator[list[str]]:
    with Silent() as mode:
        yield mode.asked


def test_the_check_for_silence_hears() -> None:
    with silence() as asked:
        float(torch.ones(1))
        torch.ones(3)[torch.ones(3, dtype=torch.bool)]
    assert asked


OPTIMIZERS = {
    "sgd": Sgd(lr=0.1, momentum=0.9),
    "adamw": AdamW(lr=0.01),
    "muon": Muon(lr=0.1, rest=Sgd(lr=0.1), linear=Sgd(lr=0.1)),
}
NETWORKS = {"resnet20": 16, "airnet": 16, "lenet5": 32, "nin_cifar": 16, "seresnet20": 16, "highway19": 16}


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [*((model, "sgd") for model in NETWORKS), ("airnet", "muon"), ("resnet20", "adamw")],
)
def test_a_begun_step_asks_nothing_of_the_device(model: str, optimizer: str) -> None:
    torch.manual_seed(0)
    network = create_model(model)
    average = create_model(model)
    optimizers = build_optimizers(OPTIMIZERS[optimizer], network, decay_norms_and_biases=True)
    rule = Rule(build_loss(RECIPE.loss, label_smoothing=0.1), FP32, clip=ClipNorm(norm=1.0))
    step = GraphedStep(network, lambda it: (network(it), {}), optimizers, FP32.scaler(), rule, average, CPU)
    images = torch.randn(4, network.in_channels, NETWORKS[model], NETWORKS[model])
    labels = torch.tensor([0, 1, 2, 3])
    step.prepare("shape", images, labels)
    step.begin("shape", images, labels, 0.5)
    with silence() as asked:
        reading = step.begin("shape", images, labels, 0.5)
    assert asked == []
    assert reading.result().finite


# -- the pieces --------------------------------------------------------------------------------------------------


def test_a_reading_is_the_steps_result() -> None:
    numbers = Numbers(torch.tensor([2.5, 1.0, 3.0, 2.0, 5.0]), images=(2, 6), aux_names=())
    result = Reading.of(numbers).result()
    assert (result.loss, result.correct, result.gradient_norm) == (pytest.approx((2 * 1 + 6 * 2) / 8), 8, 2.5)


@pytest.mark.parametrize(
    ("recipe", "network", "on_bad_step", "processes", "reason"),
    [
        (SGD, "resnet20", STOP, 1, None),
        (MUON, "airnet", STOP, 1, None),
        (SGD, "resnet20", STOP, 2, "several processes"),
        (SGD, "resnet20", OnBadStep("skip", spike=5.0), 1, "--spike"),
        (replace(SGD, optimizer=RmsProp(lr=0.1)), "resnet20", STOP, 1, "RMSProp"),
    ],
)
def test_what_needs_the_host_in_a_step_is_refused(
    recipe: Recipe, network: str, on_bad_step: OnBadStep, processes: int, reason: str | None
) -> None:
    found = why_not(recipe, create_model(network), FP32, on_bad_step, processes)
    assert found is None if reason is None else reason in str(found)


def test_half_precision_with_a_scaler_and_blocks_left_out_are_refused() -> None:
    fp16 = replace(FP32, half=torch.float16)
    assert "fp16" in str(why_not(SGD, create_model("resnet20"), fp16, STOP, 1))
    deep = create_model("resnet18", stochastic_depth=0.5)
    assert "stochastic depth" in str(why_not(SGD, deep, FP32, STOP, 1))


def test_a_gpu_uses_graphs_unless_told_otherwise_or_refused() -> None:
    gpu = torch.device("cuda")
    assert use_graphs(None, gpu, None)
    assert not use_graphs(None, gpu, "a reason")
    assert not use_graphs(False, gpu, None)
    assert not use_graphs(None, CPU, None)
    assert use_graphs(True, CPU, None)
    with pytest.raises(UsageError, match="--graphs cannot be: a reason; leave it out"):
        use_graphs(True, gpu, "a reason")


# -- on a GPU: the same by CUDA graphs ----------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_end_where_steps_taken_one_by_one_do(
    training_in: TrainingIn, tmp_path: Path, recipe: Recipe, precision: str, compiled: bool
) -> None:
    recipe = replace(recipe, precision=precision)
    ended = []
    for graphs in (False, True):
        training = training_in(tmp_path / str(graphs), recipe, device="cuda", graphs=graphs, compiled=compiled)
        fit(training)
        assert (training.graphed is not None) == graphs
        ended.append(numbers(training))
    # Kernels that add in an order by chance, and cuDNN's choice of them, leave roundings, which Muon and BN enlarge.
    tolerance = 2e-3 if precision == "fp32" else 5e-2
    for name, value in ended[0].items():
        torch.testing.assert_close(ended[1][name], value, rtol=tolerance, atol=tolerance)


@pytest.mark.gpu
def test_a_bad_step_changes_nothing_on_a_gpu(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", MUON, device="cuda", graphs=True)
    batch_of = training.batches.batch

    def batch(epoch: int, position: int) -> Any:
        made = batch_of(epoch, position)
        return replace(made, images=made.images * float("nan")) if (epoch, position) == (0, 4) else made

    training.batches.batch = batch
    for _ in range(4):
        training.step()
    training.end_steps()
    before = numbers(training)
    training.step()
    with pytest.raises(NonFiniteLossError, match="at step 4"):
        training.end_steps()
    assert training.clock.step == 4
    assert same(before, numbers(training))


@pytest.mark.gpu
def test_nothing_waits_for_the_gpu_while_steps_are_begun(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(SGD, batch_size=4, steps=64), device="cuda", graphs=True)
    for _ in range(3):
        training.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            training.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
