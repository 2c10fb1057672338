"""The parent's side of a launch that runs blocks: commands out, answers into the record."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Protocol, TypeVar

from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Counters,
    Failed,
    Held,
    Measured,
    MeterArms,
    Metered,
    Noted,
    OpenArms,
    Ready,
    Refused,
    RunBlock,
    Traced,
)
from gillab.blocks.record import Block, Failure, Record
from gillab.errors import UsageError
from gillab.launch.launch import LaunchEndedError
from gillab.launch.messages import Message

_M = TypeVar("_M", bound=Message)


class Channel(Protocol):
    """What a client needs of a launch."""

    def send(self, message: Message) -> None:
        """Tell the launch something."""

    def receive(self, timeout_s: float) -> Message:
        """Return its next message; TimeoutError, LaunchEndedError."""

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        """Wait until it can take its plan; TimeoutError, LaunchEndedError."""


class OutOfTimeError(Exception):
    """The time budget was used up in the middle of an arm."""


class Client:
    """The client of one launch; it enters each answer into the record as it comes."""

    def __init__(self, launch: Channel, record: Record, timeout_s: float, deadline: float) -> None:
        self._launch = launch
        self._record = record
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._announced: str | None = None
        self._warning = ""
        self._announced_at = 0.0
        self._seconds: dict[str, float] = {}
        self._cores: dict[str, float] = {}
        self._figures: dict[str, dict[str, float]] = {}
        self.blocks = 0
        self.kept = 0

    def start(self, plan: OpenArms) -> None:
        """Wait until the launch has started, and have it open the arms and calibrate them."""
        try:
            self._launch.await_start(self._timeout_s, self._deadline - time.monotonic())
        except TimeoutError:
            raise OutOfTimeError from None
        self._launch.send(plan)
        self._listen_until(Calibrated)

    @property
    def seconds(self) -> dict[str, float]:
        """What the arms of the last block took, kept or not."""
        return self._seconds

    def warm_up(self, order: list[str]) -> None:
        """Have one block of short tasks run, of which nothing is kept."""
        self._launch.send(RunBlock(tuple(order), warm_up=True))
        self.blocks += 1
        self._listen_until(BlockDone)

    def run_block(self, order: list[str], warm_up_s: float) -> None:
        """Have one block run; if the launch dies, keep what was measured until then.

        A block that takes less than ``warm_up_s`` was a warm-up, and is not kept. Nor is a block
        that took longer because an arm hung in it.
        """
        begun = time.monotonic()
        died = False
        self._seconds, self._cores, self._figures = {}, {}, {}
        noise: Counters = {}
        self._launch.send(RunBlock(tuple(order)))
        self.blocks += 1
        try:
            noise = self._listen_until(BlockDone).noise
        except LaunchEndedError:
            died = True
            raise
        finally:
            dear = not died and time.monotonic() - begun >= warm_up_s
            if self._seconds and (dear or warm_up_s == 0):
                self.kept += 1
                record = self._record
                record.blocks.append(
                    Block(
                        record.experiment.workload.name,
                        record.launches,
                        tuple(order),
                        self._seconds,
                        self._cores,
                        noise,
                        self._figures,
                    )
                )

    def meter(self, order: list[str], traced: list[str]) -> None:
        """Have the GIL metered while each arm runs once more, and the time of others traced.

        That is apart from all that is timed: no measurement depends on it, so a launch that dies or
        hangs here is given up.
        """
        self._launch.send(MeterArms(tuple(order), tuple(traced)))
        with suppress(LaunchEndedError, OutOfTimeError):
            self._listen_until(Metered)

    def _listen_until(self, last: type[_M]) -> _M:
        """Take messages in until one of that kind, and return it."""
        while True:
            message = self._receive()
            self._take(message)
            if isinstance(message, last):
                return message

    def _receive(self) -> Message:
        budget_s = self._deadline - time.monotonic()
        try:
            return self._launch.receive(min(self._timeout_s, budget_s))
        except TimeoutError:
            if budget_s <= self._timeout_s:
                if self._announced is not None:
                    self._record.cut[self._announced] = time.monotonic() - self._announced_at
                raise OutOfTimeError from None
            reason = f"did not return within {self._timeout_s:g} s (--timeout)"
            if self._warning:
                reason = f"{reason}; {self._warning}"
            self._blame(reason, foreseen=bool(self._warning))
            raise LaunchEndedError(reason) from None
        except LaunchEndedError as error:
            self._blame(str(error))
            raise

    def _blame(self, reason: str, *, foreseen: bool = False) -> None:
        if self._announced is not None:
            self._record.fail(self._announced, Failure("failed", reason, foreseen))

    def _take(self, message: Message) -> None:
        record = self._record
        match message:
            case Announced(key, warning):
                self._announced = key
                self._warning = warning
                self._announced_at = time.monotonic()
                return
            case Ready(key, setup_s):
                record.setups_s.setdefault(key, []).append(setup_s)
            case Failed(key, status, reason):
                record.fail(key, Failure(status, reason))
            case Measured(key, seconds, cores, figures):
                self._seconds[key] = seconds
                self._cores[key] = cores
                if figures:
                    self._figures[key] = figures
            case Calibrated(steps, control_steps):
                record.steps, record.control_steps = steps, control_steps
            case Held():
                record.held.setdefault(message.arm, []).append(message)
            case Traced():
                record.traces.setdefault(message.arm, []).append(message)
            case Refused(reason):
                raise UsageError(reason)
            case BlockDone(_, notes):
                record.note(*notes)
            case Noted(interpreter, notes):
                record.note(*notes, interpreter=interpreter)
        self._announced = None
