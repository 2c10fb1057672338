"""What is said of a job, for results made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gillab.blocks.choices import choose
from gillab.blocks.evidence import Machine
from gillab.estimates import Bracket, Estimate, Spread
from gillab.report.job import summarize_job
from gillab.report.parts import describe_parts, tell_overhead
from gillab.results import Cell, Noise, Parts, PaysFrom, Result, Verdict

SERIAL = Cell("w", "serial", 1, "3.13.0", "ok", seconds=Spread(0.1, 0.001, 0.099), cores=1.0)
PARTS = Parts(0.2, 0.45, 0.03, 0.3, 0.02)
PAYS = PaysFrom(Bracket(None), Bracket(12e-6, 11e-6, 13e-6))


def make_arm(strategy: str, speedup: float, verdict: Verdict, **more: Any) -> Cell:
    return Cell(
        "w", strategy, 2, "3.13.0", "ok", blocks=12, verdict=verdict,
        speedup=Estimate(speedup, 0.95 * speedup, 1.05 * speedup), **more,
    )  # fmt: skip


def make_result(*cells: Cell) -> Result:
    every = [SERIAL, *cells]
    choice = choose(every, Machine(2.0, True))
    noise = Noise(12, 12, 0.0, 0.0, None, None, None, None, None)
    blocks = [{"workload": "w", "steps": 100_000, "seconds": {}}]
    return Result("job", False, 1, {}, {}, every, [], [], noise, choices=[choice], blocks=blocks)


def test_a_pool_that_loses_says_where_its_time_goes_and_from_where_on_it_would_pay() -> None:
    processes = make_arm(
        "processes", 0.5, "loses", chunksize=1000, parts=PARTS, pays_from=PAYS, results_equal=True
    )
    each = replace(processes, chunksize=1, speedup=Estimate(1 / 91, None, None), parts=None)
    assert summarize_job(make_result(processes, each)) == [
        "100,000 items, 100 ms in a loop.",
        "Stay with the loop: the best of the others (2 processes, chunks of 1000) takes 2.0x as "
        "long: 45 % goes into sending items, 30 % into results, 20 % into starting.",
        "2 processes with chunks of 1 take 91x as long.",
        "Processes would pay once an item took 12 µs [11 µs, 13 µs] instead of 1.0 µs; more items "
        "alone never would.",
    ]


def test_a_pool_that_wins_is_named_with_its_chunks() -> None:
    pays = PaysFrom(Bracket(2000.0, 1900.0, 2100.0), Bracket(0.5e-6, 0.4e-6, 0.6e-6))
    wins = make_arm(
        "processes", 3.1, "wins", chunksize=1000, of_fastest=Estimate(1, 1, 1), pays_from=pays
    )
    assert summarize_job(make_result(wins))[1:] == [
        "Use 2 processes with chunks of 1000: 3.10x [2.94, 3.26] as fast as the loop.",
        "Processes pay from 2,000 [1,900, 2,100] items on at 1.0 µs an item, and from 500 ns "
        "[400 ns, 600 ns] an item on with 100,000 items.",
    ]


def test_what_may_be_faster_already_is_not_said_to_pay_later() -> None:
    pays = PaysFrom(Bracket(90_000.0, 50_000.0, None), Bracket(0.9e-6, 0.5e-6, None))
    open_ = make_arm("processes", 1.04, "inconclusive", chunksize=10, pays_from=pays)
    sentences = summarize_job(make_result(open_))
    assert sentences[1].startswith("Undecided: whether 2 processes, chunks of 10 are faster")
    assert sentences[2] == (
        "Processes may pay from 90,000 items on at 1.0 µs an item, and from 900 ns an item on with "
        "100,000 items."
    )


def test_of_two_chunk_sizes_that_win_the_faster_is_chosen() -> None:
    one = make_arm("processes", 2.90, "wins", chunksize=1, of_fastest=Estimate(0.97, 0.94, 0.99))
    two = make_arm("processes", 3.00, "wins", chunksize=50, of_fastest=Estimate(1, 1, 1))
    (choice,) = make_result(one, two).choices
    assert (choice.advice, choice.chunksize) == ("use", 50)
    assert choice.alternatives[0].chunksize == 1


def test_a_reason_is_said_once_for_all_that_share_it() -> None:
    reason = "the function cannot be pickled (PicklingError): define it at the top level"
    failed = [
        Cell("w", "processes", 2, "3.13.0", "failed", reason, chunksize=size) for size in (1, 10)
    ]
    threads = make_arm("threads", 0.3, "loses", cause="gil", held=0.99)
    sentences = summarize_job(make_result(threads, *failed))
    assert sentences[-1] == f"processes failed: {reason}."


def test_a_loop_that_failed_leaves_its_reason() -> None:
    failed = replace(SERIAL, status="failed", reason="ZeroDivisionError", seconds=None)
    result = replace(make_result(), cells=[failed])
    assert summarize_job(result) == ["serial failed: ZeroDivisionError."]


@pytest.mark.parametrize(("of_median", "said"), [(1.04, False), (1.2, True), (0.9, True)])
def test_an_instrumented_run_that_took_another_time_says_so(of_median: float, said: bool) -> None:
    text = describe_parts(replace(PARTS, of_median=of_median))
    assert text.startswith("start 20 %, send 45 %, compute 3 %, receive 30 %, idle 2 %")
    assert ("of a run that took" in text) is said


def test_little_overhead_is_not_worth_a_word() -> None:
    assert tell_overhead(Parts(0.01, 0.01, 0.96, 0.01, 0.01)) == ""
