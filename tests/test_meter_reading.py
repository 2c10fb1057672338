"""A reading's intervals and differences, on counters that are made up."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from gillab.meter import _sampler, why_unavailable
from gillab.meter._sampler import bucket, bucket_begin
from gillab.meter.command import render
from gillab.meter.counters import Counts, RawReading, subtract
from gillab.meter.reading import Reading, read

GAP_NS = 102_400
LEVELS = 20
FOLLOWED_US = 2e5
NOTHING: dict[str, Any] = {counter.name: 0 for counter in fields(Counts)}


class Counter:
    """What the sampler counts, without the time."""

    def __init__(self) -> None:
        self.samples: list[int] = []

    def add(self, held: int) -> None:
        self.samples.append(held)

    def read(
        self,
        longest_ns: int = 0,
        error_ns: int = 0,
        blinks: int = 0,
        missed_ns: int = 0,
        missed: int = 0,
        worth: float = 1.0,
        since: int = 0,
        tail_ns: int = 0,
    ) -> Reading:
        """``since`` is when a stretch began that lasts still, the longest until then."""
        samples = len(self.samples)
        batches, sums, squares = sum_batches(self.samples)
        counted = {
            "duration": samples * GAP_NS + missed_ns,
            "tail": tail_ns,
            "doubled_enabled": 2 * samples * GAP_NS,
            "doubled_held": 2 * sums[0] * GAP_NS,
            "blinks": blinks,
            "samples": samples,
            "covered": samples * GAP_NS,
            "missed": missed,
            "longest": longest_ns,
            "longest_error": error_ns,
            "latest_since": since,
            "latest": longest_ns if since else 0,
            "gap_squares": int(samples * (GAP_NS >> 10) ** 2 / worth),
            "batches": batches,
            "sums": sums,
            "squares": squares,
            "stretches": {},
        }
        counts = Counts(**NOTHING | counted)
        return read(
            RawReading(
                meter=1,
                counts=counts,
                sees_waiters=True,
                threads={},
                knocks=None,
                uses=None,
                waits=None,
                states=None,
            )
        )


def sum_batches(samples: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return batches, sums and squares of each level, as csrc/gil_sampler.h describes them."""
    sums = np.array(samples, dtype=np.int64)
    levels = []
    for _ in range(LEVELS):
        levels.append((len(sums), int(sums.sum()), int((sums * sums).sum())))
        sums = sums[: len(sums) // 2 * 2].reshape(-1, 2).sum(axis=1)
    batches, totals, squares = zip(*levels, strict=True)
    return batches, totals, squares


def simulate(held: float, alike: float, samples: int, source: np.random.Generator) -> Reading:
    """Return the reading of samples of which each repeats the one before with some chance."""
    counter = Counter()
    for _ in range(source.integers(100)):
        counter.add(1 - int(held))
    before = counter.read()
    drawn = np.where(source.random(samples) >= alike, np.arange(samples), 0)
    latest = np.maximum.accumulate(drawn)  # the last one that repeats none
    counter.samples += (source.random(samples) < held)[latest].tolist()
    return counter.read() - before


@pytest.mark.parametrize(
    ("held", "alike"), [(0.5, 0.0), (0.5, 0.8), (0.5, 0.98), (0.05, 0.0), (0.05, 0.8), (0.9, 0.9)]
)
def test_the_interval_covers_with_correlated_samples(held: float, alike: float) -> None:
    source = np.random.default_rng(5)
    readings = [simulate(held, alike, 3000, source) for _ in range(200)]
    covered = sum(low <= held <= high for low, high in (r.held_interval for r in readings))
    assert covered >= 0.93 * len(readings)


def follow(hold_us: float, release_us: float, source: random.Random) -> Reading:
    """Return the reading of holds and releases in turns, as the sampler takes it."""
    gap_us = GAP_NS / 1000
    counter = Counter()
    longest = error = begin = at = 0.0
    blinks = free = 0
    ends = 0.0
    before = True
    while at < FOLLOWED_US:
        step = gap_us * source.uniform(0.5, 1.5)
        at += step
        held = at % (hold_us + release_us) < hold_us
        counter.add(int(held))
        if held and not before:
            begin, ends = at - step / 2, step
            blinks += free == 1
        if held and at - begin > longest:
            longest, error = at - begin, ends + step
        free = 0 if held else free + 1
        before = held
    return counter.read(round(1000 * longest), round(1000 * error), blinks)


@pytest.mark.parametrize(
    ("hold_us", "release_us"),
    [(44, 19), (300, 20), (300, 5), (1000, 60), (2000, 100), (5, 5), (50, 130)],
)
def test_holds_with_short_releases_between_are_not_taken_for_one(
    hold_us: float, release_us: float
) -> None:
    source = random.Random(7)
    readings = [follow(hold_us, release_us, source) for _ in range(40)]
    rash = [r for r in readings if r.longest_hold_least_s > hold_us * 1e-6]
    assert len(rash) <= 4


@pytest.mark.parametrize(
    ("hold_us", "release_us"), [(20_000, 5000), (2000, 500), (1000, 9000), (800, 300), (10**7, 1)]
)
def test_holds_with_long_releases_between_are_found(hold_us: float, release_us: float) -> None:
    source = random.Random(7)
    for _ in range(20):
        least_s = follow(hold_us, release_us, source).longest_hold_least_s
        assert 0.6 * min(hold_us, FOLLOWED_US) <= 1e6 * least_s <= hold_us


@pytest.mark.parametrize("held", [0.0, 1.0])
def test_samples_that_are_all_alike_give_a_narrow_interval(held: float) -> None:
    reading = simulate(held, 0.0, 1000, np.random.default_rng(1))
    low, high = reading.held_interval
    assert low <= held <= high
    assert high - low < 0.01


def test_a_hold_that_no_sample_saw_may_be_as_long_as_the_time_between_two() -> None:
    reading = simulate(0.0, 0.0, 1000, np.random.default_rng(1))
    assert reading.longest_hold_s == 0.0
    assert reading.longest_hold_resolution_s == pytest.approx(2e-9 * GAP_NS)


LONG_NS, SHORT_NS = 60_000_000, 1_000_000


def with_holds(reading: Reading, ended_ns: list[int], lasting_ns: int = 0) -> Reading:
    """Return the reading with holds that have ended, and perhaps one that lasts still."""
    counts = replace(
        reading._raw.counts,
        longest=max(*ended_ns, lasting_ns),
        longest_error=2 * GAP_NS,
        latest_since=int(lasting_ns > 0),
        latest=lasting_ns,
        stretches={bucket(length_ns): ended_ns.count(length_ns) for length_ns in ended_ns},
    )
    return read(replace(reading._raw, counts=counts))


def read_twice() -> tuple[Reading, Reading]:
    """Return a reading, and a later one of the same meter."""
    counter = Counter()
    readings = []
    for _ in range(2):
        for number in range(1000):
            counter.add(number // 10 % 2)
        readings.append(counter.read())
    return readings[0], readings[1]


@pytest.mark.parametrize("lasts", [False, True], ids=["ended", "lasts over it"])
def test_a_hold_before_a_reading_does_not_count_after_it(lasts: bool) -> None:
    before, after = read_twice()
    if lasts:
        before = with_holds(before, [SHORT_NS], lasting_ns=LONG_NS)
        after = with_holds(after, [LONG_NS + SHORT_NS, *[SHORT_NS] * 50])
    else:
        before = with_holds(before, [SHORT_NS, LONG_NS])
        after = with_holds(after, [LONG_NS, *[SHORT_NS] * 50])
    assert before.longest_hold_s == LONG_NS / 1e9
    reading = after - before
    error_s = reading.longest_hold_resolution_s
    assert error_s < 0.1 * before.longest_hold_s
    assert reading.longest_hold_s == pytest.approx(SHORT_NS / 1e9, abs=error_s)


def test_a_hold_that_lasts_still_counts_from_the_reading_on() -> None:
    before, after = read_twice()
    before = with_holds(before, [SHORT_NS], lasting_ns=LONG_NS)
    after = with_holds(after, [SHORT_NS], lasting_ns=LONG_NS + 20 * SHORT_NS)
    assert (after - before).longest_hold_s == pytest.approx(20 * SHORT_NS / 1e9)


def test_without_a_sample_a_hold_may_be_as_long_as_the_reading() -> None:
    assert Counter().read(missed_ns=5_000_000).longest_hold_resolution_s == 0.005


def test_a_stretch_that_lasts_still_may_have_lasted_since_the_last_sample() -> None:
    counter = Counter()
    for _ in range(100):
        counter.add(1)
    ended = counter.read(4_000_000, 300_000, tail_ns=40_000_000)
    assert ended.longest_hold_resolution_s == 300e-6
    lasting = counter.read(4_000_000, 300_000, since=1, tail_ns=40_000_000)
    assert (lasting.longest_hold_s, lasting.longest_hold_resolution_s) == (0.004, 0.0403)
    # What came after can make it no shorter.
    assert lasting.longest_hold_least_s == ended.longest_hold_least_s == 3.7e-3


def test_between_two_readings_what_neither_saw_is_open_at_both_ends() -> None:
    counter = Counter()
    for _ in range(100):
        counter.add(1)
    length_ns, tail_ns = 100 * GAP_NS, 3_000_000
    before = counter.read(length_ns, 1000, missed_ns=tail_ns, since=1, tail_ns=tail_ns)
    for _ in range(100):
        counter.add(1)
    after = counter.read(2 * length_ns, 1000, missed_ns=5_000_000, since=1, tail_ns=2_000_000)
    between = after - before
    assert between.longest_hold_s == pytest.approx(1e-9 * length_ns)
    assert between.longest_hold_resolution_s == pytest.approx(5e-3 + 2e-9 * GAP_NS)
    assert between.longest_hold_least_s == pytest.approx(1e-9 * (length_ns - 2 * GAP_NS) - 3e-3)


@pytest.mark.parametrize(
    ("missed", "worth", "starved"),
    [(900, 0.3, False), (1100, 0.3, True), (1100, 1.0, False), (100_000, 0.9, False)],
    ids=["most were taken", "starved", "evenly late", "a coarse clock"],
)
def test_samples_that_come_late_and_unevenly_decide_nothing(
    missed: int, worth: float, starved: bool
) -> None:
    counter = Counter()
    for number in range(1000):
        counter.add(number % 2)
    reading = counter.read(missed=missed, worth=worth)
    assert reading.starved == starved
    assert (reading.held_interval == (0.0, 1.0)) == starved
    assert ("too seldom to tell" in render(reading)) == starved


def test_a_few_samples_decide_nothing() -> None:
    assert simulate(0.5, 0.0, 5, np.random.default_rng(1)).held_interval == (0.0, 1.0)


@pytest.mark.parametrize("length_ns", [0, 1, 7, 8, 9, 100, 1_000_003, 5 * 10**9, 10**15])
def test_a_length_lies_in_its_bucket_and_a_bucket_is_an_eighth_of_an_octave(
    length_ns: int,
) -> None:
    index = bucket(length_ns)
    begin, end = bucket_begin(index), bucket_begin(index + 1)
    assert begin <= length_ns < end or index == 8 * 48 - 1
    assert end - begin <= max(begin / 8, 1)


@pytest.mark.skipif(
    why_unavailable() is not None, reason=f"the meter is unavailable: {why_unavailable()}"
)
def test_the_sampler_counts_what_a_reading_has_and_nothing_else() -> None:
    counts = _sampler.counts(_sampler.new(100_000, 1))
    assert sorted(counts) == sorted(counter.name for counter in fields(Counts))


AS_THEY_STAND = {"tail", "latest_since", "latest"}
BY_A_RULE = {"longest", "longest_error", "batches", "sums", "squares", "stretches"}


def test_every_other_counter_is_the_difference_between_two_readings() -> None:
    early = Counter().read()._raw
    names = sorted({counter.name for counter in fields(Counts)} - BY_A_RULE)
    earlier: dict[str, Any] = {name: 10 * place for place, name in enumerate(names)}
    later: dict[str, Any] = {name: 1000 + 13 * place for place, name in enumerate(names)}
    difference = subtract(
        replace(early, counts=replace(early.counts, **later)),
        replace(early, counts=replace(early.counts, **earlier)),
    )
    assert {name: getattr(difference.counts, name) for name in names} == {
        name: later[name] - (0 if name in AS_THEY_STAND else earlier[name]) for name in names
    }
