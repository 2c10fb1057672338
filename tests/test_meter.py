"""What the meter reads, held against work whose share of the GIL is known."""

from __future__ import annotations

import json
import math
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from threading import get_ident
from typing import Any

import pytest
from long_tests import in_long, only_long

from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.kernels import (
    countdown_held,
    countdown_mixed,
    countdown_nogil,
    countdown_python,
)
from gillab.meter import GilMeter, Reading, _sampler, why_unavailable
from gillab.meter.command import render

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None, reason=f"the meter is unavailable: {why_unavailable()}"
)

POINT = 0.01
MOST_OFF = 0.03  # a reading decides where by its own account it is no further off
MOST_OFF_IN_THE_END = 0.05  # so, too, where only its interval can tell
LEAST_SAMPLES = 500
ROUND_S = 0.15
LEAST_S = 0.5
WAIT_S = 0.01
MOST_S = 3.0  # of work, until it does
GAP_UNIT_S = 1024e-9  # of the squares of the gaps between samples


@cache
def steps_a_second() -> float:
    steps = 20_000_000

    def measure() -> float:
        begun = time.perf_counter()
        countdown_nogil(steps)
        return steps / (time.perf_counter() - begun)

    return max(measure() for _ in range(3))  # others may have had the processor


def metered(work: Callable[[], object], interval_s: float = 100e-6) -> Reading:
    with GilMeter(interval_s) as meter:
        before = meter.read()
        work()
        return meter.read() - before


def run_together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def demand_samples(reading: Reading) -> None:
    """Skip where there is no lock, or this machine, at this moment, gave the meter few samples."""
    if not reading.gil_enabled:
        pytest.skip("there is no GIL here to hold")
    if reading.samples < LEAST_SAMPLES or reading.missed > 3 * reading.samples:
        pytest.skip(
            f"the sampler was starved: {reading.missed} samples missed, {reading.samples} taken"
        )


def demand_short_gaps(reading: Reading) -> None:
    """Skip, too, where the meter may have gone 20 ms without a sample."""
    demand_samples(reading)
    # No gap between samples is longer than the root of all their squares.
    gap_s = math.sqrt(most_gap_squares(reading))
    if gap_s > 0.02:
        pytest.skip(f"the sampler was kept waiting, up to {gap_s:.3f} s at once")


