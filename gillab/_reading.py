"""What a GIL meter read: counters in, fractions and intervals out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from gillab.errors import UsageError

_Z = 1.959964  # two-sided 95 %
_MIN_BATCHES = 8
_GAP_UNIT_NS = 1024


class Counts(TypedDict):
    """The counters of gl_counts in csrc/gil_sampler.h, where they are described."""

    duration: int
    covered: int
    doubled_held: int
    doubled_wanted: int
    doubled_enabled: int
    samples: int
    missed: int
    switches: int
    longest: int
    longest_error: int
    latest_since: int
    latest: int
    gap_squares: int
    edge_squares: int
    batches: tuple[int, ...]
    sums: tuple[int, ...]
    squares: tuple[int, ...]
    stretches: dict[int, int]


@dataclass(frozen=True, slots=True)
class Knock:
    """How long taking the GIL took, in seconds: what a waiting thread feels.

    Percentiles come from a histogram with eight buckets an octave and are good to 7 %.
    """

    knocks: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class KnockCounts:
    """Knocks by the bucket of their length, and the longest in ns."""

    buckets: Mapping[int, int]
    longest: int


@dataclass(frozen=True, slots=True)
class RawReading:
    """The counters behind a reading: what may be subtracted."""

    meter: int
    counts: Counts
    sees_waiters: bool
    threads: Mapping[int, tuple[str, int]]  # place: name, doubled_held
    knocks: KnockCounts | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter read over one stretch of time.

    ``later - earlier`` is the reading of the time between two readings of one meter; UsageError
    where they are of different meters or the other way round.
    """

    held: float
    """The fraction of the time, from 0 to 1, that the lock was taken; NaN without a sample."""

    held_interval: tuple[float, float]
    """A 95 % interval of the fraction that the program would show if it went on like this.

    Samples in a row are alike, so they are grouped into batches of 1, 2, 4 … samples, and the
    interval is the widest that any size gives with at least 8 batches (Flyvbjerg and Petersen,
    "Error estimates on averages of correlated data", J. Chem. Phys. 91, 461, 1989), set around
    the fraction as Wilson's interval is ("Probable inference", JASA 22, 209, 1927). It is wider
    where the sampler was kept waiting. Some tens of holds must be seen for it to be right: of a
    program that holds the lock twice it cannot say how it would go on."""

    threads: Mapping[str, float]
    """The fraction of the time that each thread held the lock, by its name, greatest first.

    Threads that held it at no sample are left out. A second thread of one name is "name (2)". A
    thread whose ``threading.Thread`` is gone has the system's name for it, else "thread" and its
    native id."""

    switches: int
    """How often the lock went from one thread to another."""

    wanted: float | None
    """The fraction of the time that a thread waited for the lock; None where it cannot be seen."""

    longest_hold_s: float
    """The longest stretch in which every sample saw one thread hold the lock.

    A thread that lets go and takes it back between two samples is not seen to: for one that does
    so often this is far above its true holds."""

    longest_hold_resolution_s: float
    """The most by which the ends of that stretch can be off."""

    samples: int
    missed: int
    """Samples that were due before the one before them could be taken, and were left out."""

    duration_s: float
    gil_enabled: bool
    """False where a free-threaded build ran without the lock all the time."""

    knock: Knock | None
    """How long taking the lock took, where the meter knocks: such a meter disturbs."""

    _raw: RawReading = field(repr=False, compare=False)

    def __sub__(self, earlier: Reading) -> Reading:
        if not isinstance(earlier, Reading):
            return NotImplemented
        return read(_subtract(self._raw, earlier._raw))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON takes them: NaN is None."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_raw"}
        named["held"] = None if math.isnan(self.held) else self.held
        named["held_interval"] = list(self.held_interval)
        named["threads"] = dict(self.threads)
        if self.knock is not None:
            named["knock"] = {f.name: getattr(self.knock, f.name) for f in fields(self.knock)}
        return named


