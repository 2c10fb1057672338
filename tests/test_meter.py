"""What the meter reads, held against work whose share of the GIL is known."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from gillab.errors import UsageError
from gillab.kernels import (
    countdown_held,
    countdown_mixed,
    countdown_nogil,
    countdown_python,
)
from gillab.meter import GilMeter, Reading, why_unavailable
from gillab.meter.command import render

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None, reason=f"the meter is unavailable: {why_unavailable()}"
)

POINT = 0.01


def steps_a_second() -> float:
    steps = 20_000_000

    def measure() -> float:
        begun = time.perf_counter()
        countdown_nogil(steps)
        return steps / (time.perf_counter() - begun)

    return max(measure() for _ in range(3))  # others may have had the processor


def metered(work: Callable[[], object]) -> Reading:
    with GilMeter() as meter:
        before = meter.read()
        work()
        return meter.read() - before


def demand_samples(reading: Reading, widest: float = 0.4) -> None:
    """Skip where this machine, at this moment, cannot decide.

    The interval tells how the program would go on, so that a few long holds make it wide: a test
    that knows each of them takes one as wide as it likes.
    """
    if not reading.gil_enabled:
        pytest.skip("there is no GIL here to hold")
    if reading.samples < 500:
        pytest.skip(f"only {reading.samples} samples were taken")
    low, high = reading.held_interval
    if reading.missed > 3 * reading.samples or high - low > widest:
        pytest.skip(
            f"the sampler was starved: {reading.missed} samples missed, {reading.samples} taken, "
            f"interval {low:.2f} to {high:.2f}"
        )


def processor_wait_s() -> float:
    """Return how long this thread has waited for a processor, 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def demand_processor(waited_s: float, reading: Reading, most: float = 0.1) -> float:
    """Return the part of the time that the work waited for a processor; skip where it is large.

    The lock may have been held all that time or never: the work's steps do not tell.
    """
    part = waited_s / reading.duration_s
    if part > most:
        pytest.skip(f"the machine is busy: the work waited for a processor {part:.0%} of the time")
    return part


def slack(reading: Reading) -> float:
    """Return how far the fraction may be off: a point, or twice its 95 % interval, 10 at most.

    An interval alone is missed once in twenty runs; and that of a few long holds, which tells how
    the program would go on, is far wider than what is known of those that were.
    """
    low, high = reading.held_interval
    return min(max(POINT, 2 * (high - reading.held), 2 * (reading.held - low)), 0.1)


