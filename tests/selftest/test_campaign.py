from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cnnlab.errors import UsageError
from cnnlab.selftest.campaign import Goal, Outcome, Part, held_environment, prepare, read_record, run_part
from cnnlab.selftest.isolate import fork


def part(tried: list[int], fails: Sequence[int] = ()) -> Part:
    def run(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
        assert work.is_dir()
        for case in cases:
            tried.append(case)
            kind = "even" if case % 2 == 0 else "odd"
            yield Outcome(case, kind, "ended", case not in fails, f"case {case}", 0.5, {"points": float(case)})

    return Part("made", Goal("all hold", limits={"points": 8}), cases=10, quick=range(0, 10, 5), run=run)


def summary(folder: Path) -> dict[str, object]:
    return json.loads((folder / "made.json").read_text())


def test_slices_add_up_to_a_whole_and_nothing_is_done_twice(tmp_path: Path) -> None:
    tried: list[int] = []
    told: list[Outcome] = []
    for cases in (range(2, 5), range(9), range(9)):
        run_part(part(tried), cases, tmp_path, seconds=60, tell=told.append)
    assert tried == [2, 3, 4, 0, 1, 5, 6, 7, 8]
    assert [each.case for each in told] == tried
    assert [each["case"] for each in read_record(tmp_path / "made.jsonl")] == list(range(9))
    found = summary(tmp_path)
    assert (found["cases"], found["of"], found["passed"], found["reached"]) == (9, 10, 9, True)
    assert found["kinds"] == {"even": {"ended": 5}, "odd": {"ended": 4}}


def test_a_line_cut_short_by_a_crash_is_done_again(tmp_path: Path) -> None:
    tried: list[int] = []
    run_part(part(tried), range(3), tmp_path, seconds=60, tell=lambda _: None)
    record = tmp_path / "made.jsonl"
    record.write_text(record.read_text()[:-30])
    run_part(part(tried), range(3), tmp_path, seconds=60, tell=lambda _: None)
    assert tried == [0, 1, 2, 2]
    assert [each["case"] for each in read_record(record)] == [0, 1, 2]


@pytest.mark.parametrize(("cases", "fails"), [(range(10), ()), (range(5), (3,))])
def test_a_figure_over_its_limit_and_a_failure_are_not_reached(
    cases: range, fails: tuple[int, ...], tmp_path: Path
) -> None:
    run_part(part([], fails), cases, tmp_path, seconds=60, tell=lambda _: None)
    found = summary(tmp_path)
    assert found["reached"] is False
    assert [each["seen"] for each in found["failures"]] == [f"case {each}" for each in fails]  # type: ignore[attr-defined]


def test_two_processes_do_not_write_one_record(tmp_path: Path) -> None:
    def again() -> int:
        run_part(part([]), range(1), tmp_path, seconds=60, tell=lambda _: None)
        return 0

    def try_beside(_: Outcome) -> None:
        child = fork(
            lambda: run_part(part([]), range(1), tmp_path, seconds=60, tell=lambda _: None) or 0, tmp_path / "out"
        )
        assert child.wait(60) == 1

    run_part(part([]), range(1), tmp_path, seconds=60, tell=try_beside)
    assert f"another self-test runs made in {tmp_path}; wait" in (tmp_path / "out").read_text()
    assert len((tmp_path / "made.jsonl").read_text().splitlines()) == 1


def test_no_case_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    tried: list[int] = []
    run_part(part(tried), range(10), tmp_path, seconds=0, tell=lambda _: None)
    assert tried == []
    assert summary(tmp_path)["reached"] is False


def test_a_folder_of_another_version_is_refused_and_no_path_is_kept(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert "command" not in held_environment(tmp_path)
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({**held_environment(tmp_path), "cnnlab": "0.0.1"}))
    with pytest.raises(UsageError, match=r"holds cases of cnnlab 0\.0\.1"):
        prepare(tmp_path)
