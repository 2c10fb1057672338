"""Two versions, old and new: their arms, how they compare, and when that is decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gillab import statistics
from gillab.blocks.evidence import Machine
from gillab.blocks.plan import NEW, Arm
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Record
from gillab.blocks.stopping import Look, Standing
from gillab.estimates import Estimate
from gillab.results import Verdict

Answer = Literal["faster", "slower", "same", "no_faster", "open", "doubtful"]
"""``no_faster``: the same or slower; ``doubtful``: old differs from itself."""
_COMPARISONS = 2
"""New with old, and old with itself."""
_TOLERANCE, _TOLERANCE_SHARE = 0.02, 2 / 3
"""Old may differ from itself by so much, and by so much of the margin."""
_ANSWERS: Mapping[statistics.Verdict, Answer] = {
    "wins": "faster",
    "loses": "slower",
    "same": "same",
    "no_gain": "no_faster",
    "inconclusive": "open",
}
VERDICTS: Mapping[Answer, Verdict] = {
    **{answer: verdict for verdict, answer in _ANSWERS.items()},
    "doubtful": "withheld",
}
"""What each answer is as a cell's verdict."""
Seconds = Sequence[Mapping[str, float]]
"""Of each block: the time of a task by the arm's key."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The arms of two versions: old, the same again, and new."""

    old: Arm
    again: Arm
    new: Arm

    @classmethod
    def of(
        cls, strategy: str, workers: int, interpreters: tuple[str, str, str] | None = None
    ) -> Pair:
        """Return the arms under one strategy.

        ``interpreters`` are the labels of those that the three run in; None for this one.
        """
        old, again, new = interpreters or ("", "", "")
        return cls(
            Arm(strategy, workers, interpreter=old),
            Arm(strategy, workers, "null", interpreter=again),
            Arm(strategy, workers, variant=NEW, interpreter=new),
        )

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All of them, old first."""
        return (self.old, self.again, self.new)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How new compares with old."""

    ratio: Estimate | None
    """How many times as fast as old new is; None where no block has both."""
    null: Estimate | None
    """The same of old against itself."""
    answer: Answer

    @property
    def null_passed(self) -> bool | None:
        """Whether old is as fast as itself; None where there are too few blocks to tell."""
        if self.null is None or self.null.low is None:
            return None
        return self.answer != "doubtful"


Decides = Callable[[Comparison], bool]
"""Whether more blocks are not needed."""


def compare_pair(blocks: Seconds, pair: Pair, confidence: float, within: float) -> Comparison:
    """Compare new with old block by block; both intervals hold together with ``confidence``."""
    old, again, new = (arm.key for arm in pair.arms)
    sure = statistics.corrected_confidence(confidence, _COMPARISONS)
    whole = [block for block in blocks if old in block and again in block]
    null = _compare([[block[old] for block in whole]], [block[again] for block in whole], sure)
    both = [block for block in whole if new in block]
    baselines = [[block[key] for block in both] for key in (old, again)]
    ratio = _compare(baselines, [block[new] for block in both], sure)
    tolerance = min(_TOLERANCE, _TOLERANCE_SHARE * within)
    if null is not None and not statistics.null_ok(null, tolerance):
        return Comparison(ratio, null, "doubtful")
    answer = "open" if ratio is None else _ANSWERS[statistics.verdict(ratio, within)]
    return Comparison(ratio, null, answer)


def _compare(
    baselines: Sequence[Sequence[float]], arm: Sequence[float], confidence: float
) -> Estimate | None:
    if not arm:
        return None
    return statistics.ratio(statistics.pool_baselines(*baselines), arm, confidence)


def is_decided(found: Comparison) -> bool:
    """Whether new is the same as old, or faster or slower by more than the margin."""
    return found.answer in ("faster", "slower", "same")


def conclude_pair(
    blocks: Seconds,
    pair: Pair,
    protocol: Protocol,
    within: float,
    decides: Decides = is_decided,
) -> Comparison:
    """Compare new with old at the end of a run; the looks that it took are allowed for."""
    if protocol.until_decided and statistics.is_look(len(blocks)):
        at_look = _compare_at(blocks, pair, protocol, within, last=False)
        if decides(at_look):
            return at_look
    return _compare_at(blocks, pair, protocol, within, last=True)


def _compare_at(
    blocks: Seconds, pair: Pair, protocol: Protocol, within: float, *, last: bool
) -> Comparison:
    sure = statistics.confidence_at(protocol.confidence, len(blocks), last=last)
    return compare_pair(blocks, pair, sure, within)


def make_look(pair: Pair, within: float, decides: Decides = is_decided) -> Look:
    """Return what tells a run how far a pair has come."""

    def look(
        record: Record, records: Sequence[Record], protocol: Protocol, machine: Machine
    ) -> Standing:
        seconds = [block.seconds for block in record.blocks]
        found = _compare_at(seconds, pair, protocol, within, last=False)
        widest = math.inf if found.ratio is None else statistics.relative_half_width(found.ratio)
        narrow = not protocol.until_decided and widest <= protocol.target_error
        # Where a version fails, there is nothing more to find out.
        decided = decides(found) or any(arm.key in record.failures for arm in pair.arms)
        return Standing(widest, int(not decided), narrow, decided)

    return look