def read(raw: RawReading) -> Reading:
    """Work out a reading from its counters."""
    counts = raw.counts
    covered = counts["covered"]
    gil_enabled = counts["doubled_enabled"] > 0 or covered == 0
    held = min(counts["doubled_held"] / 2 / covered, 1.0) if covered else math.nan
    wanted = min(counts["doubled_wanted"] / 2 / covered, 1.0) if covered else math.nan
    return Reading(
        held=held,
        held_interval=_interval(held, counts) if gil_enabled else (0.0, 0.0),
        threads=_shares(raw.threads, covered),
        switches=counts["switches"],
        wanted=wanted if raw.sees_waiters else None,
        longest_hold_s=counts["longest"] / 1e9,
        longest_hold_resolution_s=counts["longest_error"] / 1e9,
        samples=counts["samples"],
        missed=counts["missed"],
        duration_s=counts["duration"] / 1e9,
        gil_enabled=gil_enabled,
        knock=None if raw.knocks is None else _knock(raw.knocks),
        _raw=raw,
    )


def _shares(threads: Mapping[int, tuple[str, int]], covered: int) -> dict[str, float]:
    shares: dict[str, float] = {}
    for name, doubled_held in sorted(threads.values(), key=lambda thread: -thread[1]):
        if doubled_held > 0 and covered > 0:
            unique, number = name, 1
            while unique in shares:
                number += 1
                unique = f"{name} ({number})"
            shares[unique] = min(doubled_held / 2 / covered, 1.0)
    return shares


def _student(freedom: int) -> float:
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
    """Return how many independent samples the mean is as good as, by the worst batch size."""
    least = float(counts["batches"][0])
    for level, (batches, total, square) in enumerate(
        zip(counts["batches"], counts["sums"], counts["squares"], strict=True)
    ):
        if batches >= _MIN_BATCHES:
            # In integers: the two terms are far greater than what is left of them.
            spread = (square * batches - total * total) / batches**2
            mean = total / batches / 2**level
            if spread > 0 and 0 < mean < 1:
                error = math.sqrt(spread / (batches - 1)) / 2**level
                half = _student(batches - 1) * error
                least = min(least, mean * (1 - mean) * (_Z / half) ** 2)
    return least


def _interval(held: float, counts: Counts) -> tuple[float, float]:
    samples = counts["batches"][0]
    covered = counts["covered"]
    if samples < _MIN_BATCHES or covered == 0:
        return (0.0, 1.0)
    # Samples that stand for unequal times are worth fewer equal ones: Kish, "Survey Sampling",
    # 1965, 11.7.
    evenness = covered**2 / (samples * max(counts["gap_squares"], 1) * _GAP_UNIT_NS**2)
    independent = _independent_samples(counts) * min(evenness, 1.0)
    z2 = _Z * _Z
    middle = (held * independent + z2 / 2) / (independent + z2)
    reach = _Z / (independent + z2) * math.sqrt(independent * held * (1 - held) + z2 / 4)
    # Where in a gap the lock was taken or let go is unknown: evenly anywhere.
    edges = _Z * math.sqrt(counts["edge_squares"] / 12) * _GAP_UNIT_NS / covered
    low = middle - math.hypot(reach, edges)
    high = middle + math.hypot(reach, edges)
    return (max(min(low, held), 0.0), min(max(high, held), 1.0))


def bucket_ends(bucket: int) -> tuple[int, int]:
    """Return the lengths in ns between which a bucket of the histograms lies."""
    from gillab._sampler import bucket_begin

    return bucket_begin(bucket), bucket_begin(bucket + 1)


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


