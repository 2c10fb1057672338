"""A call's rounds put together, on rounds that are made up."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from types import SimpleNamespace, TracebackType
from typing import Any

import pytest
from rounds import ROUND

from gillab.release import rounds
from gillab.release.call import Call
from gillab.release.rounds import find_least_hold, summarize


def test_a_hold_is_sure_where_no_round_saw_a_short_release() -> None:
    longest = summarize([ROUND] * 12, 0.0).longest_hold
    assert (longest.low, longest.estimate, longest.high) == (4.8e-3, 5e-3, 5.2e-3)


@pytest.mark.parametrize("clean", [True, False])
def test_short_releases_of_other_rounds_leave_the_longest_hold_open(clean: bool) -> None:
    long = replace(
        ROUND, hold_s=30e-3, stretch_s=29e-3, least_hold_s=29e-3, most_hold_s=31e-3, clean=clean
    )
    brief = replace(ROUND, brief_releases=1, clean=clean)
    assert summarize([long, *[brief] * 6], 0.0).longest_hold.low == 0.0


def test_a_hold_far_longer_than_chance_joins_is_sure() -> None:
    brief = replace(ROUND, held=0.5, brief_releases=300)
    assert summarize([brief] * 12, 0.0).longest_hold.low == 4.8e-3


def test_the_most_of_a_hold_is_of_all_rounds_and_the_least_of_undisturbed_ones() -> None:
    # A thread that holds long is one that the system takes the CPU from.
    short = replace(ROUND, hold_s=3e-4, least_hold_s=2e-4, most_hold_s=4e-4)
    long = replace(ROUND, hold_s=60e-3, least_hold_s=59e-3, most_hold_s=61e-3, clean=False)
    longest = summarize([short] * 11 + [long], 0.0).longest_hold
    assert (longest.low, longest.estimate, longest.high) == (2e-4, 3e-4, 61e-3)


@pytest.mark.parametrize(("starved", "known"), [(6, True), (7, False)])
def test_where_most_rounds_starved_the_meter_nothing_is_told(starved: int, known: bool) -> None:
    rounds = [replace(ROUND, starved=True)] * starved + [ROUND] * (12 - starved)
    released = summarize(rounds, 0.0).released
    assert released.low is not None
    assert released.high is not None
    assert (released.high - released.low < 0.1) == known
    assert known or (released.low, released.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("stretch_s", "calls", "shortest_s", "least_s"),
    [
        (2e-3, 1, 5e-3, 2e-3),  # one call, which nothing can be joined to
        (2e-3, 9, 5e-3, 1e-3),  # perhaps the end of one and the beginning of the next
        (5e-3, 9, 5e-3, 2.5e-3),
        (6e-3, 9, 5e-3, 2e-3),  # perhaps one between them too
        (50e-3, 10, 5e-3, 5e-3),  # all of them
        (50e-3, 10_000, 5e-6, 5e-3 / 1000.1),
        (50e-3, 10, 0.0, 0.0),
    ],
)
def test_a_stretch_is_of_one_call_where_it_cannot_be_of_two(
    stretch_s: float, calls: int, shortest_s: float, least_s: float
) -> None:
    assert find_least_hold(stretch_s, calls, shortest_s) == pytest.approx(least_s, rel=1e-3)


@pytest.mark.parametrize("seed", range(200))
def test_the_least_hold_is_never_more_than_the_longest(seed: int) -> None:
    """Calls that hold the lock at their ends or throughout, by chance."""
    source = random.Random(seed)
    calls = []
    for _ in range(source.randrange(1, 30)):
        first, free, last = (source.choice([0.0, source.random()]) for _ in range(3))
        calls.append((first + 0.01, free, last))
    holds, stretch, longest = [], 0.0, 0.0
    for first, free, last in calls:
        holds.append(first + last if free == 0 else max(first, last))
        stretch += first
        longest = max(longest, stretch)
        stretch = last if free else stretch + last
        longest = max(longest, stretch)
    shortest = min(map(sum, calls))
    assert find_least_hold(longest, len(calls), shortest) <= max(holds) + 1e-9


class FakeMeter:
    """Reads what it is told."""

    threads: dict[str, float]
    starved = False

    def __enter__(self) -> FakeMeter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def read(self) -> SimpleNamespace:
        return SimpleNamespace(
            held=0.1, held_interval=(0.05, 0.15), threads=self.threads, longest_hold_s=0.005,
            longest_hold_resolution_s=0.001, brief_releases=0, samples=100, missed=0,
            starved=self.starved, duration_s=0.01, gil_enabled=True,
        )  # fmt: skip


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> type[FakeMeter]:
    class Fresh(FakeMeter):
        threads = {threading.current_thread().name: 0.1}  # noqa: RUF012  # one for every test

    monkeypatch.setattr("gillab.meter.GilMeter", Fresh)
    times: tuple[Any, ...] = (1, 10_000_000, 10_000_000, 10_000_000)
    monkeypatch.setattr("gillab._repeat.repeat_for", lambda *call: times)
    return Fresh


def test_a_stretch_is_the_calls_where_no_other_thread_held_the_lock(meter: type[FakeMeter]) -> None:
    alone = rounds._measure_round(Call(len), 0.01)
    assert (alone.least_hold_s, alone.most_hold_s) == pytest.approx((0.004, 0.006))
    meter.threads["background"] = 0.0001
    beside = rounds._measure_round(Call(len), 0.01)
    assert (beside.least_hold_s, beside.most_hold_s) == pytest.approx((0.0, 0.006))


def test_where_the_sampler_did_not_come_a_hold_may_be_as_long_as_the_call(
    meter: type[FakeMeter],
) -> None:
    meter.starved = True
    assert rounds._measure_round(Call(len), 0.01).most_hold_s == 0.01
