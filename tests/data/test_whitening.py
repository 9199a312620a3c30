from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from cnnlab.data import whitening
from cnnlab.data.preprocess import measure, normalise
from cnnlab.data.whitening import FILE, contrast_norm_for, load_whitening, normalise_contrast, save_whitening
from cnnlab.errors import DataError, UsageError
from cnnlab.types import Preprocess

from .conftest import photo


@pytest.fixture
def images() -> torch.Tensor:
    """Sixty small pictures whose neighbouring pixels are alike."""
    made = np.stack([photo(6, 6, seed) for seed in range(60)])
    return torch.from_numpy(made).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "_known", {})
    monkeypatch.setattr(whitening, "_on_device", {})


def test_contrast_is_normalised_to_the_norm_whatever_the_light(images: torch.Tensor) -> None:
    values = normalise_contrast(images, 55.0)
    torch.testing.assert_close(values.mean((1, 2, 3)), torch.zeros(60), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.flatten(1).norm(dim=1), torch.full((60,), 55.0))
    brighter = 0.5 * images.float() + 20
    torch.testing.assert_close(normalise_contrast(brighter, 55.0), values, atol=1e-3, rtol=0)
    assert normalise_contrast(torch.full((1, 3, 4, 4), 9.0), 55.0).abs().max() == 0
    assert contrast_norm_for(3072) == 55
    assert contrast_norm_for(4 * 3072) == 110


def test_gcn_is_the_whole_preprocessing(images: torch.Tensor) -> None:
    preprocess = measure(images, "gcn")
    assert preprocess.contrast_norm == pytest.approx(55 * (108 / 3072) ** 0.5)
    torch.testing.assert_close(normalise(images, preprocess), normalise_contrast(images, preprocess.contrast_norm))


def test_zca_gives_directions_of_equal_spread(images: torch.Tensor) -> None:
    preprocess = measure(images, "gcn_zca")
    white = normalise(images, preprocess)
    assert white.is_contiguous(memory_format=torch.channels_last)
    before = normalise_contrast(images, preprocess.contrast_norm).flatten(1).double().numpy()
    oracle = PCA().fit(before)
    variances = oracle.explained_variance_ * 59 / 60
    expected = variances / (variances + 0.1)
    spread = np.linalg.eigvalsh(np.cov(white.flatten(1).numpy().T, bias=True))[::-1]
    assert spread[: len(expected)] == pytest.approx(np.sort(expected)[::-1], abs=2e-3)
    scaled = oracle.transform(before) / np.sqrt(variances + 0.1)
    assert white.flatten(1).numpy() == pytest.approx(scaled @ oracle.components_, abs=2e-2)


def test_it_travels_in_a_file_beside_the_weights(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess = measure(images, "gcn_zca")
    expected = normalise(images, preprocess)
    save_whitening(preprocess, tmp_path)
    assert all(not isinstance(value, torch.Tensor) for value in asdict(preprocess).values())
    monkeypatch.setattr(whitening, "_known", {})
    with pytest.raises(UsageError, match=r"was not read; load the network with its folder's whitening\.safetensors"):
        normalise(images, preprocess)
    load_whitening(preprocess, tmp_path)
    assert torch.equal(normalise(images, preprocess), expected)


def test_a_missing_damaged_or_other_file_is_refused(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess = measure(images, "gcn_zca")
    save_whitening(preprocess, tmp_path)
    monkeypatch.setattr(whitening, "_known", {})
    with pytest.raises(DataError, match="another whitening"):
        load_whitening(replace(preprocess, whitening="0" * 64), tmp_path)
    monkeypatch.setattr(whitening, "_known", {})
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[:100])
    with pytest.raises(DataError, match="cannot be read"):
        load_whitening(preprocess, tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load_whitening(preprocess, tmp_path)


def test_without_whitening_nothing_is_written(tmp_path: Path) -> None:
    plain = Preprocess(None, None, (0.5,), (1.0,))
    save_whitening(plain, tmp_path)
    load_whitening(plain, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_whitened_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(UsageError, match=r"ZCA of images of 12288 values; accepted: up to 4096"):
        measure(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), "gcn_zca")
    with pytest.raises(UsageError, match="this whitening is for 108"):
        normalise(images[:, :, :4, :4], measure(images, "gcn_zca"))
