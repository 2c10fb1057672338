"""Measures how long a thread that asks for the GIL waits beside a call.

A loop of bytecode hands the lock over within a switch interval to a thread that asks. But a sampler
never asks, so it sees one long hold. So a second thread asks, as any thread of a program does: it
lets go of the lock, sleeps for a random time, and takes the lock back through CPython.
"""

from __future__ import annotations

import math
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gillab.estimates import Estimate
from gillab.kernels import countdown_python
from gillab.release.call import Call
from gillab.release.findings import Floor, Handover, Waits
from gillab.release.preemption import count_preemptions, open_delays

FEWEST_ROUNDS = 2
CALLS_A_ROUND = 4
"""A round takes at most so many long calls: a pause of one, a wait of two, the end."""
_ROUNDS = 12
_PAUSE_S = 8e-3
"""The longest pause between two requests, if the call is shorter."""
_STEPS = 8
"""After a short wait the long call still runs, and the next pause is so many times shorter."""
_CONTROL_SHARE = 0.15
_CONTROL = Call(countdown_python, (100_000,))
_GOLDEN = (5**0.5 - 1) / 2
_CONFIDENCE = 0.95
_SOON = 0.9
"""A thread that waits less than this share of the switch interval needed no switch."""
_AT_INTERVAL = 1.5
_FAR_BEYOND = 2.0


@dataclass(frozen=True, slots=True)
class WaitRound:
    """The waits of one thread that asked for the lock again and again; all in seconds."""

    beside: Literal["call", "bytecode"]
    waits_s: tuple[float, ...]
    delays_s: tuple[float, ...]
    """For each wait, how long a thread was ready to run and had no CPU; that of the calling and of
    the asking thread added up. Empty if the system does not tell."""
    clean: bool
    """Whether the system says that it never took the CPU away from the caller's thread."""
    duration_s: float
    switch_interval_s: float


def measure_waits(call: Call, call_s: float, seconds: float) -> Iterator[WaitRound]:
    """Repeat ``call``, which takes ``call_s``, for about so long beside a thread that asks.

    Before and after, the thread asks beside a loop of bytecode, where it should wait for one switch
    interval. If it waits longer there, the machine causes that. Raises whatever the call raises.
    """
    moments = spread_moments(random.random())
    yield _measure_round("bytecode", _CONTROL, 0.0, _CONTROL_SHARE * seconds, moments)
    begun = time.monotonic()
    rounds = 0
    while rounds < FEWEST_ROUNDS or time.monotonic() - begun < seconds:
        yield _measure_round("call", call, call_s, seconds / _ROUNDS, moments)
        rounds += 1
    yield _measure_round("bytecode", _CONTROL, 0.0, _CONTROL_SHARE * seconds, moments)


def spread_moments(begin: float) -> Iterator[float]:
    """Yield fractions from 0 to 1 for ever; even the first few lie far apart.

    During a long call there are only a few requests, so they should come early and late in it
    (multiples of the golden ratio: Knuth, The Art of Computer Programming, volume 3, section 6.4).
    """
    moment = begin % 1
    while True:
        yield moment
        moment = (moment + _GOLDEN) % 1


def _measure_round(
    beside: Literal["call", "bytecode"],
    call: Call,
    call_s: float,
    seconds: float,
    moments: Iterator[float],
) -> WaitRound:
    # As long as a call; otherwise every request would come at the beginning of one. For as long at
    # least, too: of a long call that can be interrupted, one request a round would tell little.
    batch_s = call_s * call.per_call
    asking = _Asking(max(_PAUSE_S, batch_s), max(seconds, batch_s), moments)
    function, arguments, named = call.function, call.arguments, call.named
    before = count_preemptions()
    begun = time.perf_counter()
    with asking:
        # In Python, as a program would: between two calls of a function in C repeated from C
        # nobody gets the lock, however long he asks. Once at least, however late we come to it.
        while True:
            function(*arguments, **named)
            if asking.done:
                break
        duration_s = time.perf_counter() - begun
        after = count_preemptions()
    return WaitRound(
        beside=beside,
        waits_s=tuple(asking.waits_s),
        delays_s=tuple(asking.delays_s) if len(asking.delays_s) == len(asking.waits_s) else (),
        clean=before is not None and before == after,
        duration_s=duration_s,
        switch_interval_s=sys.getswitchinterval(),
    )


