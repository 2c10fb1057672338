"""What the figures of a cell prove or support together, however noisy the times are.

Three rules decide a verdict. Each needs all of its figures, and decides nothing if one is missing.

``gil``: if a serial task holds the lock for a fraction h of its time, the speedup is at most 1/h,
since only one task holds the lock at a time. Needs the meter's reading of the serial arm (its
interval's low end) and of the threads, and the cores that both keep busy.

``one_cpu``: if a serial task keeps its core busy for a fraction b of the time, the speedup on one
CPU is at most 1/b. Needs the number of usable CPUs, and how busy the serial arm is beside a loop
that never waits.

``other_lock``: if a serial task keeps its core busy for a fraction b of the time, and threads keep
c cores busy together, the speedup is at most c/b. If that is one core, threads wait for each other,
provided the machine let as many loops keep far more cores busy in the same blocks. It is not the
GIL that they wait for if a serial task seldom holds it. Needs the cores that all of them keep busy,
and the meter's readings.

The other rules only explain why a gain is missing. They decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gillab.release.judge import COMPUTES
from gillab.results import Cause, Cell, Shortfall
from gillab.statistics import MARGIN
from gillab.strategies import shares_gil

MOSTLY_HELD = 0.9
SELDOM_HELD = 0.25
"""If a serial task holds the GIL for less of its time, it is not the GIL that lets one task run at
a time. Even if each of n tasks waited whenever another holds it, n / (1 + (n - 1) / 4) would run:
1.6 of two. Waking a thread that waited costs some of that, yet by the model of the GIL more than
1.25 run unless each turn of holding and releasing takes under 5 µs."""
ALL_OF_IT = 1.1
"""No share of the ceiling is larger, unless the work waits and does not compute."""
LOW_SHARE = 0.9
ONE_CORE: tuple[Cause, ...] = ("other_lock", "gil_unmetered")
"""Told from one core that is busy, where the machine gives more."""
_PROVES = 1 / (1 + MARGIN)
"""From this fraction on, the gain that is left is too small to matter."""
_DEARER = 1.1
"""Of the CPU time of a serial task: less is the noise of two medians."""
_MOSTLY_BUSY = 0.9
_LEAST_ONE, _MOST_ONE = 0.8, 1.25
"""If the cores kept busy, as a multiple of serial's, are between these, tasks ran one at a time.
More: they ran at once. Less: they waited for something that is not a lock on running."""
_FAR_MORE = 1.5
"""The machine gave the workers more than one core if it gave as many loops this many times what
the workers used."""
_INNER = 1.5
"""A serial task that keeps so many cores busy has threads of its own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the rules need to know of the machine and the interpreter."""

    capacity: float | None
    """The CPUs' worth of time that this process may use; None where that is not known."""
    gil_enabled: bool | None
    elsewhere: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether other interpreters have a GIL, by their labels."""

    def look_inside(self, interpreter: str) -> Machine:
        """Return what the rules need to know of another interpreter on this machine."""
        return replace(self, gil_enabled=self.elsewhere.get(interpreter))

    def find_due(self, workers: int) -> float | None:
        """Return how many cores so many workers could keep busy."""
        return None if self.capacity is None else min(float(workers), self.capacity)


def computes(serial: Cell | None) -> bool:
    """Whether a serial task hardly waits; assumed if that is not known."""
    return serial is None or serial.busy is None or serial.busy >= COMPUTES


def has_inner_threads(serial: Cell | None) -> bool:
    """Whether one task alone keeps several cores busy."""
    return serial is not None and serial.cores is not None and serial.cores >= _INNER


def lacks_cpus(serial: Cell | None, machine: Machine) -> bool:
    """Whether the work computes, and only one CPU is usable."""
    return machine.capacity is not None and machine.capacity <= 1 and computes(serial)


def prove_no_gain(
    cell: Cell, serial: Cell | None, machine: Machine, given: float | None = None
) -> Cause | None:
    """Return the cause that surely keeps the strategy from gaining; None if there is none.

    ``given`` is how many cores as many loops kept busy in the same blocks.
    """
    if serial is None:
        return None
    if machine.capacity is not None and machine.capacity <= 1:
        return "one_cpu" if serial.busy is not None and serial.busy >= _PROVES else None
    if _prove_gil(cell, serial):
        return "gil"
    if keeps_one_core(cell, serial) and gives_more(cell, given):
        return "other_lock" if _find_cause(cell, serial, machine) == "other_lock" else None
    return None


def keeps_one_core(cell: Cell, serial: Cell | None) -> bool:
    """Whether threads that never wait for anything but each other kept one core busy together.

    Then they cannot gain. If they seem to, they took CPU time from other programs.
    """
    if serial is None or cell.cores is None or serial.busy is None or cell.workers == 1:
        return False
    computing = serial.busy >= _PROVES and not has_inner_threads(serial)
    return shares_gil(cell.strategy) and computing and cell.cores <= 1 + MARGIN


def gives_more(cell: Cell, given: float | None) -> bool:
    """Whether the machine let as many loops keep far more cores busy than these workers did."""
    return given is not None and cell.cores is not None and given >= _FAR_MORE * cell.cores


def _prove_gil(cell: Cell, serial: Cell) -> bool:
    """Whether a serial task holds the lock throughout, and threads kept one core busy."""
    if cell.held is None or serial.held_interval is None:
        return False
    if cell.cores is None or serial.cores is None:
        return False
    # Beside other programs two threads get more CPU time than one, yet run one at a time.
    cores = min(cell.cores, cell.cores / max(serial.cores, 1e-9))
    held = serial.held_interval[0] >= _PROVES and cell.held >= MOSTLY_HELD
    return held and cores <= _MOST_ONE


def explain_no_gain(cell: Cell, serial: Cell | None, machine: Machine) -> Cause | None:
    """Return the cause that most likely keeps a strategy from gaining; None if no figure tells."""
    proof = prove_no_gain(cell, serial, machine)
    return proof if proof is not None else _find_cause(cell, serial, machine)


def _find_cause(cell: Cell, serial: Cell | None, machine: Machine) -> Cause | None:
    if cell.workers == 1:
        return None
    if has_inner_threads(serial):
        return "inner_threads"
    if cell.held is not None and cell.held >= MOSTLY_HELD:
        return "gil"
    due = machine.find_due(cell.workers)
    busy = cell.cores is not None and due is not None and cell.cores >= _MOSTLY_BUSY * due
    if due is not None and due > 1 and busy and (cell.cpu_cost or 0.0) >= _DEARER:
        return "contention"
    if not shares_gil(cell.strategy):
        return None
    cores = _compare_cores(cell, serial)
    # If other programs compete, two threads get more CPU time than one, yet run one at a time.
    one_at_a_time = cores is None or (
        cores >= _LEAST_ONE and (cores <= _MOST_ONE or keeps_one_core(cell, serial))
    )
    if is_gil_off(machine, cell, serial):
        known = cores is not None and serial is not None and serial.busy is not None
        return "other_lock" if known and one_at_a_time and computes(serial) else "no_gil"
    if cell.held is not None:
        # A lock that is handed to and fro reads as little held too: a waiting thread wakes up
        # while nobody holds the lock. The serial task tells whether it needs the lock much.
        free = max(cell.held, _find_held(serial)) < SELDOM_HELD
        alone = free and one_at_a_time and computes(serial)
        return "other_lock" if alone else "gil_in_part"
    return "gil_unmetered" if machine.gil_enabled is True and one_at_a_time else None


def is_told_while_open(cause: Cause | None, cell: Cell, given: float | None) -> bool:
    """Whether a cause is clear though the interval of the speedup is too wide for a verdict."""
    return cause == "other_lock" and gives_more(cell, given)


def find_shortfall(cell: Cell, machine: Machine) -> tuple[Shortfall, ...]:
    """Return why a winner does not reach the ceiling.

    If a task needs more CPU time than alone, the strategy itself uses it, or the tasks slow each
    other down where they share a core's units, a cache or memory: no figure here tells which.
    """
    if cell.of_ceiling is None or cell.of_ceiling.estimate >= LOW_SHARE:
        return ()
    found: list[Shortfall] = []
    if cell.cpu_cost is not None and cell.cpu_cost >= _DEARER:
        found.append("dearer")
    due = machine.find_due(cell.workers)
    if due is not None and cell.cores is not None and cell.cores <= _MOSTLY_BUSY * due:
        found.append("idle_cores")
    return tuple(found)


def is_gil_off(machine: Machine, *cells: Cell | None) -> bool:
    """Whether the workload ran without a GIL, as far as the notes of its cells tell."""
    notes = (note for cell in cells if cell is not None for note in cell.notes)
    # A workload can turn the GIL back on; it is then noted.
    return machine.gil_enabled is False and not any("GIL" in note for note in notes)


def _find_held(serial: Cell | None) -> float:
    """Return for what fraction a serial task holds the lock: all, where that is not known."""
    return 1.0 if serial is None or serial.held is None else serial.held


def _compare_cores(cell: Cell, serial: Cell | None) -> float | None:
    """Return the cores that the workers kept busy, as a multiple of a serial task's.

    A multiple, since other programs take cores from both.
    """
    if cell.cores is None or serial is None or not serial.cores:
        return None
    return cell.cores / serial.cores
