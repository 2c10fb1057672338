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


def measure(
    threads_s: float,
    ceiling_s: float,
    spread: float = 0.002,
    cores: float = 1.0,
    loops: float | None = None,
    held: float = 0.02,
) -> Cell:
    """Return the cell of two threads that seldom hold the GIL, with one core busy.

    ``loops`` is how many cores the loops of the ceiling keep busy, if the clock does not tell.
    """
    experiment = Experiment(Workload("w", "statement"), plan_arms(("threads",), (2,)))
    record = Record(experiment, steps=1)
    seconds = {
        "serial/1": 1.0, "null/1": 1.0, "reference/1": 1.0, "threads/2": threads_s,
        "ceiling/2": ceiling_s,
    }  # fmt: skip
    used = dict.fromkeys(seconds, 1.0)
    used |= {"threads/2": cores, "ceiling/2": 1 / ceiling_s if loops is None else loops}
    for number in range(18):
        noisy = {
            key: value * (1 + spread * ((number * place) % 5 - 2))
            for place, (key, value) in enumerate(seconds.items(), 1)
        }
        record.blocks.append(Block("w", 1, tuple(seconds), noisy, dict(used), {}))
    record.held = {
        key: [Held(key, held, held - 0.01, held + 0.01)] for key in ("serial/1", "threads/2")
    }
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
    cell = measure(1.0, ceiling_s=0.52, spread=0.09, cores=1.3)
    assert (cell.verdict, cell.cause) == ("inconclusive", None)


def test_one_busy_core_proves_another_lock_where_the_interval_is_too_wide_to_tell() -> None:
    """Figures of one lxml parser that two threads share."""
    cell = measure(1.02, ceiling_s=0.52, spread=0.09, held=0.17)
    assert (cell.verdict, cell.proved_by, cell.cause) == ("no_gain", "other_lock", "other_lock")


def test_another_lock_is_told_beside_an_undecided_gain_where_little_can_be_gained() -> None:
    cell = measure(1.02, ceiling_s=0.52, spread=0.09, cores=1.15, held=0.17)
    assert (cell.verdict, cell.proved_by, cell.cause) == ("inconclusive", None, "other_lock")
    cell = measure(1.02, ceiling_s=0.52, spread=0.09, cores=1.15, held=0.17, loops=1.4)
    assert cell.cause is None, "the machine gave little"


def test_threads_that_kept_one_core_busy_took_what_they_gained_from_other_programs() -> None:
    cell = measure(0.8, ceiling_s=0.5, loops=1.9)
    assert (cell.verdict, cell.proved_by) == ("no_gain", "other_lock")
    # Here the machine gave loops no more, so it may be that threads can gain.
    cell = measure(0.8, ceiling_s=0.5, loops=1.1)
    assert (cell.verdict, cell.reason) == (
        "withheld",
        "they kept 1.00 cores busy together, so what they gained may be what other programs lost: "
        "run again when it is quieter",
    )
    assert measure(0.8, ceiling_s=0.5, cores=1.2).verdict == "wins"
