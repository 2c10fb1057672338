"""Collects the parts of the examination of one call, and turns them into a finding."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace

from gillab.release.findings import Finding
from gillab.release.judge import describe, judge
from gillab.release.messages import ControlRead, RoundRead, WaitsRead
from gillab.release.rounds import Release, Round, TooBusyError, summarize
from gillab.release.waits import WaitRound, summarize_waits
from gillab.results import Status


@dataclass(slots=True)
class Examination:
    """Collects the parts as they come; however the examination ends, they are in the finding."""

    workload: str
    variant: str = ""
    empty_s: float = 0.0
    """The most that repeating adds to each call."""
    holder: Release | None = None
    rounds: list[Round] = field(default_factory=list)
    releaser: Release | None = None
    waits: list[WaitRound] = field(default_factory=list)

    def take(self, part: ControlRead | RoundRead | WaitsRead) -> None:
        """Take in what was read of a control, or of the call in one round."""
        match part:
            case RoundRead(read):
                self.rounds.append(read)
            case WaitsRead(read):
                self.waits.append(read)
            case ControlRead("holder", control):
                self.holder = control
            case ControlRead(_, control):
                self.releaser = control

    def conclude(self) -> Finding:
        """Say what the call does, once every part is there."""
        assert self.holder is not None
        assert self.releaser is not None
        try:
            call = summarize(self.rounds, self.empty_s)
        except TooBusyError as error:
            return self.leave_undecided(str(error))
        python = platform.python_version()
        found = judge(self.workload, self.variant, python, call, self.holder, self.releaser)
        return self._add_waits(found)

    def leave_undecided(self, reason: str) -> Finding:
        """Say why it cannot be told what the call does."""
        return replace(self._describe(), verdict="undecided", reason=reason)

    def fail(self, reason: str, status: Status = "failed") -> Finding:
        """Say what went wrong."""
        return replace(self._describe(), status=status, reason=reason)

    def _describe(self) -> Finding:
        try:
            call = summarize(self.rounds, self.empty_s)
        except TooBusyError:
            call = None
        finding = describe(self.workload, self.variant, platform.python_version(), call)
        finding = replace(
            finding,
            holder=None if self.holder is None else self.holder.released,
            releaser=None if self.releaser is None else self.releaser.released,
        )
        return self._add_waits(finding)

    def _add_waits(self, finding: Finding) -> Finding:
        if finding.verdict == "no_gil" or finding.call is None:
            return finding
        # If the controls read wrong, the reading of the call is worth nothing.
        known = finding.longest_hold_s is not None and finding.verdict not in (None, "undecided")
        most_hold_s = finding.longest_hold_s.high if known and finding.longest_hold_s else None
        waits = summarize_waits(self.waits, finding.call.median, most_hold_s)
        return replace(finding, waits=waits)
