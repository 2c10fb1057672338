"""What the collector shows, as prometheus_client renders it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.kernels import countdown_python
from gillab.meter import _sampler, why_unavailable

prometheus_client = pytest.importorskip("prometheus_client")
from gillab.meter import prometheus  # noqa: E402
from gillab.meter.prometheus import GilCollector  # noqa: E402

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None, reason=f"the meter is unavailable: {why_unavailable()}"
)


@pytest.fixture
def collector() -> Iterable[GilCollector]:
    made = GilCollector(budget=0.05)
    yield made
    made.stop()


def scrape(collector: GilCollector) -> dict[str, float]:
    """Return the samples of a scrape by the text before their value."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    text = prometheus_client.generate_latest(registry).decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_every_counter_is_there_and_none_falls(collector: GilCollector) -> None:
    before = scrape(collector)
    # Until holds have been seen and the CPU clock has been read.
    while (after := scrape(collector))["gil_meter_samples_total"] < 50:
        countdown_python(100_000)
    assert before.keys() <= after.keys()
    for name, value in before.items() - {("gil_enabled", 1.0)}:  # a gauge
        assert after[name] >= value, name
    assert after["gil_enabled"] == is_gil_enabled()
    assert 0 <= after["gil_held_seconds_total"] <= after["gil_observed_seconds_total"]
    assert after["gil_meter_cpu_seconds_total"] > 0 or os.name == "nt"
    assert after['gil_hold_seconds_bucket{le="+Inf"}'] == after["gil_hold_seconds_count"]
    if is_gil_enabled():
        assert after['gil_thread_held_seconds_total{thread="MainThread"}'] > 0
        assert "gil_wanted_seconds_total" in after
    else:
        assert after["gil_held_seconds_total"] == 0
        assert not any(name.startswith("gil_thread") for name in after)


def test_a_wsgi_server_shows_them(collector: GilCollector) -> None:
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    said: list[str] = []

    def start_response(status: str, headers: object, error: object = None) -> Any:
        said.append(status)

    app = prometheus_client.make_wsgi_app(registry)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": ""}
    (body,) = app(environ, start_response)
    assert said == ["200 OK"]
    assert b"\ngil_held_seconds_total " in body


def test_many_threads_share_few_labels_and_keep_them(collector: GilCollector) -> None:
    collector._most = 2
    first = collector._add_up({0: ("MainThread", 5), 1: ("pool-1_0", 4), 2: ("pool-1_1", 3)})
    assert first == {"MainThread": 5, "pool-#_#": 7}
    second = collector._add_up({0: ("MainThread", 5), 1: ("pool-1_0", 6), 3: ("greater", 90)})
    assert second == {"MainThread": 5, "pool-#_#": 9, "other": 90}
    # A thread that is renamed takes with it only what comes from then on.
    third = collector._add_up({0: ("renamed", 8), 3: ("MainThread", 91)})
    assert third == {"MainThread": 6, "pool-#_#": 9, "other": 93}


def test_holds_are_counted_by_their_length() -> None:
    bucket = _sampler.bucket
    family = prometheus._histogram({bucket(2_000_000): 3, bucket(300_000_000): 1})
    values = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert values["gil_hold_seconds_bucket", "0.001"] == 0
    assert values["gil_hold_seconds_bucket", "0.0025"] == 3
    assert values["gil_hold_seconds_bucket", "0.25"] == 3
    assert values["gil_hold_seconds_bucket", "0.5"] == 4
    assert values["gil_hold_seconds_count", None] == 4
    assert values["gil_hold_seconds_sum", None] == pytest.approx(0.306, rel=0.06)


def test_scrapes_at_once_count_nothing_twice(collector: GilCollector) -> None:
    counted: list[dict[str, float]] = []
    threads = [threading.Thread(target=lambda: counted.append(scrape(collector))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = scrape(collector)
    assert len(counted) == 8
    by_thread = sum(value for name, value in last.items() if name.startswith("gil_thread_held"))
    assert by_thread <= last["gil_held_seconds_total"] * (1 + 1e-9)


FORK = """
import os, sys
from prometheus_client import REGISTRY, generate_latest
from gillab.meter.prometheus import GilCollector

collector = GilCollector()
REGISTRY.register(collector)
for _ in range(200):
    sum(range(100_000))
parents = collector._meter
child = os.fork()
if child == 0:
    assert b"gil_held_seconds_total" in generate_latest()
    assert collector._meter is not parents and collector._meter.running
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert collector._meter is parents and parents.running
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_a_meter_of_its_own_from_its_first_scrape_on() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(UsageError, match="threads"):
        GilCollector(threads=-1)
    with pytest.raises(UsageError, match="budget"):
        GilCollector(budget=1.0)


def test_without_prometheus_client_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "gillab.meter.prometheus")
    with pytest.raises(UsageError, match=r"pip install 'gillab\[prometheus\]'"):
        importlib.import_module("gillab.meter.prometheus")
