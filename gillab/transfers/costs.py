"""What each way costs, from the blocks of a run: pure functions.

The cost of a call is what it takes more than the same call in the parent, paired in the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from gillab import statistics
from gillab.blocks.plan import NULL, SERIAL
from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.estimates import Bracket, Estimate
from gillab.transfers.ways import Way


@dataclass(frozen=True, slots=True)
class Cost:
    """What a way costs at a size."""

    size: int
    seconds: Estimate
    """Of a call, beyond those of the same call in the parent."""

    @property
    def rate(self) -> Estimate | None:
        """Bytes a second; None where no cost was seen. An end of it is missing where cost's is."""
        cost = self.seconds
        if cost.estimate <= 0:
            return None
        low = self.size / cost.high if cost.high is not None and cost.high > 0 else None
        high = self.size / cost.low if cost.low is not None and cost.low > 0 else None
        return Estimate(self.size / cost.estimate, low, high)

    def find_break_even(self, workers: int) -> Estimate:
        """Return how long a call must compute to be worth sending to one of so many workers.

        Alone it takes t, and shared out among p workers t / p and the cost: cost / (1 - 1 / p).
        """
        gain = 1 - 1 / workers
        low, high = self.seconds.low, self.seconds.high
        return Estimate(
            max(0.0, self.seconds.estimate / gain),
            None if low is None else max(0.0, low / gain),
            None if high is None else max(0.0, high / gain),
        )


Costs = dict[Way, list[Cost]]
"""By way, in the order of sizes; those that were measured."""


def find_costs(
    blocks: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, int],
    ways: Sequence[Way],
    confidence: float,
) -> Costs:
    """Return what each way costs; ``sizes`` are the bytes of each workload, by its name.

    All intervals hold together with the ``confidence``.
    """
    found: dict[tuple[Way, str], list[float]] = {}
    for name in sizes:
        for way in ways:
            extra = _list_extra(blocks, name, way.arm.key)
            if extra:
                found[way, name] = extra
    costs: Costs = {}
    for (way, name), extra in found.items():
        sure = _correct(confidence, len(extra), len(found))
        costs.setdefault(way, []).append(
            Cost(sizes[name], statistics.signed_rank_interval(extra, sure))
        )
    return costs


def _list_extra(blocks: Sequence[Mapping[str, Any]], name: str, key: str) -> list[float]:
    """Return in each block what an arm took more than the two serial ones."""
    extra = []
    for block in blocks:
        seconds = block["seconds"]
        if block["workload"] == name and {key, SERIAL.key, NULL.key} <= seconds.keys():
            extra.append(seconds[key] - fmean((seconds[SERIAL.key], seconds[NULL.key])))
    return extra


def _correct(confidence: float, blocks: int, comparisons: int) -> float:
    sure = statistics.confidence_at(confidence, blocks, last=True)
    return statistics.corrected_confidence(sure, comparisons)


def find_cheaper_from(
    blocks: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, int],
    way: Way,
    than: Way,
    confidence: float,
) -> Bracket | None:
    """Return from which size on ``way`` is cheaper, paired in the block; None where no size tells.

    ``estimate`` is the least size from which on it was cheaper at all sizes, ``high`` that from
    which on this is shown, and ``low`` that from which on nothing shows otherwise.
    """
    gains: dict[int, Estimate] = {}
    for name, size in sizes.items():
        both = [
            block["seconds"][than.arm.key] - block["seconds"][way.arm.key]
            for block in blocks
            if block["workload"] == name and {way.arm.key, than.arm.key} <= block["seconds"].keys()
        ]
        if both:
            sure = _correct(confidence, len(both), len(sizes))
            gains[size] = statistics.signed_rank_interval(both, sure)
    if not gains:
        return None
    order = list(gains)
    estimate = _find_from(order, [gain.estimate > 0 for gain in gains.values()])
    low = _find_from(order, [gain.high is None or gain.high > 0 for gain in gains.values()])
    high = _find_from(order, [gain.low is not None and gain.low > 0 for gain in gains.values()])
    return Bracket(estimate, low, high)


def _find_from(sizes: Sequence[int], holds: Sequence[bool]) -> float | None:
    """Return the least size from which on something holds at all sizes; None where at none."""
    found = None
    for size, held in zip(reversed(sizes), reversed(holds), strict=True):
        if not held:
            break
        found = float(size)
    return found


def draw_charts(costs: Costs, workers: int, cheaper: Mapping[Way, Bracket]) -> tuple[Chart, ...]:
    """Return the charts: cost, throughput and break-even over size; none where nothing is known.

    ``cheaper`` is from where on a way costs less than pickling.
    """
    if not costs:
        return ()
    # Those that every chart has come first, so that a way has one colour in all of them.
    costs = dict(
        sorted(costs.items(), key=lambda each: not each[0].copies and each[0].variant != "")
    )
    size = Axis("size", "B", logarithmic=True)
    marks = tuple(Mark("cheaper than pickled from", at, way.label) for way, at in cheaper.items())
    spent = _draw(costs, lambda cost: cost.seconds)
    rates = _draw({way: each for way, each in costs.items() if way.copies}, lambda c: c.rate)
    pays = _draw(costs, lambda cost: cost.find_break_even(workers))
    charts = [
        Chart("cost a call", size, Axis("cost", "s", logarithmic=True), spent, marks),
        Chart(
            "throughput where data are copied",
            size,
            Axis("bytes a second", "B/s", logarithmic=True),
            rates,
        ),
        Chart(
            f"computing time of a call from which {workers} workers pay",
            size,
            Axis("computing time", "s", logarithmic=True),
            pays,
        ),
    ]
    return tuple(chart for chart in charts if chart.series)


def _draw(costs: Costs, figure: Callable[[Cost], Estimate | None]) -> tuple[Series, ...]:
    series = []
    for way, each in costs.items():
        points = [Point(float(cost.size), y) for cost in each if (y := figure(cost)) is not None]
        if points:
            series.append(Series(way.label, tuple(points)))
    return tuple(series)
