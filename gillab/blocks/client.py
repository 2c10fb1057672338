"""What passes between a launch and its parent: requests out, events into the record."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from gillab.blocks.noise import Counters
from gillab.blocks.record import Block, Failure, Record
from gillab.launch.launch import Launch, LaunchEndedError


class OutOfTimeError(Exception):
    """The time budget is used up in the midst of an arm."""


class Client:
    """One launch's; each event is entered into the record as it comes."""

    def __init__(self, launch: Launch, record: Record, timeout_s: float, deadline: float) -> None:
        self._launch = launch
        self._record = record
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._announced: str | None = None
        self._announced_at = 0.0
        self._seconds: dict[str, float] = {}
        self._cores: dict[str, float] = {}
        self.blocks = 0
        self.kept = 0

    def await_start(self) -> None:
        """Wait until the launch knows its plan; no arm's timeout is for that."""
        try:
            self._launch.await_start(self._timeout_s, self._deadline - time.monotonic())
        except TimeoutError:
            raise OutOfTimeError from None

    def run_block(self, order: list[str], warm_up_s: float) -> None:
        """Have one block run; what is measured of it is kept even where the launch dies.

        One that takes less than ``warm_up_s`` was a warm-up, and is not kept; nor is one that took
        so long because an arm hung in it.
        """
        begun = time.monotonic()
        died = False
        self._seconds, self._cores = {}, {}
        noise: Counters = {}
        self._launch.send({"order": order})
        self.blocks += 1
        try:
            noise = self.listen_until("block")["noise"]
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
                    )
                )

    def meter(self) -> None:
        """Have the GIL metered while each arm runs once more, apart from all that is timed.

        Nothing measured depends on it, so that a launch which dies or hangs here is let go.
        """
        self._launch.send({"meter": True})
        with suppress(LaunchEndedError, OutOfTimeError):
            self.listen_until("metered")

    def listen_until(self, last: str) -> dict[str, Any]:
        """Take events in until the one of that name, and return it."""
        while True:
            event = self._receive()
            self._take(event)
            if event["event"] == last:
                return event

    def _receive(self) -> dict[str, Any]:
        budget_s = self._deadline - time.monotonic()
        try:
            return self._launch.receive(min(self._timeout_s, budget_s))
        except TimeoutError:
            if budget_s <= self._timeout_s:
                if self._announced is not None:
                    self._record.cut[self._announced] = time.monotonic() - self._announced_at
                raise OutOfTimeError from None
            reason = f"did not return within {self._timeout_s:g} s (--timeout)"
            self._blame(reason)
            raise LaunchEndedError(reason) from None
        except LaunchEndedError as error:
            self._blame(str(error))
            raise

    def _blame(self, reason: str) -> None:
        if self._announced is not None:
            self._record.fail(self._announced, Failure("failed", reason))

    def _take(self, event: dict[str, Any]) -> None:
        record = self._record
        match event:
            case {"event": "announce", "arm": key}:
                self._announced = key
                self._announced_at = time.monotonic()
            case {"event": "ready", "arm": key, "setup_s": setup_s}:
                self._announced = None
                record.setups_s.setdefault(key, []).append(setup_s)
            case {"event": "failed", "arm": key, "status": status, "reason": reason}:
                self._announced = None
                record.fail(key, Failure(status, reason))
            case {"event": "measured", "arm": key, "seconds": seconds, "cores": cores}:
                self._announced = None
                self._seconds[key] = seconds
                self._cores[key] = cores
            case {"event": "calibrated", "cell": steps, "control": control_steps}:
                self._announced = None
                record.steps, record.control_steps = steps, control_steps
            case {"event": "held", "arm": key, "held": held}:
                record.held.setdefault(key, []).append(held)
            case {"event": "block", "notes": notes}:
                for note in notes:
                    record.note(note)
