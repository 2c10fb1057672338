"""The parts of a job: which runs are traced, what they leave, and what is made of several."""

from __future__ import annotations

import pickle
from dataclasses import astuple

import pytest

from gillab.blocks.messages import Traced
from gillab.blocks.parts import fit_parts
from gillab.blocks.plan import NULL, SERIAL, Arm, Experiment
from gillab.blocks.record import Block, Record
from gillab.jobs.stamps import Sent, run_chunk, run_item
from gillab.workload import Workload

QUICK = Arm("processes", 2, chunksize=100)
SLOW = Arm("processes", 2, chunksize=1)
SHORT = Traced("a", 1.0, (0.5, 0.0, 0.5, 0.0, 0.0, 0.25), None)
LONG = Traced("a", 3.0, (0.2, 0.2, 0.2, 0.2, 0.2, 0.0), None)


def test_parts_are_those_of_a_run_as_long_as_the_timed_ones() -> None:
    """Half-way between both runs: start is (0.5 + 0.6) / 2 s of 2 s."""
    parts = fit_parts([LONG, SHORT], 2.0)
    assert astuple(parts) == pytest.approx((0.275, 0.15, 0.275, 0.15, 0.15, 0.0625, 1.0))


def test_only_the_nearest_runs_count() -> None:
    far = [Traced("a", seconds, (0.0, 1.0, 0.0, 0.0, 0.0, 0.0), None) for seconds in (0.1, 30.0)]
    assert fit_parts([*far, LONG, SHORT], 2.0) == fit_parts([SHORT, LONG], 2.0)


@pytest.mark.parametrize(("timed_s", "of_median"), [(0.5, 2.0), (4.0, 0.75), (1.0, 1.0)])
def test_runs_that_are_all_longer_or_all_shorter_do_not_add_up(
    timed_s: float, of_median: float
) -> None:
    nearest = LONG if timed_s > 3 else SHORT
    parts = fit_parts([SHORT, LONG], timed_s)
    assert astuple(parts) == pytest.approx((*nearest.parts, of_median))


def make_record() -> Record:
    record = Record(Experiment(Workload("w", "statement"), (SERIAL, SLOW, QUICK, NULL)), 100)
    record.last_s = {SERIAL.key: 1.0, NULL.key: 1.0, SLOW.key: 9.0, QUICK.key: 2.0}
    return record


def test_quick_arms_are_traced_first_and_slow_ones_as_far_as_there_is_time() -> None:
    """With the loop that its results are held against, one takes 3 s and the other 10 s."""
    record = make_record()
    assert record.list_untraced(2.9) == []
    assert record.list_untraced(9.0) == [QUICK.key, QUICK.key]
    assert record.list_untraced(13.0) == [QUICK.key, SLOW.key]
    assert record.list_untraced(100.0) == [QUICK.key, SLOW.key] * 2


@pytest.mark.parametrize(
    ("traces", "quick"),
    [
        ([SHORT, LONG] * 2, 0),
        ([SHORT, SHORT, LONG], 1),
        ([SHORT] * 4, 2),
        ([LONG] * 11, 1),
        ([LONG] * 12, 0),
    ],
    ids=["between", "seldom", "all shorter", "all longer", "too often"],
)
def test_an_arm_is_traced_until_its_time_lies_between_those_of_its_traces(
    traces: list[Traced], quick: int
) -> None:
    record = make_record()
    record.blocks = [Block("w", 1, (QUICK.key,), {QUICK.key: 2.0}, {}, {})]
    record.traces = {QUICK.key: traces}
    order = record.list_untraced(100.0)
    assert (order.count(QUICK.key), order.count(SLOW.key)) == (quick, 2)
    # What was never traced comes first.
    assert order[0] == SLOW.key


def test_what_travels_keeps_its_times_in_order() -> None:
    work = pickle.loads(pickle.dumps(Sent(run_chunk, abs)))
    times, read, results, (packed, closed) = pickle.loads(pickle.dumps(work(((-1,), (2,)))))
    _, _, ready, opened, begun, computed, cpu = times
    assert results == [1, 2]
    assert ready == opened <= begun <= computed <= packed <= read <= closed
    assert cpu >= 0


def test_an_item_that_travels_alone_comes_back_alone() -> None:
    work = pickle.loads(pickle.dumps(Sent(run_item, abs)))
    assert pickle.loads(pickle.dumps(work(-1)))[2] == 1
