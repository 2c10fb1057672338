"""The charts of delays over the number of busy threads, and of the requests answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gillab.charts import Axis, Chart, Point, Series
from gillab.estimates import Estimate
from gillab.probes.messages import Condition
from gillab.probes.summary import Felt

TITLES = {
    "heartbeat": "heartbeat: how late a thread wakes that sleeps 1 ms",
    "echo": "echo: how long a socket's answer takes",
    "loop": "loop: how late an asyncio timer of 1 ms is",
}
BUSY = Axis("busy")


def chart_delays(
    felt: Mapping[Condition, Felt], workload: str, name_interval: Callable[[float], str]
) -> list[Chart]:
    """Return a chart of the delays for each probe, and one of the requests that are answered."""
    probes = list(dict.fromkeys(condition.probe for condition in felt))
    charts = []
    for probe in probes:
        own = [each for condition, each in felt.items() if condition.probe == probe]
        # Named alike up to the comma, the three lines of a group have one colour in the picture;
        # which is which their order tells.
        series = [
            Series(f"{name}, {quantile}", _draw(group, read))
            for name, group in _group(own, name_interval)
            for quantile, read in _QUANTILES
        ]
        delay = Axis("delay", "s", logarithmic=True)
        charts.append(Chart(TITLES[probe], BUSY, delay, tuple(series), group=workload))
    answered = [each for condition, each in felt.items() if condition.probe == "echo"]
    if answered:
        series = [
            Series(name, _draw(group, lambda each: each.rate))
            for name, group in _group(answered, name_interval)
        ]
        rate = Axis("requests", "1/s", logarithmic=True)
        title = "echo: requests answered a second"
        charts.append(Chart(title, BUSY, rate, tuple(series), group=workload))
    return charts


_QUANTILES: tuple[tuple[str, Callable[[Felt], Estimate]], ...] = (
    ("p50", lambda each: each.p50),
    ("p99", lambda each: each.p99),
    ("max", lambda each: Estimate(each.longest_s, None, None)),
)


def _group(
    felt: Sequence[Felt], name_interval: Callable[[float], str]
) -> Iterable[tuple[str, list[Felt]]]:
    """Yield threads by switch interval, then processes; all begin with the probe alone."""
    groups: dict[str, list[Felt]] = {}
    for each in sorted(felt, key=lambda each: _rank(each.condition)):
        condition = each.condition
        name = name_interval(condition.switch_interval_s)
        groups.setdefault("processes" if condition.where == "processes" else name, []).append(each)
    if "processes" in groups:
        longest = max(each.condition.switch_interval_s for each in groups["processes"])
        groups["processes"][:0] = [
            each
            for each in felt
            if not each.condition.busy and each.condition.switch_interval_s == longest
        ]
    return groups.items()


def _rank(condition: Condition) -> tuple[bool, float, int]:
    return condition.where == "processes", -condition.switch_interval_s, condition.busy


def _draw(felt: Sequence[Felt], read: Callable[[Felt], Estimate]) -> tuple[Point, ...]:
    return tuple(Point(each.condition.busy, read(each)) for each in felt)
