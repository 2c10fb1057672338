"""Whether threads share what the setup made, as a program's do, or each has its own."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_run import PATIENT
from long_tests import only_long
from report_fixtures import arm, make_result, serial

from gillab.compare import compare
from gillab.environment import is_gil_enabled
from gillab.estimates import Estimate
from gillab.gil_assertions import GilAssertions
from gillab.report.summary import summarize

BRIEF: dict[str, Any] = {"min_blocks": 1, "max_blocks": 1, "task_time_s": 0.001, **PATIENT}
LEAVE_LINE = """
import os, threading
with open({file!r}, "a") as file:
    file.write(f"{{os.getpid()}} {{threading.get_native_id()}}\\n")
"""


def count_setups(folder: Path, data: Any) -> Counter[int]:
    """Return how often the setup ran in each process."""
    file = folder / "setups"
    result = compare(
        "len(file.name)", setup=LEAVE_LINE.format(file=str(file)), strategies=("threads",),
        workers=2, data=data, **BRIEF,
    )  # fmt: skip
    assert {cell.status for cell in result.cells} == {"ok"}
    pids = [int(line.split()[0]) for line in file.read_text().splitlines()]
    return Counter(Counter(pids).values())


def test_the_setup_runs_once_in_a_process(tmp_path: Path) -> None:
    assert set(count_setups(tmp_path, "shared")) == {1}


def test_with_data_of_their_own_it_runs_once_more_in_each_thread(tmp_path: Path) -> None:
    assert set(count_setups(tmp_path, "own")) == {3}


def test_what_refuses_to_be_shared_says_why_and_what_to_do() -> None:
    setup = "import sqlite3; db = sqlite3.connect(':memory:')"
    result = compare(
        "db.execute('select 1')", setup=setup, strategies=("threads",), workers=2, data="both",
        **BRIEF,
    )  # fmt: skip
    shared, own = (
        result.cell("db.execute('select 1')", "threads", data=d) for d in ("shared", "own")
    )
    assert (shared.status, own.status) == ("failed", "ok")
    assert "can only be used in that same thread" in (shared.reason or "")
    assert (shared.reason or "").endswith("--data own gives each its own")
    assert result.failed


def test_what_fails_by_itself_is_no_matter_of_data() -> None:
    result = compare("1 / zero", setup="zero = 0", strategies=("threads",), workers=2, **BRIEF)
    assert not any("--data" in (cell.reason or "") for cell in result.cells)


def test_both_are_measured_by_default_only_where_there_is_no_gil() -> None:
    result = compare("len(a)", setup="a = []", strategies=("threads",), workers=2, **BRIEF)
    found = [cell.data for cell in result.cells if cell.strategy == "threads"]
    assert found == (["shared"] if is_gil_enabled() else ["shared", "own"])
    bare = compare("[]", strategies=("threads",), workers=2, data="both", **BRIEF)
    assert [cell.data for cell in bare.cells if cell.strategy == "threads"] == ["shared"]


def test_the_summary_says_what_sharing_costs() -> None:
    shared = arm("threads", 0.31, "loses")
    own = arm("threads", 1.93, "wins", data="own", of_shared=Estimate(6.2, 5.9, 6.5))
    sentences = summarize(make_result([serial(), shared, own]))
    assert sentences[0].startswith("nogil: use threads with data of their own, 1.93x")
    assert sentences[1] == (
        "nogil: threads 0.31x [0.28, 0.34] with shared data, 1.93x [1.90, 1.96] with data of "
        "their own: they get in each other's way on objects that they share."
    )
    alike = replace(own, of_shared=Estimate(1.02, 0.97, 1.06))
    assert not any("shared data" in text for text in summarize(make_result([serial(), alike])))


@only_long
@pytest.mark.parametrize("data", ["shared", "own"])
def test_the_fixture_can_do_both(data: Any) -> None:
    seen: dict[int, list[int]] = {}

    def call(thing: list[int]) -> None:
        if threading.current_thread() is not threading.main_thread():
            seen[threading.get_ident()] = thing  # kept, so that no other has its address

    gil = GilAssertions(lambda reason: None, lambda sentence: None)
    gil.assert_scales(call, [1], at_least=1e-6, data=data)
    assert len(seen) >= 2
    assert len({id(thing) for thing in seen.values()}) == (len(seen) if data == "own" else 1)
