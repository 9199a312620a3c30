"""The flow doctor beside a training: every hundredth step is recorded, judged, and at the end drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from cnnlab.explain.flow import EVERY_STEPS, Flow, Norm, StepFlow, from_dict, to_dict
from cnnlab.explain.trial import Trial
from cnnlab.explain.verdict import Ailment, Verdict, judge

# A learning rate is judged from so many sampled steps on: schedules begin with rates that are low on purpose.
SAMPLES_FOR_THE_RATE = 3
MOST_JUDGED = 20  # samples, the first and the latest: the length of the trainings that verdicts were measured on
MOST_SAMPLES = 500  # of a long training, which is looked at less often, so that files and the picture stay small
OF_THE_RATE = (Ailment.LR_HIGH, Ailment.LR_LOW)

Record = Callable[[Mapping[str, Any], Mapping[str, float]], None]
"""Takes what was seen of a step as JSON values, and as scalars to plot by name."""


@dataclass(frozen=True)
class _Seen:
    flow: StepFlow
    loss: float
    top1: float


class LiveFlow:
    """Watches a training of `network`: `before_step` and `after_step` around each step, `draw` at the end.

    Weights, gradients and random numbers stay as they are. A verdict is said once, when it is first reached.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        num_classes: int,
        steps: int,
        earlier: Sequence[Mapping[str, Any]],
        record: Record,
        say: Callable[[str], None],
        every: int | None = None,
    ) -> None:
        """Begin, or go on after the records of `earlier`, oldest first.

        Args:
            network: itself, not compiled.
            num_classes: K.
            steps: of the whole training.
            earlier: what `record` was given before.
            record: takes each sampled step.
            say: takes a line for people.
            every: steps from one that is looked at to the next; None for 100, or `steps / MOST_SAMPLES` if longer.
        """
        self._flow = Flow(network, every=every or max(EVERY_STEPS, steps // MOST_SAMPLES))
        self._num_classes = num_classes
        self._frozen = {name for name, module in network.named_modules() if _is_frozen_norm(module)}
        self._record, self._say = record, say
        self._seen = [_Seen(from_dict(each["flow"]), each["loss"], each["top1"]) for each in earlier]
        self._told = {each.ailment for each in self._verdicts()}

    def samples(self, step: int) -> bool:
        """Whether `step` is one to look at; it has to run the network uncompiled."""
        return self._flow.samples(step)

    def before_step(self, step: int) -> None:
        """Begin to look, if `step` is one to look at."""
        self._flow.before_step(step)

    def after_step(self, step: int, *, loss: float, top1: float, gradient_scale: float = 1.0) -> None:
        """Record what was seen of a step, and say what is newly wrong.

        A step with gradients that are no numbers is not recorded, as JSON has none for them, and not judged where
        a gradient scaler is at work, which takes such steps to find its scale.
        """
        flow = self._flow.after_step(step, gradient_scale=gradient_scale)
        if flow is None or (gradient_scale != 1 and not _is_finite(flow)):
            return
        self._seen.append(_Seen(flow, loss, top1))
        if _is_finite(flow):
            self._record({"step": step, "loss": loss, "top1": top1, "flow": to_dict(flow)}, scalars(flow))
        for verdict in self._verdicts():
            if verdict.ailment not in self._told:
                self._told.add(verdict.ailment)
                self._say(f"step {step}: {verdict.ailment}: {verdict.evidence}; remedy: {verdict.remedy}")

    def close(self) -> None:
        """Stop looking; also right after a step that failed."""
        self._flow.close()

    def draw(self, path: Path, *, title: str) -> None:
        """Draw depth against step as a PNG; nothing where no step was recorded."""
        if not self._seen:
            return
        from cnnlab.explain.flow_pictures import flow_picture  # 1 s to import matplotlib: only where it draws
        from cnnlab.explain.pictures import save

        save(flow_picture([each.flow for each in self._seen], title=title), path)

    def _verdicts(self) -> list[Verdict]:
        """What is wrong by the first and the latest samples, numbered anew: 0, 1, … as a trial has them."""
        if not self._seen:
            return []
        judged = [self._seen[0], *self._seen[1:][1 - MOST_JUDGED :]]
        flows = tuple(self._to_judge(place, each.flow) for place, each in enumerate(judged))
        losses, top1 = tuple(each.loss for each in judged), tuple(each.top1 for each in judged)
        early = len(self._seen) < SAMPLES_FOR_THE_RATE
        found = judge(Trial(flows, losses, top1, self._num_classes))
        return [each for each in found if not (early and each.ailment in OF_THE_RATE)]

    def _to_judge(self, place: int, flow: StepFlow) -> StepFlow:
        """Without the norms that are frozen, which are in evaluation mode on purpose."""
        return replace(flow, step=place, norms=tuple(each for each in flow.norms if each.name not in self._frozen))


def scalars(flow: StepFlow) -> dict[str, float]:
    """Gradient norm, update over weight and root mean square of the activations, of each layer by `what/name`."""
    return {
        f"{what}/{layer.name}": value
        for layer in flow.layers
        for what, value in (
            ("gradient norm", layer.gradient_norm),
            ("update over weight", layer.update_ratio),
            ("activations", math.hypot(layer.mean, layer.deviation)),
        )
    }


def _is_frozen_norm(module: nn.Module) -> bool:
    return isinstance(module, Norm) and not any(each.requires_grad for each in module.parameters())


def _is_finite(flow: StepFlow) -> bool:
    return all(map(math.isfinite, _numbers(asdict(flow))))


def _numbers(values: object) -> Iterator[float]:
    """All floating-point numbers in nested dictionaries and tuples."""
    if isinstance(values, float):
        yield values
    elif isinstance(values, dict):
        yield from (number for each in values.values() for number in _numbers(each))
    elif isinstance(values, tuple):
        yield from (number for each in values for number in _numbers(each))
