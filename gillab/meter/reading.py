"""The reading of a GIL meter: turns counters into fractions and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from gillab.meter.counters import (
    Counts,
    Function,
    KnockCounts,
    RawReading,
    Use,
    WaitCounts,
    bucket_ends,
    subtract,
)
from gillab.meter.states import Stops, ThreadState, list_states, read_stops

_Z = 1.959964  # two-sided 95 %
_MIN_BATCHES = 8
_BY_CHANCE = 0.05
_GAP_UNIT_NS = 1024
_UNEVEN = 0.5


@dataclass(frozen=True, slots=True)
class Knock:
    """How long taking the GIL took, in seconds: what a waiting thread feels.

    Percentiles come from a histogram with eight buckets an octave and are good to 7 %.
    """

    knocks: int
    """How often the lock was taken for this."""
    p50_s: float
    """The median."""
    p90_s: float
    """The 90th percentile."""
    p99_s: float
    """The 99th percentile."""
    max_s: float
    """The longest."""


@dataclass(frozen=True, slots=True)
class HeldIn:
    """A Python function under which a thread held the lock."""

    thread: str
    """The thread's name."""
    file: str
    """The file of its code."""
    line: int
    """The line of its definition."""
    name: str
    """The qualified name."""

    held: float
    """The fraction of the time that the thread held the lock while this was its innermost Python
    function. What C code does on its behalf counts as its own."""

    longest_s: float | None
    """The longest stretch at once, in seconds: every sample at which the function was read saw this
    one. None if only an earlier one, before the first of two readings, was longer."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How long a thread waited for the lock while another held it."""

    thread: str
    """The one that waited."""
    holder: str | None
    """None for the moments at which the lock was free, on its way from one to the next."""

    share: float
    """The fraction of the time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter read over one stretch of time.

    ``later - earlier`` is the reading for the time between two readings of one meter; UsageError if
    they are from different meters or in the wrong order.
    """

    held: float
    """The fraction of the time, from 0 to 1, that the lock was taken; NaN without a sample."""

    held_interval: tuple[float, float]
    """A 95 % interval of the fraction that the program would show if it went on like this.

    Consecutive samples are alike. So they are grouped into batches of 1, 2, 4 … samples, and the
    interval is the widest that any batch size with at least 8 batches gives (Flyvbjerg and
    Petersen, "Error estimates on averages of correlated data", J. Chem. Phys. 91, 461, 1989). It
    lies around the fraction as Wilson's interval does ("Probable inference", JASA 22, 209, 1927),
    and is wider if the sampler was kept waiting. It is right only if some tens of holds were seen:
    if a program holds the lock twice, nothing tells how it would go on."""

    threads: Mapping[str, float]
    """The fraction of the time that each thread held the lock, by its name, greatest first.

    Threads that never held it at a sample are left out. A second thread with the same name is
    "name (2)". A thread whose ``threading.Thread`` is gone gets the system's name for it, or else
    "thread" and its native id."""

    switches: int
    """How often the lock went from one thread to another."""

    wanted: float | None
    """The fraction of the time that a thread waited for the lock; None where it cannot be seen."""

    longest_hold_s: float
    """The longest stretch in which every sample saw one thread hold the lock.

    It can be several holds. If a thread lets go between two samples and takes the lock back,
    because no other thread wanted it, no sample sees that. Releases of up to one and a half times
    the mean interval can be missed in this way, and longer ones if a sample came late. For a thread
    that often lets go so briefly, this is only an upper bound, far above its real holds: holds of
    44 µs and releases of 19 µs in turns read as 2.3 ms at the interval of 100 µs."""

    longest_hold_least_s: float
    """The lower bound of the longest hold; 0 if that stretch may be several holds.

    It may be several if some releases were so short that only one sample fell into each. Then other
    releases like them, evenly spread, were missed; if enough can be missed in a row to make a
    stretch of this length in one of twenty such readings, or more often, the bound is 0. If a
    thread's releases are so short that no sample ever sees one, it looks like a thread that never
    lets go."""

    longest_hold_resolution_s: float
    """The most by which the ends of that stretch can be off. This includes the time before the
    first sample and after the last one, if the stretch lasted then. If no sample saw a hold, it is
    two mean intervals, since longer holds, when repeated, would have been seen."""

    brief_releases: int
    """How often just one sample in a row found the lock free. As many releases of that length, or
    many more, may have been missed."""

    samples: int
    """How often the lock was looked at."""
    missed: int
    """Samples that were left out, since they were due before the previous one could be taken."""

    starved: bool
    """Whether more samples were missed than taken, and at uneven times. Whatever kept the sampler
    from the CPU may also have held the lock. Then ``held`` can be far off, and only
    ``held_interval`` is of use."""

    interval_s: float
    """The mean time between samples; NaN without a sample."""

    cost: float
    """The share of a CPU that the sampling thread used: 0.01 is one percent.

    It is counted every 10 ms, or 16 ms on Windows; NaN if a reading is too short to tell."""

    duration_s: float
    """How long the stretch was, in seconds."""
    gil_enabled: bool
    """False if a free-threaded build ran without the lock all the time."""

    knock: Knock | None
    """How long taking the lock took, if the meter knocks (which disturbs the program)."""

    functions: tuple[HeldIn, ...] | None
    """Under which functions each thread held the lock, greatest first; None if it is not told.

    Those of one thread add up to no more than its share in `threads`: at some samples the function
    cannot be read."""

    waits: tuple[Waited, ...] | None
    """Which threads waited for the lock, and for whom, greatest first; None if it is not told.

    Where the meter tells functions, it tells this on Linux, and from CPython 3.15 on elsewhere
    too. At most 64 threads are told at one sample."""

    states: tuple[ThreadState, ...] | None
    """What each thread did while a free-threaded build ran without the lock, greatest first; None
    if it is not told, and where there was a lock all the time.

    Where the meter tells functions, it tells this. At most 256 threads are told at one sample."""

    objects_told: bool | None
    """Whether `states` tells of all that threads wait for. If not, since the system does not say
    how they sleep (other than Linux), those that wait for a ``threading.Lock`` or a signal count as
    detached, and those that sleep while all are stopped count as stopped. None where `states`
    is."""

    stops: Stops | None
    """How long all threads were stopped meanwhile; None where `states` is."""

    _raw: RawReading = field(repr=False, compare=False)

    def __sub__(self, earlier: Reading) -> Reading:
        if not isinstance(earlier, Reading):
            return NotImplemented
        return read(subtract(self._raw, earlier._raw))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON takes them: NaN is None."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_raw"}
        named["held_interval"] = list(self.held_interval)
        named["threads"] = dict(self.threads)
        if self.knock is not None:
            knock = {f.name: getattr(self.knock, f.name) for f in fields(self.knock)}
            named["knock"] = {name: _known(value) for name, value in knock.items()}
        if self.functions is not None:
            named["functions"] = [asdict(function) for function in self.functions]
        if self.waits is not None:
            named["waits"] = [asdict(wait) for wait in self.waits]
        if self.states is not None:
            named["states"] = [asdict(state) for state in self.states]
        if self.stops is not None:
            named["stops"] = asdict(self.stops)
        return {name: _known(value) for name, value in named.items()}


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def read(raw: RawReading) -> Reading:
    """Compute a reading from its counters."""
    counts = raw.counts
    covered = counts.covered
    gil_enabled = counts.doubled_enabled > 0 or covered == 0
    held = min(counts.doubled_held / 2 / covered, 1.0) if covered else math.nan
    wanted = min(counts.doubled_wanted / 2 / covered, 1.0) if covered else math.nan
    names = _name_threads(raw.threads)
    threads = _shares(raw.threads, names, covered)
    states = raw.states if raw.states is not None and raw.states.covered > 0 else None
    return Reading(
        held=held,
        held_interval=_interval(held, counts) if gil_enabled else (0.0, 0.0),
        threads=threads,
        switches=counts.switches,
        wanted=wanted if raw.sees_waiters else None,
        longest_hold_s=counts.longest / 1e9,
        longest_hold_least_s=_least_hold_s(counts),
        longest_hold_resolution_s=_resolution_ns(counts) / 1e9 if gil_enabled else 0.0,
        brief_releases=counts.blinks,
        samples=counts.samples,
        missed=counts.missed,
        starved=_is_starved(counts),
        interval_s=covered / counts.samples / 1e9 if counts.samples else math.nan,
        cost=counts.cpu / counts.duration if counts.cpu and counts.duration else math.nan,
        duration_s=counts.duration / 1e9,
        gil_enabled=gil_enabled,
        knock=None if raw.knocks is None else _knock(raw.knocks),
        functions=None if raw.uses is None else _functions(raw.uses, names, threads),
        waits=None if raw.waits is None else _waits(raw, raw.waits, names),
        states=None if states is None else list_states(states, names),
        objects_told=None if states is None else states.objects_told,
        stops=None if states is None else read_stops(states),
        _raw=raw,
    )


