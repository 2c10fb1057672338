"""What is known of a call at any time, and that it comes whole out of a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from rounds import ROUND

from gillab.launch.launch import Launch
from gillab.release import examine
from gillab.release.examination import Examination
from gillab.release.rounds import Release, Round, summarize
from gillab.workload import Workload

PARTLY = replace(ROUND, held=0.25, held_interval=(0.2, 0.3), calls=100)


def control(held: float) -> Release:
    return summarize([replace(ROUND, held=held, held_interval=(held, held))] * 12, 1e-8)


def test_parts_are_the_same_after_a_line_of_json() -> None:
    here, there = Examination("f()", empty_s=1e-8), Examination("f()", empty_s=1e-8)
    parts: list[tuple[str, Release | Round]] = [("round", PARTLY)] * 6
    parts += [("holder", control(1.0)), ("releaser", control(0.0))]
    for part, read in parts:
        here.take(part, read)
        there.take_plain(part, json.loads(json.dumps(asdict(read))))
    assert there == here
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
    """Says what a launch would, each event after so many seconds of a clock of its own."""

    def __init__(self, events: list[tuple[float, dict[str, Any]]]) -> None:
        self.events = events
        self.now = 0.0

    def receive(self, timeout_s: float) -> dict[str, Any]:
        after_s, event = self.events.pop(0)
        self.now += min(after_s, timeout_s)
        if after_s > timeout_s:
            raise TimeoutError
        return event

    await_start = Launch.await_start

    def __enter__(self) -> PlayedLaunch:
        return self

    def __exit__(self, *rest: object) -> None:
        pass


# An interpreter's start has a time of its own, which the timeout may lengthen and not shorten.
SOUND_S = {"started": 59.0, "prepared": 3.9, "filled": 3.9, "returned": 3.9}


NOT_STARTED, HANGS = "did not start within 60 s", "did not return within 4 s (--timeout)"


@pytest.mark.parametrize(
    ("longer", "round_s", "reason"),
    [
        ({}, 0.1, None),
        # Six more calls of 3.9 s are sound, and one may take the timeout besides.
        ({}, 6 * 3.9 / 12, None),
        ({}, (6 * 3.9 + 4.1) / 12, HANGS),
        ({"started": 61.0}, 0.1, NOT_STARTED),
        *(({event: 4.1}, 0.1, HANGS) for event in ("prepared", "filled", "returned")),
    ],
)
def test_the_timeout_is_for_the_setup_and_a_call_each(
    monkeypatch: pytest.MonkeyPatch, longer: dict[str, float], round_s: float, reason: str | None
) -> None:
    after_s = SOUND_S | longer
    call_s = after_s["returned"]
    events: list[tuple[float, dict[str, Any]]]
    events = [(seconds, {"event": event}) for event, seconds in after_s.items()]
    events[-1][1].update(seconds=call_s, empty_s=1e-8)
    events += [
        (0.0, {"event": "holder", "read": asdict(control(1.0))}),
        *[(round_s, {"event": "round", "read": asdict(PARTLY)})] * 12,
        (0.0, {"event": "releaser", "read": asdict(control(0.0))}),
        (0.0, {"event": "examined"}),
    ]
    played = PlayedLaunch(events)
    monkeypatch.setattr(examine, "Launch", lambda plan: played)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    monkeypatch.setattr("time.monotonic", lambda: played.now)
    finding, interrupted = examine.examine(Workload("f()", "statement"), 0.01, timeout_s=4.0)
    assert finding is not None
    assert not interrupted
    assert (finding.status, finding.reason) == ("failed" if reason else "ok", reason)
