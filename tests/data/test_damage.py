from __future__ import annotations

from cnnlab.data.damage import Damaged


def test_damaged_photos_are_counted_once_and_named_by_name() -> None:
    damaged = Damaged()
    assert damaged.notes == ()
    for name in ("b.jpg", "a.jpg", "b.jpg"):
        damaged.add(name, f"first of {name}" if name not in str(damaged.reasons) else "again")
    assert len(damaged) == 2
    assert damaged.reasons == ("a.jpg: first of a.jpg", "b.jpg: first of b.jpg")


def test_one_line_tells_how_many_there_are_and_the_first() -> None:
    damaged = Damaged()
    for number in range(9):
        damaged.add(f"{number}.jpg", "cut")
    (note,) = damaged.notes
    assert note.startswith("9 damaged photos are used as far as they can be read; replace them: 0.jpg: cut; 1.jpg: cut")
    assert note.endswith("4.jpg: cut; and 4 more")
