"""The messages between a launch that examines a call and its parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gillab.launch.messages import Message
from gillab.release.rounds import Release, Round
from gillab.release.waits import WaitRound
from gillab.results import Status
from gillab.workload import Workload


@dataclass(frozen=True, slots=True)
class Examine(Message):
    """The plan: repeat the workload's call for about so long, between two controls."""

    workload: Workload
    seconds: float
    waits: bool = False
    """Also repeat it for as long again beside a thread that asks for the lock."""


@dataclass(frozen=True, slots=True)
class Prepared(Message):
    """The setup has run."""


@dataclass(frozen=True, slots=True)
class Filled(Message):
    """The loop around a short statement has been filled."""


@dataclass(frozen=True, slots=True)
class Returned(Message):
    """The call has returned once, after so many seconds."""

    seconds: float
    empty_s: float
    """The most that repeating adds to each call."""


@dataclass(frozen=True, slots=True)
class ControlRead(Message):
    """What was read of a loop that holds the lock, or of one that releases it."""

    control: Literal["holder", "releaser"]
    read: Release


@dataclass(frozen=True, slots=True)
class RoundRead(Message):
    """What was read of the call in one round."""

    read: Round


@dataclass(frozen=True, slots=True)
class WaitsRead(Message):
    """What a thread that asks for the lock waited in one round."""

    read: WaitRound


@dataclass(frozen=True, slots=True)
class Examined(Message):
    """Everything has been read."""


@dataclass(frozen=True, slots=True)
class Undecided(Message):
    """The question cannot be answered here, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ExaminationFailed(Message):
    """The setup or the call failed, or is unavailable, or needs a ``missing`` module."""

    status: Literal[Status, "missing"]
    reason: str
