"""The arms of an experiment, and the pieces that a task is queued in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gillab.blocks.plan import NULL, REFERENCE, SERIAL, Arm, divide, plan_arms


@given(st.integers(1, 10**18))
def test_the_pieces_of_a_task_add_up_to_it_and_none_is_empty(steps: int) -> None:
    pieces = divide(steps)
    assert sum(pieces) == steps
    assert min(pieces) >= 1


@given(st.integers(1, 10**18))
def test_pieces_get_smaller_towards_the_end(steps: int) -> None:
    """Down to an eighth, and what rounding leaves over: one step of each piece."""
    pieces = divide(steps)
    assert pieces[:-1] == sorted(pieces[:-1], reverse=True)
    assert pieces[-1] <= steps // 8 + 3


def test_a_task_of_few_steps_has_fewer_pieces() -> None:
    assert {steps: divide(steps) for steps in (1, 2, 3, 4, 8, 800)} == {
        1: [1],
        2: [1, 1],
        3: [1, 2],
        4: [2, 1, 1],
        8: [4, 2, 1, 1],
        800: [400, 200, 100, 100],
    }


def test_every_number_of_workers_has_its_ceiling_and_serial_comes_first_and_last() -> None:
    arms = plan_arms(("serial", "threads"), (2, 4))
    assert arms == (
        SERIAL,
        Arm("threads", 2),
        Arm("threads", 4),
        NULL,
        REFERENCE,
        Arm("processes", 2, "ceiling"),
        Arm("processes", 4, "ceiling"),
    )
    here = plan_arms(("threads",), (2,), ceiling="threads")
    assert here[-1] == Arm("threads", 2, "ceiling")
    assert [arm.key for arm in here] == [
        "serial/1", "threads/2", "null/1", "reference/1", "ceiling/2"
    ]  # fmt: skip


def test_controls_alone_run_the_loop() -> None:
    arms = plan_arms(("threads", "ceiling:POOL"), (2,))
    loops = [arm.key for arm in arms if arm.runs_loop]
    assert loops == ["reference/1", "ceiling/2"]
