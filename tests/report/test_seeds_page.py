from __future__ import annotations

from cnnlab.report.seeds_page import seeds_page

from .reading import dangers, read
from .records import HOSTILE


def test_whatever_the_names_they_are_only_text() -> None:
    tested = {"top1": 0.5, "mean": 0.5, "std": 0.1, "interval95": [0.0, 1.0], "images": 8, "protocol": HOSTILE}
    one = {"seed": 0, "train_seconds": 3.0, "epochs": 2.0, "test": tested}
    record = {"run": HOSTILE, "recipe": HOSTILE, "model": HOSTILE, "data": HOSTILE, "asked": 3, "test": tested}
    curve = [{"step": 1, "split": "val", "top1": 0.5}, {"step": 1, "split": "train", "loss": float("nan")}]
    failed = [{"seed": 2, "error": HOSTILE}]
    page = seeds_page({**record, "runs": [one, {**one, "seed": 1}], "failed": failed}, {HOSTILE: curve})
    assert dangers(page) == []
    assert HOSTILE in read(page).text
    assert "0.00% to 100.00%, kept within 0 to 100%" in read(page).text


def test_one_seed_has_no_interval_of_a_mean() -> None:
    tested = {"top1": 0.5, "mean": 0.5, "std": 0.0, "interval95": [0.2, 0.8], "images": 8, "protocol": "flip"}
    one = {"seed": 0, "train_seconds": 3.0, "epochs": 2.0, "test": tested}
    record = {"run": "x", "recipe": "r", "model": "m", "data": "d", "asked": 2, "runs": [one], "failed": []}
    assert "one seed, which says nothing of the spread" in read(seeds_page({**record, "test": tested}, {})).text
