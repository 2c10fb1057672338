"""When a run goes on, when it stops, and what it keeps, told by launches that only pretend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gillab.blocks.plan import Experiment, Protocol, plan_arms
from gillab.blocks.record import Record
from gillab.blocks.session import Session
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.workload import Workload

ARMS = plan_arms(("serial", "threads", "processes"), (2,))


class Clock:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class FakeLaunch:
    """Answers as a launch would; each arm takes a second of the fake clock."""

    clock: Clock
    plans: list[dict[str, Any]]
    stderr_bytes = 0
    crash: Callable[[str, str], str | None] = staticmethod(lambda arm, phase: None)
    arm_s = 0.1
    start_s = 0.0
    await_start = Launch.await_start

    def __init__(self, plan: dict[str, Any]) -> None:
        type(self).plans.append(plan)
        keys = [module_key(arm) for arm in plan["arms"]]
        self.events: list[dict[str, Any]] = []
        self.dead: str | None = None
        self._add({"event": "started"})
        for key in keys:
            self._do(key, "setup", {"event": "ready", "arm": key, "setup_s": 0.5})
        self._add({"event": "calibrated", "cell": plan["steps"] or 7, "control": 9})

    def _add(self, event: dict[str, Any]) -> None:
        if self.dead is None:
            self.events.append(event)

    def _do(self, key: str, phase: str, event: dict[str, Any]) -> None:
        self._add({"event": "announce", "arm": key, "phase": phase})
        crash = type(self).crash(key, phase) if self.dead is None else None
        if crash:
            self.dead = crash
        self._add(event)

    def send(self, message: dict[str, Any]) -> None:
        if "meter" in message:
            self.dead = self.dead or type(self).crash("", "meter")
            self._add({"event": "held", "arm": "threads/2", "held": 0.5})
            self._add({"event": "metered"})
            return
        for key in message["order"]:
            event = {"event": "measured", "arm": key, "seconds": 1.0, "cores": 1.0}
            self._do(key, "run", event)
        self._add({"event": "block", "noise": {"wall_s": 1.0}, "notes": []})

    def receive(self, timeout_s: float) -> dict[str, Any]:
        if not self.events:
            assert self.dead, "the parent waits for an event that will not come"
            if self.dead == "hangs":
                type(self).clock.now += timeout_s
                raise TimeoutError
            raise LaunchEndedError(self.dead)
        event = self.events.pop(0)
        took_s = {"measured": type(self).arm_s, "started": type(self).start_s}
        type(self).clock.now += min(took_s.get(event["event"], 0.0), timeout_s)
        if took_s.get(event["event"], 0.0) > timeout_s:
            raise TimeoutError
        return event

    def __enter__(self) -> FakeLaunch:
        return self

    def __exit__(self, *rest: object) -> None:
        pass


def module_key(arm: dict[str, Any]) -> str:
    name = arm["strategy"] if arm["role"] == "cell" else arm["role"]
    return f"{name}/{arm['workers']}"


def hang_in_threads(arm: str, phase: str) -> str | None:
    return "hangs" if (arm, phase) == ("threads/2", "run") else None


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> type[FakeLaunch]:
    class Fresh(FakeLaunch):
        clock = Clock()
        plans: list[dict[str, Any]] = []  # noqa: RUF012  # a new class for every test

    monkeypatch.setattr("gillab.blocks.session.Launch", Fresh)
    for module in ("session", "client"):
        monkeypatch.setattr(f"gillab.blocks.{module}.time", Fresh.clock)
    return Fresh


def run(widest: float = 0.0, workloads: int = 1, **named: Any) -> list[Record]:
    options: dict[str, Any] = {
        "task_time_s": 0.1, "min_blocks": 15, "max_blocks": 60, "time_budget_s": 1000.0,
        "target_error": 0.02, "confidence": 0.95, "timeout_s": 30.0, "seed": 1,
    }  # fmt: skip
    experiments = [
        Experiment(Workload(f"w{number}", "kernel"), ARMS) for number in range(workloads)
    ]
    session = Session(experiments, Protocol(**(options | named)), lambda record: widest)
    session.run()
    return session.records


def test_a_quiet_machine_is_done_after_the_fewest_blocks(launches: type[FakeLaunch]) -> None:
    (record,) = run(widest=0.01)
    assert len(record.blocks) == 15
    assert {block.launch for block in record.blocks} == {1, 2, 3}


def test_wide_intervals_go_on_to_the_most_blocks(launches: type[FakeLaunch]) -> None:
    (record,) = run(widest=math.inf)
    assert len(record.blocks) == 60


def test_the_time_budget_holds_and_every_workload_has_its_share(
    launches: type[FakeLaunch],
) -> None:
    records = run(widest=math.inf, workloads=3, time_budget_s=20.0, max_blocks=10_000)
    assert launches.clock.now - 100 <= 20.0
    counts = [len(record.blocks) for record in records]
    assert min(counts) >= 0.5 * max(counts)
    assert all(len({b.launch for b in record.blocks}) >= 3 for record in records)


def test_workloads_take_turns(launches: type[FakeLaunch]) -> None:
    run(widest=0.0, workloads=2)
    assert [plan["workload"]["name"] for plan in launches.plans] == ["w0", "w1"] * 3


def test_the_steps_are_calibrated_once(launches: type[FakeLaunch]) -> None:
    run()
    assert [plan["steps"] for plan in launches.plans] == [None, 7, 7]
    assert [plan["control_steps"] for plan in launches.plans] == [None, 9, 9]


def test_the_seed_alone_settles_the_orders(launches: type[FakeLaunch]) -> None:
    orders = [[b.order for b in run(seed=seed)[0].blocks] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


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
    (record,) = run()
    assert record.failures["threads/2"].status == "failed"
    assert reason in record.failures["threads/2"].reason
    assert set(record.failures) == {"threads/2"}
    assert sum("processes/2" in block.seconds for block in record.blocks) >= 15


def test_what_a_launch_takes_to_start_is_no_arms_time(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", 59.0)
    (record,) = run(timeout_s=3.0)
    assert not record.failures
    assert len(record.blocks) == 15


def test_a_launch_that_does_not_start_is_no_fault_of_the_timeout(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", 61.0)
    (record,) = run(timeout_s=3.0)
    assert {failure.reason for failure in record.failures.values()} == {"did not start within 60 s"}
    assert not record.open_cells


def test_a_launch_that_does_not_start_takes_no_more_than_the_time_budget(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "start_s", math.inf)
    (record,) = run(timeout_s=3.0, time_budget_s=40.0)
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
    (record,) = run()
    assert sum("threads/2" in block.seconds for block in record.blocks) == 2  # less one warm-up
    assert any(0 < len(block.seconds) < len(block.order) for block in record.blocks)


def test_a_launch_that_dies_with_nobody_to_blame_is_not_repeated_for_ever(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(self: FakeLaunch, timeout_s: float) -> dict[str, Any]:
        raise LaunchEndedError("its process ended with exit code 1")

    monkeypatch.setattr(launches, "receive", dead)
    (record,) = run()
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
    (record,) = run(max_blocks=15)
    assert (len(record.blocks), record.launches) == (15, 3)
    ran = (launches.clock.now - 100) / (len(ARMS) * arm_s)
    assert round(ran) == 15 + warm_ups


@pytest.mark.parametrize("seed", range(8))
def test_a_first_block_that_took_long_by_a_hang_is_a_warm_up(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What came after the arm that hung is measured too, where one block is all there is."""
    monkeypatch.setattr(launches, "crash", staticmethod(hang_in_threads))
    (record,) = run(min_blocks=1, max_blocks=1, seed=seed)
    (block,) = record.blocks
    assert set(block.seconds) == {arm.key for arm in ARMS} - {"threads/2"}


