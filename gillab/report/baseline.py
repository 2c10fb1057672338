"""What has changed since another run: cell by cell, by the speedups and never by bare seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gillab import statistics
from gillab.errors import UsageError
from gillab.estimates import Estimate
from gillab.report.figures import (
    format_interval,
    format_speedup,
    format_workers,
    label_workloads,
    shorten,
)
from gillab.results import SCHEMA, Verdict
from gillab.text import printable

Run = Mapping[str, Any]
"""What a file holds under the key ``gillab``."""
_ENVIRONMENT = (
    *("python", "implementation", "free_threaded_build", "gil_enabled", "switch_interval_s"),
    *("compiler", "gillab", "kernel_barrier", "kernel_compiler"),
    *("hostname", "platform", "cpu_model", "cpus", "cpus_affinity", "cpus_usable", "cpu_quota"),
)
_OPTIONS = ("start_method", "inner_threads", "scheduler")
_KEY = ("workload", "strategy", "workers", "data", "chunksize", "variant")
_WORDS: Mapping[Verdict, str] = {
    "wins": "gains more than then",
    "loses": "gains less than then",
    "same": "gains as much as then",
    "no_gain": "gains no more than then",
    "inconclusive": "undecided",
    "withheld": "in doubt, since two serial arms alike differ",
}
_REASON_WIDTH = 120


class Key(NamedTuple):
    """What makes two cells the same."""

    workload: str
    strategy: str
    workers: int
    data: str
    chunksize: int | None
    variant: str
    interpreter: str = ""
    """The label of another interpreter; an older file has no such cells."""

    @property
    def name(self) -> str:
        """How a sentence names it, after its workload."""
        chunks = "" if self.chunksize is None else f"by {self.chunksize}"
        own = "with data of their own" if self.data == "own" else ""
        workers = "" if self.strategy == "serial" else format_workers(self.workers)
        place = "" if self.interpreter == self.variant else self.interpreter
        words = (place, self.strategy, workers, self.variant, chunks, own)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Change:
    """How a cell's speedup has changed."""

    key: Key
    old: Estimate
    new: Estimate
    ratio: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Changes:
    """All that has changed from one run to another."""

    environment: tuple[tuple[str, Any, Any], ...]
    """What differs: its name, old and new."""
    cells: tuple[Change, ...]
    unmatched: tuple[str, ...]
    """Cells that only one of both has measured, as sentences."""


def read_run(path: Path) -> Run:
    """Return what a file of ``--export-json`` holds. UsageError where it is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON; name a file of --export-json.") from None
    run = data.get("gillab") if isinstance(data, dict) else None
    if not isinstance(run, dict) or not isinstance(run.get("cells"), list):
        raise UsageError(f"{path} is no result of gillab; name a file of --export-json.")
    if run.get("schema") != SCHEMA:
        raise UsageError(f"{path} is of another version of gillab; measure once more.")
    if not all(isinstance(cell, dict) and "speedup" in cell for cell in run["cells"]):
        raise UsageError(f"{path} holds no speedups; name a result of compare, scaling or job.")
    return run


def find_changes(old: Run, new: Run, margin: float = statistics.MARGIN) -> Changes:
    """Compare two runs; ``margin`` is the least difference that matters."""
    before, after = _index(old), _index(new)
    doubtful = _list_doubtful(old) | _list_doubtful(new)
    changes, unmatched = [], []
    for key in (*before, *(key for key in after if key not in before)):
        one, other = before.get(key), after.get(key)
        pair = _find_speedup(one), _find_speedup(other)
        if pair[0] is not None and pair[1] is not None:
            ratio = statistics.ratio_of_independent(pair[1], pair[0])
            verdict: Verdict = statistics.verdict(ratio, margin)
            if key.workload in doubtful:
                verdict = "withheld"
            changes.append(Change(key, pair[0], pair[1], ratio, verdict))
        elif pair != (None, None):
            lacks, cell = ("now", other) if pair[1] is None else ("then", one)
            unmatched.append(f"{key.name}: {_tell_missing(cell, lacks)}")
    environment = [*_find_differences(old, new, "environment", _ENVIRONMENT)]
    environment += _find_differences(old, new, "options", _OPTIONS)
    return Changes(tuple(environment), tuple(changes), tuple(unmatched))


def _index(run: Run) -> dict[Key, Mapping[str, Any]]:
    versions = run.get("options", {}).get("versus") or {}
    found = {}
    for cell in run["cells"]:
        key = Key(*(cell.get(name) for name in _KEY))
        key = key._replace(interpreter=cell.get("interpreter", ""))
        if key.variant and versions:
            key = key._replace(variant=str(versions[key.variant]["name"]))
        found[key] = cell
    return found


def _list_doubtful(run: Run) -> set[str]:
    controls = run.get("controls", {}).get("null", {}).get("of", ())
    return {control["workload"] for control in controls if control.get("passed") is False}


def _find_speedup(cell: Mapping[str, Any] | None) -> Estimate | None:
    """Return a cell's speedup, with the interval for the minutes after where there is one.

    The other run was at another time, and what a machine gives drifts.
    """
    if cell is None or cell.get("status") != "ok":
        return None
    found = cell.get("speedup_later") or cell.get("speedup")
    return Estimate(found["estimate"], found["low"], found["high"]) if found else None


def _tell_missing(cell: Mapping[str, Any] | None, when: str) -> str:
    if cell is None or cell.get("status") == "ok":
        return f"not measured {when}"
    reason = shorten(str(cell.get("reason") or ""), _REASON_WIDTH).rstrip(". ")
    return f"{cell['status']} {when}: {reason}" if reason else f"{cell['status']} {when}"


def _find_differences(
    old: Run, new: Run, part: str, names: Sequence[str]
) -> Iterator[tuple[str, Any, Any]]:
    for name in names:
        one, other = (run.get(part, {}).get(name) for run in (old, new))
        if one != other:
            yield name, one, other


def tell_changes(changes: Changes) -> list[str]:
    """Return the sentences: first what differs around the code, then each cell."""
    sentences = []
    if changes.environment:
        told = [f"{name} {one} then, {other} now" for name, one, other in changes.environment]
        sentences.append(printable(f"The environment differs: {'; '.join(told)}."))
    labels = label_workloads(change.key.workload for change in changes.cells)
    sentences += [
        f"{labels[change.key.workload]}: {printable(_tell(change))}" for change in changes.cells
    ]
    sentences += [printable(f"{text}.") for text in changes.unmatched]
    if not changes.cells:
        sentences.append("No cell was measured in both runs, so nothing can be compared.")
    return sentences


def _tell(change: Change) -> str:
    then, now = format_speedup(change.old), format_speedup(change.new)
    ratio = format_interval(change.ratio, suffix="x")
    few = "" if change.ratio.low is not None else ", by too few blocks for an interval"
    return f"{change.key.name}: {_WORDS[change.verdict]}{few}, {ratio} ({then} then, {now} now)."
