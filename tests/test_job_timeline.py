"""Where the worker-seconds of a job went, told by traces made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gillab.jobs.timeline import split_time
from gillab.jobs.tracing import Step, Trace


def step(worker: int, ready: int, opened: int, begun: int, computed: int, packed: int) -> Step:
    return Step((worker, 0), ready, opened, begun, computed, computed - begun, packed)


def trace(*steps: Step, reads: tuple[tuple[int, int], ...] = (), travels: bool = True) -> Trace:
    return Trace(0, 90, 100, 2, list(steps), list(reads), travels)


def test_each_stretch_of_a_worker_has_its_name() -> None:
    """The second has less to do, and waits for the first."""
    first = step(1, 10, 20, 25, 65, 70)
    second = step(2, 10, 20, 25, 45, 50)
    start, send, compute, receive, idle, _ = split_time(trace(first, second))
    assert start == pytest.approx((10 + 10 + 10 + 10) / 200)
    assert send == pytest.approx((10 + 5 + 10 + 5) / 200)
    assert compute == pytest.approx((40 + 20) / 200)
    assert receive == pytest.approx((5 + 20 + 5 + 20) / 200)
    assert idle == pytest.approx(20 / 200)


def test_a_worker_that_waits_while_its_parent_reads_waits_for_results() -> None:
    first = step(1, 0, 0, 0, 20, 20)
    again = step(1, 0, 40, 40, 90, 90)
    without, reading = (
        split_time(trace(first, again, step(2, 0, 0, 0, 90, 90), reads=reads))
        for reads in ((), ((25, 35),))
    )
    assert (without[1], without[3]) == pytest.approx((20 / 200, 0.0))
    assert (reading[1], reading[3]) == pytest.approx((10 / 200, 10 / 200))


def test_a_thread_that_waits_is_idle() -> None:
    first = step(1, 0, 10, 10, 50, 50)
    again = step(1, 0, 60, 60, 90, 90)
    parts = split_time(trace(first, again, step(2, 0, 0, 0, 90, 90), travels=False))
    assert parts[1] == parts[3] == 0.0
    assert parts[4] == pytest.approx((10 + 10) / 200)


def test_a_worker_that_never_came_is_idle_until_the_pool_ends() -> None:
    parts = split_time(trace(step(1, 0, 0, 0, 90, 90)))
    assert parts[4] == pytest.approx(90 / 200)


def test_computing_without_a_cpu_is_told_apart() -> None:
    slept = step(1, 0, 0, 0, 90, 90)._replace(cpu=30)
    parts = split_time(trace(slept, step(2, 0, 0, 0, 90, 90)))
    assert parts[2] == pytest.approx(180 / 200)
    assert parts[5] == pytest.approx(60 / 200)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    steps = []
    for worker in range(draw(st.integers(0, 3))):
        moments = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=21))
        ready, *rest = sorted(moments)
        for at in range(0, len(rest) - 3, 4):
            steps.append(step(worker, ready, *rest[at : at + 4]))
    points = sorted(draw(st.lists(st.integers(0, 10**9), max_size=10)))
    reads = list(zip(points[::2], points[1::2], strict=False))
    return Trace(0, 10**9, 10**9 + 5, 3, steps, reads, draw(st.booleans()))


@given(traces())
def test_the_parts_add_up_to_the_clock(trace: Trace) -> None:
    parts = split_time(trace)
    assert sum(parts[:5]) == pytest.approx(1.0)
    assert all(-1e-12 <= part <= 1 for part in parts)