def _name_threads(threads: Mapping[int, tuple[str, int]]) -> dict[int, str]:
    """Return a name of its own for each place; the greatest of several has the name alone."""
    names: dict[int, str] = {}
    taken = set()
    for place, (name, _) in sorted(threads.items(), key=lambda thread: -thread[1][1]):
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name} ({number})"
        taken.add(unique)
        names[place] = unique
    return names


def _shares(
    threads: Mapping[int, tuple[str, int]], names: Mapping[int, str], covered: int
) -> dict[str, float]:
    return {
        name: min(threads[place][1] / 2 / covered, 1.0)
        for place, name in names.items()
        if threads[place][1] > 0 and covered > 0
    }


def _functions(
    uses: Mapping[tuple[int, Function | None], Use],
    names: Mapping[int, str],
    threads: Mapping[str, float],
) -> tuple[HeldIn, ...]:
    """Divide what each thread held among its functions.

    The function is read at fewer samples than the lock, so they tell the proportion only.
    """
    read: dict[int, int] = {}
    for (place, _), use in uses.items():
        read[place] = read.get(place, 0) + use.doubled_held
    found = [
        HeldIn(
            thread=names[place],
            file=function.file,
            line=function.line,
            name=function.name,
            held=threads.get(names[place], 0.0) * use.doubled_held / max(read[place], 1),
            longest_s=None if use.longest is None else use.longest / 1e9,
        )
        for (place, function), use in uses.items()
        if function is not None and place in names
    ]
    return tuple(sorted(found, key=lambda each: -each.held))


