"""The counters behind a meter's readings, and the difference of two readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from gillab.errors import UsageError
from gillab.meter._sampler import bucket_begin

_AS_IT_STANDS = {"subtracted": "not at all: it says how things stand at a reading"}
_WORKED_OUT = {"subtracted": "by a rule of its own"}


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters of csrc/gil_sampler.h, where they are described.

    A counter without a remark is simply subtracted.
    """

    duration: int
    tail: int = field(metadata=_AS_IT_STANDS)
    doubled_enabled: int
    doubled_wanted: int
    doubled_waiting: int
    doubled_held: int
    blinks: int
    samples: int
    covered: int
    missed: int
    cpu: int
    switches: int
    longest: int = field(metadata=_WORKED_OUT)
    longest_error: int = field(metadata=_WORKED_OUT)
    latest_since: int = field(metadata=_AS_IT_STANDS)
    latest: int = field(metadata=_AS_IT_STANDS)
    gap_squares: int
    edge_squares: int
    batches: tuple[int, ...] = field(metadata=_WORKED_OUT)
    sums: tuple[int, ...] = field(metadata=_WORKED_OUT)
    squares: tuple[int, ...] = field(metadata=_WORKED_OUT)
    stretches: Mapping[int, int] = field(metadata=_WORKED_OUT)


@dataclass(frozen=True, slots=True)
class KnockCounts:
    """Knocks by the bucket of their length, and the longest, in ns."""

    buckets: Mapping[int, int]
    longest: int


@dataclass(frozen=True, slots=True)
class Function:
    """A Python function, as its code object names it."""

    file: str
    line: int
    """Of its definition."""
    name: str
    """The qualified one: ``Parser.parse``."""


@dataclass(frozen=True, slots=True)
class Use:
    """How long a thread held the lock in a function, of the samples at which that was read."""

    doubled_held: int
    longest: int | None
    """At once, in ns; None where it is not known between two readings."""


@dataclass(frozen=True, slots=True)
class WaitCounts:
    """How long each thread waited for the lock, of the samples at which that was looked for."""

    covered: int
    """The time for which these samples stand; it and the others are in half ns."""
    pairs: Mapping[tuple[int, int | None], int]
    """By the places of the one that waited and the one that held it, None for nobody yet."""


@dataclass(frozen=True, slots=True)
class StateCounts:
    """What threads did without the lock, of the samples at which that was looked at."""

    covered: int
    """The time for which these samples stand; it and the others are in half ns."""
    stopped: int
    """In which all threads were stopped, or being stopped."""
    longest_stop: int | None
    """In ns; None where it is not known between two readings."""
    objects_told: bool
    """Whether it was told that threads waited, and for what; else they count as detached."""
    rows: Mapping[tuple[int, str, str | None, Function | None], int]
    """By the place of the thread, its state, the type that it waited for, and its function."""


@dataclass(frozen=True, slots=True)
class RawReading:
    """The counters behind a reading, for subtracting one reading from another."""

    meter: int
    counts: Counts
    sees_waiters: bool
    threads: Mapping[int, tuple[str, int]]  # place: name, doubled_held
    knocks: KnockCounts | None
    uses: Mapping[tuple[int, Function | None], Use] | None
    """By the place of the thread and the function, None where that could not be told."""
    waits: WaitCounts | None
    states: StateCounts | None


def bucket_ends(bucket: int) -> tuple[int, int]:
    """Return the shortest and the longest length, in ns, that a bucket of the histograms covers."""
    return bucket_begin(bucket), bucket_begin(bucket + 1)


