"""From where on a pool pays, for jobs whose costs are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gillab.estimates import Estimate, Spread
from gillab.jobs.break_even import find_break_even
from gillab.jobs.chunks import list_chunksizes, takes_too_long
from gillab.results import Cell, Parts, PaysFrom

START_S, WAY_S, WORKERS = 0.1, 2e-6, 2


def measure(item_s: float, items: int, way_s: float = WAY_S, strategy: str = "processes") -> Cell:
    """Make the cell of a job that starts in 0.1 s and computes twice as fast as the loop."""
    loop_s = item_s * items
    job_s = START_S + items * way_s + loop_s / WORKERS
    parts = Parts(START_S / job_s, items * way_s / job_s, loop_s / WORKERS / job_s, 0.0, 0.0)
    speedup = loop_s / job_s
    return Cell(
        "w", strategy, WORKERS, "3.13.0", "ok", parts=parts,
        speedup=Estimate(speedup, 0.9 * speedup, 1.1 * speedup),
    )  # fmt: skip


def solve(item_s: float, items: int, way_s: float = WAY_S) -> PaysFrom:
    spread = Spread(item_s * items, 0.0, item_s * items)
    serial = Cell("w", "serial", 1, "3.13.0", "ok", seconds=spread)
    pays = find_break_even(measure(item_s, items, way_s), serial, items)
    assert pays is not None
    return pays


def test_the_number_of_items_is_that_at_which_job_and_loop_take_as_long() -> None:
    enough = solve(10e-6, 10_000).items
    assert enough.estimate == pytest.approx(START_S / (10e-6 / 2 - WAY_S))


def test_the_time_an_item_is_that_at_which_job_and_loop_take_as_long() -> None:
    enough = solve(10e-6, 10_000).item_s
    assert enough.estimate == pytest.approx(2 * (START_S / 10_000 + WAY_S))


def test_the_bracket_comes_from_the_interval() -> None:
    enough = solve(10e-6, 100_000).item_s
    assert enough.estimate is not None
    assert enough.low is not None
    assert enough.high is not None
    assert enough.low < enough.estimate < enough.high


def test_where_sending_costs_more_than_computing_more_items_never_pay() -> None:
    assert solve(10e-6, 10_000, way_s=6e-6).items.estimate is None


def test_a_cpu_that_the_parent_took_for_sending_is_a_cost_of_sending() -> None:
    """Else two workers and their parent on two CPUs would never seem to compute faster."""
    serial = Cell("w", "serial", 1, "3.13.0", "ok", seconds=Spread(1.0, 0.0, 1.0), cores=1.0)
    crowded = Cell(
        "w", "processes", 2, "3.13.0", "ok", speedup=Estimate(0.5, 0.48, 0.52),
        parts=Parts(0.0, 0.25, 0.5, 0.25, 0.0, without_cpu=0.25),
    )  # fmt: skip
    pays = find_break_even(crowded, serial, 1000)
    assert pays is not None
    assert pays.item_s.estimate == pytest.approx(3e-3)
    waits = find_break_even(crowded, replace(serial, cores=0.1), 1000)
    assert waits is not None
    assert waits.item_s.estimate is None


def test_what_computes_no_faster_never_pays() -> None:
    serial = Cell("w", "serial", 1, "3.13.0", "ok", seconds=Spread(1.0, 0.0, 1.0))
    parts = Parts(0.05, 0.0, 0.5, 0.0, 0.45)
    threads = Cell(
        "w", "threads", 2, "3.13.0", "ok", parts=parts, speedup=Estimate(0.9, 0.85, 0.95)
    )
    pays = find_break_even(threads, serial, 100)
    assert pays is not None
    assert (pays.items.estimate, pays.item_s.estimate) == (None, None)


def test_chunk_sizes_grow_from_one_to_a_quarter_of_a_workers_share() -> None:
    sizes = list_chunksizes(100_000, 2)
    assert (sizes[0], sizes[-1]) == (1, 12_500)
    assert sizes == tuple(sorted(set(sizes)))
    assert list_chunksizes(3, 2) == (1,)


def test_chunks_that_are_known_to_take_long_are_left_out() -> None:
    assert takes_too_long(10_000_000, 1, 15.0)
    assert not takes_too_long(10_000_000, 100_000, 15.0)
