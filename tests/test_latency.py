"""What a waiting thread feels: the figures of rounds made by hand, and one run of each probe."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from compare_run import PATIENT

from gillab import latency as module
from gillab.errors import Interrupted, UsageError
from gillab.estimates import Estimate
from gillab.latency import latency, main
from gillab.launch.messages import decode, encode
from gillab.probes.charts import chart_delays
from gillab.probes.child import MOST_KEPT, thin
from gillab.probes.measure import Measured, Plan, Round, lacks_quiet, list_conditions, pick_quiet
from gillab.probes.messages import Condition, Delays, DelaysNoted, Where
from gillab.probes.probe import PROBES
from gillab.probes.summary import find_quantile, summarize_delays, summarize_rounds
from gillab.report.latency import name_intervals, summarize_latency
from gillab.results import Result

INTERVAL_S, SHORT_S = 5e-3, 0.5e-3
BRIEF: dict[str, Any] = {"rounds": 1, "round_s": 0.01, **PATIENT}
ISOLATED = Path(__file__).parent / "isolated"


def note(
    probe: str, busy: int, delay_s: float, where: Where = "threads", interval_s: float = INTERVAL_S
) -> Delays:
    """Ten delays, the last of them twice as long, in a round of a second or so."""
    condition = Condition(probe, where, busy, interval_s)
    return Delays(condition, (delay_s,) * 9 + (2 * delay_s,), 10, 10 * delay_s)


def tell(*delays: Delays, call_s: float = 30e-3, gil_enabled: bool = True) -> list[str]:
    felt = summarize_rounds([Round(call_s, list(delays))], 0.95)
    return summarize_latency(felt, "f", call_s, gil_enabled=gil_enabled)


def test_the_answer_names_the_delay_and_the_requests_and_what_helps() -> None:
    sentences = tell(
        note("loop", 0, 1e-4),
        note("echo", 0, 2e-5),
        note("loop", 1, 5e-3),
        note("echo", 1, 1e-2),
        note("loop", 1, 6e-4, interval_s=SHORT_S),
        note("loop", 1, 1e-4, "processes"),
    )
    assert sentences == [
        "f: beside one busy thread an asyncio loop wakes 5 ms late at the median and 10 ms at "
        "worst (alone 100 µs and 200 µs); a socket answers 100 requests/s instead of 50,000 "
        "requests/s.",
        "f: a shorter switch interval helps: with sys.setswitchinterval(0.0005) an asyncio loop "
        "wakes 0.6 ms late at the median and 1.2 ms at worst.".replace("0.6 ms", "600 µs"),
        "f: with the work in one process instead, next to nothing is felt: an asyncio loop wakes "
        "100 µs late at the median and 200 µs at worst.",
    ]


def test_a_call_that_cannot_be_interrupted_is_to_be_cut_up() -> None:
    sentences = tell(
        note("loop", 0, 1e-4),
        note("loop", 1, 0.2),
        note("loop", 1, 0.2, interval_s=SHORT_S),
        call_s=0.3,
    )
    assert sentences[1].startswith("f: a shorter switch interval does not help: with ")
    assert sentences[2] == (
        "f: a thread waits longer than a switch interval, so something in a call (it takes 300 ms) "
        "holds the GIL and cannot be interrupted: cut it up, or release the GIL in it."
    )


def test_what_processes_make_others_feel_too_is_not_the_locks() -> None:
    sentences = tell(
        note("loop", 0, 1e-4), note("loop", 1, 5e-3), note("loop", 1, 5e-3, "processes")
    )
    assert sentences[1:] == ["f: nobody waits for the GIL noticeably."]


def test_without_a_gil_nobody_waits_for_one_and_the_figures_are_told() -> None:
    sentences = tell(note("loop", 0, 1e-4), note("loop", 1, 1e-4), gil_enabled=False)
    assert sentences[0] == "f: nobody waits for a lock: there is no GIL."
    assert "100 µs late" in sentences[1]
    assert len(sentences) == 2


def test_each_round_counts_alike_in_a_quantile() -> None:
    condition = Condition("echo", "threads", 1, INTERVAL_S)
    quick = Delays(condition, (1.0,) * 90, 90_000, 1.0)
    slow = Delays(condition, (2.0,) * 9 + (9.0,), 10, 1.0)
    assert find_quantile([quick, slow], 0.5) == 1.0
    assert find_quantile([quick, slow], 0.51) == 2.0
    assert find_quantile([quick, slow], 0.95) == 2.0
    assert find_quantile([quick, slow], 0.96) == 9.0
    assert find_quantile([slow], 0.9) == 2.0
    felt = summarize_delays([quick, slow], 0.95)
    assert (felt.longest_s, felt.count) == (9.0, 90_010)
    assert felt.rate == Estimate(45_005.0, None, None)


def test_the_interval_is_by_rounds_and_holds_the_pooled_quantile() -> None:
    condition = Condition("loop", "threads", 1, INTERVAL_S)
    rounds = [Delays(condition, (float(i),) * 10, 10, 1.0) for i in range(1, 7)]
    assert summarize_delays(rounds, 0.95).p50 == Estimate(3.0, 1.0, 6.0)
    assert summarize_delays(rounds, 0.95).p99 == Estimate(6.0, 1.0, 6.0)
    assert summarize_delays(rounds[:5], 0.95).p50 == Estimate(3.0, None, None)


def test_of_very_many_delays_evenly_spaced_ones_and_the_longest_are_kept() -> None:
    assert thin([1.0, 2.0]) == (1.0, 2.0)
    kept = thin([float(i) for i in range(1, 10 * MOST_KEPT + 1)])
    assert len(kept) == MOST_KEPT
    assert (kept[0], kept[-1]) == (10.0, 10.0 * MOST_KEPT)


def test_a_chart_for_each_probe_has_the_quantiles_by_interval_and_one_has_the_requests() -> None:
    delays = [note("loop", 0, 1e-4), note("loop", 1, 5e-3), note("echo", 1, 1e-2)]
    delays += [note("loop", 1, 1e-3, interval_s=SHORT_S), note("loop", 1, 1e-4, "processes")]
    felt = summarize_rounds([Round(0.03, delays)], 0.95)
    loop, echo, requests = chart_delays(felt, "f", name_intervals([5e-3, 5e-4]).__getitem__)
    names = [series.name for series in loop.series]
    assert names == [
        *("5 ms, p50", "5 ms, p99", "5 ms, max"),
        *("500 µs, p50", "500 µs, p99", "500 µs, max"),
        *("processes, p50", "processes, p99", "processes, max"),
    ]
    assert loop.series[2].find(1) == Estimate(1e-2, None, None)
    assert loop.series[6].find(0) == Estimate(1e-4, None, None)
    assert [series.name for series in echo.series] == ["5 ms, p50", "5 ms, p99", "5 ms, max"]
    assert requests.series[0].find(1) == Estimate(100.0, None, None)


def test_processes_are_measured_at_one_interval_and_never_for_nobody() -> None:
    conditions = list_conditions(["loop"], [0, 1], [INTERVAL_S, SHORT_S])
    assert [(each.arm, each.switch_interval_s) for each in conditions] == [
        ("threads/0", INTERVAL_S),
        ("threads/0", SHORT_S),
        ("threads/1", INTERVAL_S),
        ("threads/1", SHORT_S),
        ("processes/1", INTERVAL_S),
    ]


def test_quiet_rounds_alone_make_the_figures_where_there_are_three() -> None:
    quiet, disturbed = {"wall_s": 5.0, "other_cores": 0.0}, {"wall_s": 5.0, "other_cores": 1.0}
    rounds = [Round(0.03, [], noise) for noise in (quiet, disturbed, quiet, quiet, {})]
    assert pick_quiet(rounds) == [rounds[0], rounds[2], rounds[3]]
    assert pick_quiet(rounds[:3]) == rounds[:3]
    assert lacks_quiet(rounds, 4)
    assert not lacks_quiet(rounds, 3)
    assert not lacks_quiet([Round(0.03)], 3), "the system does not tell"


def test_delays_come_back_as_they_were_sent() -> None:
    message = DelaysNoted(note("echo", 2, 0.1))
    assert decode(encode(message)) == message


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_notes_at_least_one_delay(name: str) -> None:
    delays = PROBES[name](1e-6)
    assert len(delays) >= 1
    assert all(delay > 0 for delay in delays)


def test_a_run_measures_every_condition_and_leaves_the_interval_alone(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    result = latency("n = 9\nwhile n: n -= 1", busy=[1], switch_intervals_s=[1e-3], **BRIEF)
    assert sys.getswitchinterval() == before
    assert [cell.key for cell in result.cells] == ["threads/0", "threads/1", "processes/1"]
    assert {cell.status for cell in result.cells} == {"ok"}, result.cells
    block = result.blocks[0]
    assert len(block["delays"]) == 9
    assert [chart.y.unit for chart in result.charts] == ["s", "s", "s", "1/s"]
    assert "an asyncio loop wakes" in " ".join(result.summary)
    assert json.loads(result.to_json())["gillab"]["command"] == "latency"


def test_what_the_workload_raises_is_the_reason() -> None:
    result = latency("1 / 0", busy=[1], **BRIEF)
    assert result.failed
    assert result.summary == ["1 / 0: ZeroDivisionError: division by zero."]
    assert {cell.reason for cell in result.cells} == {"ZeroDivisionError: division by zero"}


def test_what_fails_beside_the_probe_alone_leaves_the_rest() -> None:
    setup = "left = iter(range(3))"
    result = latency("next(left)", setup=setup, busy=[1], probes=["loop"], **BRIEF)
    assert result.cell("next(left)", "threads", 0).status == "ok"
    failed = result.cell("next(left)", "threads", 1)
    assert (failed.status, failed.reason) == ("failed", "StopIteration")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"busy": [-1]}, "busy threads are a number from 0 on, not -1"),
        ({"switch_intervals_s": [20.0]}, "a switch interval is from 1 µs to 10 s long, not 20 s"),
        ({"probes": ["ping"]}, "there is no probe 'ping'; there are heartbeat, echo, loop"),
        ({"rounds": 0}, "rounds is a finite number above 0"),
        ({"confidence": 1.0}, "confidence is a fraction between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        latency(**options)


def test_bad_input_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    previous = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["nothing_of_this_name"]) == 2
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert "is neither a kernel nor" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(plan: Plan, measured: Measured, on_step: object) -> None:
        measured.rounds.append(Round(0.01, [note("loop", 0, 1e-4)]))
        raise KeyboardInterrupt

    assert module.latency is latency
    monkeypatch.setattr("gillab.probes.measure.measure_rounds", measure)
    with pytest.raises(Interrupted) as caught:
        latency(busy=[1])
    result = caught.value.result
    assert isinstance(result, Result)
    assert result.partial
    assert result.cell("countdown_python", "threads", 0).status == "ok"
    assert result.charts


def test_the_command_line_says_that_no_busy_thread_is_a_number_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["countdown_python", "--busy", "-1"])
    assert "'-1' is no whole number from 0 on" in capsys.readouterr().err