def _subtract_batches(
    later: Counts, earlier: Counts
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return batches, sums and squares of each level over whole batches between two readings.

    A batch that was unfinished at the earlier reading is left out. Its samples until then are
    known. Its later samples are assumed to be like the others; if all samples are alike, that is
    exact.
    """
    samples = later.batches[0] - earlier.batches[0]
    held = later.sums[0] - earlier.sums[0]
    levels = []
    for level, (count, total, square) in enumerate(
        zip(earlier.batches, earlier.sums, earlier.squares, strict=True)
    ):
        more = later.batches[level] - count
        more_total = later.sums[level] - total
        more_square = later.squares[level] - square
        begun = earlier.batches[0] - count * 2**level
        if begun > 0 and more > 0:
            begun_held = earlier.sums[0] - total
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


def _subtract_numbers(later: Counts, earlier: Counts) -> dict[str, Any]:
    """Return the difference of all counters except those with a rule of their own."""
    numbers = {}
    for counter in fields(Counts):
        if counter.metadata != _WORKED_OUT:
            before = 0 if counter.metadata == _AS_IT_STANDS else getattr(earlier, counter.name)
            numbers[counter.name] = getattr(later, counter.name) - before
    return numbers


def subtract(later: RawReading, earlier: RawReading) -> RawReading:
    """Return what was counted between two readings of one meter.

    UsageError if they are from different meters or in the wrong order.
    """
    a, b = later.counts, earlier.counts
    if later.meter != earlier.meter:
        raise UsageError("These readings are from two meters: subtract readings of the same meter.")
    if a.duration < b.duration:
        raise UsageError("The second reading is the later one: subtract the earlier from it.")
    stretches = _less_buckets(a.stretches, b.stretches)
    longest, error = _longest(a, b, stretches)
    batches, sums, squares = _subtract_batches(a, b)
    counts = Counts(
        **_subtract_numbers(a, b),
        longest=longest,
        longest_error=error,
        batches=batches,
        sums=sums,
        squares=squares,
        stretches=stretches,
    )
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
        uses=_subtract_uses(later.uses, earlier.uses),
        waits=_subtract_waits(later.waits, earlier.waits),
        states=_subtract_states(later.states, earlier.states),
    )


def _longest(later: Counts, earlier: Counts, stretches: Mapping[int, int]) -> tuple[int, int]:
    """Return the longest stretch between two readings, and by how much it can be off, in ns.

    It is exact if it is the longest of all, else only as precise as the buckets. A stretch that
    began before the earlier reading counts from that reading on (from the last sample before it).
    """
    span = later.duration - earlier.duration
    gap = 2 * (later.covered - earlier.covered) // max(later.samples - earlier.samples, 1)
    lengths: list[tuple[int, int]] = []
    for bucket, count in stretches.items():
        begin, end = bucket_ends(bucket)
        lengths += [((begin + end) // 2, (end - begin) // 2 + gap)] * min(count, 2)
    before = earlier.latest
    same = earlier.latest_since != 0 and earlier.latest_since == later.latest_since
    # Until the earlier reading it may have lasted longer than it was seen to.
    if same:
        lengths.append((later.latest - before, gap + earlier.tail))
    elif later.latest_since != 0:
        lengths.append((later.latest, gap))
    if earlier.latest_since != 0 and not same and lengths:
        # One stretch that has ended began before the earlier reading. Where only one is long
        # enough to be it, it is.
        enough = [length for length in lengths if length[0] + length[1] >= before]
        if len(enough) == 1:
            lengths.remove(enough[0])
            lengths.append((max(enough[0][0] - before, 0), enough[0][1] + earlier.tail))
    longest, error = max(lengths, default=(0, 0))
    if later.longest > earlier.longest and abs(later.longest - longest) <= error:
        longest, error = later.longest, later.longest_error
    return min(longest, span), min(error, span)


def _subtract_uses(
    later: Mapping[tuple[int, Function | None], Use] | None,
    earlier: Mapping[tuple[int, Function | None], Use] | None,
) -> dict[tuple[int, Function | None], Use] | None:
    if later is None or earlier is None:
        return None
    uses = {}
    for key, use in later.items():
        before = earlier.get(key, Use(0, 0))
        # Only a new record shows how long the longest one since then was.
        record = use.longest if use.longest != before.longest else None
        if use.doubled_held > before.doubled_held or record is not None:
            uses[key] = Use(use.doubled_held - before.doubled_held, record)
    return uses


def _subtract_waits(later: WaitCounts | None, earlier: WaitCounts | None) -> WaitCounts | None:
    if later is None or earlier is None:
        return None
    pairs = {pair: time - earlier.pairs.get(pair, 0) for pair, time in later.pairs.items()}
    return WaitCounts(
        later.covered - earlier.covered, {pair: time for pair, time in pairs.items() if time > 0}
    )


def _subtract_states(later: StateCounts | None, earlier: StateCounts | None) -> StateCounts | None:
    if later is None or earlier is None:
        return None
    rows = {row: time - earlier.rows.get(row, 0) for row, time in later.rows.items()}
    same = later.longest_stop == earlier.longest_stop
    stopped = later.stopped - earlier.stopped
    return StateCounts(
        later.covered - earlier.covered,
        stopped,
        (None if stopped else 0) if same else later.longest_stop,
        later.objects_told,
        {row: time for row, time in rows.items() if time > 0},
    )


def _subtract_knocks(later: KnockCounts | None, earlier: KnockCounts | None) -> KnockCounts | None:
    if later is None or earlier is None:
        return later
    buckets = _less_buckets(later.buckets, earlier.buckets)
    longest = later.longest
    if longest == earlier.longest:
        longest = bucket_ends(max(buckets))[1] if buckets else 0
    return KnockCounts(buckets, longest)
