"""When enough is known of a workload."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from gillab.blocks.analysis import find_widest
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import Held
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Block, Failure, Record
from gillab.blocks.stopping import Standing, look
from gillab.statistics import confidence_at, corrected_confidence
from gillab.workload import Workload

MACHINE = Machine(capacity=2.0, gil_enabled=True)
PROTOCOL = Protocol(0.04, 12, 62, 57.0, 0.03, 0.95, 30.0, 1)


def make_record(blocks: int = 12, **speedups: tuple[float, ...]) -> Record:
    """Return a record whose threads and processes gain so much, in one block after the other."""
    arms = plan_arms(("threads", "processes"), (2,))
    record = Record(Experiment(Workload("w", "kernel"), arms), steps=1)
    gains = {"threads": (1.0,), "processes": (1.9,), "ceiling": (2.0,)} | speedups
    for number in range(blocks):
        seconds = {
            arm.key: 1.0 / gain[number % len(gain)]
            for arm in arms
            for gain in [gains.get(arm.key.partition("/")[0], (1.0,))]
        }
        cores = dict.fromkeys(seconds, 1.9)
        record.blocks.append(Block("w", 1, tuple(seconds), seconds, cores, {"wall_s": 1.0}))
    return record


def look_at(*records: Record, machine: Machine = MACHINE, **named: Any) -> Standing:
    return look(records[0], records, replace(PROTOCOL, **named), machine)


WIDE = (0.8, 1.25)
"""It may gain or not."""


def test_before_the_first_look_nothing_is_known() -> None:
    assert Standing() == (math.inf, None, False, False)


def test_narrow_intervals_with_verdicts_are_enough() -> None:
    standing = look_at(make_record())
    assert standing.widest == pytest.approx(0.0, abs=1e-9)
    assert standing[1:] == (0, True, True)


def test_each_verdict_that_is_open_is_counted() -> None:
    assert look_at(make_record(threads=WIDE))[1:] == (1, False, False)
    assert look_at(make_record(threads=WIDE, processes=WIDE))[1:] == (2, False, False)


def test_a_verdict_may_be_decided_by_a_wide_interval_and_open_by_a_narrow_one() -> None:
    decided = look_at(make_record(threads=(1.5, 2.0, 2.5)))
    assert (decided.narrow, decided.decided) == (False, True)
    open_ = look_at(make_record(threads=(1.05,)))
    assert open_.narrow
    record = make_record(threads=(1.04, 1.06))
    assert look_at(record)[1:] == (1, True, False)


def test_what_figures_prove_is_decided_however_wide_the_interval() -> None:
    record = make_record(threads=WIDE)
    for key in ("serial/1", "threads/2"):
        record.held[key] = [Held(key, 0.99, 0.98, 1.0)]
    assert look_at(record)[1:] == (0, False, True)


def test_what_a_control_withholds_is_open() -> None:
    assert look_at(make_record(null=(1.1,))).undecided == 2
    low = look_at(make_record(ceiling=(1.2,)))
    assert (low.undecided, low.narrow, low.decided) == (1, True, False)


def test_too_few_blocks_leave_all_of_it_open() -> None:
    assert look_at(make_record(blocks=3)) == (math.inf, 2, False, False)


def test_what_failed_is_neither_open_nor_wide() -> None:
    record = make_record(threads=WIDE)
    record.fail("threads/2", Failure("failed", "died"))
    assert look_at(record)[1:] == (0, True, True)


def test_a_look_has_the_confidence_of_a_run_that_ends_there() -> None:
    """Not that of a run whose time is up, which may spend what is left."""
    record = make_record(blocks=18, threads=(0.9, 0.95, 0.97, 1.0, 1.02, 1.05, 1.1))
    sure = corrected_confidence(confidence_at(0.95, 18, last=False), 3)
    least = corrected_confidence(confidence_at(0.95, 18, last=True), 3)
    assert look_at(record).widest == find_widest(record, sure) > find_widest(record, least)
    assert not record.settled, "which is the session's to say"


def test_other_workloads_make_a_look_more_careful() -> None:
    record = make_record(blocks=18, threads=(0.9, 0.95, 0.97, 1.0, 1.02, 1.05, 1.1))
    alone = look_at(record)
    assert look_at(record, make_record(), make_record()).widest > alone.widest


def test_how_narrow_is_enough_is_the_protocols() -> None:
    record = make_record(threads=(1.4, 1.5, 1.6))
    assert not look_at(record, target_error=0.03).narrow
    assert look_at(record, target_error=0.1).narrow