def processor_wait_s() -> float:
    """Return how long this thread has waited for a processor, 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def slack(reading: Reading, phase_s: float) -> float:
    """Return how far off the fraction of its own time may be: a point, or what no sample saw.

    That is four standard deviations of the share that the gaps between samples hide. Nobody knows
    when in a gap the lock changes hands, so that one of a length of g is off by g / 2 as a standard
    deviation, at most; where the interval is narrower, or no phase is short, it is less.
    """
    covered_s = reading._raw.counts.covered / 1e9
    hidden_s = 2 * math.sqrt(most_gap_squares(reading)) + max(reading.duration_s - covered_s, 0.0)
    seen = math.inf if reading.starved or covered_s == 0 else hidden_s / covered_s
    return max(POINT, min(twice_the_interval(reading), seen, most_missed(reading, phase_s)))


def twice_the_interval(reading: Reading) -> float:
    low, high = reading.held_interval
    return 2 * max(high - reading.held, reading.held - low)


def demand_close(off: float, most: float = MOST_OFF) -> None:
    """Skip where a fraction may be further off than decides."""
    if off > most:
        pytest.skip(f"the sampler was kept waiting: the fraction may be {off:.3f} off")


def most_missed(reading: Reading, phase_s: float, handed_over: bool = False) -> float:
    """Return how far off the fraction can be by what lay between samples; infinite if unknown.

    ``handed_over``: one thread may give the lock to another, so that any gap may have an edge.
    """
    counts = reading._raw.counts
    samples, covered_s = counts.samples, counts.covered / 1e9
    if samples == 0:
        return math.inf
    # The ends of the reading are known to a gap each: those over a point count as missed.
    phase_s = min(phase_s, POINT * reading.duration_s)
    room_s = phase_s - 2 * covered_s / samples
    if room_s <= 0:
        return math.inf
    # Gaps longer than a phase can hide one. Together they are at most this long, given how far all
    # gaps are from equal: the squares of those are at least phase_s times their sum, and of the
    # others no less than if they were all of one length.
    squares = most_gap_squares(reading)
    hidden_s = max(squares - covered_s**2 / samples, 0.0) / room_s
    # In any other gap the lock changes hands once, evenly anywhere. This is four standard
    # deviations, and of up to five such gaps more than there can be.
    edges_s = 1.2 * math.sqrt(squares if handed_over else counts.edge_squares * GAP_UNIT_S**2)
    unread_s = max(reading.duration_s - covered_s, 0.0)
    return POINT + (hidden_s + edges_s + unread_s) / covered_s


def most_gap_squares(reading: Reading) -> float:
    """Return the sum of the squares of the times between samples, in s², each rounded up."""
    counts = reading._raw.counts
    rounding = 2 * counts.covered / 1024 + counts.samples
    return (counts.gap_squares + rounding) * GAP_UNIT_S**2


def hold_until_seen(meter: GilMeter, rate: float) -> None:
    """Hold the lock until the meter has seen this thread do so; its name it is not asked for."""
    for _ in range(50 if is_gil_enabled() else 0):
        countdown_held(int(rate * 0.1))
        for _, ident, native_id, _, held in _sampler.shares(meter._sampler):
            mine = native_id == threading.get_native_id() if native_id else ident == get_ident()
            if mine and held > 0:
                return


def moment_s(held_steps: list[int]) -> float:
    """Return how long it takes to let the lock go and take it back, after such a hold."""
    took_s: list[float] = []
    for _ in range(20):
        for steps in held_steps[:1]:
            countdown_held(steps)
        begun = time.perf_counter()
        countdown_nogil(0)
        took_s.append(time.perf_counter() - begun)
    return statistics.median(took_s)


def alternate(turns: int, held_steps: list[int], released_steps: int) -> None:
    """Hold the lock and let it go in turns, until a meter can say for how much; hold it to that.

    What was held is known by the clock, whoever else had the processor, but for the moment that
    letting go and taking back need between two looks at it. Once the work may have had to wait for
    a processor just then.
    """
    clock = time.perf_counter
    unknown_s = moment_s(held_steps) if released_steps else 0.0
    held_s: list[float] = []
    released_s: list[float] = []
    with GilMeter() as meter:
        before = meter.read()
        reading = before
        while reading.duration_s < MOST_S:
            for _ in range(turns):
                begun = clock()
                for steps in held_steps:
                    countdown_held(steps)
                between = clock()
                if released_steps:
                    countdown_nogil(released_steps)
                held_s.append(between - begun)
                released_s.append(clock() - between)
            reading = meter.read() - before
            phase_s = min((held_s if held_steps else []) + (released_s if released_steps else []))
            off = slack(reading, phase_s)
            if reading.duration_s >= LEAST_S and off <= MOST_OFF:
                break
    demand_samples(reading)
    demand_close(off)
    free = sum(released_s) / reading.duration_s
    unknown = (len(released_s) * unknown_s + WAIT_S) / reading.duration_s
    assert reading.held == pytest.approx(1 - free, abs=off + unknown)


@pytest.mark.parametrize("released", [0.1, 0.5, 0.9])
def test_the_fraction_is_read_at_holds_of_milliseconds(released: float) -> None:
    turn_s = 5e-3 / (1 - released)
    steps = steps_a_second() * turn_s
    alternate(math.ceil(ROUND_S / turn_s), [int(steps * (1 - released))], int(steps * released))


@pytest.mark.parametrize(
    ("hold_s", "released"),
    [
        (5e-6, 0.1), (5e-6, 0.5), (100e-6, 0.9),
        in_long(5e-6, 0.9), in_long(100e-6, 0.1), in_long(100e-6, 0.5),
    ],
)  # fmt: skip
def test_the_fraction_is_read_at_shorter_holds(released: float, hold_s: float) -> None:
    """Too short for a clock between. What is known is what the program would show in the end.

    When others have the processor, the lock is held or free meanwhile, by chance: the interval says
    how much that matters, of which twice is allowed, since it alone is missed once in twenty times.
    """
    rate = steps_a_second()
    with GilMeter() as meter:
        before = meter.read()
        reading = before
        while reading.duration_s < MOST_S:
            countdown_mixed(int(rate * ROUND_S), released, int(rate * hold_s / (1 - released)))
            reading = meter.read() - before
            off = twice_the_interval(reading)
            if reading.samples >= 6 * LEAST_SAMPLES and off <= MOST_OFF_IN_THE_END:
                break
    demand_samples(reading)
    demand_close(off, MOST_OFF_IN_THE_END)
    assert reading.held == pytest.approx(1 - released, abs=max(POINT, off))


@pytest.mark.parametrize("released", [False, True])
def test_a_lock_that_is_always_or_never_held_is_read_so(released: bool) -> None:
    steps = int(steps_a_second() * 5e-3)
    alternate(math.ceil(ROUND_S / 5e-3), [] if released else [steps], steps if released else 0)


@only_long
def test_holds_of_a_second_are_read_to_a_point() -> None:
    rate = steps_a_second()
    parts = [int(rate / 20)] * 20  # it looks for signals only between calls
    alternate(1, parts, int(rate / 2))


def test_each_thread_has_its_share() -> None:
    rate = steps_a_second()
    held_s: dict[str, float] = {"seldom": 0.0, "often": 0.0}

    def work(turns: int, hold_s: float, pause_s: float) -> None:
        name = threading.current_thread().name
        for _ in range(turns):
            begun = time.perf_counter()
            countdown_held(int(rate * hold_s))
            held_s[name] += time.perf_counter() - begun
            time.sleep(pause_s)

    def run() -> None:
        threads = [
            threading.Thread(target=work, args=args, name=name)
            for name, args in (("seldom", (18, 9e-3, 45e-3)), ("often", (40, 16e-3, 8e-3)))
        ]
        run_together(threads)

    # A thread that waits asks for the lock after 5 ms, and gets it before the clock is read.
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(10.0)
    try:
        for _ in range(3):
            held_s.update(seldom=0.0, often=0.0)
            reading = metered(run)
            off = most_missed(reading, 8e-3, handed_over=True)
            if off <= MOST_OFF:
                break
    finally:
        sys.setswitchinterval(interval_s)
    demand_samples(reading)
    demand_close(off)
    for name, seconds in held_s.items():
        share = seconds / reading.duration_s
        assert reading.threads.get(name, 0.0) == pytest.approx(share, abs=POINT + off)
    assert 0 < reading.threads["seldom"] < reading.threads["often"]
    # A reading takes the shares before the whole, and the sampler goes on meanwhile.
    assert sum(reading.threads.values()) == pytest.approx(reading.held, abs=0.02)


def test_a_releasing_thread_is_told_from_a_busy_python_thread() -> None:
    rate = steps_a_second()

    def run() -> None:
        releasing = threading.Thread(
            target=countdown_nogil, args=(int(rate * 0.5),), name="releasing"
        )
        busy = threading.Thread(target=countdown_python, args=(10_000_000,), name="busy")
        run_together([releasing, busy])

    reading = metered(run)
    demand_samples(reading)
    assert reading.threads.get("releasing", 0.0) < 0.1
    assert reading.threads["busy"] > 0.5 * reading.held


def test_ended_threads_keep_their_share_and_name_though_nobody_kept_them() -> None:
    rate = steps_a_second()
    with GilMeter() as meter:
        before = meter.read()
        for name in ("first", "second"):
            threading.Thread(target=hold_until_seen, args=(meter, rate), name=name).start()
            while name in [thread.name for thread in threading.enumerate()]:
                time.sleep(0.01)
        reading = meter.read() - before
    demand_samples(reading)
    assert {"first", "second"} <= set(reading.threads)


def test_threads_of_one_name_are_not_merged() -> None:
    rate = steps_a_second()
    with GilMeter() as meter:
        before = meter.read()
        threads = [
            threading.Thread(target=hold_until_seen, args=(meter, rate), name="twin")
            for _ in range(2)
        ]
        run_together(threads)
        reading = meter.read() - before
    demand_samples(reading)
    assert {"twin", "twin (2)"} <= set(reading.threads)


def test_a_wanted_lock_is_seen_and_its_switches_are_counted() -> None:
    def run() -> None:
        threads = [threading.Thread(target=countdown_python, args=(1_000_000,)) for _ in range(2)]
        run_together(threads)

    reading = metered(run, 20e-6)
    demand_samples(reading)
    assert reading.switches > 2
    if reading.wanted is not None:
        assert reading.wanted > 0.3
    alone = metered(lambda: countdown_python(1_000_000), 20e-6)
    demand_samples(alone)
    assert alone.wanted is None or alone.wanted < 0.1


def test_the_longest_hold_is_found() -> None:
    rate = steps_a_second()
    took_s = 0.0

    def work() -> None:
        nonlocal took_s
        countdown_mixed(int(rate * 0.02), 0.5, int(rate * 2e-3))
        begun = time.perf_counter()
        countdown_held(int(rate * 0.04))
        took_s = time.perf_counter() - begun
        countdown_mixed(int(rate * 0.02), 0.5, int(rate * 2e-3))

    for _ in range(5):
        before_s = processor_wait_s()
        reading = metered(work)
        waited_s = processor_wait_s() - before_s
        if waited_s <= 0.02 and most_gap_squares(reading) <= 0.02**2:
            break
    demand_short_gaps(reading)
    # The countdown before and after may end and begin with a hold of 1 ms. Who waits for a
    # processor may hold the lock meanwhile.
    assert reading.longest_hold_s >= took_s - reading.longest_hold_resolution_s
    assert reading.longest_hold_s <= 2 * took_s + reading.longest_hold_resolution_s + waited_s


def test_a_hold_over_both_ends_of_a_meter_is_as_long_as_it_can_tell() -> None:
    rate = steps_a_second()
    for _ in range(20):
        with GilMeter() as meter:
            begun = time.perf_counter()
            countdown_held(int(rate * 0.1))
            took_s = time.perf_counter() - begun
            reading = meter.read()
        if len(reading.threads) == 1:  # else another thread had it after the clock was read
            break
    demand_samples(reading)
    assert reading.longest_hold_resolution_s > 0
    assert reading.longest_hold_s >= took_s - reading.longest_hold_resolution_s
    stopped = meter.read()
    assert stopped.longest_hold_s >= took_s - stopped.longest_hold_resolution_s


def test_releases_that_are_short_leave_open_how_long_a_hold_was() -> None:
    rate = steps_a_second()
    reading = metered(lambda: countdown_mixed(int(rate * 0.3), 0.3, int(rate * 60e-6)))
    demand_samples(reading)
    assert reading.longest_hold_least_s < reading.longest_hold_s
    alone = metered(lambda: countdown_held(int(rate * 0.1)))
    demand_short_gaps(alone)
    assert 0 < alone.longest_hold_least_s <= alone.longest_hold_s
    assert "longest hold seen" in render(alone)
    unsure = replace(reading, longest_hold_least_s=0.0)
    assert "longest hold under" in render(unsure)


def test_readings_add_up() -> None:
    with GilMeter() as meter:
        first = meter.read()
        countdown_python(500_000)
        second = meter.read()
        countdown_python(500_000)
        third = meter.read()
    whole, parts = third - first, ((second - first), (third - second))
    assert whole.samples == sum(part.samples for part in parts)
    assert whole.duration_s == pytest.approx(sum(part.duration_s for part in parts))
    assert whole.as_dict()["samples"] == whole.samples


def test_a_reading_without_a_sample_decides_nothing() -> None:
    reading = GilMeter().read()  # which never ran
    assert reading.samples == 0
    assert reading.held_interval == (0.0, 1.0)
    assert reading.as_dict()["held"] is None
    json.dumps(reading.as_dict(), allow_nan=False)


def test_a_reading_without_a_knock_is_json_too() -> None:
    with GilMeter(interval_s=1.0, knock=True) as meter:
        reading = meter.read()
    json.dumps(reading.as_dict(), allow_nan=False)


def test_readings_of_two_meters_are_refused() -> None:
    with GilMeter() as one, GilMeter() as other, pytest.raises(UsageError, match="two meters"):
        one.read() - other.read()


def test_readings_the_other_way_round_are_refused() -> None:
    with GilMeter() as meter:
        before = meter.read()
        time.sleep(0.01)
        after = meter.read()
        with pytest.raises(UsageError, match="later"):
            before - after


def test_a_reading_says_how_often_samples_were_taken_and_what_they_cost() -> None:
    with GilMeter(budget=0.1) as meter:
        while (reading := meter.read()).samples == 0 or math.isnan(reading.cost):
            countdown_python(500_000)
    assert reading.cost > 0
    assert reading.interval_s == pytest.approx(reading._raw.counts.covered / reading.samples / 1e9)
    assert f"for {reading.cost:.2%} of a CPU" in render(reading)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"budget": 0.0}, "from 0.0001"),
        ({"budget": 0.9}, "from 0.0001"),
        ({"budget": float("nan")}, "from 0.0001"),
        ({"budget": 0.01, "interval_s": 1e-3}, "either interval_s or budget"),
        ({"budget": 0.01, "knock": True}, "either knock or budget"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        GilMeter(**options)


@pytest.mark.parametrize("interval_s", [0.0, -1.0, 1e-6, 2.0, float("nan")])
def test_an_interval_that_cannot_be_kept_is_refused(interval_s: float) -> None:
    with pytest.raises(UsageError, match="interval_s"):
        GilMeter(interval_s=interval_s)


def test_knocking_tells_what_a_waiting_thread_feels() -> None:
    with GilMeter(knock=True) as meter:
        before = meter.read()
        countdown_python(5_000_000)
        time.sleep(0.1)
        reading = meter.read() - before
    assert reading.knock is not None
    if reading.knock.knocks < 5:
        pytest.skip(f"only {reading.knock.knocks} knocks were made")
    knock = reading.knock
    assert 0 <= knock.p50_s <= knock.p90_s <= knock.p99_s <= knock.max_s
    assert GilMeter().read().knock is None
