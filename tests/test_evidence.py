"""What figures prove or bear out together: each rule with all of its figures, and without each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gillab.blocks.evidence import (
    SELDOM_HELD,
    Machine,
    computes,
    explain_no_gain,
    find_shortfall,
    has_inner_threads,
    is_gil_off,
    lacks_cpus,
    prove_no_gain,
)
from gillab.estimates import Estimate
from gillab.model.simulation import simulate
from gillab.model.task import Task
from gillab.results import Cause, Cell

TWO_CPUS = Machine(capacity=2.0, gil_enabled=True)
ONE_CPU = Machine(capacity=1.0, gil_enabled=True)

SERIAL = Cell(
    "w", "serial", 1, "3.13.0", "ok", cores=1.0, busy=1.0, held=0.99, held_interval=(0.98, 1.0)
)
THREADS = Cell("w", "threads", 2, "3.13.0", "ok", cores=1.0, held=0.99)


class Facts:
    """A cell, its serial arm and the machine, of which one figure after the other is changed."""

    def __init__(
        self,
        machine: Machine = TWO_CPUS,
        serial: dict[str, Any] | None = None,
        **threads: Any,
    ) -> None:
        self.machine = machine
        self.serial = replace(SERIAL, **(serial or {}))
        self.cell = replace(THREADS, **threads)

    def change(self, figure: str, value: Any) -> Facts:
        """Return the same but for one figure: ``cell.held``, say."""
        which, _, name = figure.partition(".")
        changed = Facts()
        changed.machine, changed.serial, changed.cell = self.machine, self.serial, self.cell
        setattr(changed, which, replace(getattr(self, which), **{name: value}))
        return changed

    def prove(self) -> Cause | None:
        return prove_no_gain(self.cell, self.serial, self.machine)

    def explain(self) -> Cause | None:
        return explain_no_gain(self.cell, self.serial, self.machine)


# The two rules that decide.

HELD = Facts()
ALONE = Facts(ONE_CPU)


def test_a_lock_that_is_held_throughout_proves_that_threads_gain_nothing() -> None:
    assert HELD.prove() == "gil"
    assert HELD.explain() == "gil"


def test_one_cpu_that_is_busy_throughout_proves_that_nothing_gains() -> None:
    assert ALONE.prove() == "one_cpu"
    assert ALONE.explain() == "one_cpu"
    processes = ALONE.change("cell.strategy", "processes").change("cell.held", None)
    assert processes.prove() == "one_cpu"


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("cell.held", None),
        ("cell.held", 0.89),
        ("serial.held_interval", None),
        # What a serial task does without the lock, threads can do at once.
        ("serial.held_interval", (0.95, 1.0)),
        ("cell.cores", None),
        ("cell.cores", 1.3),
        ("serial.cores", None),
    ],
)
def test_without_one_of_its_figures_the_lock_proves_nothing(figure: str, value: Any) -> None:
    assert HELD.change(figure, value).prove() is None


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("machine.capacity", None),
        ("machine.capacity", 1.1),
        ("serial.busy", None),
        ("serial.busy", 0.95),
    ],
)
def test_without_one_of_its_figures_one_cpu_proves_nothing(figure: str, value: Any) -> None:
    unmetered = ALONE.change("cell.held", None)
    assert unmetered.prove() == "one_cpu"
    assert unmetered.change(figure, value).prove() is None


def test_what_waits_on_one_cpu_may_gain_though_the_lock_was_seen_held() -> None:
    """The share of a second in which it waits is neither's."""
    assert ALONE.change("serial.busy", 0.5).prove() is None


@pytest.mark.parametrize("facts", [HELD, ALONE])
def test_without_a_serial_arm_nothing_is_proved(facts: Facts) -> None:
    assert prove_no_gain(facts.cell, None, facts.machine) is None


def test_the_least_that_must_be_held_or_busy_is_what_leaves_no_more_than_the_margin() -> None:
    """1 / 0.953 is 1.049, less than the 5 % that matter; 1 / 0.951 is more."""
    assert HELD.change("serial.held_interval", (0.953, 1.0)).prove() == "gil"
    assert HELD.change("serial.held_interval", (0.951, 1.0)).prove() is None
    assert ALONE.change("serial.busy", 0.953).prove() == "one_cpu"
    assert ALONE.change("serial.busy", 0.951).prove() is None


# What threads that wait for another lock keep busy.

LOCKED = Facts(serial={"held": 0.17}, held=0.17)


def prove_beside_loops(facts: Facts, given: float | None) -> Cause | None:
    return prove_no_gain(facts.cell, facts.serial, facts.machine, given)


def test_one_core_where_loops_keep_far_more_busy_proves_another_lock() -> None:
    assert prove_beside_loops(LOCKED, 1.9) == "other_lock"
    assert prove_beside_loops(LOCKED, 1.5) == "other_lock"
    # Beside other programs two threads get more of the CPUs than one.
    assert prove_beside_loops(LOCKED.change("serial.cores", 0.6), 1.6) == "other_lock"
    no_gil = LOCKED.change("machine.gil_enabled", False).change("cell.held", None)
    assert prove_beside_loops(no_gil, 1.9) == "other_lock"


