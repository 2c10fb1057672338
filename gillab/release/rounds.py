"""Measures how much of a call's time the GIL is released: repeats the call from C under a meter.

This works for a call that is shorter than the meter's interval, too. The samples fall at random
into many repetitions, so the fraction of them that see the lock taken is that of the call. Only the
single holds of such a call cannot be told apart.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from gillab.errors import GillabError
from gillab.estimates import Estimate, Spread
from gillab.meter.reading import find_joined_s
from gillab.release.call import Call, prepare_empty
from gillab.release.preemption import count_preemptions
from gillab.statistics import describe, median_interval

ROUNDS = 12
"""The fewest rounds, unless the calls are too long: enough for an interval of their median."""
_CALLS_A_ROUND = 5
"""The calls in every round, so that most rounds see what a call does only now and then."""
_FEWEST_ROUNDS = 6
_FEWEST_LONG_CALLS = 3
_TIMED_ALONE_S = 100e-6
"""Calls that are shorter may be timed in batches."""
_NARROW = 0.02
_PATIENCE = 3
"""If the interval is wide, measuring may take this many times as long."""


class TooBusyError(GillabError):
    """Nothing could be read, since other programs had all of the machine."""


@dataclass(frozen=True, slots=True)
class Release:
    """What was read while one call was repeated; fractions of the time, times in seconds."""

    released: Estimate
    """The median over rounds, because the system now and then takes the CPU from a thread that
    holds the lock, and that is no property of the call. If there are too few rounds for an interval
    of the median, the interval is the widest that the meter gives for one of them."""
    held_mean: float
    """The fraction held over all rounds together."""
    others: float
    """The fraction of the time that other threads of the process held the lock."""
    longest_hold: Estimate
    """The longest hold of one call, ends included: the longest in the rounds in which the system
    never took the CPU away, or, if there are none, the median over rounds. The low end is what one
    of these rounds is sure of; 0 if that may be several holds, or another thread's. The high end is
    the most of any round, since a thread that holds the lock for long is one that loses the CPU."""
    call: Spread
    """The time of one call, over rounds."""
    calls: int
    samples: int
    missed: int
    duration_s: float
    gil_enabled: bool
    empty_s: float
    """The most that repeating adds to each call."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was read while the call was repeated once more, as in ``Release``."""

    held: float
    held_interval: tuple[float, float]
    others: float
    hold_s: float
    stretch_s: float
    """The lower bound of the longest stretch in which the lock was held, over the ends of calls
    too."""
    least_hold_s: float
    most_hold_s: float
    starved: bool
    brief_releases: int
    clean: bool
    call_s: float
    calls: int
    samples: int
    missed: int
    duration_s: float
    gil_enabled: bool


def measure_release(call: Call, seconds: float) -> Release:
    """Repeat ``call`` for about so long; for three times that if the answer is not yet clear.

    It runs at least four times, in the calling thread. MeterUnavailableError if the lock's state
    cannot be read, TooBusyError if the meter never got the CPU; whatever the call raises.
    """
    return summarize(list(measure_rounds(call, seconds)), time_empty(call))


def time_empty(call: Call) -> float:
    """Return the seconds that repeating adds to each call, at most."""
    from gillab._repeat import repeat_for

    empty = prepare_empty(call)
    takes = [repeat_for(0.001, empty.function, empty.arguments) for _ in range(5)]
    return min(elapsed_ns / calls for calls, elapsed_ns, *_ in takes) / empty.per_call / 1e9


def time_first(call: Call) -> float:
    """Call once, and return the seconds that it took.

    The answer does not include what only the first call does (imports, caches).
    """
    from gillab._repeat import repeat_for

    _, elapsed_ns, *_ = repeat_for(0.0, call.function, call.arguments, call.named)
    return elapsed_ns / 1e9


def measure_rounds(call: Call, seconds: float, first_s: float | None = None) -> Iterator[Round]:
    """Measure the rounds of `measure_release`, and yield each as soon as it is known.

    ``first_s`` is what `time_first` returned, where it was called before.
    """
    from gillab._repeat import repeat_for

    call_s = time_first(call) if first_s is None else first_s
    if call_s < seconds / ROUNDS:
        calls, elapsed_ns, *_ = repeat_for(0.01, call.function, call.arguments, call.named)
        call_s = elapsed_ns / calls / 1e9
    most_s = _PATIENCE * seconds
    a_round_s = seconds / ROUNDS
    if _FEWEST_ROUNDS * _CALLS_A_ROUND * call_s <= most_s:
        a_round_s = max(a_round_s, _CALLS_A_ROUND * call_s)
    # As many as the interval of a median needs, unless the calls are too long for that.
    fewest = _FEWEST_ROUNDS if _FEWEST_ROUNDS * call_s <= most_s else _FEWEST_LONG_CALLS
    rounds: list[Round] = []
    begun = time.monotonic()
    while len(rounds) < fewest or not _is_enough(rounds, time.monotonic() - begun, seconds):
        rounds.append(_measure_round(call, a_round_s))
        yield rounds[-1]


def _is_enough(rounds: list[Round], elapsed_s: float, seconds: float) -> bool:
    if elapsed_s < seconds:
        return False
    rounds = [each for each in rounds if each.samples]
    if elapsed_s >= _PATIENCE * seconds or (rounds and not rounds[0].gil_enabled):
        return True
    if not rounds:
        return False
    released = _find_released(rounds)
    assert released.low is not None
    assert released.high is not None
    return released.high - released.low <= _NARROW


