"""When a run goes on, when it stops, and what it keeps, told by launches that only pretend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from gillab.blocks.evidence import Machine
from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Held,
    Measured,
    MeterArms,
    Metered,
    OpenArms,
    Ready,
    RunBlock,
)
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Record
from gillab.blocks.session import Progress, Session
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import Message, Started
from gillab.workload import Workload

ARMS = plan_arms(("serial", "threads", "processes"), (2,))
MACHINE = Machine(capacity=2.0, gil_enabled=True)


class Clock:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def find_steady_s(arm: str, block: int) -> float:
    """Take as long in every block: two workers of the released loop are twice as fast as one."""
    return 0.5 if arm == "ceiling/2" else 1.0


def find_wide_s(arm: str, block: int) -> float:
    """Be slower or faster in threads by turns, so that nobody can tell what they gain."""
    return find_steady_s(arm, block) * ((0.8, 1.25)[block % 2] if arm == "threads/2" else 1.0)


def begin_oddly(blocks: int) -> Callable[[str, int], float]:
    """Be faster in threads in the first blocks after the warm-up, and steady from there on."""
    return lambda arm, block: (find_wide_s if block <= blocks else find_steady_s)(arm, 0)


class FakeLaunch:
    """Answers as a launch would, in the same messages; an arm takes a second of the fake clock."""

    clock: Clock
    plans: list[OpenArms]
    blocks = 0
    """Of all launches, warm-ups included."""
    warm_ups: list[bool]
    """Of each block that was asked for, whether it was to be a short one."""
    stderr_bytes = 0
    crash: Callable[[str, str], str | None] = staticmethod(lambda arm, phase: None)
    find_s: Callable[[str, int], float] = staticmethod(find_steady_s)
    """What a task takes, by its arm and the number of the block."""
    arm_s = 0.1
    start_s = 0.0

    def __init__(self) -> None:
        self.answers: list[Message] = []
        self.dead: str | None = None
        self._add(Started())

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        Launch.await_start(cast("Any", self), timeout_s, budget_s)

    def _add(self, message: Message) -> None:
        if self.dead is None:
            self.answers.append(message)

    def _do(self, key: str, phase: str, message: Message) -> None:
        self._add(Announced(key))
        crash = type(self).crash(key, phase) if self.dead is None else None
        if crash:
            self.dead = crash
        self._add(message)

    def send(self, message: Message) -> None:
        match message:
            case OpenArms():
                type(self).plans.append(message)
                for arm in message.arms:
                    self._do(arm.key, "setup", Ready(arm.key, 0.5))
                self._add(Calibrated(message.steps or 7, message.control_steps or 9))
            case RunBlock(order, warm_up):
                type(self).warm_ups.append(warm_up)
                for key in order:
                    seconds = type(self).find_s(key, type(self).blocks)
                    self._do(key, "run", Measured(key, seconds, 1 / seconds))
                self._add(BlockDone({"wall_s": 1.0}, ()))
                type(self).blocks += 1
            case MeterArms():
                self.dead = self.dead or type(self).crash("", "meter")
                self._add(Held("threads/2", 0.5, 0.4, 0.6))
                self._add(Metered())
            case _:
                raise AssertionError(message)

    def receive(self, timeout_s: float) -> Message:
        if not self.answers:
            assert self.dead, "the parent waits for an answer that will not come"
            if self.dead == "hangs":
                type(self).clock.now += timeout_s
                raise TimeoutError
            raise LaunchEndedError(self.dead)
        message = self.answers.pop(0)
        took_s = {Measured: type(self).arm_s, Started: type(self).start_s}.get(type(message), 0.0)
        type(self).clock.now += min(took_s, timeout_s)
        if took_s > timeout_s:
            raise TimeoutError
        return message

    def __enter__(self) -> FakeLaunch:
        return self

    def __exit__(self, *rest: object) -> None:
        pass


def hang_in_threads(arm: str, phase: str) -> str | None:
    return "hangs" if (arm, phase) == ("threads/2", "run") else None


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> type[FakeLaunch]:
    class Fresh(FakeLaunch):
        clock = Clock()
        plans: list[OpenArms] = []  # noqa: RUF012  # a new class for every test
        warm_ups: list[bool] = []  # noqa: RUF012

    for module in ("session", "client"):
        monkeypatch.setattr(f"gillab.blocks.{module}.time", Fresh.clock)
    return Fresh


def make_session(
    launches: type[FakeLaunch],
    workloads: int = 1,
    on_block: Callable[[Progress], None] | None = None,
    **named: Any,
) -> Session:
    options: dict[str, Any] = {
        "task_time_s": 0.1, "min_blocks": 12, "max_blocks": 62, "time_budget_s": 1000.0,
        "target_error": 0.02, "confidence": 0.95, "timeout_s": 30.0, "seed": 1,
    }  # fmt: skip
    experiments = [
        Experiment(Workload(f"w{number}", "kernel"), ARMS) for number in range(workloads)
    ]
    return Session(experiments, Protocol(**(options | named)), MACHINE, on_block, launches)


def run(launches: type[FakeLaunch], workloads: int = 1, **named: Any) -> list[Record]:
    session = make_session(launches, workloads, **named)
    session.run()
    return session.records


# When a run ends.


def test_a_run_ends_at_the_first_look_where_all_is_decided(launches: type[FakeLaunch]) -> None:
    (record,) = run(launches)
    assert len(record.blocks) == 12
    assert {block.launch for block in record.blocks} == {1, 2, 3}
    assert record.settled


@pytest.mark.parametrize(("odd", "look"), [(1, 18), (2, 27), (3, 41)])
def test_a_run_whose_verdicts_are_open_goes_on_to_the_next_look(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, odd: int, look: int
) -> None:
    """The first blocks are unlike all that come: the more of them, the longer until it is clear."""
    monkeypatch.setattr(launches, "find_s", staticmethod(begin_oddly(odd)))
    (record,) = run(launches, target_error=1e-9)
    assert len(record.blocks) == look
    assert record.settled


def test_what_stays_undecided_has_the_most_blocks_and_spends_what_is_left(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "find_s", staticmethod(find_wide_s))
    (record,) = run(launches)
    assert len(record.blocks) == 62
    assert not record.settled
    (record,) = run(launches, max_blocks=30)
    assert len(record.blocks) == 30, "between two looks"
    assert not record.settled


def test_a_look_before_the_fewest_blocks_ends_nothing(launches: type[FakeLaunch]) -> None:
    (record,) = run(launches, min_blocks=20)
    assert len(record.blocks) == 20, "which is after the look that found all of it decided"


def test_a_run_that_ends_between_two_looks_spends_what_is_left(launches: type[FakeLaunch]) -> None:
    """Though all of it is decided: nobody was to ask there."""
    (record,) = run(launches, min_blocks=15, max_blocks=15, target_error=1e-9)
    assert len(record.blocks) == 15
    assert not record.settled


def test_who_asks_for_precision_gets_it_however_soon_all_is_decided(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_s(arm: str, block: int) -> float:
        wobble = (0.97, 1.0, 1.03)[block % 3] if arm == "threads/2" else 1.0
        return find_steady_s(arm, block) * wobble * (0.5 if arm == "threads/2" else 1.0)

    monkeypatch.setattr(launches, "find_s", staticmethod(find_s))
    (settled,) = run(launches)
    assert (len(settled.blocks), settled.settled) == (12, True)
    (precise,) = run(launches, target_error=0.018, until_decided=False)
    assert 12 < len(precise.blocks) < 62
    assert not precise.settled
    (most,) = run(launches, target_error=1e-9, until_decided=False)
    assert len(most.blocks) == 62


def test_narrow_intervals_are_enough_after_the_fewest_blocks(launches: type[FakeLaunch]) -> None:
    (record,) = run(launches, min_blocks=15, until_decided=False)
    assert len(record.blocks) == 15
    assert not record.settled


def test_each_workload_ends_at_a_look_of_its_own(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wide(launches):  # type: ignore[misc, valid-type]
        def send(self, message: Message) -> None:
            if isinstance(message, OpenArms):
                wide = message.workload.name == "w1"
                launches.find_s = staticmethod(find_wide_s if wide else find_steady_s)
            super().send(message)

    steady, wide = run(Wide, workloads=2)
    assert (len(steady.blocks), steady.settled) == (12, True)
    assert (len(wide.blocks), wide.settled) == (62, False)


def test_where_serial_fails_there_is_no_more_to_decide_than_the_fewest_blocks(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(arm: str, phase: str) -> str | None:
        return "was killed by SIGSEGV" if (arm, phase) == ("serial/1", "run") else None

    monkeypatch.setattr(launches, "crash", staticmethod(crash))
    (record,) = run(launches)
    assert set(record.failures) == {"serial/1", "null/1"}
    assert len(record.blocks) == 12
    assert sum("threads/2" in block.seconds for block in record.blocks) == 12


def test_progress_tells_how_many_verdicts_are_open_as_of_the_last_look(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "find_s", staticmethod(begin_oddly(1)))
    told: list[Progress] = []
    make_session(launches, on_block=told.append, max_blocks=20).run()
    by_block = {progress.block: progress for progress in told}
    assert by_block[11].undecided is None
    assert by_block[11].widest == math.inf
    assert by_block[12].undecided == by_block[17].undecided == 1
    assert by_block[18].undecided == 0
    assert by_block[12].widest == by_block[17].widest
    assert by_block[18].widest < by_block[12].widest
    lefts = [progress.left_s for progress in told]
    assert lefts == sorted(lefts, reverse=True)


# Time, turns and order.


def test_the_time_budget_holds_and_every_workload_has_its_share(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "find_s", staticmethod(find_wide_s))
    records = run(launches, workloads=3, time_budget_s=20.0, max_blocks=10_000)
    assert launches.clock.now - 100 <= 20.0
    counts = [len(record.blocks) for record in records]
    assert min(counts) >= 0.5 * max(counts)
    assert all(len({b.launch for b in record.blocks}) >= 3 for record in records)


def test_workloads_take_turns(launches: type[FakeLaunch]) -> None:
    run(launches, workloads=2)
    assert [plan.workload.name for plan in launches.plans] == ["w0", "w1"] * 3


def test_the_steps_are_calibrated_once(launches: type[FakeLaunch]) -> None:
    run(launches)
    assert [plan.steps for plan in launches.plans] == [None, 7, 7]
    assert [plan.control_steps for plan in launches.plans] == [None, 9, 9]


def test_steps_that_were_asked_for_are_not_calibrated(launches: type[FakeLaunch]) -> None:
    run(launches, steps=5)
    assert [plan.steps for plan in launches.plans] == [5, 5, 5]
    assert launches.plans[0].control_steps is None


def test_a_launch_is_told_how_to_start_its_workers(launches: type[FakeLaunch]) -> None:
    run(launches, start_method="spawn", inner_threads=2)
    assert {(plan.start_method, plan.inner_threads) for plan in launches.plans} == {("spawn", 2)}
    assert all(plan.arms == ARMS for plan in launches.plans)


def test_the_seed_alone_settles_the_orders(launches: type[FakeLaunch]) -> None:
    orders = [[b.order for b in run(launches, seed=seed)[0].blocks] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


# What a launch that dies or hangs costs.


@pytest.mark.parametrize("phase", ["setup", "run"])
@pytest.mark.parametrize(
    ("end", "reason"), [("was killed by SIGSEGV", "SIGSEGV"), ("hangs", "--timeout")]
)
def test_a_dead_launch_costs_its_culprit_alone(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, phase: str, end: str, reason: str
) -> None:
    def crash(arm: str, now: str) -> str | None:
        return end if (arm, now) == ("threads/2", phase) else None

    monkeypatch.setattr(launches, "crash", staticmethod(crash))
    (record,) = run(launches)
    assert record.failures["threads/2"].status == "failed"
    assert reason in record.failures["threads/2"].reason
    assert set(record.failures) == {"threads/2"}
    assert sum("processes/2" in block.seconds for block in record.blocks) == 12


def test_what_a_launch_takes_to_start_is_no_arms_time(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", 59.0)
    (record,) = run(launches, timeout_s=3.0)
    assert not record.failures
    assert len(record.blocks) == 12


def test_a_launch_that_does_not_start_is_no_fault_of_the_timeout(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", 61.0)
    (record,) = run(launches, timeout_s=3.0)
    assert {failure.reason for failure in record.failures.values()} == {"did not start within 60 s"}
    assert not record.open_cells


def test_a_launch_that_does_not_start_takes_no_more_than_the_time_budget(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", math.inf)
    (record,) = run(launches, timeout_s=3.0, time_budget_s=40.0)
    assert launches.clock.now - 100 == pytest.approx(40.0)
    assert not record.failures


def test_what_a_dying_block_had_measured_is_kept(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter(range(1000))

    def crash(arm: str, phase: str) -> str | None:
        late = arm == "threads/2" and phase == "run" and next(runs) == 3
        return "was killed by SIGKILL" if late else None

    monkeypatch.setattr(launches, "crash", staticmethod(crash))
    (record,) = run(launches)
    assert sum("threads/2" in block.seconds for block in record.blocks) == 2  # less one warm-up
    assert any(0 < len(block.seconds) < len(block.order) for block in record.blocks)


def test_a_launch_that_dies_with_nobody_to_blame_is_not_repeated_for_ever(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(self: FakeLaunch, timeout_s: float) -> Message:
        raise LaunchEndedError("its process ended with exit code 1")

    monkeypatch.setattr(launches, "receive", dead)
    (record,) = run(launches)
    assert {failure.status for failure in record.failures.values()} == {"failed"}
    assert not record.open_cells


@pytest.mark.parametrize(
    ("arm_s", "warm_ups"), [(0.1, 3), (1.0, 0)], ids=["short blocks", "long blocks"]
)
def test_the_first_block_of_a_launch_is_a_warm_up_unless_blocks_are_long(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, arm_s: float, warm_ups: int
) -> None:
    """In the first launch too."""
    monkeypatch.setattr(launches, "arm_s", arm_s)
    (record,) = run(launches, max_blocks=12)
    assert (len(record.blocks), record.launches) == (12, 3)
    ran = (launches.clock.now - 100) / (len(ARMS) * arm_s)
    assert round(ran) == 12 + warm_ups


@pytest.mark.parametrize("seed", range(8))
def test_a_first_block_that_took_long_by_a_hang_is_a_warm_up(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What came after the arm that hung is measured too, where one block is all there is."""
    monkeypatch.setattr(launches, "crash", staticmethod(hang_in_threads))
    (record,) = run(launches, min_blocks=1, max_blocks=1, seed=seed)
    (block,) = record.blocks
    assert set(block.seconds) == {arm.key for arm in ARMS} - {"threads/2"}


