"""What a release of the GIL costs the caller, and what it gives to all, over the size of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gillab import statistics
from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.estimates import Bracket, Estimate
from gillab.results import Result
from gillab.sweeps.crossover import Rung, find_crossing
from gillab.sweeps.paired import Blocks, find_ratio, pick_blocks
from gillab.sweeps.release_plan import BUSY, CALLS, Place, Where, Which, find_key

_CHEAP = 0.95
"""A release that costs less than a twentieth of the calls counts as free."""
_WHERES: tuple[Where, ...] = ("alone", "beside", "turns")
_COMPARISONS = 4
"""Ratios of each size: alone, beside, turns, together."""


@dataclass(frozen=True, slots=True)
class ReleaseCost:
    """One size of a call; ratios are those of the released call to the held one."""

    call_s: float
    """What the held call takes alone."""
    rates: dict[tuple[Which, Where], float]
    """Calls a second, and turns of the busy thread a second."""
    alone: Estimate
    beside: Estimate
    turns: Estimate
    together: Estimate
    """Of what both threads get done, each measured against itself alone."""


@dataclass(frozen=True, slots=True)
class Release:
    """All sizes, and from which on a release is worth it."""

    costs: tuple[ReleaseCost, ...]
    free_from: Bracket
    """From where on it costs a call that is alone less than a twentieth."""
    pays_from: Bracket
    """From where on both threads together get more done."""


def find_release(result: Result, workload: str, steps: Sequence[int]) -> Release | None:
    """Return what a release costs and gives; None where no size was measured whole."""
    blocks = pick_blocks(result.blocks, workload)
    wanted = float(result.options.get("confidence", 0.95))
    confidence = statistics.corrected_confidence(wanted, _COMPARISONS * len(steps))
    found = [_find_cost(blocks, each, max(steps), confidence) for each in steps]
    costs = sorted((cost for cost in found if cost is not None), key=lambda cost: cost.call_s)
    if not costs:
        return None
    return Release(
        tuple(costs),
        find_crossing([Rung(cost.call_s, cost.alone) for cost in costs], _CHEAP),
        find_crossing([Rung(cost.call_s, cost.together) for cost in costs], 1.0),
    )


def _find_cost(blocks: Blocks, steps: int, largest: int, confidence: float) -> ReleaseCost | None:
    def key(call: Which, where: Where) -> str:
        return find_key(Place(call, where, steps), largest)

    def compare(where: Where) -> Estimate | None:
        return find_ratio(blocks, key("held", where), key("released", where), confidence)

    alone, beside, turns = compare("alone"), compare("beside"), compare("turns")
    keys = {(call, where): key(call, where) for call in CALLS for where in _WHERES}
    together = _compare_together(blocks, keys, confidence)
    if alone is None or beside is None or turns is None or together is None:
        return None
    share = steps / largest
    medians = {
        place: median(block["seconds"][name] for block in blocks if name in block["seconds"])
        for place, name in keys.items()
    }
    rates = {
        place: 1 / (seconds if place[1] == "turns" else seconds * share)
        for place, seconds in medians.items()
    }
    return ReleaseCost(medians["held", "alone"] * share, rates, alone, beside, turns, together)


def _compare_together(
    blocks: Blocks, keys: dict[tuple[Which, Where], str], confidence: float
) -> Estimate | None:
    """Compare the progress of both threads: each one's share of what it does alone, added up."""
    needed = {*keys.values(), BUSY.key}
    whole = [block["seconds"] for block in blocks if needed <= block["seconds"].keys()]
    if not whole:
        return None

    def find_pace(call: Which) -> list[float]:
        """Return the time that a unit of progress takes, block by block."""
        alone = keys["held", "alone"]
        return [
            1
            / (
                seconds[alone] / seconds[keys[call, "beside"]]
                + seconds[BUSY.key] / seconds[keys[call, "turns"]]
            )
            for seconds in whole
        ]

    return statistics.ratio(find_pace("held"), find_pace("released"), confidence)


def chart_release(release: Release | None, group: str) -> list[Chart]:
    """Draw the ratios of the released call to the held one, and the calls a second of both."""
    if release is None:
        return []
    x = Axis("a call takes", "s", logarithmic=True)
    ratios = tuple(
        Series(name, tuple(Point(cost.call_s, getattr(cost, of)) for cost in release.costs))
        for name, of in (
            ("calls alone", "alone"),
            ("calls beside", "beside"),
            ("other's turns", "turns"),
            ("together", "together"),
        )
    )
    rates = tuple(
        Series(
            f"{call} {'alone' if where == 'alone' else 'beside'}",
            tuple(
                Point(cost.call_s, Estimate(cost.rates[call, where], None, None))
                for cost in release.costs
            ),
        )
        for where in _WHERES[:2]
        for call in CALLS
    )
    marks = (
        Mark("free from", release.free_from, "calls alone"),
        Mark("pays from", release.pays_from, "together"),
    )
    return [
        Chart(
            "released over held, alone and beside a busy thread",
            x,
            Axis("released over held", "x", logarithmic=True),
            ratios,
            marks,
            group,
        ),
        Chart(
            "calls a second", x, Axis("calls a second", "1/s", logarithmic=True), rates, (), group
        ),
    ]
