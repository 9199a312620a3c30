"""Several processes that each hold a share of the weights (`--fsdp`); here and nowhere else is known how.

Of every weight, its gradient and what the optimizer remembers of it, each process keeps its share, cut along the first
axis, by torch's `fully_shard` (Zhao et al. 2023, "PyTorch FSDP", arXiv:2304.11277). A block's weights are gathered
before it runs, forwards and backwards, and let go after it; its gradients are summed where their shares lie.

What is tested and what is written is whole, so a checkpoint is the same for any number of processes, with `--fsdp` or
without. Running statistics are small and stay whole everywhere.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.errors import UsageError
from cnnlab.evaluate.predict import Outcome
from cnnlab.evaluate.protocols import Protocol
from cnnlab.models.device import place_network
from cnnlab.models.layers import Network
from cnnlab.models.stochastic_depth import leaves_out_blocks
from cnnlab.recipes.recipe import Muon, Recipe
from cnnlab.train.distributed import Processes, World
from cnnlab.types import Preprocess

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule

LARGE_LAYER = 1_000_000  # weights of a layer that are gathered by themselves; smaller ones go with the network's rest


class Sharded(Processes):
    """Two processes or more, each with its share of the weights; made by `joined`."""

    fused_sgd = False  # torch's has no rule for shares
    _root: FSDPModule
    _bare: Network  # without weights, which `fully_shard` leaves nothing else to copy

    def share_out(self, network: Network) -> None:
        """See `Team`.

        Raises:
            UsageError: the network leaves out blocks by chance, and processes would wait for each other's.
        """
        from torch.distributed import broadcast
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        if leaves_out_blocks(network):
            raise UsageError(_refused("stochastic depth leaves out other blocks in each", "set it to 0"))
        network.to(memory_format=torch.contiguous_format)  # which `fully_shard` takes alone
        self.wait_for_all()
        for each in network.state_dict().values():
            broadcast(each, 0)
        self._bare = _with_tensors(network, (torch.empty_like(each, device="meta") for each in network.parameters()))
        mesh = init_device_mesh(self._device.type, (self.world.size,))
        for block in blocks(network):
            fully_shard(block, mesh=mesh)
        self._root = fully_shard(network, mesh=mesh)
        if getattr(network, "aux_heads", False):
            register_fsdp_forward_method(network, "forward_with_aux")

    def replicate(self, module: nn.Module, *, unused: bool) -> nn.Module:
        """See `Team`; the module itself, as its weights have been shared out."""
        return module

    def settle(self, pass_through: object) -> None:
        """See `Team`; nothing here is laid out anew after a first pass."""

    @contextlib.contextmanager
    def reducing(self, *, last: bool) -> Iterator[None]:
        """See `Team`; gradients are summed in every piece, as nobody has room for whole ones."""
        try:
            yield
        except (RuntimeError, MemoryError):
            if hasattr(self._root, "reset_iter_state"):  # which older versions of torch lack
                self._root.reset_iter_state()  # some blocks are still gathered, and another pass may come
            raise

    def whole(self, value: Tensor) -> Tensor:
        """See `Team`."""
        from torch.distributed.tensor import DTensor

        return value.full_tensor() if isinstance(value, DTensor) else value

    @torch.no_grad()
    def collect(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See `Team`; one tensor at a time, on the CPU."""
        self.wait_for_all()  # rank 0 may have waited for a slow disk
        found = {}
        for name, value in tensors.items():
            gathered = self.whole(value.detach())
            if self.world.first:
                found[name] = gathered.cpu()
        return found

    def loading(self) -> contextlib.AbstractContextManager[object]:
        """See `Team`; what is whole counts as known to all, so that copying it to a share takes its part."""
        from torch.distributed.tensor.experimental import implicit_replication

        return cast(contextlib.AbstractContextManager[object], implicit_replication())

    @torch.no_grad()
    def copy_of(self, network: Network) -> Network:
        """See `Team`; the weights of the copy are shared out as those of `network` are."""
        weights = (each.detach().clone() for each in network.parameters())
        return _with_tensors(self._bare, weights, network.buffers())

    @torch.no_grad()
    def whole_network(self, network: Network) -> Network:
        """See `Team`."""
        self.wait_for_all()  # rank 0 may have drawn curves
        weights = (self.whole(each.detach()) for each in network.parameters())
        return place_network(_with_tensors(self._bare, weights, network.buffers()), self._device)

    def predict_part(
        self,
        network: Network,
        part: Part | Photos,
        protocol: Protocol,
        preprocess: Preprocess,
        device: torch.device,
        *,
        max_bad: float = 0.01,
    ) -> Outcome:
        """See `Team`; by whole weights, as processes have other numbers of batches, and would wait for each other's."""
        whole = self.whole_network(network)
        return super().predict_part(whole, part, protocol, preprocess, device, max_bad=max_bad)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """What of a network is gathered by itself: blocks of several layers, and large layers.

    Not the rows that blocks stand in, which a network may go through without calling them.
    """
    for child in module.children():
        weights = sum(each.numel() for each in child.parameters())
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from blocks(child)
        elif weights >= LARGE_LAYER or (weights and any(True for _ in child.children())):
            yield child


def _with_tensors(network: Network, weights: Iterable[Tensor], buffers: Iterable[Tensor] | None = None) -> Network:
    """A copy of `network` that has these weights, which need no gradient, and copies of these buffers or its own."""
    memo: dict[int, Any] = {
        id(each): nn.Parameter(weight, requires_grad=False)
        for each, weight in zip(network.parameters(), weights, strict=True)
    }
    if buffers is not None:
        memo |= {id(each): buffer.clone() for each, buffer in zip(network.buffers(), buffers, strict=True)}
    return copy.deepcopy(network, memo)


def refuse_alone(world: World, fsdp: bool) -> None:
    """Raise `UsageError` where weights are to be shared out and one process was started; a restart may leave one."""
    if fsdp and world.size == 1 and not world.restarts:
        raise UsageError(
            "--fsdp shares the weights out among processes, and there is one; start several with "
            "torchrun --nproc-per-node N -m cnnlab train …, or leave out --fsdp"
        )


def refuse_with_shares(recipe: Recipe, *, compiled: bool, watched: bool) -> None:
    """Refuse what takes whole weights, or has not been tried with shares of them.

    Raises:
        UsageError: says what, why, and what to do.
    """
    reasons = (
        (isinstance(recipe.optimizer, Muon), "Muon makes whole filter banks orthogonal", "take a recipe without it"),
        (recipe.precision == "fp16", "fp16's gradient scaler has not been tried on shares", "--set precision=bf16"),
        (compiled, "torch.compile has not been tried on shares", "leave out --compile"),
        (watched, "--watch looks into whole weights and gradients", "leave out --watch"),
    )
    for holds, reason, otherwise in reasons:
        if holds:
            raise UsageError(_refused(reason, otherwise))


def _refused(reason: str, otherwise: str) -> str:
    return f"--fsdp leaves each process a share of the weights, and {reason}; leave out --fsdp, or {otherwise}"
