"""What keeps a strategy from gaining is told from figures of the whole run, controls included."""

from __future__ import annotations

import pytest

from gillab.blocks.analysis import judge
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import Held
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.record import Block, Record
from gillab.results import Cell
from gillab.workload import Workload


def measure(threads_s: float, ceiling_s: float, spread: float = 0.002) -> Cell:
    """Return the cell of two threads that hardly hold the GIL, with one core busy."""
    experiment = Experiment(Workload("w", "statement"), plan_arms(("threads",), (2,)))
    record = Record(experiment, steps=1)
    seconds = {
        "serial/1": 1.0, "null/1": 1.0, "reference/1": 1.0, "threads/2": threads_s,
        "ceiling/2": ceiling_s,
    }  # fmt: skip
    cores = dict.fromkeys(seconds, 1.0) | {"ceiling/2": 1 / ceiling_s}
    for number in range(18):
        noisy = {
            key: value * (1 + spread * ((number * place) % 5 - 2))
            for place, (key, value) in enumerate(seconds.items(), 1)
        }
        record.blocks.append(Block("w", 1, tuple(seconds), noisy, dict(cores), {}))
    record.held = {key: [Held(key, 0.02, 0.01, 0.03)] for key in ("serial/1", "threads/2")}
    cells, _, _ = judge(record, [record], 0.95, Machine(2.0, True))
    (cell,) = (cell for cell in cells if cell.strategy == "threads")
    return cell


@pytest.mark.parametrize("threads_s", [1.25, 1.0])
def test_one_busy_core_tells_of_a_lock_where_the_machine_gave_two(threads_s: float) -> None:
    cell = measure(threads_s, ceiling_s=0.52)
    assert (cell.verdict, cell.cause) == ("loses" if threads_s > 1 else "same", "other_lock")


def test_one_busy_core_tells_of_no_lock_where_the_machine_gave_one() -> None:
    cell = measure(1.25, ceiling_s=1.0)
    assert (cell.verdict, cell.cause) == ("loses", None)
    assert measure(1.0, ceiling_s=1.0).verdict == "withheld"


def test_what_may_still_gain_has_no_cause() -> None:
    cell = measure(1.0, ceiling_s=0.52, spread=0.09)
    assert (cell.verdict, cell.cause) == ("inconclusive", None)
