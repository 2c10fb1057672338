"""Launches of several interpreters that a client sees as one."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gillab.blocks.client import Client, OutOfTimeError
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
from gillab.blocks.pair import Pair
from gillab.blocks.plan import Experiment, plan_experiments
from gillab.blocks.protocol import make_protocol
from gillab.blocks.record import Record
from gillab.blocks.session import Session
from gillab.blocks.team import Team
from gillab.launch.launch import LaunchEndedError
from gillab.launch.messages import Message

(EXPERIMENT,) = plan_experiments(
    ["pass"], "", "", ("serial", "threads"), 2, "shared", ["new", "odd"]
)
PLAN = OpenArms(EXPERIMENT.workload, EXPERIMENT.arms, 0.04, 600.0, None, None, None)
ORDER = ["threads/2/new", "serial/1", "threads/2/odd", "serial/1/new", "threads/2", "serial/1/odd"]


class FakeMember:
    """Answers as a launch of one interpreter does, and writes down what it is told."""

    stderr_bytes = 10

    def __init__(self, label: str, log: list[str], dies: str = "") -> None:
        self.label, self.log, self.dies = label, log, dies
        self.answers: list[Message] = []
        self.closed = 0
        self.plans: list[OpenArms] = []
        self.blocks: list[RunBlock] = []

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        if self.dies == "starting":
            raise LaunchEndedError("its process ended with exit code 3")
        if self.dies == "hanging":
            raise TimeoutError

    def send(self, message: Message) -> None:
        match message:
            case OpenArms():
                self.plans.append(message)
                self.answers += [Ready(arm.key, 0.5) for arm in message.arms]
                self.answers.append(Calibrated(message.steps or 7, message.control_steps or 9))
            case RunBlock(order):
                self.blocks.append(message)
                for key in order:
                    self.log.append(key)
                    self.answers.append(Announced(key))
                    if self.dies == key:
                        return
                    if not message.goes_on:
                        self.answers.append(Measured(key, 0.25, 1.0))
                notes = (f"noted in {self.label or 'this'}",)
                self.answers.append(BlockDone({"wall_s": 1.0, "switches": 2.0}, notes))
                if self.dies == "between":
                    self.answers.pop()
            case MeterArms(order):
                self.answers += [Held(key, 0.5, 0.4, 0.6) for key in order]
                self.answers.append(Metered())

    def receive(self, timeout_s: float) -> Message:
        if not self.answers:
            raise LaunchEndedError("its process was killed by SIGSEGV")
        return self.answers.pop(0)

    def close(self) -> None:
        self.closed += 1


class Members:
    """Makes the members of a team, some of which die."""

    def __init__(self, **dies: str) -> None:
        self.dies = dies
        self.all: list[FakeMember] = []
        self.log: list[str] = []

    def start(self, label: str) -> FakeMember:
        if self.dies.get(label) == "never":
            raise FileNotFoundError(2, "No such file or directory")
        self.all.append(FakeMember(label, self.log, self.dies.get(label, "")))
        return self.all[-1]


def open_team(members: Members) -> tuple[Client, Record]:
    record = Record(EXPERIMENT, None)
    client = Client(Team(members.start), record, 600.0, 1e300)
    client.start(PLAN)
    return client, record


def test_each_arm_is_opened_in_its_interpreter_with_the_steps_of_this_one() -> None:
    members = Members()
    _, record = open_team(members)
    here, new, odd = members.all
    assert [arm.interpreter for arm in here.plans[0].arms] == [""] * 5
    assert [arm.key for arm in new.plans[0].arms] == ["serial/1/new", "threads/2/new"]
    assert {arm.interpreter for arm in odd.plans[0].arms} == {"odd"}
    assert here.plans[0].steps is None
    assert (new.plans[0].steps, new.plans[0].control_steps) == (7, 9)
    assert (record.steps, record.control_steps) == (7, 9)
    assert set(record.setups_s) == {arm.key for arm in EXPERIMENT.arms}


def test_a_block_runs_the_arms_in_its_order_whatever_interpreter_they_are_in() -> None:
    members = Members()
    client, record = open_team(members)
    client.run_block(ORDER, 0.0)
    assert members.log == ORDER
    (block,) = record.blocks
    assert set(block.seconds) == set(ORDER)
    assert block.noise["switches"] == 2.0 * len(ORDER)
    assert record.notes == ["noted in this"]
    assert record.notes_elsewhere == {"new": ["noted in new"], "odd": ["noted in odd"]}


def test_interpreters_take_turns_within_a_block() -> None:
    pair = Pair.of("serial", 1, ("new", "odd", "new"))
    members = Members()
    team = Team(members.start, here=False)
    client = Client(team, record := Record(Experiment(EXPERIMENT.workload, pair.arms), 7), 600, 1e9)
    client.start(replace(PLAN, arms=pair.arms, block_s=0.001))
    assert [member.label for member in members.all] == ["new", "odd"]
    client.run_block([arm.key for arm in pair.arms], 0.0)
    parts = [part for member in members.all for part in member.blocks]
    assert {part.order for part in parts} == {("serial/1/new", "serial/1/new/new"), ("null/1/odd",)}
    assert [part.turns_s for part in parts] == [
        pytest.approx(len(part.order) * 0.001 / 18) for part in parts
    ]
    for member in members.all:
        assert [part.goes_on for part in member.blocks[-2:]] == [True, False]
    # There and back: who came last begins.
    rounds = len(members.all[0].blocks)
    there = ["serial/1/new", "serial/1/new/new", "null/1/odd"]
    back = [there[2], *there[:2]]
    assert members.log == [key for turn in range(rounds) for key in (back if turn % 2 else there)]
    (block,) = record.blocks
    assert block.seconds == dict.fromkeys(there, 0.25)


def test_cells_of_every_interpreter_are_metered() -> None:
    client, record = open_team(Members())
    client.meter(ORDER, [])
    assert set(record.held) == set(ORDER)


@pytest.mark.parametrize(
    ("dies", "reason"),
    [
        ("never", "cannot be started: No such file or directory"),
        ("starting", "its process ended with exit code 3"),
        ("hanging", "did not start within 600 s"),
        ("between", "its process was killed by SIGSEGV"),
    ],
)
def test_an_interpreter_that_fails_fails_its_own_arms_alone(dies: str, reason: str) -> None:
    members = Members(new=dies)
    client, record = open_team(members)
    client.run_block(ORDER, 0.0)
    client.run_block([key for key in ORDER if key not in record.failures], 0.0)
    assert set(record.failures) == {"serial/1/new", "threads/2/new"}
    assert {failure.reason for failure in record.failures.values()} == {reason}
    assert set(record.blocks[-1].seconds) == {key for key in ORDER if "new" not in key}


def test_where_the_time_is_up_no_interpreter_is_to_blame() -> None:
    record = Record(EXPERIMENT, None)
    team = Team(Members(new="hanging").start)
    with pytest.raises(OutOfTimeError):
        Client(team, record, 600.0, time.monotonic() + 300.0).start(PLAN)
    assert not record.failures


def test_an_arm_that_kills_its_interpreter_is_to_blame_alone() -> None:
    members = Members(new="threads/2/new")
    client, record = open_team(members)
    with pytest.raises(LaunchEndedError):
        client.run_block(ORDER, 0.0)
    assert set(record.failures) == {"threads/2/new"}


def test_all_launches_are_closed_even_if_one_cannot_be() -> None:
    members = Members()
    team = Team(members.start)
    Client(team, Record(EXPERIMENT, None), 600.0, 1e300).start(PLAN)
    assert team.stderr_bytes == 30
    here, new, odd = members.all

    def fail() -> None:
        raise OSError

    odd.close = fail  # type: ignore[method-assign]
    with pytest.raises(OSError), team:  # noqa: PT011
        pass
    assert here.closed == new.closed == 1


def run_session(members: Members) -> Record:
    protocol = make_protocol(
        [EXPERIMENT], "fast", time_budget_s=600.0, min_blocks=3, max_blocks=3, steps=7
    )
    protocol = replace(protocol, launches=1)
    machine = Machine(2.0, gil_enabled=True)
    session = Session([EXPERIMENT], protocol, machine, start=lambda: Team(members.start))
    session.run()
    return session.records[0]


def test_after_a_death_the_others_go_on_in_launches_of_their_own() -> None:
    members = Members(odd="serial/1/odd")
    record = run_session(members)
    assert set(record.failures) == {"serial/1/odd"}
    assert "threads/2/odd" in record.blocks[-1].seconds
    assert all(member.closed for member in members.all)


def test_an_experiment_without_other_interpreters_has_the_arms_it_had() -> None:
    (plain,) = plan_experiments(["pass"], "", "", ("serial", "threads"), 2, "shared")
    own = tuple(arm for arm in EXPERIMENT.arms if not arm.interpreter)
    assert plain == Experiment(EXPERIMENT.workload, own)