def _measure_round(call: Call, seconds: float) -> Round:
    from gillab._repeat import repeat_for
    from gillab.meter import UNKNOWN, GilMeter

    with GilMeter() as meter:
        before = count_preemptions()
        calls, elapsed_ns, longest_ns, shortest_ns = repeat_for(
            seconds, call.function, call.arguments, call.named
        )
        # Before the meter is stopped: waiting for it to stop would count as released.
        reading = meter.read()
        after = count_preemptions()
    workloads = calls * call.per_call
    call_s = elapsed_ns / workloads / 1e9
    # A stretch over the end of a call is a part of each of two: no hold is longer than its call,
    # and that no longer than its batch. Of calls too short to time alone that is all that is known.
    longest_s = longest_ns / 1e9
    own = threading.current_thread().name
    seen_s, resolution_s = reading.longest_hold_s, reading.longest_hold_resolution_s
    stretch_s = max(0.0, min(seen_s, elapsed_ns / 1e9) - resolution_s)
    least_s = 0.0
    # If other threads held the lock too, it is not known whose stretch it was.
    if call.per_call == 1 and call_s >= _TIMED_ALONE_S and set(reading.threads) <= {own}:
        least_s = min(find_least_hold(stretch_s, calls, shortest_ns / 1e9), longest_s)
    return Round(
        held=reading.held,
        held_interval=reading.held_interval,
        others=sum(s for name, s in reading.threads.items() if name not in (own, UNKNOWN)),
        hold_s=min(seen_s, longest_s),
        stretch_s=stretch_s,
        least_hold_s=least_s,
        # Where the sampler did not run, anything may have happened.
        most_hold_s=longest_s if reading.starved else min(seen_s + resolution_s, longest_s),
        starved=reading.starved,
        brief_releases=reading.brief_releases,
        clean=before is not None and before == after,
        call_s=call_s,
        calls=workloads,
        samples=reading.samples,
        missed=reading.missed,
        duration_s=reading.duration_s,
        gil_enabled=reading.gil_enabled,
    )


def find_least_hold(stretch_s: float, calls: int, shortest_s: float) -> float:
    """Return a lower bound of one call's longest hold, if the lock was held for a stretch of time.

    The stretch may consist of the end of one call, whole calls, and the beginning of another. Each
    call takes at least ``shortest_s``, so at most so many calls can begin in that time, and one
    began before. At least one of that many parts was as long as their average. 0 if the shortest
    call is not known.
    """
    if shortest_s <= 0:
        return 0.0
    return stretch_s / min(calls, math.ceil(stretch_s / shortest_s) + 1)


def _find_released(rounds: list[Round]) -> Estimate:
    released = median_interval([1 - each.held for each in rounds], 0.95)
    if 2 * sum(each.starved for each in rounds) > len(rounds):
        return Estimate(released.estimate, 0.0, 1.0)
    low, high = released.low, released.high
    if low is None or high is None:
        low = min(1 - each.held_interval[1] for each in rounds)
        high = max(1 - each.held_interval[0] for each in rounds)
    # Where no sample saw otherwise, it may still be so for three in all the samples (Hanley and
    # Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1743, 1983).
    unseen = 3 / max(3, sum(each.samples for each in rounds))
    low = min(low, released.estimate - unseen)
    high = max(high, released.estimate + unseen)
    return Estimate(released.estimate, max(0.0, low), min(1.0, high))


def _find_longest(rounds: list[Round]) -> Estimate:
    # Over all rounds: the longest hold of them is from a round that happened to see no release.
    joined_s = find_joined_s(
        sum(each.brief_releases for each in rounds),
        sum(each.held * each.samples for each in rounds),
        sum(each.duration_s for each in rounds) / max(1, sum(each.samples for each in rounds)),
    )

    def find_least(each: Round) -> float:
        return each.least_hold_s if each.stretch_s > joined_s else 0.0

    most_s = max(each.most_hold_s for each in rounds)
    clean = [each for each in rounds if each.clean]
    if not clean:
        least_s = min(map(find_least, rounds))
        return Estimate(median(each.hold_s for each in rounds), least_s, most_s)
    seen_s = max(each.hold_s for each in clean)
    return Estimate(seen_s, max(map(find_least, clean)), most_s)


def summarize(rounds: list[Round], empty_s: float) -> Release:
    """Combine the rounds; ``empty_s`` is what repeating adds to each call.

    TooBusyError if the meter never got the CPU in any of them.
    """
    rounds = [each for each in rounds if each.samples]
    if not rounds:
        raise TooBusyError("the machine was too busy: no sample of the GIL could be taken")
    duration_s = sum(each.duration_s for each in rounds)

    def average(values: Iterator[float]) -> float:
        pairs = zip(values, rounds, strict=True)
        return sum(value * each.duration_s for value, each in pairs) / duration_s

    return Release(
        released=_find_released(rounds),
        held_mean=average(each.held for each in rounds),
        others=average(each.others for each in rounds),
        longest_hold=_find_longest(rounds),
        call=describe([each.call_s for each in rounds]),
        calls=sum(each.calls for each in rounds),
        samples=sum(each.samples for each in rounds),
        missed=sum(each.missed for each in rounds),
        duration_s=duration_s,
        gil_enabled=any(each.gil_enabled for each in rounds),
        empty_s=empty_s,
    )
