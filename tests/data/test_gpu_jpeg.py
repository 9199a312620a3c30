from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data import gpu_jpeg
from cnnlab.data.crops import RandomArea, ScaleJitter, crop_numbers, take_crop
from cnnlab.data.decode import open_image
from cnnlab.data.gpu_jpeg import PlainJpeg, cut_jpegs, plain_jpeg, why_not
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load
from cnnlab.errors import ImageError
from cnnlab.types import Interpolation, Preprocess

from .conftest import write_photos

CPU = torch.device("cpu")
NUMBERS = crop_numbers(0, 0, np.arange(8))
CROP = RandomArea(16)


def photo(kind: str = "JPEG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> bytes:
    down, right = np.mgrid[0 : size[1], 0 : size[0]]
    picture = Image.fromarray(np.stack((down * 6, right * 5, down + right), 2).astype(np.uint8)).convert(mode)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_crops_are_those_of_the_cpu_within_a_few_of_255() -> None:
    for crop in (CROP, ScaleJitter(16, (20, 24)), RandomArea(16, interpolations=(Interpolation.BICUBIC,))):
        photos = [photo(quality=95), photo(size=(31, 47), quality=95), photo(mode="L", quality=95)]
        jpegs = [plain_jpeg(each, "it", crop, NUMBERS[place]) for place, each in enumerate(photos)]
        assert all(isinstance(each, PlainJpeg) for each in jpegs)
        for place, found in enumerate(cut_jpegs([each for each in jpegs if each is not None], CPU)):
            with open_image(photos[place]) as image:
                expected = take_crop(image, crop, NUMBERS[place])
            assert found.shape == (3, 16, 16)
            assert found.dtype == torch.uint8
            difference = found.permute(1, 2, 0).int() - torch.from_numpy(expected.copy()).int()
            assert difference.abs().max() <= 3


TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6


@pytest.mark.parametrize(
    "data",
    [photo("PNG"), photo(mode="CMYK"), photo(progressive=True), photo(exif=TURNED)],
    ids=["png", "cmyk", "progressive", "turned"],
)
def test_other_images_are_left_to_the_cpu(data: bytes) -> None:
    assert plain_jpeg(data, "it", CROP, NUMBERS[0]) is None


def test_a_way_to_resize_that_a_gpu_has_not_is_left_to_the_cpu() -> None:
    crop = RandomArea(16, interpolations=(Interpolation.AREA,))
    assert plain_jpeg(photo(), "it", crop, NUMBERS[0]) is None


def test_what_should_not_be_decoded_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError, match="it: 40 x 30000"):
        plain_jpeg(photo(size=(40, 30000)), "it", CROP, NUMBERS[0])


def test_a_damaged_one_is_an_error_of_the_batch() -> None:
    whole, broken = photo(), photo()
    broken = broken[:200] + b"\xff\xd9" + broken[230:]
    jpegs = [each for each in (plain_jpeg(data, "it", CROP, NUMBERS[0]) for data in (whole, broken)) if each]
    with pytest.raises(RuntimeError):
        cut_jpegs([PlainJpeg(b"\xff\xd8 no jpeg", each.cut, each.pixels) for each in jpegs], CPU)


def test_a_cpu_is_no_gpu() -> None:
    assert why_not(CPU) == "cpu is no CUDA device"


# -- in a loader; on a CPU, torchcodec decodes a batch by the same call -------------------------------------------

PREPROCESS = Preprocess(36, 32, (0.5,) * 3, (0.25,) * 3)
WITHOUT_SHRINKING = RandomArea(32)  # on the CPU, photos twice as large would be shrunk while they are decoded


def train_part(folder: Path) -> Photos:
    part = load(write_photos(folder, {"train/cat": 6, "train/dog": 6, "val/cat": 2, "val/dog": 2}), photos=True).train
    assert isinstance(part, Photos)
    return part


def batches(part: Photos, gpu_jpegs: bool, device: str = "cpu") -> PhotoBatches:
    return PhotoBatches(
        part, batch_size=4, seed=3, preprocess=PREPROCESS, crop=WITHOUT_SHRINKING, threads=2, max_bad=0.5,
        gpu_jpegs=gpu_jpegs, device=device,
    )  # fmt: skip


def test_a_loader_without_a_gpu_says_so_once_and_decodes_on_the_cpu(tmp_path: Path) -> None:
    part = train_part(tmp_path / "photos")
    made = batches(part, True)
    assert made.notes == ("JPEGs are decoded on the CPU: cpu is no CUDA device",)
    assert torch.equal(made.batch(0, 0).images, batches(part, False).batch(0, 0).images)
    assert batches(part, False).notes == ()


def test_a_loader_hands_jpegs_on_and_reads_the_others_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = train_part(tmp_path / "photos")
    file = tmp_path / "photos" / "train" / "cat" / "002.JPEG"
    Image.open(file).save(file, "PNG")
    monkeypatch.setattr(gpu_jpeg, "why_not", lambda device: None)
    handed: list[int] = []
    cut = gpu_jpeg.cut_jpegs

    def counted(jpegs: list[PlainJpeg], device: torch.device) -> list[torch.Tensor]:
        handed.append(len(jpegs))
        return cut(jpegs, device)

    monkeypatch.setattr(gpu_jpeg, "cut_jpegs", counted)
    for ours, theirs in zip(batches(part, True).epoch(0), batches(part, False).epoch(0), strict=True):
        assert (ours.indices == theirs.indices).all()
        assert torch.equal(ours.labels, theirs.labels)
        assert (ours.images - theirs.images).abs().max() < 4 / 255 / 0.25
    assert sorted(handed[:3]) == [3, 4, 4]


def test_where_a_jpeg_is_damaged_the_cpu_says_which_and_takes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = train_part(tmp_path / "photos")
    file = tmp_path / "photos" / "train" / "cat" / "002.JPEG"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 3])  # its header is sound
    monkeypatch.setattr(gpu_jpeg, "why_not", lambda device: None)

    def refuse(jpegs: list[PlainJpeg], device: torch.device) -> list[torch.Tensor]:
        raise RuntimeError("a JPEG cannot be decoded")

    monkeypatch.setattr(gpu_jpeg, "cut_jpegs", refuse)
    ours, theirs = batches(part, True), batches(part, False)
    for mine, other in zip(ours.epoch(0), theirs.epoch(0), strict=True):
        assert torch.equal(mine.images, other.images)
        assert (mine.indices == other.indices).all()
    assert ours.unreadable.reasons == theirs.unreadable.reasons
    assert len(ours.unreadable.reasons) == 1


@pytest.mark.gpu
def test_a_gpu_decodes_what_the_cpu_does_within_a_few_of_255(tmp_path: Path) -> None:
    part = train_part(tmp_path / "photos")
    made = batches(part, True, "cuda")
    if made.notes:
        pytest.skip(made.notes[0])
    for ours, theirs in zip(made.epoch(0), batches(part, False).epoch(0), strict=True):
        assert (ours.images.cpu() - theirs.images).abs().max() < 12 / 255 / 0.25
