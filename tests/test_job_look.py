"""What is known of a job before it is measured, and the budget that follows from it."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import pytest

from gillab.blocks.plan import NULL, SERIAL, Arm
from gillab.blocks.protocol import Protocol, make_protocol
from gillab.jobs.forks import watch_forks
from gillab.jobs.look import estimate_loop
from gillab.jobs.plan import fit_budget
from gillab.jobs.program import Job

ARMS = (
    SERIAL,
    Arm("threads", 2),
    Arm("processes", 2, chunksize=1),
    Arm("processes", 2, chunksize=10, candidate=True),
    Arm("processes", 2, chunksize=100, candidate=True),
    NULL,
)
"""Of which five stay."""


def fit(loop_s: float | None, **given: Any) -> Protocol:
    protocol = make_protocol([], "default", seed=1, **given)
    return fit_budget(
        protocol, ARMS, loop_s, budget_given="time_budget_s" in given,
        timeout_given="timeout_s" in given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("loop_s", "budget_s"),
    [
        (None, 57.0),
        (0.1, 57.0),
        (2.0, 12 * 5 * 2.0 * 1.5),
        (60.0, 300.0),
    ],
)
def test_the_budget_grows_with_the_job(loop_s: float | None, budget_s: float) -> None:
    assert fit(loop_s).time_budget_s == pytest.approx(budget_s)


@pytest.mark.parametrize(
    ("loop_s", "timeout_s"), [(None, 14.25), (0.1, 14.25), (5.0, 20.0), (60.0, 150.0)]
)
def test_a_long_job_has_not_hung(loop_s: float | None, timeout_s: float) -> None:
    assert fit(loop_s).timeout_s == pytest.approx(timeout_s)


def test_what_was_given_stays() -> None:
    protocol = fit(60.0, time_budget_s=20.0, timeout_s=6.0)
    assert (protocol.time_budget_s, protocol.timeout_s) == (20.0, 6.0)


def test_a_look_at_a_job_runs_a_few_items() -> None:
    seen: list[int] = []
    assert estimate_loop(Job(seen.append, list(range(100_000)))) is not None
    assert 2 <= len(seen) <= 64


def test_a_job_that_fails_has_no_length() -> None:
    assert estimate_loop(Job(lambda item: 1 / item, [0])) is None
    assert estimate_loop(Job(lambda item: item, [0])) is not None


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_the_first_fork_of_a_setup_is_told() -> None:
    told: list[int] = []

    def start() -> None:
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        process.join()

    with watch_forks(lambda: told.append(1)):
        assert told == []
        start()
        start()
    assert told == [1]
    with watch_forks(lambda: told.append(2)):
        pass
    start()
    assert told == [1]
