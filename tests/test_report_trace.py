"""The page of a timeline, and the traces that it is made from."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pages import Reader
from test_report_page import check_page
from timelines import (
    DECODE,
    LAMBDA,
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
from gillab.meter.counters import Function
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
        "Others waited while thread asyncio_0 held the GIL for 310 ms at once in "
        "JSONDecoder.raw_decode (…/lib/json/decoder.py:343), 2.00 ms after the start.",
        "These threads waited for it: MainThread 307 ms.",
        "In all, the GIL was held for 315 ms of 400 ms, or 78.7 % of the time.",
    ]


def test_a_longer_hold_that_nobody_waited_for_comes_second() -> None:
    timeline = make_timeline(
        span(MAIN, "hold", LOOP, 0, 200),
        span(MAIN, "hold", LAMBDA, 200, 250),
        span(WORKER, "hold", DECODE, 300, 310),
        span(MAIN, "wait", LOOP, 301, 310),
    )
    first, _, third, _ = summarize_timeline(timeline)
    assert "asyncio_0 held the GIL for 10.0 ms at once" in first
    assert third == (
        "The longest hold: thread MainThread held the GIL for 250 ms at once in main and 1 more "
        "(/srv/app/loop.py:3), 0 s after the start, and nobody waited."
    )


def test_where_no_wait_was_seen_nothing_is_said_of_waits() -> None:
    timeline = make_timeline(span(MAIN, "hold", LOOP, 0, 200))
    names, rows = tabulate_longest(timeline)
    assert "others waited" not in names
    assert len(names) == len(rows[0])
    assert "wait" not in " ".join(summarize_timeline(timeline))


def test_where_no_wait_is_told_the_longest_of_another_thread_is() -> None:
    timeline = make_timeline(
        span(MAIN, "hold", LOOP, 0, 200),
        span(MAIN, "hold", LOOP, 201, 290),
        span(WORKER, "hold", DECODE, 300, 310),
    )
    _, second, _ = summarize_timeline(timeline)
    assert second.startswith("The longest of another thread: thread asyncio_0 held the GIL for")


def test_no_share_is_told_where_spans_are_lost() -> None:
    assert summarize_timeline(make_stopped_loop(dropped=5))[-1].endswith("held for 315 ms.")


def test_tables_have_the_longest_and_the_busiest_first() -> None:
    timeline = make_stopped_loop()
    names, holds = tabulate_longest(timeline)
    assert names[1] == "others waited"
    assert [row[0] for row in holds] == ["310 ms", "2.00 ms", "1.75 ms", "1.00 ms"]
    assert holds[0][1] == "307 ms"
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


def find_drawn(html: str) -> list[str]:
    """Return the texts of the drawings, of which there are a wide and a narrow one."""
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    return [unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]


def test_the_picture_marks_the_longest_hold_and_names_functions_and_waits(render: Any) -> None:
    html = render.render_page(make_stopped_loop())
    drawn = find_drawn(html)
    for text in ("JSONDecoder.raw_decode: 310 ms", "waits for the GIL", "MainThread", "asyncio_0"):
        assert drawn.count(text) == 2, text
    assert "<pattern" in html, "waits are hatched"


def test_the_legend_names_functions_with_an_underscore(render: Any) -> None:
    timeline = make_stopped_loop()
    functions = {**timeline.functions, LOOP: Function("a.py", 1, "_worker")}
    html = render.render_page(replace(timeline, functions=functions))
    assert find_drawn(html).count("_worker") == 2


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