def _subtract_batches(
    later: Counts, earlier: Counts
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return batches, sums and squares of each level over whole batches between two readings.

    A batch that was under way at the earlier reading is taken out again. Its samples until then
    are known; those after are taken to be as the others are, exactly so where all are alike.
    """
    samples = later["batches"][0] - earlier["batches"][0]
    held = later["sums"][0] - earlier["sums"][0]
    levels = []
    for level, (count, total, square) in enumerate(
        zip(earlier["batches"], earlier["sums"], earlier["squares"], strict=True)
    ):
        more = later["batches"][level] - count
        more_total = later["sums"][level] - total
        more_square = later["squares"][level] - square
        begun = earlier["batches"][0] - count * 2**level
        if begun > 0 and more > 0:
            begun_held = earlier["sums"][0] - total
            whole = begun_held + ((2**level - begun) * held + samples // 2) // max(samples, 1)
            more -= 1
            more_total -= whole
            more_square -= whole**2
        levels.append((more, more_total, more_square))
    batches, sums, squares = zip(*levels, strict=True)
    return batches, sums, squares


def _less_buckets(later: Mapping[int, int], earlier: Mapping[int, int]) -> dict[int, int]:
    more = {bucket: count - earlier.get(bucket, 0) for bucket, count in later.items()}
    return {bucket: count for bucket, count in more.items() if count > 0}


def _subtract(later: RawReading, earlier: RawReading) -> RawReading:
    a, b = later.counts, earlier.counts
    if later.meter != earlier.meter:
        raise UsageError("These readings are of two meters: subtract those of one.")
    if a["duration"] < b["duration"]:
        raise UsageError("The second reading is the later one: subtract the earlier from it.")
    stretches = _less_buckets(a["stretches"], b["stretches"])
    longest, error = _longest(a, b, stretches)
    batches, sums, squares = _subtract_batches(a, b)
    counts: Counts = {
        "duration": a["duration"] - b["duration"],
        "covered": a["covered"] - b["covered"],
        "doubled_held": a["doubled_held"] - b["doubled_held"],
        "doubled_wanted": a["doubled_wanted"] - b["doubled_wanted"],
        "doubled_enabled": a["doubled_enabled"] - b["doubled_enabled"],
        "samples": a["samples"] - b["samples"],
        "missed": a["missed"] - b["missed"],
        "switches": a["switches"] - b["switches"],
        "longest": longest,
        "longest_error": error,
        "latest_since": a["latest_since"],
        "latest": a["latest"],
        "gap_squares": a["gap_squares"] - b["gap_squares"],
        "edge_squares": a["edge_squares"] - b["edge_squares"],
        "batches": batches,
        "sums": sums,
        "squares": squares,
        "stretches": stretches,
    }
    threads = {
        place: (name, held - earlier.threads.get(place, ("", 0))[1])
        for place, (name, held) in later.threads.items()
    }
    return RawReading(
        meter=later.meter,
        counts=counts,
        sees_waiters=later.sees_waiters,
        threads=threads,
        knocks=_subtract_knocks(later.knocks, earlier.knocks),
    )


def _longest(later: Counts, earlier: Counts, stretches: Mapping[int, int]) -> tuple[int, int]:
    """Return the longest stretch between two readings and how far it can be off, in ns.

    Exact where it is the longest of all; else as fine as the buckets are. A stretch that lasted
    over the earlier reading counts from there on.
    """
    span = later["duration"] - earlier["duration"]
    gap = (
        2 * (later["covered"] - earlier["covered"]) // max(later["samples"] - earlier["samples"], 1)
    )
    lengths: list[tuple[int, int]] = []
    for bucket, count in stretches.items():
        begin, end = bucket_ends(bucket)
        lengths += [((begin + end) // 2, (end - begin) // 2 + gap)] * min(count, 2)
    before = earlier["latest"]
    same = earlier["latest_since"] != 0 and earlier["latest_since"] == later["latest_since"]
    if later["latest_since"] != 0:
        lengths.append((later["latest"] - (before if same else 0), gap))
    if earlier["latest_since"] != 0 and not same and lengths:
        # One stretch that has ended began before the earlier reading. Where only one is long
        # enough to be it, it is.
        enough = [length for length in lengths if length[0] + length[1] >= before]
        if len(enough) == 1:
            lengths.remove(enough[0])
            lengths.append((max(enough[0][0] - before, 0), enough[0][1]))
    longest, error = max(lengths, default=(0, 0))
    if later["longest"] > earlier["longest"] and abs(later["longest"] - longest) <= error:
        longest, error = later["longest"], later["longest_error"]
    return min(longest, span), min(error, span)


def _subtract_knocks(later: KnockCounts | None, earlier: KnockCounts | None) -> KnockCounts | None:
    if later is None or earlier is None:
        return later
    buckets = _less_buckets(later.buckets, earlier.buckets)
    longest = later.longest
    if longest == earlier.longest:
        longest = bucket_ends(max(buckets))[1] if buckets else 0
    return KnockCounts(buckets, longest)
