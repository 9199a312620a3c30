from __future__ import annotations

import pytest
from pydantic import ValidationError

from cnnlab.errors import UsageError
from cnnlab.recipes.optimizers import CAFFE_BIASES, Polyak, RmsProp, Sgd


def test_nesterov_needs_a_momentum() -> None:
    with pytest.raises(UsageError, match=r"nesterov=True and momentum=0; give a momentum such as 0.9"):
        Sgd(lr=0.1, momentum=0.0, nesterov=True)


def test_the_inception_papers_epsilon_is_the_default() -> None:
    assert (RmsProp(lr=0.045).decay, RmsProp(lr=0.045).eps) == (0.9, 1.0)


def test_caffes_biases_have_lr_mult_2_and_decay_mult_0() -> None:
    assert (CAFFE_BIASES.lr, CAFFE_BIASES.decay) == (2.0, 0.0)


def test_an_average_over_nothing_is_refused() -> None:
    with pytest.raises(ValidationError):
        Polyak(from_share=1.0)