@pytest.mark.parametrize("turn_s", [5e-6, 20e-6, 100e-6])
@pytest.mark.parametrize("workers", [2, 4])
def test_the_gil_alone_leaves_more_than_one_core_to_calls_that_seldom_hold_it(
    turn_s: float, workers: int
) -> None:
    """Though it takes 50 µs to wake a thread, as in a virtual machine."""
    held_s = 0.99 * SELDOM_HELD * turn_s
    task = Task(held_s, turn_s - held_s, interruptible=False)
    rates = simulate([task] * workers, cores=workers, handover_s=50e-6)
    assert sum(rates.calls_per_s) * task.total_s > 1.25


@pytest.mark.parametrize("given", [None, 1.49])
def test_one_core_proves_nothing_unless_the_machine_is_known_to_give_far_more(
    given: float | None,
) -> None:
    assert prove_beside_loops(LOCKED, given) is None


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("cell.cores", None),
        ("cell.cores", 1.06),
        ("cell.held", None),
        ("cell.held", 0.25),
        ("cell.strategy", "processes"),
        ("cell.workers", 1),
        ("serial.busy", None),
        ("serial.busy", 0.95),
        ("serial.held", None),
        ("serial.held", 0.25),
        ("serial.cores", 1.6),
    ],
)
def test_without_one_of_its_figures_another_lock_is_not_proved(figure: str, value: Any) -> None:
    assert prove_beside_loops(LOCKED.change(figure, value), 1.9) is None


# The rules that explain.

PART = Facts(held=0.5, cores=1.4)
UNMETERED = Facts(held=None)
OTHER_LOCK = Facts(serial={"held": 0.02}, held=0.02)
INNER = Facts(serial={"cores": 1.6}, held=None, cores=1.9)
CONTENTION = Facts(held=None, strategy="processes", cores=1.95, cpu_cost=1.9)
NO_GIL = Facts(Machine(2.0, gil_enabled=False), held=None, cores=1.6)
MOSTLY = Facts(serial={"held_interval": None}, held=0.95)

EXPLAINED: dict[Cause, Facts] = {
    "gil": MOSTLY,
    "gil_in_part": PART,
    "gil_unmetered": UNMETERED,
    "other_lock": OTHER_LOCK,
    "inner_threads": INNER,
    "contention": CONTENTION,
    "no_gil": NO_GIL,
}


@pytest.mark.parametrize("cause", EXPLAINED)
def test_a_cause_is_told_where_its_figures_bear_it_out_and_proves_nothing(cause: Cause) -> None:
    assert EXPLAINED[cause].explain() == cause
    assert EXPLAINED[cause].prove() is None


@pytest.mark.parametrize(
    ("cause", "figure", "value", "otherwise"),
    [
        ("gil", "cell.held", 0.5, "gil_in_part"),
        ("gil", "cell.held", None, "gil_unmetered"),
        ("gil_in_part", "cell.held", None, None),  # both kept busy: they were not held up
        ("gil_in_part", "cell.held", 0.95, "gil"),
        ("gil_in_part", "cell.strategy", "processes", None),
        ("gil_unmetered", "machine.gil_enabled", None, None),
        ("gil_unmetered", "machine.gil_enabled", False, "other_lock"),
        ("gil_unmetered", "cell.cores", 1.5, None),
        ("gil_unmetered", "cell.cores", 0.5, None),
        ("gil_unmetered", "cell.strategy", "processes", None),
        ("other_lock", "cell.held", None, "gil_unmetered"),
        ("other_lock", "cell.held", 0.24, "other_lock"),
        ("other_lock", "cell.held", 0.25, "gil_in_part"),
        ("other_lock", "serial.held", 0.25, "gil_in_part"),
        ("other_lock", "cell.cores", 1.5, "gil_in_part"),
        ("other_lock", "cell.cores", 0.5, "gil_in_part"),
        ("other_lock", "serial.busy", 0.5, "gil_in_part"),
        ("other_lock", "cell.strategy", "processes", None),
        ("inner_threads", "serial.cores", None, "gil_unmetered"),
        ("inner_threads", "serial.cores", 1.0, None),
        ("contention", "cell.cpu_cost", None, None),
        ("contention", "cell.cpu_cost", 1.05, None),
        ("contention", "cell.cores", None, None),
        ("contention", "cell.cores", 1.7, None),
        ("contention", "machine.capacity", None, None),
        ("contention", "machine.capacity", 1.0, "one_cpu"),
        ("no_gil", "machine.gil_enabled", None, None),
        ("no_gil", "machine.gil_enabled", True, None),
        ("no_gil", "cell.cores", 1.25, "other_lock"),
        ("no_gil", "cell.notes", ("turns the GIL back on",), None),
        ("no_gil", "serial.notes", ("turns the GIL back on",), None),
        ("no_gil", "cell.strategy", "processes", None),
    ],
)
def test_a_cause_is_not_told_where_one_of_its_figures_is_missing_or_contradicts(
    cause: Cause, figure: str, value: Any, otherwise: Cause | None
) -> None:
    assert EXPLAINED[cause].change(figure, value).explain() == otherwise


