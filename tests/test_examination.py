"""What is known of a call at any time, and that it comes whole out of a line of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from rounds import ROUND

from gillab.launch.launch import Launch
from gillab.launch.messages import Message, Started, decode, encode
from gillab.release import examine
from gillab.release.examination import Examination
from gillab.release.findings import Finding
from gillab.release.messages import (
    ControlRead,
    ExaminationFailed,
    Examine,
    Examined,
    Filled,
    Prepared,
    Returned,
    RoundRead,
    Undecided,
)
from gillab.release.rounds import Release, summarize
from gillab.workload import Workload

PARTLY = replace(ROUND, held=0.25, held_interval=(0.2, 0.3), calls=100)


def control(held: float) -> Release:
    return summarize([replace(ROUND, held=held, held_interval=(held, held))] * 12, 1e-8)


def test_parts_that_come_over_a_pipe_are_those_that_were_measured_here() -> None:
    here, there = Examination("f()", empty_s=1e-8), Examination("f()", empty_s=1e-8)
    parts: list[ControlRead | RoundRead] = [RoundRead(PARTLY)] * 6
    parts += [ControlRead("holder", control(1.0)), ControlRead("releaser", control(0.0))]
    for part in parts:
        here.take(part)
        came = decode(encode(part))
        assert isinstance(came, ControlRead | RoundRead)
        there.take(came)
    assert there == here
    assert (here.holder, here.releaser) == (control(1.0), control(0.0))
    finding = there.conclude()
    assert (finding.status, finding.verdict, finding.calls) == ("ok", "partly", 600)


@pytest.mark.parametrize("rounds", [0, 2])
def test_whatever_ends_it_the_rounds_and_the_control_are_in_the_finding(rounds: int) -> None:
    examination = Examination("f()", "N=1", rounds=[PARTLY] * rounds, holder=control(1.0))
    failed = examination.fail("ValueError: late")
    assert (failed.status, failed.verdict, failed.reason) == ("failed", None, "ValueError: late")
    open_ = examination.leave_undecided("interrupted")
    assert (open_.status, open_.verdict, open_.reason) == ("ok", "undecided", "interrupted")
    for finding in (failed, open_):
        assert finding.variant == "N=1"
        assert finding.calls == 100 * rounds
        assert (finding.released is not None) == (rounds > 0)
        assert finding.holder is not None
        assert finding.releaser is None


def test_a_call_without_a_sample_is_undecided() -> None:
    unseen = replace(ROUND, samples=0)
    examination = Examination("f()", rounds=[unseen], holder=control(1.0), releaser=control(0.0))
    finding = examination.conclude()
    assert finding.verdict == "undecided"
    assert "no sample" in (finding.reason or "")
    assert finding.released is None


class PlayedLaunch:
    """Says what a launch would, each message after so many seconds of a clock of its own."""

    def __init__(self, messages: list[tuple[float, Message]]) -> None:
        self.messages = messages
        self.now = 0.0
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def receive(self, timeout_s: float) -> Message:
        after_s, message = self.messages.pop(0)
        self.now += min(after_s, timeout_s)
        if after_s > timeout_s:
            raise TimeoutError
        return message

    def await_start(self, timeout_s: float) -> None:
        Launch.await_start(cast("Any", self), timeout_s)

    def __enter__(self) -> PlayedLaunch:
        return self

    def __exit__(self, *rest: object) -> None:
        pass


WORKLOAD = Workload("f()", "statement")
# An interpreter's start has a time of its own, which the timeout may lengthen and not shorten.
SOUND_S: dict[type[Message], float] = {Started: 59.0, Prepared: 3.9, Filled: 3.9, Returned: 3.9}


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Finding, PlayedLaunch]]:
    def examine_played(messages: list[tuple[float, Message]]) -> tuple[Finding, PlayedLaunch]:
        played = PlayedLaunch(messages)
        monkeypatch.setattr(examine, "Launch", lambda module: played)
        monkeypatch.setattr(examine, "find_obstacle", lambda: None)
        monkeypatch.setattr("time.monotonic", lambda: played.now)
        finding, interrupted = examine.examine(WORKLOAD, 0.01, timeout_s=4.0)
        assert finding is not None
        assert not interrupted
        return finding, played

    return examine_played


NOT_STARTED, HANGS = "did not start within 60 s", "did not return within 4 s (--timeout)"


@pytest.mark.parametrize(
    ("longer", "round_s", "reason"),
    [
        ({}, 0.1, None),
        # Six more calls of 3.9 s are sound, and one may take the timeout besides.
        ({}, 6 * 3.9 / 12, None),
        ({}, (6 * 3.9 + 4.1) / 12, HANGS),
        ({Started: 61.0}, 0.1, NOT_STARTED),
        *(({step: 4.1}, 0.1, HANGS) for step in (Prepared, Filled, Returned)),
    ],
)
def test_the_timeout_is_for_the_setup_and_a_call_each(
    play: Callable[..., tuple[Finding, PlayedLaunch]],
    longer: dict[type[Message], float],
    round_s: float,
    reason: str | None,
) -> None:
    after_s = SOUND_S | longer
    begin: list[Message] = [Started(), Prepared(), Filled(), Returned(after_s[Returned], 1e-8)]
    messages = [(after_s[type(message)], message) for message in begin]
    messages += [
        (0.0, ControlRead("holder", control(1.0))),
        *[(round_s, RoundRead(PARTLY))] * 12,
        (0.0, ControlRead("releaser", control(0.0))),
        (0.0, Examined()),
    ]
    finding, played = play(messages)
    assert (finding.status, finding.reason) == ("failed" if reason else "ok", reason)
    assert played.sent == ([] if reason == NOT_STARTED else [Examine(WORKLOAD, 0.01)])


@pytest.mark.parametrize(
    ("end", "status", "verdict", "reason"),
    [
        (Undecided("no sample"), "ok", "undecided", "no sample"),
        (ExaminationFailed("failed", "ValueError: no"), "failed", None, "ValueError: no"),
        (ExaminationFailed("unavailable", "not here"), "unavailable", None, "not here"),
        (ExaminationFailed("missing", "no numba"), "unavailable", None, "no numba"),
    ],
)
def test_what_ends_an_examination_early_is_in_the_finding(
    play: Callable[..., tuple[Finding, PlayedLaunch]],
    end: Message,
    status: str,
    verdict: str | None,
    reason: str,
) -> None:
    begin: list[Message] = [Started(), Prepared(), Filled(), Returned(0.1, 1e-8)]
    begin += [ControlRead("holder", control(1.0)), RoundRead(PARTLY), RoundRead(PARTLY), end]
    finding, _ = play([(0.0, message) for message in begin])
    assert (finding.status, finding.verdict, finding.reason) == (status, verdict, reason)
    assert finding.calls == 200
