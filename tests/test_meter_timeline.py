"""A timeline: what one hold is, how much was held, and the traces that it is written as."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timelines import (
    DECODE,
    LOOP,
    MAIN,
    WORKER,
    make_empty,
    make_hostile,
    make_stopped_loop,
    make_timeline,
    span,
)

from gillab.meter.gecko import encode_gecko
from gillab.meter.timeline import Span, Thread, Timeline, count_held, describe_dropped, join_holds
from gillab.meter.trace_event import encode_trace_event, number_threads
from gillab.report.trace import load_timeline
from gillab.text import printable

TIMELINES: dict[str, Callable[[], Timeline]] = {
    "a stopped loop": make_stopped_loop,
    "some lost": lambda: make_stopped_loop(dropped=1234),
    "all lost": lambda: make_timeline(dropped=3),
    "empty": make_empty,
    "hostile": make_hostile,
}


@pytest.fixture(params=TIMELINES)
def timeline(request: pytest.FixtureRequest) -> Timeline:
    return TIMELINES[request.param]()


def parse(pieces: Iterator[str]) -> dict[str, Any]:
    text = "".join(pieces)
    assert text.isascii()
    document = json.loads(text, parse_constant=pytest.fail)
    json.dumps(document, ensure_ascii=False).encode()  # a lone surrogate is no text elsewhere
    assert isinstance(document, dict)
    return document


def test_a_hold_goes_on_where_only_the_function_changes() -> None:
    holds = [*join_holds(make_stopped_loop().spans)]
    assert [len(hold.spans) for hold in holds] == [1, 1, 3, 1]
    assert [hold.thread for hold in holds] == [MAIN, WORKER, MAIN, MAIN]
    assert [hold.function for hold in holds] == [LOOP, DECODE, LOOP, None]
    assert holds[1].length_ns == 310_000_000


def test_a_thread_that_lets_go_and_takes_the_lock_back_holds_twice() -> None:
    spans = [span(MAIN, "hold", LOOP, 0, 1), span(MAIN, "hold", DECODE, 1.000001, 3)]
    assert [hold.length_ns for hold in join_holds(spans)] == [1_000_000, 1_999_999]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=30), st.integers(1, 40))
def test_the_fractions_hold_all_of_the_time_that_the_spans_do(
    stretches: list[tuple[int, int]], steps: int
) -> None:
    spans, at = [], 1000
    for free, held in stretches:
        spans.append(Span(0, "hold", None, at + free, at + free + held))
        at += free + held
    fractions = count_held(spans, 1000, at, steps)
    if at == 1000:
        assert fractions == ()
        return
    moments = [moment for moment, _ in fractions]
    assert (moments[0], moments[-1]) == (1000, at)
    total = sum(
        fraction * (end - begin)
        for (begin, fraction), end in zip(fractions, moments[1:], strict=False)
    )
    assert total == pytest.approx(sum(held for _, held in stretches))


def test_what_is_lost_is_said() -> None:
    assert describe_dropped(make_stopped_loop()) == ""
    assert describe_dropped(make_stopped_loop(dropped=1)).startswith("one older span is missing")
    said = describe_dropped(make_stopped_loop(dropped=1234))
    assert said == "1,234 older spans are missing: the timeline begins 0.000 s after the meter did."
    assert "begins 0.400 s" in describe_dropped(make_timeline(dropped=3))


def test_threads_have_numbers_of_their_own_that_fit_32_bits() -> None:
    ids = {1: 77, 2: 0, 3: 77, 4: 2**40}
    threads = {place: Thread("", number) for place, number in ids.items()}
    timeline = Timeline(threads, {}, (), (), 0, 1, 0.0, 0, 1e-4, 1, "", ())
    numbers = number_threads(timeline)
    assert numbers[1] == 77
    assert len({*numbers.values()}) == 4
    assert max(numbers.values()) < 2**31
    assert min(numbers.values()) > 0


def test_a_trace_has_the_events_of_its_format(timeline: Timeline) -> None:
    document = parse(encode_trace_event(timeline))
    assert document["otherData"]["dropped"] == timeline.dropped
    events = document["traceEvents"]
    assert {event["ph"] for event in events} <= {"M", "X", "C", "i"}
    assert {event["pid"] for event in events} == {timeline.process}
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert len(named) == len(timeline.threads)
    for event in events:
        if event["ph"] != "M":
            assert 0 <= event["ts"] <= 400_000
        if event["ph"] == "X":
            assert event["tid"] in named
            assert event["dur"] > 0
        if event["ph"] == "C":
            assert 0 <= event["args"]["fraction"] <= 1
    lost = [event["name"] for event in events if event["ph"] == "i"]
    assert len(lost) == (1 if timeline.dropped and timeline.spans else 0)


def test_slices_of_a_track_are_inside_each_other_or_apart(timeline: Timeline) -> None:
    tracks: dict[int, list[tuple[int, int]]] = {}
    for event in parse(encode_trace_event(timeline))["traceEvents"]:
        if event["ph"] == "X":
            begin = round(event["ts"] * 1000)
            end = begin + round(event["dur"] * 1000)
            tracks.setdefault(event["tid"], []).append((begin, end))
    for slices in tracks.values():
        open_until: list[int] = []
        for begin, end in sorted(slices, key=lambda each: (each[0], -each[1])):
            while open_until and open_until[-1] <= begin:
                open_until.pop()
            assert not open_until or end <= open_until[-1]
            open_until.append(end)


def describe(timeline: Timeline) -> list[tuple[Any, ...]]:
    """Return the spans with names in place of keys, as a reader sees them."""
    threads = {place: printable(thread.name) for place, thread in timeline.threads.items()}
    functions = {
        at: (printable(function.file), function.line, printable(function.name))
        for at, function in timeline.functions.items()
    }
    return [
        (
            threads[each.thread], each.kind, each.begin_ns, each.end_ns,
            None if each.function is None else functions[each.function],
            None if each.holder is None else threads[each.holder],
        )
        for each in timeline.spans
    ]  # fmt: skip


def test_a_trace_read_back_is_the_timeline(timeline: Timeline) -> None:
    again = load_timeline(parse(encode_trace_event(timeline)))
    assert describe(again) == describe(timeline)
    assert [moment for moment, _ in again.held] == [moment for moment, _ in timeline.held]
    assert [each for _, each in again.held] == pytest.approx(
        [each for _, each in timeline.held], abs=1e-4
    )
    for name in ("began_ns", "ended_ns", "began_at", "dropped", "interval_s", "process"):
        assert getattr(again, name) == getattr(timeline, name)
    assert again.program == tuple(map(printable, timeline.program))
    assert len(again.threads) == len(timeline.threads)


def test_a_gecko_profile_refers_to_rows_that_it_has(timeline: Timeline) -> None:
    document = parse(encode_gecko(timeline))
    meta = document["meta"]
    assert meta["version"] == 31
    assert meta["gillab"]["dropped"] == timeline.dropped
    kinds = {schema["name"] for schema in meta["markerSchema"]}
    assert document["threads"], "without a thread the profiler opens no profile"
    assert len({thread["tid"] for thread in document["threads"]}) == len(document["threads"])
    for thread in document["threads"]:
        strings = len(thread["stringTable"])
        assert len({*thread["stringTable"]}) == strings
        frames, stacks = thread["frameTable"]["data"], thread["stackTable"]["data"]
        for table in ("frameTable", "stackTable", "samples", "markers"):
            columns = len(thread[table]["schema"])
            assert [*thread[table]["schema"].values()] == [*range(columns)]
            assert all(len(row) == columns for row in thread[table]["data"])
        for frame in frames:
            assert 0 <= frame[0] < strings
            assert 0 <= frame[6] < len(meta["categories"])
        for row, (prefix, frame) in enumerate(stacks):
            assert prefix is None or 0 <= prefix < row
            assert 0 <= frame < len(frames)
        times = [time for _, time, _ in thread["samples"]["data"]]
        assert times == sorted({*times})
        assert all(each is None or 0 <= each < len(stacks) for each, *_ in
                   thread["samples"]["data"])  # fmt: skip
        for name, begin, end, phase, category, data in thread["markers"]["data"]:
            assert 0 <= name < strings
            assert 0 <= begin < end <= 400
            assert phase == 1
            assert 0 <= category < len(meta["categories"])
            assert data["type"] in kinds


def test_samples_of_a_gecko_profile_weigh_as_the_spans_do() -> None:
    timeline = make_stopped_loop()
    document = parse(encode_gecko(timeline))
    (worker,) = (each for each in document["threads"] if each["name"] == "asyncio_0")
    strings, frames = worker["stringTable"], worker["frameTable"]["data"]
    decode = "JSONDecoder.raw_decode (/usr/lib/json/decoder.py:343)"
    held = [
        row
        for row, (prefix, frame) in enumerate(worker["stackTable"]["data"])
        if prefix is None and strings[frames[frame][0]] == decode and frames[frame][6] == 0
    ]
    samples = [stack for stack, *_ in worker["samples"]["data"] if stack in held]
    assert len(samples) * document["meta"]["interval"] == pytest.approx(310, abs=0.1)


def test_a_long_run_has_no_more_samples_than_a_profile_can_show() -> None:
    timeline = make_timeline(span(MAIN, "hold", LOOP, 0, 400))
    fast = Timeline(**{name: getattr(timeline, name) for name in timeline.__dataclass_fields__}
                    | {"interval_s": 1e-6})  # fmt: skip
    document = parse(encode_gecko(fast))
    assert len(document["threads"][0]["samples"]["data"]) <= 20_001
