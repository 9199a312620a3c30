import torch

from cnnlab.data.preprocess import measure, normalise
from cnnlab.data.synthetic import synthetic
from cnnlab.models.airnet import airnet
from cnnlab.models.describe import cost


def test_counts_are_those_of_the_table() -> None:
    convolutions = 24 * 12 + 9 * (24 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256)
    norms = 2 * 2 * (64 + 128 + 256)
    macs = 24 * 12 * 31**2 + 9 * (
        31**2 * 24 * 64 + 15**2 * (64 * 64 + 64 * 128) + 7**2 * (128 * 128 + 128 * 256) + 3**2 * 256 * 256
    )
    found = cost(airnet(), 3, 32)
    assert found.parameters == convolutions + norms + 2560 == 1_161_248
    assert found.macs == macs + 2560


def test_the_stem_whitens_patches() -> None:
    images = synthetic(train_images=200, val_images=0, test_images=0).train.images
    batch = normalise(images, measure(images))
    network = airnet()
    network.calibrate(batch)
    out = network.stem(batch)
    half = out[:, :12].permute(0, 2, 3, 1).reshape(-1, 12)
    covariance = half.T @ half / len(half)
    spread = covariance.diagonal()
    assert float((covariance - torch.diag(spread)).abs().max()) < 0.02
    assert float(spread.max()) < 1.001  # at most one: weak directions are held down by the epsilon
    torch.testing.assert_close(out[:, 12:], -out[:, :12], atol=1e-5, rtol=1e-5)


def test_filters_begin_by_passing_their_input_on() -> None:
    maps = torch.randn(1, 64, 8, 8)
    torch.testing.assert_close(airnet().group1.conv2(maps), maps)


def test_fixed_parts_get_no_gradient_and_all_others_do() -> None:
    network = airnet(num_classes=4)
    network(torch.randn(4, 3, 16, 16)).square().sum().backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    scales = {f"group{group}.bn{norm}.weight" for group in (1, 2, 3) for norm in (1, 2)}
    assert without == {"stem.weight"} | scales


def test_grey_images_and_other_sizes_work() -> None:
    assert airnet(in_channels=1)(torch.randn(2, 1, 28, 28)).shape == (2, 10)
    assert airnet()(torch.randn(2, 3, 9, 9)).shape == (2, 10)