@pytest.mark.parametrize("budget_s", [1.0, 20.0, 600.0])
def test_the_grace_for_an_arm_that_runs_is_within_the_budget(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, budget_s: float
) -> None:
    monkeypatch.setattr(launches, "crash", staticmethod(hang_in_threads))
    (record,) = run(time_budget_s=budget_s, timeout_s=1e6)
    assert launches.clock.now - 100 == pytest.approx(budget_s)
    assert not record.failures, "whether it ever would have returned, nobody knows"
    # From when it was announced: an arm or more of that block may have come before it.
    assert list(record.cut) == ["threads/2"]
    assert budget_s - len(ARMS) * launches.arm_s <= record.cut["threads/2"] <= budget_s


def test_an_interruption_leaves_the_blocks_so_far(launches: type[FakeLaunch]) -> None:
    protocol = Protocol(0.1, 15, 60, 1000.0, 0.02, 0.95, 30.0, 1)
    experiment = Experiment(Workload("w", "kernel"), ARMS)

    def stop(record: Record, left_s: float) -> None:
        if len(record.blocks) == 4:
            raise KeyboardInterrupt

    session = Session([experiment], protocol, lambda record: math.inf, stop)
    with pytest.raises(KeyboardInterrupt):
        session.run()
    assert len(session.records[0].blocks) == 4


def test_each_launch_meters_the_gil_once_after_its_blocks(launches: type[FakeLaunch]) -> None:
    (record,) = run()
    assert record.held == {"threads/2": [0.5] * record.launches}


@pytest.mark.parametrize("end", ["was killed by SIGSEGV", "hangs"])
def test_a_launch_that_dies_while_metered_costs_nothing(
    launches: type[FakeLaunch], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    def crash(arm: str, phase: str) -> str | None:
        return end if phase == "meter" else None

    monkeypatch.setattr(launches, "crash", staticmethod(crash))
    (record,) = run()
    assert not record.failures
    assert not record.held
    assert len(record.blocks) == 15