class _Asking:
    """A thread that asks for the lock until the time is up, but at least once.

    The end of the time cuts no request short: that would leave out the long ones.
    """

    def __init__(self, longest_pause_s: float, seconds: float, moments: Iterator[float]) -> None:
        self._longest_pause_s = longest_pause_s
        self._seconds = seconds
        self._moments = moments
        self._stopped = False
        self._caller = threading.get_native_id()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gillab-asking", daemon=True)
        self.waits_s: list[float] = []
        self.delays_s: list[float] = []
        self.done = False

    def __enter__(self) -> _Asking:
        self._thread.start()
        # Otherwise it would wait for the first calls before it asks.
        self._ready.wait()
        return self

    def __exit__(self, *rest: object) -> None:
        self._stopped = True
        # Where the call raised, the pause may be as long as a long call: it ends by itself.
        self._thread.join(1.0)

    def _run(self) -> None:
        from gillab._repeat import ask

        try:
            with open_delays(self._caller, threading.get_native_id()) as files:
                deadline = time.monotonic() + self._seconds
                self._ready.set()
                while not self._stopped and not self.done:
                    most_s = find_longest_pause(self._longest_pause_s, self.waits_s)
                    wait_ns, delay_ns = ask(most_s * next(self._moments), *files)
                    self.waits_s.append(wait_ns / 1e9)
                    if delay_ns >= 0:
                        self.delays_s.append(delay_ns / 1e9)
                    # Before the files are closed, which lets go of the lock.
                    self.done = time.monotonic() >= deadline
        finally:
            self.done = True
            self._ready.set()


def find_longest_pause(call_s: float, waits_s: Sequence[float]) -> float:
    """Return the longest pause before the next request, from the waits of this round so far.

    A whole call, so that the request comes at any moment of it. After a wait that was a small part
    of the call, the call still runs: then the requests go through it in short steps.
    """
    step_s = max(_PAUSE_S, call_s / _STEPS)
    return step_s if waits_s and waits_s[-1] < step_s else call_s


def summarize_waits(
    rounds: Sequence[WaitRound], call_s: float, most_hold_s: float | None
) -> Waits | None:
    """Combine the rounds; None if no thread asked beside the call or beside the bytecode.

    ``most_hold_s`` is the most that one call holds the lock at once, None if that is not known.
    """
    floors = [each for each in rounds if each.beside == "bytecode"]
    rounds = [each for each in rounds if each.beside == "call"]
    if not rounds or not floors:
        return None
    waits = sorted(wait for each in rounds for wait in each.waits_s)
    interval_s = rounds[0].switch_interval_s
    beside = sorted(wait for each in floors for wait in each.waits_s)
    sure_s = _find_sure(rounds)
    machine_s = max(0.0, max(_find_sure(floors), find_quantile(beside, 0.5)) - interval_s)
    longest_s = waits[-1]
    # The longest of so many uniform waits is with this confidence no shorter a part of all:
    # of a stretch that nothing can interrupt, every rest is as likely.
    most_s = longest_s * (1 - _CONFIDENCE) ** (-1 / len(waits))
    if most_hold_s is not None:
        # Asked at the end of a call, the lock is handed over at the end of the next.
        most_s = min(most_s, most_hold_s + interval_s + machine_s)
    longest = Estimate(longest_s, max(0.0, sure_s - machine_s), max(longest_s, most_s))
    return Waits(
        p50_s=find_quantile(waits, 0.5),
        p99_s=find_quantile(waits, 0.99),
        longest_s=longest,
        handover=_name_handover(find_quantile(waits, 0.5), sure_s, longest, interval_s, call_s),
        asked=len(waits),
        duration_s=sum(each.duration_s for each in rounds),
        switch_interval_s=interval_s,
        floor=Floor(
            find_quantile(beside, 0.5), find_quantile(beside, 0.99), beside[-1], len(beside)
        ),
    )


def _find_sure(rounds: Sequence[WaitRound]) -> float:
    """Return the longest wait, less the time for which the system had taken the CPU away.

    If the system does not tell that time, return the longest wait of the rounds in which it never
    took the CPU away. If there are none, return a wait that occurred in every round.
    """
    told = [each for each in rounds if each.delays_s]
    if told:
        return max(
            max(0.0, wait - delay)
            for each in told
            for wait, delay in zip(each.waits_s, each.delays_s, strict=True)
        )
    clean = [max(each.waits_s) for each in rounds if each.clean]
    return max(clean) if clean else min(max(each.waits_s) for each in rounds)


def _name_handover(
    p50_s: float, sure_s: float, longest: Estimate, interval_s: float, call_s: float
) -> Handover | None:
    if longest.low is not None and longest.low >= _FAR_BEYOND * interval_s:
        return "late"
    if sure_s < interval_s and p50_s < _SOON * interval_s:
        return "released"
    # For a short call, its end cannot be told from an interruption.
    short = call_s < _FAR_BEYOND * interval_s
    most_s = max(_AT_INTERVAL * interval_s, interval_s + call_s if short else 0.0)
    # The second where the machine was too busy for the first to say much.
    if sure_s > most_s or p50_s > most_s:
        return None
    return "between_calls" if short else "interrupted"


def find_quantile(ordered: Sequence[float], fraction: float) -> float:
    """Return the least value such that this fraction of the ordered values is not above it."""
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]
