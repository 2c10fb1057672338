"""A reading's intervals and differences, on counters that are made up."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gillab.meter._sampler import bucket, bucket_begin
from gillab.meter.command import render
from gillab.meter.counters import Counts, RawReading
from gillab.meter.reading import Reading, read

GAP_NS = 102_400
LEVELS = 20
FOLLOWED_US = 2e5


class Counter:
    """What the sampler counts, without the time."""

    def __init__(self) -> None:
        self.batches = [0] * LEVELS
        self.sums = [0] * LEVELS
        self.squares = [0] * LEVELS
        self.half = [-1] * LEVELS

    def add(self, held: int) -> None:
        for level in range(LEVELS):
            self.batches[level] += 1
            self.sums[level] += held
            self.squares[level] += held * held
            if self.half[level] < 0:
                self.half[level] = held
                return
            held += self.half[level]
            self.half[level] = -1

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
        samples = self.batches[0]
        counts: Counts = {
            "duration": samples * GAP_NS + missed_ns,
            "covered": samples * GAP_NS,
            "doubled_held": 2 * self.sums[0] * GAP_NS,
            "doubled_wanted": 0,
            "doubled_enabled": 2 * samples * GAP_NS,
            "samples": samples,
            "missed": missed,
            "switches": 0,
            "longest": longest_ns,
            "longest_error": error_ns,
            "latest_since": since,
            "latest": longest_ns if since else 0,
            "tail": tail_ns,
            "blinks": blinks,
            "gap_squares": int(samples * (GAP_NS >> 10) ** 2 / worth),
            "edge_squares": 0,
            "batches": tuple(self.batches),
            "sums": tuple(self.sums),
            "squares": tuple(self.squares),
            "stretches": {},
        }
        return read(RawReading(meter=1, counts=counts, sees_waiters=True, threads={}, knocks=None))


def simulate(held: float, alike: float, samples: int, source: random.Random) -> Reading:
    """Return the reading of samples of which each repeats the one before with some chance."""
    counter = Counter()
    taken = source.random() < held
    for _ in range(source.randrange(100)):
        counter.add(1 - int(held))
    before = counter.read()
    for _ in range(samples):
        if source.random() >= alike:
            taken = source.random() < held
        counter.add(int(taken))
    return counter.read() - before


@pytest.mark.parametrize(
    ("held", "alike"), [(0.5, 0.0), (0.5, 0.8), (0.5, 0.98), (0.05, 0.0), (0.05, 0.8), (0.9, 0.9)]
)
def test_the_interval_covers_with_correlated_samples(held: float, alike: float) -> None:
    source = random.Random(5)
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
    reading = simulate(held, 0.0, 1000, random.Random(1))
    low, high = reading.held_interval
    assert low <= held <= high
    assert high - low < 0.01


def test_a_hold_that_no_sample_saw_may_be_as_long_as_the_time_between_two() -> None:
    reading = simulate(0.0, 0.0, 1000, random.Random(1))
    assert reading.longest_hold_s == 0.0
    assert reading.longest_hold_resolution_s == pytest.approx(2e-9 * GAP_NS)


LONG_NS, SHORT_NS = 60_000_000, 1_000_000


def with_holds(reading: Reading, ended_ns: list[int], lasting_ns: int = 0) -> Reading:
    """Return the reading with holds that have ended, and perhaps one that lasts still."""
    counts = reading._raw.counts.copy()
    counts["longest"] = max(*ended_ns, lasting_ns)
    counts["longest_error"] = 2 * GAP_NS
    counts["latest_since"], counts["latest"] = int(lasting_ns > 0), lasting_ns
    counts["stretches"] = {bucket(length_ns): ended_ns.count(length_ns) for length_ns in ended_ns}
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
    assert simulate(0.5, 0.0, 5, random.Random(1)).held_interval == (0.0, 1.0)


@pytest.mark.parametrize("length_ns", [0, 1, 7, 8, 9, 100, 1_000_003, 5 * 10**9, 10**15])
def test_a_length_lies_in_its_bucket_and_a_bucket_is_an_eighth_of_an_octave(
    length_ns: int,
) -> None:
    index = bucket(length_ns)
    begin, end = bucket_begin(index), bucket_begin(index + 1)
    assert begin <= length_ns < end or index == 8 * 48 - 1
    assert end - begin <= max(begin / 8, 1)