def test_workers_that_share_one_cpu_do_not_contend_for_more_of_it() -> None:
    one = CONTENTION.change("machine.capacity", 1.0).change("serial.busy", None)
    assert one.explain() is None


@pytest.mark.parametrize("cause", EXPLAINED)
def test_one_worker_needs_no_cause(cause: Cause) -> None:
    assert EXPLAINED[cause].change("cell.workers", 1).explain() is None


def test_a_strategy_that_cannot_be_loaded_is_not_said_to_share_the_lock() -> None:
    for facts in (PART, UNMETERED, OTHER_LOCK, NO_GIL):
        assert facts.change("cell.strategy", "gone_missing:POOL").explain() is None


@pytest.mark.parametrize(
    ("serial", "threads", "cause"),
    [
        (0.5, 0.6, "gil"),
        (0.5, 1.0, "gil"),  # two get more of what other programs leave, and still one at a time
        (0.5, 1.3, None),
        (1.5, 1.8, "gil"),  # with a thread of the library's own beside each task
        (1.5, 2.0, None),
        (0.0, 1.0, "gil"),
    ],
)
def test_tasks_ran_one_at_a_time_where_they_kept_one_core_busy_or_as_many_as_serial(
    serial: float, threads: float, cause: Cause | None
) -> None:
    facts = HELD.change("serial.cores", serial).change("cell.cores", threads)
    assert facts.prove() == cause


# What the rest of the ceiling is.

WINNER = replace(
    THREADS, cores=1.5, cpu_cost=1.2, of_ceiling=Estimate(0.7, 0.68, 0.72), verdict="wins"
)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, ("dearer", "idle_cores")),
        ({"cpu_cost": 1.0}, ("idle_cores",)),
        ({"cpu_cost": None}, ("idle_cores",)),
        ({"cores": 1.95}, ("dearer",)),
        ({"cores": None}, ("dearer",)),
        ({"cores": None, "cpu_cost": None}, ()),
        ({"of_ceiling": None}, ()),
        ({"of_ceiling": Estimate(0.93, 0.9, 0.96)}, ()),
    ],
)
def test_the_rest_of_the_ceiling_is_where_the_figures_show_it(
    change: dict[str, Any], found: tuple[str, ...]
) -> None:
    assert find_shortfall(replace(WINNER, **change), TWO_CPUS) == found


def test_cores_are_idle_only_beside_a_known_number_of_cpus() -> None:
    assert find_shortfall(WINNER, Machine(None, gil_enabled=True)) == ("dearer",)
    assert find_shortfall(WINNER, Machine(1.5, gil_enabled=True)) == ("dearer",)


# What the rules are made of.


def test_work_computes_unless_it_was_seen_to_wait() -> None:
    assert [computes(replace(SERIAL, busy=busy)) for busy in (1.0, 0.8, 0.79, None)] == [
        True,
        True,
        False,
        True,
    ]
    assert computes(None)


def test_cpus_are_lacking_only_where_there_is_one_for_work_that_computes() -> None:
    assert lacks_cpus(SERIAL, ONE_CPU)
    assert not lacks_cpus(replace(SERIAL, busy=0.5), ONE_CPU)
    assert not lacks_cpus(SERIAL, TWO_CPUS)
    assert not lacks_cpus(SERIAL, Machine(None, gil_enabled=True))


def test_a_task_that_keeps_several_cores_busy_has_threads_of_its_own() -> None:
    found = [has_inner_threads(replace(SERIAL, cores=cores)) for cores in (1.4, 1.5, None)]
    assert found == [False, True, False]
    assert not has_inner_threads(None)


def test_workers_are_due_no_more_than_the_cpus_and_nothing_where_those_are_not_known() -> None:
    assert [TWO_CPUS.find_due(workers) for workers in (1, 2, 8)] == [1.0, 2.0, 2.0]
    assert Machine(1.5, gil_enabled=None).find_due(2) == 1.5
    assert Machine(None, gil_enabled=None).find_due(2) is None


def test_the_lock_is_off_only_where_nothing_turned_it_back_on() -> None:
    off = Machine(2.0, gil_enabled=False)
    assert is_gil_off(off, SERIAL, None)
    assert not is_gil_off(off, replace(SERIAL, notes=("turns the GIL back on",)))
    assert not is_gil_off(TWO_CPUS, SERIAL)
    assert not is_gil_off(Machine(2.0, gil_enabled=None), SERIAL)
