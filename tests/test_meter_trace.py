"""``python -m gillab.meter --trace``: real runs, also of programs that are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gillab.environment import is_gil_enabled
from gillab.errors import GillabError
from gillab.meter import GilMeter, why_unavailable
from gillab.meter._sampler import why_no_functions


def has_functions() -> bool:
    return why_no_functions() is None  # it must be called from a function


pytestmark = pytest.mark.skipif(
    why_unavailable() is not None or not has_functions(), reason="the meter is unavailable"
)
needs_gil = pytest.mark.skipif(not is_gil_enabled(), reason="there is no GIL here to hold")
HANG_S = 120
STOPPED_LOOP = """
import threading
text = "[" + "1," * 1_500_000 + "1]"
def decode():
    for _ in range(5):
        json.loads(text)
import json
thread = threading.Thread(target=decode, name="décoder")
thread.start()
thread.join()
"""
# In short sleeps: Python hears a signal that comes just before a sleep at the sleep's end.
READY = "import time; print('ready', flush=True); [time.sleep(0.01) for _ in range(6000)]"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gillab.meter", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=HANG_S, check=False
    )


def list_events(file: Path, kind: str) -> list[dict[str, Any]]:
    events = json.loads(file.read_text())["traceEvents"]
    return [event for event in events if event["ph"] == kind]


def test_the_trace_of_a_call_into_c_names_its_function_and_thread(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("mine = 1")
    (tmp_path / "app.py").write_text(STOPPED_LOOP)
    result = run("--trace", "t.json", "app.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    if "GIL held" not in result.stderr:
        pytest.skip(result.stderr)
    file = tmp_path / "t.json"
    names = {event["tid"]: event["args"]["name"] for event in list_events(file, "M")
             if event["name"] == "thread_name"}  # fmt: skip
    slices = [each for each in list_events(file, "X") if names[each["tid"]] == "décoder"]
    longest = max((each for each in slices if each["cat"] == "function"), key=lambda e: e["dur"])
    assert longest["name"] in ("JSONDecoder.raw_decode", "raw_decode")
    assert longest["args"]["file"].endswith("decoder.py")
    assert list_events(file, "C")
    assert json.loads(file.read_text())["otherData"]["program"] == ["app.py"]


@pytest.mark.skipif(os.name == "nt", reason="a signal does not end a process like this here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_a_stopped_program_leaves_a_whole_trace_or_none(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "gillab.meter", "--trace", "t.json", "-c", READY]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.communicate(timeout=HANG_S)
    assert process.returncode == -number
    if number == signal.SIGKILL:
        assert [*tmp_path.iterdir()] == []
    else:
        assert list_events(tmp_path / "t.json", "M")


def test_the_page_is_made_after_a_program_that_spoils_its_imports(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    code = "import os, sys; sum(range(3_000_000)); sys.path.clear(); os.environ.clear()"
    result = run("--export-html", "p.html", "-c", code, cwd=tmp_path)
    assert result.returncode == 0
    assert "could not" not in result.stderr
    assert "</html>" in (tmp_path / "p.html").read_text(encoding="utf-8")


@needs_gil
def test_a_meter_gives_its_timeline() -> None:
    meter = GilMeter(timeline=True)
    until = time.monotonic() + HANG_S
    with meter:
        while not meter.timeline().functions and time.monotonic() < until:
            sum(range(3_000_000))
            time.sleep(0.001)  # a hold that lasts is not there yet
    timeline = meter.timeline()
    assert timeline.dropped == 0
    assert timeline.began_ns <= timeline.spans[0].begin_ns
    for before, after in zip(timeline.spans, timeline.spans[1:], strict=False):
        assert before.begin_ns <= after.begin_ns
    for span in timeline.spans:
        assert span.begin_ns < span.end_ns <= timeline.ended_ns
        assert span.thread in timeline.threads
        assert span.function is None or span.function in timeline.functions
    assert timeline.functions
    assert all(0 <= fraction <= 1 for _, fraction in timeline.held)


def test_a_meter_without_a_timeline_says_how_to_have_one() -> None:
    with pytest.raises(GillabError, match="timeline=True"):
        GilMeter().timeline()
    with pytest.raises(GillabError, match="start it"):
        GilMeter(timeline=True).timeline()


@needs_gil
def test_the_oldest_spans_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gillab.meter.gil_meter._MOST_SPANS", 4)
    meter = GilMeter(timeline=True)
    until = time.monotonic() + HANG_S
    while time.monotonic() < until:
        with meter:
            sum(range(300_000))
        timeline = meter.timeline()
        if timeline.dropped >= 5:
            break
    assert len(timeline.spans) <= 4
    assert timeline.dropped >= 5
    assert timeline.held[0][0] == timeline.spans[0].begin_ns
