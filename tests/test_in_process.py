"""What measuring in a test's own process leaves as it was."""

from __future__ import annotations

import random

from gillab.blocks.in_process import _run_block
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.record import Record
from gillab.workload import Workload


def test_a_sequence_of_random_numbers_that_was_seeded_goes_on() -> None:
    arms = plan_arms(("threads",), (2,))
    record = Record(Experiment(Workload("f()", "statement"), arms), steps=None)
    before = random.getstate()
    _run_block(record, {arm.key: lambda: sum(range(10_000)) for arm in arms})
    assert len(record.blocks) == 1
    assert random.getstate() == before
