"""Which strategy is chosen, as data: what is said of it stands in the report."""

from __future__ import annotations

from typing import Any

import pytest
from report_fixtures import arm, conclude, missing, ratio, serial

from gillab.blocks.choices import choose, find_fastest, rank_simplicity
from gillab.blocks.evidence import Machine
from gillab.estimates import Estimate
from gillab.results import Alternative, Cell, Choice, Verdict

TWO_CPUS = Machine(2.0, gil_enabled=True)
ONE_CPU = Machine(1.0, gil_enabled=True)
WIDE = Estimate(0.97, 0.8, 1.2)
"""Of the fastest: the same, slower or faster."""


def decide(*cells: Cell, machine: Machine = TWO_CPUS) -> Choice:
    return choose(conclude([serial(), *cells], machine), machine)


def win(strategy: str, share: float | Estimate = 1.0, workers: int = 2) -> Cell:
    """Make a winner that is so fast as a share of the fastest."""
    of_fastest = share if isinstance(share, Estimate) else ratio(share, 0.01)
    return arm(strategy, 1.9 * of_fastest.estimate, "wins", workers=workers, of_fastest=of_fastest)


FASTEST = Estimate(1.0, 1.0, 1.0)


def test_a_single_winner_is_used() -> None:
    choice = decide(arm("threads", 0.99, "same"), arm("processes", 1.9, "wins"))
    assert choice == Choice("nogil", "use", "processes", 2)


def test_the_simplest_of_equals_is_used_and_the_others_are_as_fast() -> None:
    choice = decide(win("processes", FASTEST), win("interpreters", 0.99), win("threads", 0.98))
    assert choice == Choice(
        "nogil",
        "use",
        "threads",
        2,
        (Alternative("interpreters", 2, "as_fast"), Alternative("processes", 2, "as_fast")),
    )


def test_fewer_workers_are_simpler() -> None:
    choice = decide(win("threads", FASTEST, workers=4), win("threads", 0.98, workers=2))
    assert (choice.strategy, choice.workers) == ("threads", 2)
    assert choice.alternatives == (Alternative("threads", 4, "as_fast"),)


def test_what_is_shown_to_be_slower_is_neither_used_nor_an_alternative() -> None:
    choice = decide(win("threads", 0.9), win("processes", FASTEST))
    assert choice == Choice("nogil", "use", "processes", 2)


def test_beside_the_fastest_another_is_no_faster_where_it_may_be_slower() -> None:
    slower_or_not = Estimate(0.97, 0.85, 1.04)
    choice = decide(win("threads", FASTEST), win("processes", slower_or_not))
    assert choice.alternatives == (Alternative("processes", 2, "no_faster"),)


@pytest.mark.parametrize(
    ("chosen", "other"),
    [
        (FASTEST, WIDE),
        (FASTEST, Estimate(0.97, None, None)),
        (WIDE, FASTEST),  # the simplest, whose distance to the fastest is not known
        (WIDE, ratio(0.99, 0.01)),
    ],
)
def test_whether_another_is_faster_is_open_where_no_interval_tells(
    chosen: Estimate, other: Estimate
) -> None:
    choice = decide(win("threads", chosen), win("processes", other))
    assert (choice.advice, choice.strategy) == ("use", "threads")
    assert choice.alternatives == (Alternative("processes", 2, "open"),)


def test_a_strategy_that_is_not_known_here_is_the_last_to_be_used() -> None:
    assert rank_simplicity(win("gone_missing:POOL")) > rank_simplicity(win("processes"))
    choice = decide(win("gone_missing:POOL", FASTEST), win("processes", 0.99))
    assert choice.strategy == "processes"
    alone = decide(win("gone_missing:POOL", FASTEST))
    assert alone.strategy == "gone_missing:POOL"


def test_a_winner_is_used_whatever_became_of_the_others() -> None:
    choice = decide(
        arm("threads", 1.0, "withheld"),
        missing("interpreters", "needs Python 3.14", "unavailable"),
        arm("processes", 1.9, "wins"),
    )
    assert (choice.advice, choice.strategy) == ("use", "processes")


@pytest.mark.parametrize("verdict", ["same", "no_gain", "loses"])
def test_where_nothing_gains_one_stays_serial(verdict: Verdict) -> None:
    choice = decide(arm("threads", 1.0, verdict), arm("processes", 0.9, "loses"))
    assert choice == Choice("nogil", "stay_serial")


def test_an_arm_that_failed_leaves_the_advice_to_those_that_ran() -> None:
    choice = decide(arm("threads", 1.0, "same"), missing("processes", "died"))
    assert choice == Choice("nogil", "stay_serial")


@pytest.mark.parametrize("verdict", ["inconclusive", None])
def test_what_is_undecided_leaves_the_advice_open(verdict: Verdict | None) -> None:
    choice = decide(arm("threads", 1.0, "same"), arm("processes", 1.1, verdict))
    assert choice == Choice("nogil", "open")


def test_what_is_withheld_comes_before_what_is_open() -> None:
    choice = decide(arm("threads", 1.0, "withheld"), arm("processes", 1.1, "inconclusive"))
    assert choice == Choice("nogil", "withheld")


@pytest.mark.parametrize(
    ("machine", "change", "workers", "because"),
    [
        (ONE_CPU, {}, 2, "one_cpu"),
        (ONE_CPU, {"busy": 0.3}, 2, None),  # what waits may gain from more workers there
        (ONE_CPU, {}, 1, "one_cpu"),
        (TWO_CPUS, {}, 1, "one_worker"),
        (TWO_CPUS, {"cores": 1.9}, 2, "inner_threads"),
        (TWO_CPUS, {"cores": None}, 2, None),
        (Machine(None, gil_enabled=None), {}, 2, None),
    ],
)
def test_why_nothing_else_could_gain_is_said_where_it_is_known(
    machine: Machine, change: dict[str, Any], workers: int, because: str | None
) -> None:
    alone = arm("serial", None, None, workers=1, **({"busy": 1.0, "cores": 1.0} | change))
    choice = choose([alone, arm("threads", 1.0, "no_gain", workers=workers)], machine)
    assert (choice.advice, choice.because) == ("stay_serial", because)


@pytest.mark.parametrize(
    "cells",
    [
        [serial()],
        [serial(), missing("threads", "died")],
        [missing("serial", "died", workers=1), missing("threads", "died")],
        [missing("serial", "died", workers=1), arm("threads", None, None)],
        [arm("threads", None, "no_gain")],
    ],
)
def test_with_nothing_to_compare_there_is_no_advice(cells: list[Cell]) -> None:
    assert choose(cells, TWO_CPUS) == Choice("nogil", "none")


def test_the_fastest_come_simplest_first_and_losers_never() -> None:
    cells = [win("processes", FASTEST), win("threads", 0.99), win("interpreters", 0.9)]
    found = find_fastest([*cells, arm("threads", 1.0, "same", workers=4)])
    assert [cell.strategy for cell in found] == ["threads", "processes"]