@pytest.mark.parametrize("released", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("hold_s", [5e-6, 100e-6, 5e-3])
def test_the_fraction_is_read_at_every_length_of_hold(released: float, hold_s: float) -> None:
    rate = steps_a_second()
    chunk = max(int(rate * hold_s / max(1 - released, 0.1)), 10)
    waited_s = processor_wait_s()
    reading = metered(lambda: countdown_mixed(int(rate * 0.6), released, chunk))
    waited_s = processor_wait_s() - waited_s
    demand_samples(reading)
    waited = demand_processor(waited_s, reading)
    assert reading.held == pytest.approx(1 - released, abs=slack(reading) + POINT + waited)


def test_holds_of_a_second_are_read_to_a_point() -> None:
    rate = steps_a_second()
    released_s = 0.0

    def work() -> None:
        nonlocal released_s
        for _ in range(2):
            for _ in range(20):  # in parts: it looks for signals only between calls
                countdown_held(int(rate / 20))
            begun = time.perf_counter()
            countdown_nogil(int(rate / 2))
            released_s += time.perf_counter() - begun

    reading = metered(work)
    demand_samples(reading, widest=1.0)
    # The lock was free for four edges at least; each is known to a gap between samples.
    edges = 4 * reading.longest_hold_resolution_s / reading.duration_s
    assert reading.held == pytest.approx(1 - released_s / reading.duration_s, abs=POINT + edges)


def test_alternating_holds_are_read_to_a_point_of_the_time_they_took() -> None:
    rate = steps_a_second()
    released_s = 0.0

    def work() -> None:
        nonlocal released_s
        for _ in range(300):
            countdown_held(int(rate * 1e-3))
            begun = time.perf_counter()
            countdown_nogil(int(rate * 1e-3))
            released_s += time.perf_counter() - begun

    reading = metered(work)
    demand_samples(reading)
    assert reading.held == pytest.approx(1 - released_s / reading.duration_s, abs=slack(reading))


def test_each_thread_has_its_share() -> None:
    rate = steps_a_second()
    cpu_held_s: dict[str, float] = {}
    waited_s: list[float] = []

    def work(released: float) -> None:
        begun = time.thread_time()
        countdown_mixed(int(rate * 0.8), released, int(rate * 200e-6))
        name = threading.current_thread().name
        cpu_held_s[name] = (time.thread_time() - begun) * (1 - released)
        waited_s.append(processor_wait_s())

    def run() -> None:
        threads = [
            threading.Thread(target=work, args=(released,), name=name)
            for name, released in (("mostly released", 0.9), ("mostly held", 0.4))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    reading = metered(run)
    demand_samples(reading)
    # Two threads and the sampler wait for two processors more than one does.
    waited = demand_processor(sum(waited_s), reading, most=0.35)
    for name, held_s in cpu_held_s.items():
        assert reading.threads.get(name, 0.0) == pytest.approx(
            held_s / reading.duration_s, abs=0.05 + slack(reading) + waited
        )
    assert sum(reading.threads.values()) == pytest.approx(reading.held, abs=0.001)


def test_a_releasing_thread_is_told_from_a_busy_python_thread() -> None:
    rate = steps_a_second()

    def run() -> None:
        releasing = threading.Thread(
            target=countdown_nogil, args=(int(rate * 0.5),), name="releasing"
        )
        busy = threading.Thread(target=countdown_python, args=(10_000_000,), name="busy")
        releasing.start()
        busy.start()
        busy.join()
        releasing.join()

    reading = metered(run)
    demand_samples(reading)
    assert reading.threads.get("releasing", 0.0) < 0.1
    assert reading.threads["busy"] > 0.5 * reading.held


def test_ended_threads_keep_their_share_and_name_though_nobody_kept_them() -> None:
    rate = steps_a_second()
    with GilMeter() as meter:
        before = meter.read()
        for name in ("first", "second"):
            threading.Thread(target=countdown_held, args=(int(rate * 0.1),), name=name).start()
            countdown_nogil(int(rate * 0.3))
        reading = meter.read() - before
    demand_samples(reading, widest=1.0)
    assert {"first", "second"} <= set(reading.threads)


def test_threads_of_one_name_are_not_merged() -> None:
    rate = steps_a_second()

    def run() -> None:
        threads = [
            threading.Thread(target=countdown_held, args=(int(rate * 0.1),), name="twin")
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    reading = metered(run)
    demand_samples(reading)
    assert {"twin", "twin (2)"} <= set(reading.threads)


def test_a_wanted_lock_is_seen_and_its_switches_are_counted() -> None:
    def run() -> None:
        threads = [threading.Thread(target=countdown_python, args=(3_000_000,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    reading = metered(run)
    demand_samples(reading)
    assert reading.switches > 2
    if reading.wanted is not None:
        assert reading.wanted > 0.3
    alone = metered(lambda: countdown_python(3_000_000))
    demand_samples(alone)
    assert alone.wanted is None or alone.wanted < 0.1


def test_the_longest_hold_is_found() -> None:
    rate = steps_a_second()
    took_s = 0.0

    def work() -> None:
        nonlocal took_s
        countdown_mixed(int(rate * 0.1), 0.5, int(rate * 2e-3))
        begun = time.perf_counter()
        countdown_held(int(rate * 0.04))
        took_s = time.perf_counter() - begun
        countdown_mixed(int(rate * 0.1), 0.5, int(rate * 2e-3))

    reading = metered(work)
    demand_samples(reading)
    # The countdown before and after may end and begin with a hold of 1 ms.
    assert reading.longest_hold_s >= took_s - reading.longest_hold_resolution_s
    assert reading.longest_hold_s <= 2 * took_s + reading.longest_hold_resolution_s


def test_a_hold_over_both_ends_of_a_meter_is_as_long_as_it_can_tell() -> None:
    rate = steps_a_second()
    with GilMeter() as meter:
        begun = time.perf_counter()
        countdown_held(int(rate * 0.1))
        took_s = time.perf_counter() - begun
        reading = meter.read()
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
    demand_samples(alone)
    assert 0 < alone.longest_hold_least_s <= alone.longest_hold_s
    assert "longest hold seen" in render(alone)
    unsure = replace(reading, longest_hold_least_s=0.0)
    assert "longest hold under" in render(unsure)


def test_a_hold_before_a_reading_does_not_count_after_it() -> None:
    rate = steps_a_second()
    with GilMeter() as meter:
        for _ in range(50):
            countdown_held(int(rate * 0.06))
            before = meter.read()
            if before.longest_hold_s > 0.02:
                break  # else the sampler had no processor
        countdown_mixed(int(rate * 0.2), 0.5, int(rate * 2e-3))
        reading = meter.read() - before
    demand_samples(reading)
    assert before.longest_hold_s > 0.02
    assert reading.longest_hold_s < before.longest_hold_s


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
    with GilMeter(interval_s=1.0) as meter:
        reading = meter.read()
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
