"""Which arms run in few blocks, and how such are judged."""

from __future__ import annotations

import pytest

from gillab.blocks.plan import NULL, SERIAL, Arm, Experiment
from gillab.blocks.record import Block, Failure, Record
from gillab.blocks.thinning import fail_rivals, judge_by_range, thin
from gillab.workload import Workload

SLOW = Arm("processes", 2, chunksize=1)
FEW, MANY = (Arm("processes", 2, chunksize=n, candidate=True) for n in (10, 100))


def make_record(*arms: Arm) -> Record:
    experiment = Experiment(Workload("w", "statement"), (SERIAL, *arms, NULL))
    return Record(experiment, 1, thinned=False)


def add_block(record: Record, loop_s: float, **seconds: float) -> None:
    times = {SERIAL.key: loop_s, NULL.key: loop_s, **{SLOW.key: seconds["slow"]}}
    record.blocks.append(Block("w", 1, tuple(times), times, {}, {}))
    thin(record, times)


def make_blocks(loops: list[float], runs: list[float]) -> list[Block]:
    blocks = []
    for place, loop_s in enumerate(loops):
        times = {SERIAL.key: loop_s, NULL.key: loop_s}
        if place < len(runs):
            times[SLOW.key] = runs[place]
        blocks.append(Block("w", 1, tuple(times), times, {}, {}))
    return blocks


def test_only_the_fastest_candidate_stays() -> None:
    record = make_record(SLOW, FEW, MANY)
    thin(record, {SERIAL.key: 1.0, SLOW.key: 3.0, FEW.key: 1.5, MANY.key: 1.2})
    assert [arm.chunksize for arm in record.experiment.cells] == [None, 1, 100]


def test_no_candidate_stays_where_one_that_was_asked_for_is_faster() -> None:
    record = make_record(SLOW, FEW, MANY)
    thin(record, {SERIAL.key: 1.0, SLOW.key: 1.1, FEW.key: 1.5, MANY.key: 1.2})
    assert [arm.chunksize for arm in record.experiment.cells] == [None, 1]


def test_of_candidates_that_all_failed_one_tells_why() -> None:
    record = make_record(FEW, MANY)
    for arm in (FEW, MANY):
        record.fail(arm.key, Failure("failed", "no"))
    thin(record, {SERIAL.key: 1.0})
    assert list(record.failures) == [FEW.key]
    assert [arm.chunksize for arm in record.experiment.cells] == [None, 10]


def test_an_arm_much_slower_than_the_loop_rests_after_three_runs() -> None:
    record = make_record(SLOW)
    for runs in range(3):
        assert SLOW.key in record.list_running(1e6), runs
        add_block(record, 1.0, slow=90.0)
        assert SLOW.key not in record.list_running(0.0)
    assert SLOW.key not in record.list_running(1e6)


def test_one_that_was_slow_by_chance_runs_in_every_block_again() -> None:
    record = make_record(SLOW)
    for slow_s in (4.5, 2.0, 1.5):
        add_block(record, 1.0, slow=slow_s)
    assert SLOW.key in record.list_running(0.0)


@pytest.mark.parametrize(
    ("loops", "runs", "verdict"),
    [
        ([1.0, 1.2, 0.9, 1.1], [9.0, 8.0, 9.5], "loses"),
        ([1.0, 1.2, 0.9, 4.5], [9.0, 8.0, 9.5], "inconclusive"),
        ([1.0, 1.2], [9.0], "inconclusive"),
        ([1.0] * 10, [9.0], "loses"),
        ([1.0], [], "inconclusive"),
    ],
    ids=["far from all", "near one", "too few", "one run, many loops", "no run"],
)
def test_it_loses_where_every_run_is_far_from_every_loop(
    loops: list[float], runs: list[float], verdict: str
) -> None:
    assert judge_by_range(make_blocks(loops, runs), SLOW.key) == verdict


def test_where_a_hang_was_foreseen_other_chunk_sizes_hang_too() -> None:
    threads = Arm("threads", 2)
    record = make_record(SLOW, FEW, threads)
    fail_rivals(record, SLOW.key, Failure("failed", "slow, or hung"))
    assert not record.failures
    fail_rivals(record, SLOW.key, Failure("failed", "hung", foreseen=True))
    assert set(record.failures) == {SLOW.key, FEW.key}
