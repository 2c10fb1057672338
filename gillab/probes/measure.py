"""Measures round after round, each in a fresh interpreter, until there are enough of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gillab.blocks.noise import is_quiet
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.probes.messages import (
    Condition,
    ConditionFailed,
    Delays,
    DelaysNoted,
    ProbeDelays,
    RoundEnded,
    Where,
    WorkloadFailed,
    WorkloadTimed,
)
from gillab.results import OUT_OF_TIME, Status
from gillab.workload import Workload

_MOST_TIMES = 2
FEWEST_QUIET = 3
"""From so many quiet rounds on, they alone make the figures."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and for how long; times in seconds."""

    workload: Workload
    conditions: tuple[Condition, ...]
    rounds: int
    round_s: float
    """Each condition takes so long in each round, or three calls of the workload if longer."""
    time_budget_s: float
    timeout_s: float
    seed: int
    start_method: str | None = None


@dataclass(slots=True)
class Round:
    """Every condition once, in a fresh interpreter; less where the time was up."""

    call_s: float
    """One call of the workload, alone."""
    delays: list[Delays] = field(default_factory=list)
    noise: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Measured:
    """What has been measured until now; however the measuring ends, it is here."""

    rounds: list[Round] = field(default_factory=list)
    failures: dict[str, tuple[Status, str]] = field(default_factory=dict)
    """By arm, ``threads/1``: why it is given up."""
    failure: str | None = None
    """Why nothing could be measured at all."""
    gil_enabled: bool = True

    def give_up(self, condition: Condition, status: Status, reason: str) -> None:
        """Leave this arm out from now on."""
        self.failures.setdefault(condition.arm, (status, reason))


def list_conditions(
    probes: Sequence[str], busy: Sequence[int], intervals_s: Sequence[float]
) -> tuple[Condition, ...]:
    """Return every probe beside every number of threads at every switch interval.

    And beside as many processes, which need no other interval: they have a lock each.
    """
    threads: Where = "threads"
    return (
        *(
            Condition(probe, threads, count, interval_s)
            for probe in probes
            for count in busy
            for interval_s in intervals_s
        ),
        *(
            Condition(probe, "processes", count, intervals_s[0])
            for probe in probes
            for count in busy
            if count
        ),
    )


def measure_rounds(plan: Plan, measured: Measured, on_step: Callable[[str], None]) -> None:
    """Measure as planned, into ``measured``; ``on_step`` is told what comes next.

    Beside other programs a busy thread often has no CPU, and others find the lock free: the echo is
    then quicker, not slower. So more rounds are measured, up to twice as many, until enough of them
    were quiet.
    """
    shuffle = random.Random(plan.seed).shuffle
    deadline = time.monotonic() + plan.time_budget_s
    longest_s = 0.0
    for number in range(_MOST_TIMES * plan.rounds):
        begun = time.monotonic()
        if number >= plan.rounds and not lacks_quiet(measured.rounds, plan.rounds):
            break
        if number and begun + longest_s > deadline:
            break
        conditions = [each for each in plan.conditions if each.arm not in measured.failures]
        if not conditions:
            break
        shuffle(conditions)
        on_step(f"{plan.workload.name}: round {number + 1} of {plan.rounds}")
        with Launch("gillab.probes.child") as launch:
            _run_round(launch, plan, conditions, measured, deadline)
        if measured.failure is not None:
            break
        longest_s = max(longest_s, time.monotonic() - begun)


def lacks_quiet(rounds: Sequence[Round], wanted: int) -> bool:
    """Whether fewer rounds than wanted were quiet, as far as the system tells."""
    told = any("other_cores" in each.noise for each in rounds)
    return told and sum(bool(each.noise) and is_quiet(each.noise) for each in rounds) < wanted


def pick_quiet(rounds: Sequence[Round]) -> Sequence[Round]:
    """Return the quiet rounds; all of them where fewer than three were quiet."""
    quiet = [each for each in rounds if each.noise and is_quiet(each.noise)]
    return quiet if len(quiet) >= FEWEST_QUIET else rounds


def _run_round(
    launch: Launch,
    plan: Plan,
    conditions: list[Condition],
    measured: Measured,
    deadline: float,
) -> None:
    turn: Condition | None = None
    left = iter(conditions)
    try:
        launch.await_start(plan.timeout_s)
        launch.send(ProbeDelays(plan.workload, tuple(conditions), plan.round_s, plan.start_method))
        patience_s = plan.timeout_s
        while True:
            # A round has the time of a condition or two even if the budget is up.
            left_s = max(deadline - time.monotonic(), patience_s if not measured.rounds else 0.0)
            match launch.receive(min(patience_s, left_s)):
                case WorkloadFailed(reason):
                    measured.failure = reason
                    return
                case WorkloadTimed(call_s, gil_enabled):
                    measured.rounds.append(Round(call_s))
                    measured.gil_enabled = gil_enabled
                    patience_s = plan.timeout_s + plan.round_s
                    turn = next(left)
                case DelaysNoted(delays):
                    measured.rounds[-1].delays.append(delays)
                    turn = next(left, None)
                case ConditionFailed(status, reason):
                    assert turn is not None
                    measured.give_up(turn, status, reason)
                    turn = next(left, None)
                case RoundEnded(noise):
                    measured.rounds[-1].noise = noise
                    return
    except TimeoutError:
        if turn is None and not measured.rounds:
            measured.failure = f"did not return within {plan.timeout_s:g} s (--timeout)"
        elif turn is not None and time.monotonic() < deadline:
            measured.give_up(
                turn, "failed", f"did not return within {plan.timeout_s:g} s (--timeout)"
            )
    except LaunchEndedError as error:
        if turn is None:
            measured.failure = str(error)
        else:
            measured.give_up(turn, "failed", str(error))


def find_fate(measured: Measured, arm: str, *, noted: bool) -> tuple[Status, str | None]:
    """Return the status of an arm and its reason; ``noted`` is whether it has any delays."""
    if measured.failure is not None:
        return "failed", measured.failure
    if arm in measured.failures:
        return measured.failures[arm]
    return ("ok", None) if noted else ("failed", OUT_OF_TIME)
