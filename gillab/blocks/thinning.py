"""Which arms need not run in every block: those that a few runs have told enough about.

Of a strategy's candidates (chunk sizes) only the fastest of the first block stays. An arm that
takes more than four times as long as the loop would use up the budget of all: it runs in the first
block of each launch, and after three runs no more, unless the loop has come near it since.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gillab.blocks.plan import NULL, SERIAL, Arm
from gillab.blocks.record import Block, Failure, Record
from gillab.results import Verdict

MUCH_SLOWER = 4.0
"""So many times the loop's time makes an arm one that runs seldom."""
ENOUGH_RUNS = 3
FAR = 2.0
"""So many times the loop's slowest run lies outside all that the machine's noise does to it."""
_CHANCE = 0.05


def thin(record: Record, seconds: Mapping[str, float]) -> None:
    """Let go of arms after a whole block, in which they took so many ``seconds``."""
    if not record.thinned:
        _drop_candidates(record, seconds)
        record.thinned = True
    record.last_s.update(seconds)
    loop_s = seconds.get(SERIAL.key)
    if loop_s is None:
        return
    for arm in record.experiment.cells:
        if seconds.get(arm.key, 0.0) > MUCH_SLOWER * loop_s:
            record.slow.add(arm.key)
    for key in list(record.slow):
        loops, runs = _collect_runs(record.blocks, key)
        if len(runs) >= ENOUGH_RUNS:
            if _is_far(loops, runs):
                record.resting.add(key)
            else:
                record.slow.discard(key)
                record.resting.discard(key)


def _drop_candidates(record: Record, seconds: Mapping[str, float]) -> None:
    arms = record.experiment.arms
    leaving = set()
    for arm in arms:
        if not arm.candidate:
            continue
        fastest = min(_find_rivals(arm, arms), key=lambda each: seconds.get(each.key, math.inf))
        if arm != fastest:
            leaving.add(arm.key)
    for key in leaving:
        record.failures.pop(key, None)
    stay = tuple(replace(arm, candidate=False) for arm in arms if arm.key not in leaving)
    record.experiment = replace(record.experiment, arms=stay)


def _find_rivals(arm: Arm, arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that differ from it by their chunks alone, itself included."""
    return [
        other
        for other in arms
        if other.role == arm.role
        and (other.strategy, other.workers) == (arm.strategy, arm.workers)
        and other.chunksize is not None
    ]


def fail_rivals(record: Record, key: str, failure: Failure) -> None:
    """Give up those that differ by their chunks alone from an arm whose hang was foreseen.

    Each would hang as long. Without such a cause one may be slow, and the others not.
    """
    if not failure.foreseen:
        return
    arms = record.experiment.arms
    hung = next((arm for arm in arms if arm.key == key and arm.chunksize is not None), None)
    for arm in _find_rivals(hung, arms) if hung else ():
        record.fail(arm.key, failure)


def judge_by_range(blocks: Sequence[Block], key: str) -> Verdict:
    """Judge an arm that ran too seldom for an interval: it loses, or nothing is shown.

    It loses where its fastest run took more than twice as long as the slowest of the loop's, over
    both serial arms and all blocks. That alone asks for some runs: of n + k that are alike, given
    k are the slowest with a probability of 1 / C(n + k, k), which must be no more than 5 %. The
    factor of two does the rest, so this is not corrected for other comparisons.
    """
    loops, runs = _collect_runs(blocks, key)
    if not _is_far(loops, runs):
        return "inconclusive"
    chance = 1 / math.comb(len(loops) + len(runs), len(runs))
    return "loses" if chance <= _CHANCE else "inconclusive"


def _is_far(loops: Sequence[float], runs: Sequence[float]) -> bool:
    return bool(loops) and bool(runs) and min(runs) > FAR * max(loops)


def _collect_runs(blocks: Sequence[Block], key: str) -> tuple[list[float], list[float]]:
    """Return what the loop's runs took, and the arm's."""
    loops = [b.seconds[s] for b in blocks for s in (SERIAL.key, NULL.key) if s in b.seconds]
    return loops, [block.seconds[key] for block in blocks if key in block.seconds]
