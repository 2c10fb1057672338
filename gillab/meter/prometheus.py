"""A collector for prometheus_client: what a service that is metered all the time shows of its GIL.

It needs ``pip install 'gillab[prometheus]'``.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping

from gillab.errors import UsageError
from gillab.meter.counters import bucket_ends
from gillab.meter.gil_meter import GilMeter

try:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "prometheus_client":
        raise
    raise UsageError(
        "gillab.meter.prometheus needs prometheus_client: run pip install 'gillab[prometheus]'."
    ) from None

__all__ = ["OTHER", "GilCollector"]

OTHER = "other"
"""The label of all threads that have none of their own."""

_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GilCollector(Collector):
    """Meters this interpreter's GIL from now on, within a budget, for a Prometheus registry.

    ``budget`` is the share of a CPU that the meter may use. Threads are told apart by their names
    with ``#`` for each number, so that those of a pool are one; the first ``threads`` names get a
    label of their own, which they keep, and the others share the label "other". In a forked process
    the first ``collect()`` starts a meter of that process.

    UsageError for a budget out of range, MeterUnavailableError if the lock's state cannot be read.
    """

    def __init__(self, budget: float = 0.005, *, threads: int = 20) -> None:
        if threads < 0:
            raise UsageError(f"threads is 0 or more, not {threads}.")
        self._budget = budget
        self._most = threads
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._counted: dict[int, int] = {}
        self._held: dict[str, int] = {}
        self._meter = GilMeter(budget=self._budget)
        self._meter.start()

    def stop(self) -> None:
        """Stop the meter; the counters stay as they are."""
        self._meter.stop()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as prometheus_client asks for them; no counter ever falls."""
        if os.getpid() != self._process:
            self._begin()  # with a lock of its own: whoever held the other is not in the fork
        with self._lock:
            reading = self._meter.read()
            raw = reading._raw
            counts = raw.counts
            held = self._add_up(raw.threads)
        yield GaugeMetricFamily(
            "gil_enabled", "0 where a free-threaded build has run without it", reading.gil_enabled
        )
        yield _counter("gil_observed_seconds", "Time between samples", counts.covered / 1e9)
        yield _counter("gil_held_seconds", "Time that the GIL was held", counts.doubled_held / 2e9)
        by_thread = CounterMetricFamily(
            "gil_thread_held_seconds", "Time that each thread held the GIL", labels=["thread"]
        )
        for name, doubled in held.items():
            by_thread.add_metric([name], doubled / 2e9)
        yield by_thread
        if raw.sees_waiters:
            yield _counter(
                "gil_wanted_seconds",
                "Time that any thread waited for the GIL",
                counts.doubled_wanted / 2e9,
            )
        yield _counter("gil_switches", "Times that the GIL changed hands", counts.switches)
        yield _histogram(counts.stretches)
        yield _counter("gil_meter_samples", "Samples that the meter took", counts.samples)
        yield _counter("gil_meter_cpu_seconds", "CPU time of the meter", counts.cpu / 1e9)

    def _add_up(self, threads: Mapping[int, tuple[str, int]]) -> dict[str, int]:
        """Add what each thread held since the last time to the label that it has now."""
        for place, (name, doubled) in sorted(threads.items(), key=lambda each: -each[1][1]):
            more = doubled - self._counted.get(place, 0)
            if more > 0:
                label = re.sub(r"\d+", "#", name)
                if label not in self._held and len(self._held.keys() - {OTHER}) >= self._most:
                    label = OTHER
                self._counted[place] = doubled
                self._held[label] = self._held.get(label, 0) + more
        return dict(self._held)


def _counter(name: str, what: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, what, value)


def _histogram(stretches: Mapping[int, int]) -> HistogramMetricFamily:
    """Return the lengths of the holds that have ended, each taken as the middle of its bucket."""
    lengths = [(sum(bucket_ends(bucket)) / 2e9, count) for bucket, count in stretches.items()]
    buckets = [
        (str(bound), float(sum(count for length, count in lengths if length <= bound)))
        for bound in _BOUNDS_S
    ]
    buckets.append(("+Inf", float(sum(stretches.values()))))
    return HistogramMetricFamily(
        "gil_hold_seconds",
        "Holds of the GIL that were seen and have ended, to 6 %",
        buckets=buckets,
        sum_value=sum(length * count for length, count in lengths),
    )
