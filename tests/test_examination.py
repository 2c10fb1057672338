"""What is known of a call at any time, and that it comes whole out of a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from rounds import ROUND

from gillab.measure.examination import Examination
from gillab.measure.release import Release, Round, summarize

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
