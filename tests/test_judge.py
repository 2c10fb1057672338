"""What is said of a call, and whether it passes its gates: told from readings made up here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gillab.blocks.scaling import find_budget
from gillab.estimates import Estimate, Spread
from gillab.release.findings import Finding, Findings, Gate, GateResult, Onset, Scaling
from gillab.release.judge import judge, pass_gate
from gillab.release.onset import find_onset
from gillab.release.rounds import Release
from gillab.report.findings import describe_controls
from gillab.report.release import format_hold, tell_finding, tell_gate, tell_onset


def reading(
    released: float, width: float = 0.01, call_s: float = 1e-3, **changes: object
) -> Release:
    half = width / 2
    made = Release(
        released=Estimate(released, max(0.0, released - half), min(1.0, released + half)),
        held_mean=1 - released,
        others=0.0,
        longest_hold=Estimate(1e-4, 0.5e-4, 1.5e-4),
        call=Spread(call_s, 0.0, call_s),
        calls=1000,
        samples=10_000,
        missed=0,
        duration_s=1.0,
        gil_enabled=True,
        empty_s=1e-8,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


HOLDER, RELEASER = reading(0.0), reading(0.999)
CEILING = Estimate(2.2, 2.15, 2.25)


def finding(call: Release, holder: Release = HOLDER, releaser: Release = RELEASER) -> Finding:
    return judge("f(x)", "", "3.13.0", call, holder, releaser)


@pytest.mark.parametrize(
    ("released", "width", "verdict"),
    [
        (0.99, 0.01, "releases"),
        (0.0, 0.01, "holds"),
        (0.05, 0.05, "holds"),
        (0.5, 0.1, "partly"),
        (0.5, 0.5, "partly"),
        (0.92, 0.1, "releases"),
        (0.8, 0.4, "undecided"),
        (0.5, 1.0, "undecided"),
    ],
)
def test_the_fraction_and_its_interval_name_the_class(
    released: float, width: float, verdict: str
) -> None:
    assert finding(reading(released, width)).verdict == verdict


def test_a_control_that_reads_wrong_leaves_the_check_undecided() -> None:
    for holder, releaser in ((reading(0.2), RELEASER), (HOLDER, reading(0.8))):
        doubtful = finding(reading(0.99), holder, releaser)
        assert doubtful.verdict == "undecided"
        assert "too busy" in (doubtful.reason or "")
        assert pass_gate(doubtful, "at_least", 0.9).passed is None
        assert pass_gate(doubtful, "longest_hold", 1.0).passed is None


def test_a_control_that_other_threads_kept_from_the_lock_names_them() -> None:
    little = finding(reading(0.6), releaser=reading(0.6, others=0.03))
    assert "too busy" in (little.reason or "")
    doubtful = finding(reading(0.6), releaser=reading(0.6, others=0.4))
    assert doubtful.reason == (
        "a loop in C that releases the GIL seemed to release it for 60 %: other threads of the "
        "process held it for 40 % of the time"
    )


def test_a_call_beside_which_the_loop_is_long_is_too_short_where_that_matters() -> None:
    loop = {"call_s": 3e-8, "empty_s": 1e-8}
    short = finding(reading(0.5, 0.02, **loop))
    assert short.verdict == "too_short"
    assert short.shortest_s == pytest.approx(5e-7)
    assert "0.5 µs" in tell_finding(short)
    assert pass_gate(short, "at_least", 0.6).passed is None
    # What holds throughout does so whoever the loop's share is counted for.
    assert finding(reading(0.0, 0.0, **loop)).verdict == "holds"


def test_the_controls_are_shown_where_there_is_a_gil_to_read() -> None:
    with_gil = Findings("check", False, {}, {}, [finding(reading(0.5))])
    assert describe_controls(with_gil) == (
        "a loop that holds the GIL seemed to release it for 0.0 %, one that releases it for 99.9 %"
    )
    free = [reading(released, gil_enabled=False) for released in (1.0, 1.0, 1.0)]
    assert describe_controls(Findings("check", False, {}, {}, [finding(*free)])) == ""


def test_without_a_gil_every_gate_on_it_passes() -> None:
    free = finding(reading(1.0, gil_enabled=False))
    assert free.verdict == "no_gil"
    assert pass_gate(free, "at_least", 0.9).passed is True
    assert pass_gate(free, "longest_hold", 1e-6).passed is True
    assert "no GIL" in tell_finding(free)


@pytest.mark.parametrize(
    ("gate", "limit", "passed"),
    [
        ("at_least", 0.9, True),
        ("at_least", 0.97, None),
        ("at_least", 0.99, False),
        ("longest_hold", 1e-3, True),
        ("longest_hold", 1e-4, None),
        ("longest_hold", 1e-5, False),
        ("speedup", 1.5, True),
        ("speedup", 1.9, None),
        ("speedup", 2.1, False),
    ],
)
def test_a_gate_is_decided_by_the_whole_interval(
    gate: Gate, limit: float, passed: bool | None
) -> None:
    call = finding(reading(0.97, 0.02))
    scaling = Scaling(2, Estimate(1.9, 1.8, 2.0), Estimate(0.87, 0.8, 0.9), "wins", ceiling=CEILING)
    assert pass_gate(replace(call, scaling=scaling), gate, limit).passed is passed


def hold_against(scaling: Scaling, limit: float = 1.5) -> GateResult:
    return pass_gate(replace(finding(reading(0.97)), scaling=scaling), "speedup", limit)


def test_a_busy_machine_fails_no_speedup() -> None:
    low = Scaling(2, Estimate(1.0, 0.9, 1.1), None, "same", ceiling=CEILING)
    assert hold_against(low).passed is False
    # Two identical serial arms differed: of such a run nothing is taken.
    for scaling in (low, replace(low, speedup=Estimate(1.9, 1.8, 2.0))):
        assert hold_against(replace(scaling, trusted=False)).passed is None
    assert pass_gate(finding(reading(0.97)), "speedup", 1.5).passed is None


@pytest.mark.parametrize(
    ("speedup", "ceiling", "passed"),
    [
        ((1.61, 1.51, 1.70), None, True),
        ((0.97, 0.92, 1.19), Estimate(1.7, 1.55, 1.9), False),
        ((0.97, 0.92, 1.19), Estimate(1.6, 1.25, 1.9), False),
        ((0.97, 0.92, 1.19), Estimate(1.6, 1.1, 1.9), None),
        ((1.30, 1.20, 1.45), Estimate(1.4, 1.3, 1.6), None),
        ((1.45, 1.20, 1.60), CEILING, None),
    ],
    ids=["reached", "given", "given more", "perhaps not given", "not given", "between"],
)
def test_a_speedup_fails_where_the_machine_gave_it_to_a_loop_in_the_same_blocks(
    speedup: tuple[float, float, float], ceiling: Estimate | None, passed: bool | None
) -> None:
    scaling = Scaling(2, Estimate(*speedup), None, "inconclusive", ceiling=ceiling, expected=2.0)
    assert hold_against(scaling).passed is passed


@pytest.mark.parametrize("ceiling", [None, Estimate(0.9, 0.7, 1.1), Estimate(2.6, 2.5, 2.7)])
@pytest.mark.parametrize(
    ("low", "high", "passed"), [(1.8, 2.0, True), (0.9, 1.2, False), (1.4, 1.6, None)]
)
def test_work_that_waits_is_judged_by_itself_whatever_the_cpus_gave(
    ceiling: Estimate | None, low: float, high: float, passed: bool | None
) -> None:
    gain = Estimate((low + high) / 2, low, high)
    scaling = Scaling(2, gain, None, "wins", ceiling=ceiling, expected=2.0, busy=0.02)
    assert hold_against(scaling).passed is passed


@pytest.mark.parametrize("ceiling", [None, Estimate(1.01, 0.98, 1.03), CEILING])
def test_what_the_lock_proves_fails_a_speedup_whatever_the_clock_read(
    ceiling: Estimate | None,
) -> None:
    wide = Scaling(
        2, Estimate(1.2, 0.9, 1.6), None, "no_gain", ceiling=ceiling, expected=2.0, busy=0.99,
        proved_by="gil", held=1.0,
    )  # fmt: skip
    assert hold_against(wide).passed is False
    assert hold_against(replace(wide, proved_by=None), 1.5).passed is None
    # It proves that no more than the margin is gained, not that nothing at all is.
    assert hold_against(wide, 1.05).passed is not False
    call = replace(finding(reading(0.0)), scaling=wide)
    assert tell_finding(call).endswith(
        "; two threads gain nothing: the GIL is held 100 % of the time and one core is busy "
        "(measured 1.20x [0.90, 1.60])."
    )


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("gil", ""),
        ("gil_in_part", ""),
        (None, ""),
        (
            "other_lock",
            ": they wait for a lock that is not the GIL (one core is busy, and the GIL is held "
            "1 % of the time)",
        ),
        (
            "contention",
            ": they slow each other down (all run, and each task takes more CPU time)",
        ),
        ("no_gil", ", though there is no GIL here"),
    ],
)
def test_why_threads_gain_nothing_is_said_where_the_release_does_not_say_it(
    cause: Any, said: str
) -> None:
    scaling = Scaling(2, Estimate(0.93, 0.85, 0.98), None, "no_gain", cause=cause, held=0.01)
    sentence = tell_finding(replace(finding(reading(0.97)), scaling=scaling))
    assert sentence.endswith(f"; two threads 0.93x [0.85, 0.98]{said}.")


def test_a_reason_that_is_a_sentence_ends_in_one_full_stop() -> None:
    scaling = Scaling(2, None, None, None, "it turned the GIL back on: by 'nog'.", "failed")
    sentence = tell_finding(replace(finding(reading(0.99)), scaling=scaling))
    assert sentence.endswith("; two threads not measured: it turned the GIL back on: by 'nog'.")


def test_another_lock_is_said_beside_a_speedup_that_is_undecided() -> None:
    scaling = Scaling(
        2, Estimate(0.98, 0.88, 1.08), None, "inconclusive", cause="other_lock", held=0.17
    )
    sentence = tell_finding(replace(finding(reading(0.83)), scaling=scaling))
    assert sentence.endswith(
        "; two threads 0.98x [0.88, 1.08]: they wait for a lock that is not the GIL (one core is "
        "busy, and the GIL is held 17 % of the time)."
    )
    assert hold_against(replace(scaling, verdict="no_gain", proved_by="other_lock")).passed is False
    # On one CPU the call is not to blame.
    assert hold_against(replace(scaling, verdict="no_gain", proved_by="one_cpu")).passed is None


@pytest.mark.parametrize("speedup", [1.75, 1.2])
@pytest.mark.parametrize(
    ("ceiling", "expected", "decided"),
    [
        (Estimate(1.75, 1.6, 1.9), 1.0, False),
        (Estimate(1.15, 1.11, 1.2), 1.0, False),
        (Estimate(2.3, 2.25, 2.4), 2.0, False),
        (Estimate(1.75, 1.6, 1.9), 1.5, True),
        (Estimate(2.15, 2.1, 2.2), 2.0, True),
        (Estimate(1.75, 1.6, 1.9), None, True),
    ],
)
def test_a_speedup_is_undecided_where_a_loop_gains_more_than_the_cpus_give(
    speedup: float, ceiling: Estimate, expected: float | None, decided: bool
) -> None:
    """Threads beside other programs take CPU time from those: 2/(k+2) for two, 1/(k+1) for one."""
    gain = Estimate(speedup, speedup - 0.05, speedup + 0.05)
    scaling = Scaling(2, gain, None, "wins", ceiling=ceiling, expected=expected)
    result = pass_gate(replace(finding(reading(0.97)), scaling=scaling), "speedup", 1.5)
    assert result.passed is ((speedup > 1.5) if decided else None)
    if not decided:
        gained = f"{ceiling.estimate:.2f}x [{ceiling.low:.2f}, {ceiling.high:.2f}]"
        assert tell_gate(result) == (
            "gate undecided: threads gain at least 1.5x; the machine was busy: a loop without the "
            f"GIL gained {gained} where the CPUs give {expected:g}x at most."
        )


@pytest.mark.parametrize(
    ("ceiling", "why"),
    [
        (Estimate(1.01, 0.98, 1.03), "; this machine gives a loop without the GIL 1.01x [0.98, 1."),
        (Estimate(1.48, 1.4, 1.6), "; this machine gives a loop without the GIL 1.48x [1.40, 1.6"),
        (Estimate(1.9, None, None), "; this machine gives a loop without the GIL 1.90x."),
        (None, "; what this machine gives a loop without the GIL was not measured."),
    ],
)
def test_a_speedup_that_the_machine_itself_may_not_give_is_no_failure(
    ceiling: Estimate | None, why: str
) -> None:
    def ask(speedup: Estimate) -> GateResult:
        scaling = Scaling(2, speedup, None, "same", ceiling=ceiling)
        return pass_gate(replace(finding(reading(0.97)), scaling=scaling), "speedup", 1.5)

    below = ask(Estimate(1.0, 0.98, 1.02))
    assert below.passed is None
    assert tell_gate(below).startswith(f"gate undecided: threads gain at least 1.5x{why}")
    # What waits gains more than the CPUs give.
    above = ask(Estimate(1.9, 1.8, 2.0))
    assert (above.passed, above.reason) == (True, None)


def test_other_threads_and_uneven_rounds_are_noted() -> None:
    notes = finding(reading(0.97, others=0.3, held_mean=0.4)).notes
    assert any(
        "other threads of the process held the GIL for 30 % of the time" in note for note in notes
    )
    assert any("uneven" in note for note in notes)


def test_the_sentence_is_one_that_a_person_would_say() -> None:
    call = replace(
        finding(reading(0.991, 0.006, 0.021, longest_hold=Estimate(8e-5, 7e-5, 9e-5))),
        workload="zlib.compress(data)",
        scaling=Scaling(2, Estimate(1.95, 1.9, 2.0), Estimate(0.99, 0.98, 1.0), "wins"),
    )
    assert tell_finding(call) == (
        "zlib.compress(data): releases the GIL for 99.1 % [98.8, 99.4] of its 21 ms; longest hold "
        "80 µs; two threads 1.95x [1.90, 2.00], 99 % of what this machine gives two."
    )


@pytest.mark.parametrize(
    ("speedup", "verdict", "share", "clause"),
    [
        (
            (1.95, 1.9, 2.0),
            "wins",
            0.99,
            "1.95x [1.90, 2.00], 99 % of what this machine gives two.",
        ),
        ((2.0, 1.9, 2.1), "wins", 1.05, "2.00x [1.90, 2.10], all that this machine gives two."),
        ((1.95, 1.9, 2.0), "wins", None, "1.95x [1.90, 2.00]."),  # it waits
        ((1.46, 0.9, 1.9), "inconclusive", 0.99, "1.46x [0.90, 1.90]."),
        ((1.46, None, None), "inconclusive", 0.99, "1.46x (too few blocks to tell)."),
    ],
)
def test_what_threads_gain_is_said_as_surely_as_it_is_known(
    speedup: tuple[float, Any, Any], verdict: Any, share: float | None, clause: str
) -> None:
    of_ceiling = None if share is None else Estimate(share, None, None)
    scaling = Scaling(2, Estimate(*speedup), of_ceiling, verdict)
    sentence = tell_finding(replace(finding(reading(0.99)), scaling=scaling))
    assert sentence.endswith(f"; two threads {clause}")


def variants(*verdicts: str) -> list[Finding]:
    return [
        Finding("f(x)", "3.13.0", "ok", variant=f"N={10**i}", verdict=verdict)  # type: ignore[arg-type]
        for i, verdict in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (
            ("holds", "holds", "releases"),
            "f(x): it releases the GIL from N=100 on, not at N=10.",
        ),
        (
            ("holds", "partly", "releases"),
            "f(x): it releases the GIL in part from N=10 on, not at N=1, nearly all of the "
            "time from N=100 on.",
        ),
        (("releases", "releases"), "f(x): it releases the GIL at every value."),
        (("holds", "holds"), "f(x): it releases the GIL at none of these values."),
        (
            ("releases", "holds"),
            "f(x): it holds the GIL at N=10, the last value, though it releases it, at least in "
            "part, at N=1.",
        ),
        (("no_gil", "no_gil"), "f(x): there is no GIL here, whatever the value."),
        (("undecided", "undecided"), None),
        (("releases",), None),
        (
            ("holds", "undecided", "releases"),
            "f(x): it releases the GIL, at least in part, at N=100; no answer for N=10, so it is "
            "not known where it begins to release the GIL.",
        ),
        (
            ("undecided", "holds", "releases"),
            "f(x): it releases the GIL from N=100 on, not at N=10; no answer for N=1.",
        ),
        (
            ("too_short", "holds"),
            "f(x): it was not seen to release the GIL; no answer for N=1.",
        ),
        (("no_gil", "undecided"), "f(x): there is no GIL here; no answer for N=10."),
    ],
)
def test_the_value_where_it_begins_is_named(verdicts: list[str], sentence: str | None) -> None:
    cells = variants(*verdicts)
    assert tell_onset(find_onset(cells), cells) == sentence


@pytest.mark.parametrize(
    ("verdicts", "decided", "holds_to", "releases_from", "mostly_from"),
    [
        (("holds", "holds", "releases"), True, 10, 100, 100),
        (("holds", "partly", "releases"), True, 1, 10, 100),
        (("holds", "partly"), True, 1, 10, None),
        (("partly", "releases"), True, None, 1, 10),
        (("releases", "holds", "releases"), True, 10, 100, 100),
        (("releases", "holds"), True, 10, None, None),
        (("releases",), True, None, 1, 1),
        (("no_gil", "no_gil"), True, None, 1, 1),
        (("undecided", "holds", "releases"), True, 10, 100, 100),
        (("holds", "undecided", "releases"), False, None, None, None),
        (("holds", "releases", None), False, None, None, None),
        (("too_short", "releases"), False, None, None, None),
    ],
)
def test_the_value_where_it_begins_is_data(
    verdicts: list[str],
    decided: bool,
    holds_to: int | None,
    releases_from: int | None,
    mostly_from: int | None,
) -> None:
    # In whatever order they were measured.
    for cells in (variants(*verdicts), variants(*verdicts)[::-1]):
        onset = find_onset(cells)
        assert onset == Onset(
            "f(x)", "N", decided, holds_to=holds_to, releases_from=releases_from,
            mostly_from=mostly_from,
        )  # fmt: skip


def vary(values: Sequence[str], verdicts: Sequence[str | None]) -> list[Finding]:
    return [
        Finding("f(x)", "3.13.0", "ok", variant=f"kind={value}", verdict=verdict)  # type: ignore[arg-type]
        for value, verdict in zip(values, verdicts, strict=True)
    ]


def tell(cells: list[Finding]) -> str:
    return tell_onset(find_onset(cells), cells) or ""


def test_a_value_is_a_number_or_as_python_writes_it() -> None:
    cells = vary(("1e309", "2 ** 4", "-1.5"), ("releases", "partly", "holds"))
    assert find_onset(cells) == Onset("f(x)", "kind", True, -1.5, "2 ** 4", "1e309")
    assert find_onset([Finding("f(x)", "3.13.0", "ok", verdict="holds")]) is None
    assert find_onset([]) is None


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("2 ** 4", "2 ** 20"),
        ("2 ** 4", "100"),
        ("-(2 ** 20)", "+1"),
        ("10 // 3", "(1 + 2.5) * 3"),
        ("7 / 2", "4 * 1_000 - 1"),
        ("2 ** -1", "2 ** 0.5"),
        ("-1e309", str(2**1100)),  # too large for a float
    ],
)
def test_numbers_are_in_their_order_however_they_are_written(small: str, large: str) -> None:
    cells = vary((small, large), ("holds", "releases"))
    for given in (cells, cells[::-1]):
        onset = find_onset(given)
        assert onset is not None
        assert onset.decided
        assert None not in (onset.holds_to, onset.releases_from)


@pytest.mark.parametrize(
    "other",
    ["'slow'", "9 ** 9 ** 9", "(-8) ** 0.5", "1 / 0", "1e309 - 1e309", "True", "n", "1j", "f(1)",
     "2.0 ** 5000", "+".join(["1"] * 5000), "(" * 300 + "1" + ")" * 300, "'10'", ""],
    ids=lambda other: other[:20],
)  # fmt: skip
def test_values_without_an_order_begin_nowhere(other: str) -> None:
    for verdicts in (("holds", "releases"), ("releases", "holds"), ("partly", "releases")):
        cells = vary((other, "16"), verdicts)
        assert find_onset(cells) == Onset("f(x)", "kind", False, None, None, None)
    assert "it is not known where it begins" in tell(vary((other, "16"), ("undecided", "holds")))


def test_values_without_an_order_that_are_all_alike_are_told() -> None:
    values = ("'slow'", "'fast'")
    for verdict, onset, sentence in (
        ("releases", (None, "'slow'", "'slow'"), "it releases the GIL at every value."),
        ("holds", ("'fast'", None, None), "it releases the GIL at none of these values."),
    ):
        cells = vary(values, (verdict, verdict))
        assert find_onset(cells) == Onset("f(x)", "kind", True, *onset)
        assert tell(cells) == f"f(x): {sentence}"
    assert tell(vary(values, ("holds", "releases"))) == (
        "f(x): it releases the GIL, at least in part, at kind='fast'; not all values are numbers, "
        "so nothing can be said about where that begins."
    )


def test_too_few_blocks_leave_a_speedup_undecided_and_say_so() -> None:
    scaling = Scaling(2, Estimate(1.9, None, None), None, "inconclusive", ceiling=CEILING)
    result = pass_gate(Finding("f(x)", "3.13.0", "ok", scaling=scaling), "speedup", 1.5)
    assert result.passed is None
    assert "too few blocks" in tell_gate(result)


def test_a_long_call_has_longer_where_its_speedup_is_asked_for() -> None:
    asked = [find_budget(call_s, decide=True) for call_s in (1e-6, 0.1, 1.0, 100.0)]
    assert asked == sorted(asked)
    assert 30 * 1.0 < asked[2] < asked[3] <= 300
    assert {find_budget(call_s, decide=False) for call_s in (1e-6, 1.0, 100.0)} == {asked[0]}


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.0, 3e-3, "under 3.0 ms"), (1e-3, 3e-3, "1.0 ms to 3.0 ms"), (1.8e-3, 2.1e-3, "2.0 ms")],
)
def test_a_hold_is_said_as_precisely_as_it_is_known(low: float, high: float, text: str) -> None:
    assert format_hold(Estimate(2e-3, low, high)) == text