@pytest.mark.parametrize("budget_s", [1.0, 20.0, 600.0])
def test_the_grace_for_an_arm_that_runs_is_within_the_budget(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, budget_s: float
) -> None:
    monkeypatch.setattr(launches, "crash", staticmethod(hang_in_threads))
    (record,) = run(launches, time_budget_s=budget_s, timeout_s=1e6)
    assert launches.clock.now - 100 == pytest.approx(budget_s)
    assert not record.failures, "whether it ever would have returned, nobody knows"
    # From when it was announced: an arm or more of that block may have come before it.
    assert list(record.cut) == ["threads/2"]
    assert budget_s - len(ARMS) * launches.arm_s <= record.cut["threads/2"] <= budget_s


def test_an_interruption_leaves_the_blocks_so_far(launches: type[FakeLaunch]) -> None:
    def stop(progress: Progress) -> None:
        if progress.block == 4:
            raise KeyboardInterrupt

    session = make_session(launches, on_block=stop)
    with pytest.raises(KeyboardInterrupt):
        session.run()
    (record,) = session.records
    assert len(record.blocks) == 4
    assert not record.settled


def test_a_workload_that_prints_much_is_noted_once(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(launches)[0].notes == []
    monkeypatch.setattr(launches, "stderr_bytes", 1_000_000)
    (record,) = run(launches)
    assert record.notes == ["prints much to standard error"]


def test_each_launch_but_the_last_meters_the_gil_after_its_blocks(
    launches: type[FakeLaunch],
) -> None:
    (record,) = run(launches)
    assert record.launches == 3
    assert record.held == {"threads/2": [Held("threads/2", 0.5, 0.4, 0.6)] * 2}


def test_a_warm_up_is_short_where_a_task_can_be_and_no_part_of_the_record(
    launches: type[FakeLaunch],
) -> None:
    (record,) = run(launches, steps=80)
    assert len(record.blocks) == 12
    assert launches.warm_ups == [True, *[False] * 4] * 3


@pytest.mark.parametrize("end", ["was killed by SIGSEGV", "hangs"])
def test_a_launch_that_dies_while_metered_costs_nothing(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    def crash(arm: str, phase: str) -> str | None:
        return end if phase == "meter" else None

    monkeypatch.setattr(launches, "crash", staticmethod(crash))
    (record,) = run(launches)
    assert not record.failures
    assert not record.held
    assert len(record.blocks) == 12
