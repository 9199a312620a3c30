from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.loader import EpochOrder
from cnnlab.data.sampler import generator, hashes, normals, order, share, times_before, uniforms, weighted_order
from cnnlab.errors import UsageError

seeds = st.integers(-(2**63), 2**64 - 1)
epochs = st.integers(0, 10_000)


def splitmix64(bits: int) -> int:
    mask = 2**64 - 1
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
    return bits ^ (bits >> 31)


def test_the_mixing_is_splitmix64_word_for_word() -> None:
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    state = 0
    for word in (7, 3, 2):
        state = splitmix64(((state ^ word) + golden) & mask)
    expected = [splitmix64((state + (i + 1) * golden) & mask) for i in range(5)]
    assert hashes(7, 3, np.arange(5), 2).tolist() == expected


def test_the_first_output_of_the_published_generator() -> None:
    # splitmix64 seeded with 0 gives 0xE220A8397B1DCDAF first (Vigna's reference code).
    assert splitmix64(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF


def test_golden_values_never_change() -> None:
    assert order(0, 0, 8).tolist() == GOLDEN_ORDER
    assert uniforms(1, 2, [0, 5], 3).tolist() == GOLDEN_UNIFORMS


GOLDEN_ORDER = [1, 0, 4, 6, 7, 2, 3, 5]
GOLDEN_UNIFORMS = [0.07166370763826013, 0.9878582133653551]


@given(seeds, epochs, st.integers(0, 300))
def test_an_order_is_a_permutation_and_repeats_itself(seed: int, epoch: int, count: int) -> None:
    first = order(seed, epoch, count)
    assert first.dtype == np.int64
    assert sorted(first) == list(range(count))
    assert np.array_equal(first, order(seed, epoch, count))


@given(seeds, epochs, st.integers(0, 50), st.lists(st.integers(0, 2**40), min_size=2, max_size=40), st.data())
def test_numbers_do_not_depend_on_the_batch(
    seed: int, epoch: int, stream: int, indices: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(indices)))
    whole = uniforms(seed, epoch, indices, stream)
    parts = [uniforms(seed, epoch, np.array(piece, np.int64), stream) for piece in (indices[:cut], indices[cut:])]
    assert np.array_equal(whole, np.concatenate(parts))
    assert ((whole >= 0) & (whole < 1)).all()


def test_numbers_are_uniform_and_unrelated() -> None:
    indices = np.arange(100_000)
    draws = [uniforms(s, e, indices, t) for s, e, t in ((0, 0, 1), (0, 0, 2), (0, 1, 1), (1, 0, 1))]
    for values in draws:
        counts = np.bincount((values * 20).astype(int), minlength=20)
        assert ((counts - 5000) ** 2 / 5000).sum() < 45  # chi-square, 19 degrees: p about 0.001
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.015
    assert np.abs(np.corrcoef(draws) - np.eye(4)).max() < 0.015


def test_epochs_and_seeds_give_other_orders() -> None:
    orders = {tuple(order(seed, epoch, 50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_every_place_is_equally_likely() -> None:
    first = [order(0, epoch, 10)[0] for epoch in range(5000)]
    assert np.abs(np.bincount(first, minlength=10) - 500).max() < 90


@given(seed=seeds, epoch=epochs, count=st.integers(1, 200))
def test_drawing_by_weight_never_gives_an_image_of_no_weight(seed: int, epoch: int, count: int) -> None:
    weights = np.arange(count, dtype=float)[::-1] + (count == 1)
    drawn = weighted_order(seed, epoch, weights)
    assert drawn.shape == (count,)
    assert (weights[drawn] > 0).all()
    assert np.array_equal(drawn, weighted_order(seed, epoch, weights))


def test_images_are_drawn_in_proportion_to_their_weights() -> None:
    weights = np.array([1.0, 0.0, 3.0, 6.0])
    drawn = np.concatenate([weighted_order(0, epoch, weights) for epoch in range(5000)])
    assert np.abs(np.bincount(drawn, minlength=4) / len(drawn) - weights / 10).max() < 0.01


@given(indices=st.lists(st.integers(0, 5), max_size=40))
def test_times_before_counts_those_to_the_left(indices: list[int]) -> None:
    expected = [indices[:place].count(index) for place, index in enumerate(indices)]
    assert times_before(np.array(indices, np.int64)).tolist() == expected


def test_normals_are_normal() -> None:
    drawn = normals(3, 1, np.arange(20_000), 9)
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.02
    assert abs((drawn**4).mean() - 3) < 0.2
    assert np.isfinite(drawn).all()


def test_a_generator_depends_on_all_it_is_given() -> None:
    cpu = torch.device("cpu")

    def first(seed: int = 1, epoch: int = 2, index: int = 3, stream: int = 4) -> float:
        return float(torch.rand(1, generator=generator(seed, epoch, index, stream, cpu)))

    assert first() == first()
    assert len({first(), first(seed=2), first(epoch=3), first(index=4), first(stream=5)}) == 5


@given(count=st.integers(0, 100), world_size=st.integers(1, 20))
def test_the_shares_of_all_ranks_put_together_are_the_batch(count: int, world_size: int) -> None:
    batch = order(0, 0, count)
    shares = [share(batch, rank, world_size) for rank in range(world_size)]
    assert np.array_equal(np.concatenate(shares), batch)
    lengths = [len(each) for each in shares]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) - min(lengths) <= 1


@given(changes=st.lists(st.sampled_from([1, 2, 4]), min_size=6, max_size=6))
def test_the_global_order_is_the_same_when_processes_come_and_go_in_mid_epoch(changes: list[int]) -> None:
    visited = []
    for position, world_size in enumerate(changes):
        batch, _ = EpochOrder(3, 50).batch(0, position, 8)  # each rank makes it anew, as after a restart
        visited.extend(share(batch, rank, world_size) for rank in range(world_size))
    assert np.array_equal(np.concatenate(visited), order(3, 0, 50)[:48])


@pytest.mark.parametrize(("rank", "world_size"), [(2, 2), (-1, 4), (0, 0)])
def test_a_rank_that_is_none_is_refused(rank: int, world_size: int) -> None:
    with pytest.raises(UsageError, match=f"rank {rank} of {world_size}"):
        share(np.arange(8), rank, world_size)


@pytest.mark.parametrize("step", [0, 4_999, 449_999])
def test_a_run_on_imagenet_finds_its_place_at_once_at_any_step(step: int) -> None:
    started = time.perf_counter()
    epoch, position = divmod(step, 1_281_167 // 256)
    indices, _ = EpochOrder(0, 1_281_167).batch(epoch, position, 256)
    assert time.perf_counter() - started < 2
    assert len(set(indices.tolist())) == 256
