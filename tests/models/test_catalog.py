import pytest

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.models.catalog import MODELS, create_model, list_models, require_model


def test_patterns_are_shell_patterns_in_the_catalogues_order() -> None:
    assert list_models("plain*0") == ["plain20", "plain110"]
    assert list_models() == list(MODELS)
    assert list_models("nothing*") == []


def test_a_misspelt_network_gets_up_to_three_suggestions() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*'resnet20'"):
        require_model("resnet2O")


def test_options_reach_the_builder() -> None:
    network = create_model("resnet20", num_classes=4, in_channels=1, shortcut="B")
    assert (network.num_classes, network.in_channels) == (4, 1)


def test_an_unknown_option_is_named_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"no option 'num_clases'; did you mean 'num_classes'"):
        create_model("resnet20", num_clases=4)


def test_every_entry_says_where_it_is_from() -> None:
    for name, entry in MODELS.items():
        assert name.islower()
        assert entry.paper
        assert 1998 <= entry.year <= 2026
        assert all(size > 0 for size in entry.sizes)
