"""The page of a timeline, and the traces that it is made from."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import Reader
from test_report_page import check_page
from timelines import (
    LOOP,
    MAIN,
    WORKER,
    make_empty,
    make_hostile,
    make_stopped_loop,
    make_timeline,
    span,
)

from gillab.command import page
from gillab.errors import UsageError
from gillab.meter.timeline import Timeline
from gillab.meter.trace_event import encode_trace_event
from gillab.report.holds import summarize_timeline, tabulate_functions, tabulate_longest
from gillab.report.saved import read_saved

TIMELINES: dict[str, Callable[[], Timeline]] = {
    "a stopped loop": make_stopped_loop,
    "hostile": make_hostile,
    "some lost": lambda: make_stopped_loop(dropped=5),
    "empty": make_empty,
    "waits only": lambda: make_timeline(span(MAIN, "wait", LOOP, 1, 400)),
}


@pytest.fixture
def render() -> Any:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    from gillab.report.page import render

    return render


def test_the_answer_is_the_call_that_stops_the_loop() -> None:
    assert summarize_timeline(make_stopped_loop()) == [
        "The GIL was held for 310 ms at once: thread asyncio_0 held it in JSONDecoder.raw_decode "
        "(/usr/lib/json/decoder.py:343), 2.00 ms after the start.",
        "Meanwhile these threads waited for it: MainThread 307 ms.",
        "In all, the GIL was held for 315 ms of 400 ms, or 79 % of the time.",
    ]


def test_no_share_is_told_where_spans_are_lost() -> None:
    assert summarize_timeline(make_stopped_loop(dropped=5))[-1].endswith("held for 315 ms.")


def test_tables_have_the_longest_and_the_busiest_first() -> None:
    timeline = make_stopped_loop()
    holds = [*tabulate_longest(timeline)]
    assert [row[0] for row in holds] == ["310 ms", "2.00 ms", "1.75 ms", "1.00 ms"]
    assert holds[0][-1] == "307 ms"
    functions = [*tabulate_functions(timeline)]
    assert [row[0] for row in functions] == [
        "JSONDecoder.raw_decode", "main", "no known function", "<lambda>",
    ]  # fmt: skip


@pytest.mark.parametrize("name", TIMELINES)
def test_a_timelines_page_is_whole_and_needs_nothing_else(render: Any, name: str) -> None:
    html = render.render_page(TIMELINES[name]())
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", html)
    seen = Reader(html)
    check_page(seen)
    assert len(seen.find("svg")) == (0 if name == "empty" else 2)
    assert ("are missing" in seen.text) is (name == "some lost")


def test_the_picture_marks_the_longest_hold_and_names_functions_and_waits(render: Any) -> None:
    html = render.render_page(make_stopped_loop())
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    for text in ("JSONDecoder.raw_decode: 310 ms", "waits for the GIL", "MainThread", "asyncio_0"):
        assert drawn.count(f">{text}<") == 2, text
    assert "<pattern" in drawn, "waits are hatched"


def test_a_picture_of_very_many_spans_stays_small(render: Any) -> None:
    spans = [
        span((MAIN, WORKER)[nth % 2], "hold", LOOP, nth * 0.04, nth * 0.04 + 0.03)
        for nth in range(10_000)
    ]
    html = render.render_page(make_timeline(*spans))
    assert len(html) < 300_000


def test_a_trace_makes_the_page_that_its_timeline_makes(render: Any, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.write_text("".join(encode_trace_event(make_stopped_loop())))
    assert page.main([str(file)]) == 0
    html = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert Reader(html).text == Reader(render.render_page(make_stopped_loop())).text


@pytest.mark.usefixtures("render")
def test_a_trace_is_read_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = "".join(encode_trace_event(make_stopped_loop())).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(trace)))
    assert page.main(["-", "-o", str(tmp_path / "p.html")]) == 0
    assert "310 ms" in (tmp_path / "p.html").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(trace)))
    assert page.main(["-"]) == 2
    assert "name it with --export-html" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda trace: trace.pop("otherData"), "not one of gillab.meter's"),
        (lambda trace: trace["otherData"].update(schema=99), "it has schema 99"),
        (lambda trace: trace["traceEvents"].append({"ph": "X"}), "not one of gillab.meter's"),
        (lambda trace: trace["traceEvents"].append(7), "not one of gillab.meter's"),
        (
            lambda trace: trace["traceEvents"].append(
                {"ph": "X", "name": "f", "cat": "function", "ts": 0, "dur": 1, "tid": 77}
            ),
            "not one of gillab.meter's",
        ),
    ],
)
def test_a_trace_of_others_is_refused(
    tmp_path: Path, change: Callable[[Any], Any], why: str
) -> None:
    trace = json.loads("".join(encode_trace_event(make_stopped_loop())))
    change(trace)
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(trace))
    with pytest.raises(UsageError, match=why) as caught:
        read_saved(file)
    assert "\n" not in str(caught.value)
