"""What is known of one call that is examined, from its first part on, and what to say of it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from typing import Any

from gillab.release.findings import Finding
from gillab.release.judge import describe, judge
from gillab.release.rounds import Release, Round, TooBusyError, summarize
from gillab.results import Estimate, Spread, Status


@dataclass(slots=True)
class Examination:
    """Takes in the parts as they come; whatever ends it, they are in the finding."""

    workload: str
    variant: str = ""
    empty_s: float = 0.0
    """What repeating adds to each call, at most."""
    holder: Release | None = None
    rounds: list[Round] = field(default_factory=list)
    releaser: Release | None = None

    def take(self, part: str, read: Release | Round) -> None:
        """Take in a ``holder``, a ``round`` of the call, or a ``releaser``."""
        if isinstance(read, Round):
            self.rounds.append(read)
        else:
            setattr(self, part, read)

    def take_plain(self, part: str, plain: dict[str, Any]) -> None:
        """Take in what `dataclasses.asdict` made of a part, and JSON of that."""
        if part == "round":
            self.take(part, Round(**{**plain, "held_interval": tuple(plain["held_interval"])}))
            return
        estimates = {key: Estimate(**plain[key]) for key in ("released", "longest_hold")}
        self.take(part, Release(**{**plain, **estimates, "call": Spread(**plain["call"])}))

    def conclude(self) -> Finding:
        """Say what the call does, once every part is there."""
        assert self.holder is not None
        assert self.releaser is not None
        try:
            call = summarize(self.rounds, self.empty_s)
        except TooBusyError as error:
            return self.leave_undecided(str(error))
        python = platform.python_version()
        return judge(self.workload, self.variant, python, call, self.holder, self.releaser)

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
        return replace(
            finding,
            holder=None if self.holder is None else self.holder.released,
            releaser=None if self.releaser is None else self.releaser.released,
        )