def _waits(raw: RawReading, waits: WaitCounts, names: Mapping[int, str]) -> tuple[Waited, ...]:
    """Return who waited for whom.

    Each sample tells how many threads wait, and few tell which. So those few say how the whole is
    divided: a ratio estimate (Cochran, "Sampling Techniques", 1977, chapter 6). What they missed, a
    thread that has been woken and does not run yet, is made up for, too.
    """
    counts = raw.counts
    time_of_all = sum(waits.pairs.values())
    per_time = 1 / max(waits.covered, 1)
    if raw.sees_waiters and time_of_all and counts.covered:
        per_time = counts.doubled_waiting / 2 / counts.covered / time_of_all
    found = [
        Waited(
            thread=names[place],
            holder=None if holder is None else names[holder],
            share=min(time * per_time, 1.0),
        )
        for (place, holder), time in waits.pairs.items()
        if place in names and (holder is None or holder in names)
    ]
    return tuple(sorted(found, key=lambda each: -each.share))


def student_t(freedom: int) -> float:
    """Return Student's t for two-sided 95 %, to three digits from 7 degrees of freedom on.

    Fisher's expansion: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _independent_samples(counts: Counts) -> float:
    """Return how many independent samples would be as precise, by the worst batch size."""
    least = float(counts.batches[0])
    for level, (batches, total, square) in enumerate(
        zip(counts.batches, counts.sums, counts.squares, strict=True)
    ):
        if batches >= _MIN_BATCHES:
            # In integers: the two terms are far greater than what is left of them.
            spread = (square * batches - total * total) / batches**2
            mean = total / batches / 2**level
            if spread > 0 and 0 < mean < 1:
                error = math.sqrt(spread / (batches - 1)) / 2**level
                half = student_t(batches - 1) * error
                least = min(least, mean * (1 - mean) * (_Z / half) ** 2)
    return least


def _evenness(counts: Counts) -> float:
    """Return the weight of a sample, compared with one of as many samples at equal distances.

    Kish, "Survey Sampling", 1965, 11.7.
    """
    squares = max(counts.gap_squares, 1) * _GAP_UNIT_NS**2
    return min(1.0, counts.covered**2 / (max(counts.samples, 1) * squares))


def _is_starved(counts: Counts) -> bool:
    # A clock that is coarser than the interval misses as many, but evenly.
    return counts.missed > counts.samples and _evenness(counts) < _UNEVEN


def _interval(held: float, counts: Counts) -> tuple[float, float]:
    samples = counts.batches[0]
    covered = counts.covered
    if samples < _MIN_BATCHES or covered == 0 or _is_starved(counts):
        return (0.0, 1.0)
    independent = _independent_samples(counts) * _evenness(counts)
    z2 = _Z * _Z
    middle = (held * independent + z2 / 2) / (independent + z2)
    reach = _Z / (independent + z2) * math.sqrt(independent * held * (1 - held) + z2 / 4)
    # Where in a gap the lock was taken or let go is unknown: evenly anywhere.
    edges = _Z * math.sqrt(counts.edge_squares / 12) * _GAP_UNIT_NS / covered
    low = middle - math.hypot(reach, edges)
    high = middle + math.hypot(reach, edges)
    return (max(min(low, held), 0.0), min(max(high, held), 1.0))


def find_joined_s(brief_releases: int, held_samples: float, gap_s: float) -> float:
    """Return how long, in seconds, a stretch of many holds joined by chance may be.

    If single samples saw releases, no sample saw some others. The releases are taken to be spread
    evenly. Then the longest run of samples that saw no release is longer than this with a
    probability of 0.05. 0 if no release was seen.
    """
    if brief_releases <= 0 or held_samples <= 0:
        return 0.0
    seen = brief_releases / (brief_releases + held_samples)
    return gap_s * math.log(brief_releases / _BY_CHANCE) / -math.log1p(-seen)


def _least_hold_s(counts: Counts) -> float:
    """Return the lower bound of the longest hold: 0 if it may be several, joined by chance."""
    least_s = max(counts.longest - counts.longest_error, 0) / 1e9
    gap_s = counts.covered / max(counts.samples, 1) / 1e9
    return least_s if least_s > find_joined_s(counts.blinks, counts.sums[0], gap_s) else 0.0


def _resolution_ns(counts: Counts) -> float:
    """Return by how much the longest stretch can be off; one that no sample saw lay between two."""
    if counts.longest > 0:
        lasts = counts.latest >= counts.longest
        return counts.longest_error + (counts.tail if lasts else 0)
    return 2 * counts.covered / counts.samples if counts.samples else counts.duration


def _knock(knocks: KnockCounts) -> Knock:
    total = sum(knocks.buckets.values())

    def percentile(fraction: float) -> float:
        seen = 0
        for bucket in sorted(knocks.buckets):
            seen += knocks.buckets[bucket]
            if seen >= fraction * total:
                begin, end = bucket_ends(bucket)
                return min((begin + end) / 2, knocks.longest) / 1e9
        return math.nan

    return Knock(
        knocks=total,
        p50_s=percentile(0.5),
        p90_s=percentile(0.9),
        p99_s=percentile(0.99),
        max_s=knocks.longest / 1e9 if total else math.nan,
    )
