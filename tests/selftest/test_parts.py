from cnnlab.cli.selftest import NAMES
from cnnlab.selftest.parts import PARTS


def test_help_names_every_part() -> None:
    assert tuple(PARTS) == NAMES


def test_every_part_is_sound() -> None:
    for name, part in PARTS.items():
        assert part.name == name
        assert part.cases > 0
        assert set(part.quick) <= set(range(part.cases))
        assert part.goal.claim
