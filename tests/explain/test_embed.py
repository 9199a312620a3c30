from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from cnnlab.errors import ImageError, UnknownNameError, UsageError
from cnnlab.explain.embed import BATCH, Pixels, features, neighbours, principal_components, ready
from cnnlab.types import Preprocess

from .networks import Tiny

PREPROCESS = Preprocess(8, 8, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))


def read(index: int) -> Pixels:
    if index == 3:
        raise ImageError("image 3 is broken")
    return np.random.default_rng(index).integers(0, 256, (8 + index % 2, 8, 3), dtype=np.uint8)


def test_rows_are_what_the_network_says_one_by_one() -> None:
    network = Tiny().eval()
    found = features(network, read, 6, PREPROCESS, layer="second")
    assert found.indices.tolist() == [0, 1, 2, 4, 5]
    assert found.refused == ((3, "image 3 is broken"),)
    for row, index in zip(found.values, found.indices.tolist(), strict=True):
        image = (
            ready(read(index), PREPROCESS)[None].float() / 255 - torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)
        ) / 0.2
        with torch.no_grad():
            expected = network.features(image)["pooled"][0]
        assert row.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    places = features(network, read, 3, PREPROCESS, layer="second", places=True)
    assert places.values.shape == (3, 8, 4, 4)
    assert places.values.mean((2, 3)).flatten().tolist() == pytest.approx(found.values[:3].flatten().tolist(), abs=1e-5)


def test_more_images_than_a_batch_and_images_of_several_sizes() -> None:
    free = Preprocess(None, None, PREPROCESS.mean, PREPROCESS.std)
    network, count = Tiny(), BATCH + 5
    alike = features(network, lambda index: read(0), count, free, layer="pooled").values
    assert len(alike) == count
    assert torch.allclose(alike, alike[:1].expand_as(alike), atol=1e-6)
    assert features(network, lambda index: read(index % 2), 4, free, layer="pooled").values.shape == (4, 8)


def test_what_cannot_be_is_refused() -> None:
    free = Preprocess(None, None, PREPROCESS.mean, PREPROCESS.std)
    wide = [np.zeros((8, 8, 3), np.uint8), np.zeros((16, 8, 3), np.uint8)]
    with pytest.raises(UsageError, match="different sizes"):
        features(Tiny(), wide.__getitem__, 2, free, layer="second", places=True)
    with pytest.raises(UnknownNameError, match="'pooled'"):
        features(Tiny(), read, 1, PREPROCESS, layer="poled")
    network = Tiny()
    network.spare = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match="did not run"):
        features(network, read, 1, PREPROCESS, layer="spare")


def test_grey_images_are_taken() -> None:
    grey = Preprocess(None, None, (0.1,), (0.3,))
    assert ready(np.full((4, 4, 1), 77, np.uint8), grey).tolist() == [[[77] * 4] * 4]


def test_principal_components_are_scikit_learns() -> None:
    rows = torch.randn(40, 7, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 8)
    points, shares = principal_components(rows, 3)
    oracle = PCA(3).fit(rows.numpy())
    theirs = oracle.transform(rows.numpy())
    assert shares.tolist() == pytest.approx(oracle.explained_variance_ratio_.tolist(), rel=1e-4)
    assert np.abs(points.numpy()) == pytest.approx(np.abs(theirs), abs=1e-3)


def test_neighbours_stay_together() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.cat([torch.randn(20, 5, generator=generator), torch.randn(20, 5, generator=generator) + 40])
    points = neighbours(rows)
    apart = (points[:20].mean(0) - points[20:].mean(0)).norm()
    assert apart > 2 * max(points[:20].std(0).max(), points[20:].std(0).max())
    with pytest.raises(UsageError, match="too few"):
        neighbours(rows[:5])


def test_without_scikit_learn_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(UsageError, match="pip install scikit-learn"):
        neighbours(torch.randn(20, 3))
