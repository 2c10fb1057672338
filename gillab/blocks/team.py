"""Launches of several interpreters that a client sees as one: each arm runs in its own.

The arms of a block run one after the other, whichever interpreter they are in, so that all see the
same machine. Where they take turns, the interpreters do, some tens of milliseconds each. An
interpreter that does not start, or dies between two arms, takes only its own arms with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from types import TracebackType
from typing import Protocol, TypeVar

from gillab.blocks.client import Channel
from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Counters,
    Failed,
    MeterArms,
    Metered,
    Noted,
    OpenArms,
    RunBlock,
)
from gillab.blocks.noise import difference, read_counters
from gillab.blocks.plan import Arm
from gillab.launch.launch import LaunchEndedError
from gillab.launch.messages import Message

_M = TypeVar("_M", bound=Message)
_HERE = ""
_ROUNDS = 6
"""So often each interpreter has its turns within a block."""


class Member(Channel, Protocol):
    """A launch of one interpreter."""

    @property
    def stderr_bytes(self) -> int:
        """How much it has written to standard error."""

    def close(self) -> None:
        """End it."""


class _GoneError(Exception):
    """A member has ended, and no arm is to blame; the text says how."""


class Team:
    """One launch of this interpreter, and one of each other that has arms in the plan."""

    def __init__(self, start: Callable[[str], Member], *, here: bool = True) -> None:
        """Start this interpreter's launch, unless no arm is ``here``.

        ``start`` takes a label, empty for this interpreter.
        """
        self._start = start
        self._members = {_HERE: start(_HERE)} if here else {}
        self._arms: dict[str, Arm] = {}
        self._answers: Iterator[Message] = iter(())
        self._timeout_s = self._patience_s = self._block_s = 0.0

    @property
    def stderr_bytes(self) -> int:
        """How much all of them have written to standard error."""
        return sum(member.stderr_bytes for member in self._members.values())

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        """Wait until this interpreter's launch has started; TimeoutError, LaunchEndedError."""
        if _HERE in self._members:
            self._members[_HERE].await_start(timeout_s, budget_s)

    def send(self, message: Message) -> None:
        """Begin what the message says; `receive` goes on with it, answer by answer."""
        match message:
            case OpenArms():
                self._answers = self._open(message)
            case RunBlock():
                self._answers = self._run(message)
            case MeterArms():
                self._answers = self._meter(message)

    def receive(self, timeout_s: float) -> Message:
        """Return the next answer. TimeoutError, and LaunchEndedError if an arm ended its launch."""
        self._timeout_s = timeout_s
        return next(self._answers)

    def close(self) -> None:
        """End all launches."""
        with ExitStack() as closing:
            for member in self._members.values():
                closing.callback(member.close)

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, plan: OpenArms) -> Iterator[Message]:
        """Open the arms, interpreter by interpreter: all do the steps that the first has found."""
        self._arms = {arm.key: arm for arm in plan.arms}
        self._patience_s, self._block_s = plan.timeout_s, plan.block_s
        labels = list(dict.fromkeys([*self._members, *(arm.interpreter for arm in plan.arms)]))
        reasons = {label: self._join(label) for label in labels}
        for label in labels:
            own = replace(plan, arms=tuple(a for a in plan.arms if a.interpreter == label))
            try:
                if reason := reasons[label]:
                    raise _GoneError(reason)
                self._await(label)
                self._members[label].send(own)
                found = yield from self._relay(label, Calibrated)
            except _GoneError as error:
                yield from self._give_up(label, str(error))
            else:
                plan = replace(plan, steps=found.steps, control_steps=found.control_steps)
        yield Calibrated(plan.steps, plan.control_steps)

    def _join(self, label: str) -> str | None:
        """Start a launch, while others start too; return why it cannot be started."""
        try:
            if label not in self._members:
                self._members[label] = self._start(label)
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        return None

    def _await(self, label: str) -> None:
        """Wait until another interpreter has started. TimeoutError where the time is up."""
        if label == _HERE:
            return
        try:
            self._members[label].await_start(self._timeout_s, self._timeout_s)
        except TimeoutError:
            if self._timeout_s < self._patience_s:  # it is the run whose time is up
                raise
            raise _GoneError(f"did not start within {self._timeout_s:g} s") from None
        except LaunchEndedError as error:
            raise _GoneError(str(error)) from None

    def _run(self, block: RunBlock) -> Iterator[Message]:
        """Run the arms in the order given, each in its interpreter.

        What the workload's own threads do between tasks is not told from what other programs do.
        """
        before = read_counters()
        notes: tuple[str, ...] = ()
        switches = cpu_s = 0.0
        for part in self._divide(block):
            label = self._arms[part.order[0]].interpreter
            if label not in self._members:
                continue
            self._members[label].send(part)
            try:
                done = yield from self._relay(label, BlockDone)
            except _GoneError as error:
                yield from self._give_up(label, str(error))
                continue
            switches += done.noise.get("switches", 0.0)
            cpu_s += done.cpu_s
            if label == _HERE:
                notes = tuple(dict.fromkeys((*notes, *done.notes)))
            elif done.notes:
                yield Noted(label, done.notes)
        noise: Counters = difference(before, read_counters(), cpu_s)
        if "switches" in noise:  # those of this process, which only waits
            noise["switches"] = switches
        yield BlockDone(noise, notes, cpu_s)

    def _divide(self, block: RunBlock) -> Iterator[RunBlock]:
        """Divide a block into what one interpreter after the other does."""
        if not self._block_s or block.warm_up:
            for _, keys in groupby(block.order, lambda key: self._arms[key].interpreter):
                yield replace(block, order=tuple(keys))
            return
        own: dict[str, list[str]] = {}
        for key in block.order:
            own.setdefault(self._arms[key].interpreter, []).append(key)
        turns_s = self._block_s / len(block.order) / _ROUNDS
        begun = time.monotonic()
        rounds, goes_on = 0, True
        while goes_on:
            spent_s = time.monotonic() - begun
            # Stop where one more round would end further from the time than this one does.
            goes_on = not rounds or spent_s * (1 + 1.5 / rounds) < self._block_s
            for label in own if rounds % 2 == 0 else reversed(own):
                order = tuple(own[label])
                yield RunBlock(order, turns_s=len(order) * turns_s, goes_on=goes_on)
            rounds += 1

    def _meter(self, wanted: MeterArms) -> Iterator[Message]:
        for label in list(self._members):
            order, traced = (
                tuple(key for key in keys if self._arms[key].interpreter == label)
                for keys in (wanted.order, wanted.traced)
            )
            if order or traced:
                self._members[label].send(MeterArms(order, traced))
                try:
                    yield from self._relay(label, Metered)
                except _GoneError as error:
                    yield from self._give_up(label, str(error))
        yield Metered()

    def _relay(self, label: str, last: type[_M]) -> Generator[Message, None, _M]:
        """Hand on what a member says until a message of that kind comes, and return it.

        `_GoneError` where another interpreter ends and no arm is announced.
        """
        announced = False
        while True:
            try:
                message = self._members[label].receive(self._timeout_s)
            except LaunchEndedError as error:
                if announced or label == _HERE:
                    raise
                raise _GoneError(str(error)) from None
            if isinstance(message, last):
                return message
            announced = isinstance(message, Announced)
            yield message

    def _give_up(self, label: str, reason: str) -> Iterator[Message]:
        """Close a member, and fail its arms."""
        member = self._members.pop(label, None)
        if member is not None:
            member.close()
        for key, arm in self._arms.items():
            if arm.interpreter == label:
                yield Failed(key, "failed", reason)
