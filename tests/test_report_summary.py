from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_fixtures import ENVIRONMENT, arm, ceiling, make_result, missing, null, ratio, serial

from gillab.blocks.doubts import describe_doubt, find_doubt
from gillab.estimates import Estimate
from gillab.results import Cell, Control

WIN_PROCESSES = arm("processes", 1.92, "wins", share=0.98, cores=1.95)
SAME_THREADS = arm("threads", 0.99, "same", share=0.5, cores=1.01)
FREE = {**ENVIRONMENT, "gil_enabled": False}
ONE_CPU = {**ENVIRONMENT, "cpus_usable": 1}


def say(*cells: Cell, base: Cell | None = None, **more: Any) -> list[str]:
    """Return what is said of the cells beside a serial arm, with causes and choices made anew."""
    return list(make_result([base or serial(), *cells], **more).summary)


def test_processes_win_where_the_gil_keeps_threads_from_gaining() -> None:
    assert say(SAME_THREADS, WIN_PROCESSES) == [
        "nogil: use processes, 1.92x [1.89, 1.95], 98 % of what this machine gives; "
        "threads gain nothing: about one runs at a time, as the GIL allows."
    ]


def test_threads_that_reach_the_ceiling_use_all_of_the_machine() -> None:
    assert say(arm("threads", 1.96, "wins", share=1.0)) == [
        "nogil: use threads, 1.96x [1.93, 1.99], all that this machine gives."
    ]


def test_among_equally_fast_ones_the_simplest_is_chosen() -> None:
    assert say(
        arm("processes", 1.97, "wins"),
        arm("interpreters", 1.96, "wins"),
        arm("threads", 1.95, "wins"),
    ) == ["nogil: use threads, 1.95x [1.92, 1.98]; interpreters and processes are as fast."]


def test_the_fastest_is_chosen_though_the_speedups_overlap() -> None:
    """Those have the serial arm's noise in common; held against each other they are apart."""
    threads = arm("threads", Estimate(1.30, 1.06, 1.90), "wins", of_fastest=ratio(0.67))
    processes = arm("processes", Estimate(1.95, 1.88, 1.98), "wins", of_fastest=ratio(1.0, 0.0))
    assert say(threads, processes) == [
        "nogil: use processes, 1.95x [1.88, 1.98]; threads reach 1.30x [1.06, 1.90]."
    ]


def test_what_is_not_told_apart_is_not_called_as_fast() -> None:
    threads = arm("threads", 1.8, "wins", of_fastest=Estimate(0.95, 0.8, 1.1))
    interpreters = arm("interpreters", 1.8, "wins", of_fastest=Estimate(0.99, 0.96, 1.02))
    processes = arm("processes", 1.9, "wins", of_fastest=Estimate(1.0, 1.0, 1.0))
    assert say(threads, interpreters, processes) == [
        "nogil: use threads, 1.80x [1.77, 1.83]; "
        "whether interpreters and processes are faster is undecided."
    ]
    assert say(
        interpreters, processes, arm("dask", 1.8, "wins", of_fastest=threads.of_fastest)
    ) == [
        "nogil: use interpreters, 1.80x [1.77, 1.83]; processes are as fast; "
        "whether dask is faster is undecided."
    ]


def test_what_may_be_slower_but_not_faster_than_the_chosen_one_is_called_no_faster() -> None:
    threads = arm("threads", 1.9, "wins", of_fastest=Estimate(1.0, 1.0, 1.0))
    processes = arm("processes", 1.8, "wins", of_fastest=Estimate(0.95, 0.9, 1.049))
    assert say(threads, processes) == [
        "nogil: use threads, 1.90x [1.87, 1.93]; processes are no faster."
    ]
    wider = replace(processes, of_fastest=Estimate(0.95, 0.9, 1.051))
    assert say(threads, wider) == [
        "nogil: use threads, 1.90x [1.87, 1.93]; whether processes are faster is undecided."
    ]


def test_what_waits_and_does_not_compute_is_not_held_against_the_ceiling() -> None:
    (sentence,) = say(arm("threads", 7.9, "wins", workers=8, share=4.0))
    assert sentence == "nogil: use threads, 7.90x [7.87, 7.93]."


@pytest.mark.parametrize(
    ("half", "options", "way"),
    [
        (0.1, {}, "raise --time-budget"),
        (0.1, {"max_blocks": 41, "target_error": 0.03}, "raise --time-budget"),
        (0.1, {"max_blocks": 40, "target_error": 0.03}, "raise --max-blocks"),
        (0.02, {"max_blocks": 41, "target_error": 0.03}, "lower --target-error"),
    ],
)
def test_the_advice_is_what_would_give_it_more_blocks(
    half: float, options: dict[str, Any], way: str
) -> None:
    (_, advice) = say(arm("threads", ratio(1.05, half), "inconclusive"), options=options)
    assert advice == f"More blocks may decide what is undecided: {way}."


def test_the_fastest_is_chosen_where_the_intervals_are_apart() -> None:
    assert say(arm("threads", 1.30, "wins", cores=1.6), WIN_PROCESSES) == [
        "nogil: use processes, 1.92x [1.89, 1.95], 98 % of what this machine gives; "
        "threads reach 1.30x [1.27, 1.33]."
    ]


def test_what_is_slower_and_no_simpler_is_not_mentioned() -> None:
    (sentence,) = say(arm("threads", 1.96, "wins"), arm("processes", 1.7, "wins"))
    assert "processes" not in sentence


@pytest.mark.parametrize(
    ("cores", "why"),
    [
        (1.21, ": the workers keep 1.2 of 2 cores busy."),
        (
            1.70,
            ": a task takes 1.4x the CPU time of a serial one and the workers keep 1.7 of 2 cores "
            "busy.",
        ),
        (1.98, ": a task takes 1.6x the CPU time of a serial one."),
        (None, "."),
    ],
)
def test_a_win_far_below_the_ceiling_says_where_the_rest_is(cores: float | None, why: str) -> None:
    (sentence,) = say(arm("processes", 1.22, "wins", share=0.62, cores=cores))
    assert sentence == (
        f"nogil: use processes, 1.22x [1.19, 1.25], but only 62 % of what this machine gives{why}"
    )


def test_a_win_near_the_ceiling_needs_no_cause() -> None:
    (sentence,) = say(arm("processes", 1.80, "wins", share=0.92, cores=1.79))
    assert sentence == (
        "nogil: use processes, 1.80x [1.77, 1.83], 92 % of what this machine gives."
    )


def test_no_more_cores_are_due_than_the_ceiling_had() -> None:
    wins = arm("processes", 1.22, "wins", workers=4, share=0.62, cores=1.45)
    quota: dict[str, Any] = {"capacity": 1.5, "ceilings": [ceiling(workers=4, expected=1.5)]}
    (sentence,) = say(wins, **quota)
    assert "cores" not in sentence
    (sentence,) = say(replace(wins, cores=1.15), **quota)
    assert sentence.endswith(": the workers keep 1.1 of 1.5 cores busy.")


def test_a_share_is_that_of_the_workers_where_the_machine_has_more_cpus() -> None:
    more = {**ENVIRONMENT, "cpus_usable": 8}
    (sentence,) = say(arm("threads", 1.96, "wins", share=1.0), environment=more)
    assert sentence.endswith("1.96x [1.93, 1.99], all that this machine gives 2 workers.")
    (sentence,) = say(WIN_PROCESSES, environment=more)
    assert sentence.endswith("98 % of what this machine gives 2 workers.")


def test_work_that_waits_has_no_share_of_what_the_cpus_give() -> None:
    threads = arm("threads", 1.99, "wins", share=1.02, cores=0.04)
    assert say(threads, base=replace(serial(), busy=0.02)) == [
        "nogil: use threads, 1.99x [1.96, 2.02]."
    ]


def test_more_workers_of_the_same_strategy_that_may_be_faster_are_told() -> None:
    two = arm("threads", 1.9, "wins", of_fastest=Estimate(0.66, 0.5, 0.97))
    four = arm("threads", 2.9, "wins", workers=4, of_fastest=ratio(1.0, 0.0))
    assert say(two, four) == [
        "nogil: use 2 threads, 1.90x [1.87, 1.93]; whether 4 threads are faster is undecided."
    ]


def test_one_worker_tells_nothing_of_more() -> None:
    cells = [arm(strategy, 1.0, "same", workers=1) for strategy in ("threads", "processes")]
    more = "but only one worker was tried: more may gain, see --workers"
    one: dict[str, Any] = {"ceilings": [ceiling(workers=1, expected=1.0)]}
    (sentence,) = say(*cells, **one)
    assert sentence == f"nogil: stay serial, {more}; threads and processes gain nothing."
    waiting = replace(serial(), busy=0.02)
    (sentence,) = say(*cells, base=waiting, environment=ONE_CPU, **one)
    assert sentence == f"nogil: stay serial, {more}; threads and processes gain nothing."
    (sentence,) = say(*cells, base=replace(waiting, busy=0.98), environment=ONE_CPU, **one)
    assert sentence.startswith("nogil: stay serial, this process may use one CPU only, so nothing")


def test_more_workers_that_failed_were_tried() -> None:
    (sentence, _) = say(
        arm("processes", 1.0, "same", workers=1), missing("processes", "exit code 3", workers=4)
    )
    assert sentence == "nogil: stay serial; processes gain nothing."


def test_what_waits_may_gain_on_one_cpu() -> None:
    (sentence,) = say(
        arm("processes", 1.0, "same"), base=replace(serial(), busy=0.02), environment=ONE_CPU
    )
    assert sentence == "nogil: stay serial; processes gain nothing."


def test_what_one_worker_gains_is_not_said_of_those_that_are_withheld() -> None:
    withheld = arm("processes", 1.0, "withheld", reason="the machine gave 1.31 of 2 cores")
    sentences = say(arm("processes", 1.0, "same", workers=1), withheld)
    assert sentences[0] == "nogil: no winner so far; 1 process gains nothing."
    assert sentences[1].startswith("nogil: no verdict on 2 processes, because the machine gave")


def test_the_best_number_of_workers_is_named() -> None:
    (sentence,) = say(
        arm("threads", 1.0, "same", workers=1),
        arm("threads", 1.9, "wins", workers=2),
        arm("threads", 3.7, "wins", workers=4),
        arm("processes", 1.0, "same", workers=1),
        arm("processes", 3.1, "wins", workers=4),
    )
    assert sentence.startswith("nogil: use 4 threads, 3.70x")


def test_more_workers_that_gain_nothing_more_are_not_chosen() -> None:
    (sentence,) = say(
        arm("threads", 1.96, "wins", workers=2), arm("threads", 1.97, "wins", workers=4)
    )
    assert sentence == "nogil: use 2 threads, 1.96x [1.93, 1.99]."


def test_one_worker_is_not_spoken_of_in_the_plural() -> None:
    (sentence, *_) = say(
        arm("processes", 1.01, "inconclusive", workers=1), arm("processes", 1.9, "withheld")
    )
    assert "processes are undecided at 1.01x" not in sentence
    assert "1 process is undecided at 1.01x" in sentence


def test_a_strategy_that_was_registered_is_named_with_its_workers() -> None:
    (sentence,) = say(arm("dask", 1.9, "wins"), arm("dask", 3.1, "wins", workers=4))
    assert sentence == "nogil: use dask with 4 workers, 3.10x [3.07, 3.13]."
    (sentence,) = say(arm("dask", 1.0, "same"))
    assert sentence == "nogil: stay serial; dask gains nothing."


def test_a_strategy_that_was_plugged_in_says_how_simple_it_is_and_what_a_worker_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "green.py").write_text(
        "from gillab.strategies import Strategy, get_strategy\n"
        "create = get_strategy('threads').create\n"
        "POOL = Strategy('greenlets', create, singular='greenlet', rank=1.5)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    equals = [
        arm("processes", 1.9, "wins", of_fastest=ratio(1.0)),
        arm("green:POOL", 1.9, "wins", workers=1, of_fastest=ratio(1.0)),
    ]
    (sentence,) = say(*equals)
    assert sentence.startswith("nogil: use 1 greenlet, 1.90x")


def test_nothing_that_wins_means_serial() -> None:
    assert say(
        arm("threads", 0.81, "loses", cores=1.1), arm("processes", 0.5, "loses", cores=0.9)
    ) == [
        "nogil: stay serial; threads are slower than serial, 0.81x [0.78, 0.84]: about one runs "
        "at a time, as the GIL allows; processes are slower than serial, 0.50x [0.47, 0.53]."
    ]


@pytest.mark.parametrize("verdict", ["same", "loses"])
@pytest.mark.parametrize(
    ("cell", "serial_cores", "environment"),
    [
        ({"cores": 1.01}, 0.99, FREE),
        ({"cores": 1.01}, 0.99, {}),
        ({"cores": 1.9}, 0.99, ENVIRONMENT),
        ({"cores": 0.2}, 0.1, ENVIRONMENT),
        ({"cores": 1.9}, 1.9, ENVIRONMENT),
        ({"cores": 1.0, "held": 0.03}, 0.99, ENVIRONMENT),
        ({"cores": 1.0, "workers": 1}, 0.99, ENVIRONMENT),
    ],
    ids=["off", "unknown", "parallel", "waiting", "own-threads", "free-lock", "one-worker"],
)
def test_the_gil_is_not_blamed_where_the_figures_do_not_bear_it_out(
    cell: dict[str, Any], serial_cores: float, environment: dict[str, Any], verdict: Any
) -> None:
    sentences = say(
        arm("threads", 0.9, verdict, **cell), base=serial(cores=serial_cores),
        environment=environment,
    )  # fmt: skip
    assert "one runs" not in sentences[-1]
    assert "gain nothing" in sentences[-1] or "slower than serial" in sentences[-1]


def test_where_the_lock_was_watched_its_share_of_the_time_is_told() -> None:
    (sentence,) = say(replace(SAME_THREADS, held=1.0), WIN_PROCESSES)
    assert "threads gain nothing: the GIL is held 100 % of the time, so one runs" in sentence
    (sentence,) = say(replace(SAME_THREADS, held=0.7), WIN_PROCESSES)
    assert "threads gain nothing, and the GIL is held 70 % of the time." in sentence


def test_threads_that_gain_nothing_though_the_lock_is_free_wait_for_another() -> None:
    free = arm("threads", Estimate(0.90, 0.82, 0.99), "no_gain", cores=1.02, held=0.011)
    base = replace(serial(), held=0.01)
    assert say(free, base=base) == [
        "nogil: stay serial; threads gain nothing, 0.90x [0.82, 0.99]: they wait for a lock "
        "that is not the GIL (one core is busy, and the GIL is held 1 % of the time)."
    ]
    # Each of the figures that this needs says otherwise.
    figures: dict[str, Any]
    for figures in ({"cores": 1.9}, {"cores": 0.5}, {"held": 0.5}, {"held": None}):
        assert "not the GIL" not in say(replace(free, **figures), base=base)[0]
    for figures in ({"busy": 0.5}, {"held": 0.5}, {"held": None}):
        assert "not the GIL" not in say(free, base=replace(base, **figures))[0]


def test_what_does_not_help_is_said_to_gain_nothing_with_its_interval() -> None:
    no_gain = arm("processes", Estimate(0.93, 0.85, 0.98), "no_gain", cores=1.2)
    (sentence,) = say(no_gain, arm("threads", 1.96, "wins"))
    assert sentence == (
        "nogil: use threads, 1.96x [1.93, 1.99]; processes gain nothing, 0.93x [0.85, 0.98]."
    )
    assert say(no_gain) == [
        "nogil: stay serial; processes gain nothing, 0.93x [0.85, 0.98].",
    ]


def test_what_the_lock_proves_is_said_with_what_was_measured() -> None:
    held = replace(serial("python"), held=1.0, held_interval=(0.99, 1.0))
    wide = Estimate(1.06, 1.00, 1.18)
    threads = arm("threads", wide, "inconclusive", workload="python", cores=1.01, held=1.0)
    assert say(threads, base=held) == [
        "python: stay serial; threads gain nothing: the GIL is held 100 % of the time and one "
        "core is busy (measured 1.06x [1.00, 1.18])."
    ]
    undecided = "undecided at 1.06x [1.00, 1.18]"
    assert undecided in say(threads, base=replace(held, held_interval=(0.9, 1.0)))[0]
    assert undecided in say(replace(threads, cores=1.9), base=held)[0]
    assert undecided in say(replace(threads, held=None), base=held)[0]


def test_workers_that_are_all_busy_and_gain_nothing_slow_each_other_down() -> None:
    processes = arm("processes", Estimate(0.97, 0.90, 1.03), "no_gain", cores=1.95)
    assert say(processes) == [
        "nogil: stay serial; processes gain nothing, 0.97x [0.90, 1.03]: they slow each other "
        "down (all run, and each task takes more CPU time)."
    ]
    assert "slow each other" not in say(replace(processes, cores=1.2))[0]


def test_a_lock_that_is_handed_to_and_fro_is_not_acquitted() -> None:
    """Who waits for it wakes up while nobody holds it."""
    threads = arm("threads", 0.4, "loses", cores=1.1, held=0.05)
    (sentence,) = say(threads, WIN_PROCESSES, base=replace(serial(), held=0.8))
    assert "slower than serial, 0.40x [0.37, 0.43], and the GIL is held 5 % of the" in sentence


def test_without_a_gil_the_sentences_say_so() -> None:
    (sentence,) = say(arm("threads", 1.96, "wins"), environment=FREE)
    assert sentence == "nogil: use threads, 1.96x [1.93, 1.99] (no GIL here)."
    (sentence,) = say(SAME_THREADS, environment=FREE)
    assert sentence == "nogil: stay serial; threads gain nothing, though there is no GIL here."


def test_a_gil_that_the_workload_turned_on_is_not_denied() -> None:
    note: dict[str, Any] = {"notes": ("turned the GIL back on",)}
    for cell in (arm("threads", 1.96, "wins", **note), arm("threads", 1.0, "same", **note)):
        assert "no GIL" not in say(cell, environment=FREE)[0]
        # The parent notes it once a workload, on the serial arm.
        cells = [replace(serial(), **note), replace(cell, notes=())]
        assert "no GIL" not in make_result(cells, environment=FREE).summary[0]


@pytest.mark.parametrize("verdict", ["same", "no_gain", "inconclusive"])
def test_one_cpu_runs_nothing_in_parallel(verdict: Any) -> None:
    wide = Estimate(0.98, 0.83, 1.09 if verdict == "inconclusive" else 1.04)
    cells = [arm(strategy, wide, verdict) for strategy in ("threads", "processes")]
    computing = replace(serial(), busy=0.99)
    assert say(*cells, base=computing, environment=ONE_CPU) == [
        "nogil: stay serial, this process may use one CPU only, so nothing can run in parallel."
    ]


def test_a_ceiling_for_one_worker_does_not_mean_one_cpu() -> None:
    (sentence,) = say(SAME_THREADS, environment={}, ceilings=[ceiling(workers=1, expected=1.0)])
    assert "CPU" not in sentence


def test_a_task_with_threads_of_its_own_is_told_first_and_what_to_try() -> None:
    threads = arm("threads", 1.0, "same", cores=1.95)
    kept = "nogil: one task alone keeps 1.8 cores busy, by threads of its own"
    stay = "nogil: stay serial; threads gain nothing."
    assert say(threads, base=serial(cores=1.8)) == [
        f"{kept}; try --inner-threads 1, which leaves the cores to the workers.",
        stay,
    ]
    # It was tried.
    options = {"inner_threads": 1}
    assert say(threads, base=serial(cores=1.8), options=options) == [f"{kept}.", stay]
    assert "threads of its own" not in say(threads, base=serial(cores=1.2))[0]


def test_threads_of_the_workload_that_keep_cores_busy_between_tasks_are_told() -> None:
    busy = replace(serial(), idle_cores=0.42)
    assert say(WIN_PROCESSES, base=busy)[0] == (
        "nogil: between tasks the workload's own threads keep 0.4 cores busy."
    )
    assert len(say(WIN_PROCESSES, base=replace(busy, idle_cores=0.05))) == 1


def test_what_is_inconclusive_is_told_with_its_interval_and_what_to_do() -> None:
    assert say(arm("threads", ratio(1.03, 0.1), "inconclusive"), WIN_PROCESSES) == [
        "nogil: use processes, 1.92x [1.89, 1.95], 98 % of what this machine gives; "
        "threads are undecided at 1.03x [0.93, 1.13].",
        "More blocks may decide what is undecided: raise --time-budget.",
    ]
    (sentence, advice) = say(arm("processes", ratio(1.03, 0.1), "inconclusive"))
    assert sentence == "nogil: no winner so far; processes are undecided at 1.03x [0.93, 1.13]."
    assert "--time-budget" in advice


def test_no_option_gives_more_blocks_to_a_run_that_was_interrupted() -> None:
    (sentence,) = say(arm("processes", ratio(1.03, 0.1), "inconclusive"), partial=True)
    assert "undecided" in sentence


def test_too_few_blocks_are_not_a_verdict() -> None:
    assert say(arm("threads", None, None))[0] == (
        "nogil: no winner so far; threads are undecided (too few blocks to tell)."
    )
    (sentence, advice) = say(arm("threads", Estimate(1.9, None, None), None))
    assert sentence == (
        "nogil: no winner so far; threads are undecided at 1.90x (too few blocks to tell)."
    )
    assert "--time-budget" in advice


SEED = ", or each setup made other work (seed its random data)"


@pytest.mark.parametrize(
    ("nulls", "ceilings", "other"),
    [
        ([null(False)], [ceiling()], SEED),
        ([null()], [ceiling(False)], ", or its cores are not equally fast"),
        ([null(False)], [ceiling(False)], ""),
    ],
    ids=["null", "ceiling", "both"],
)
def test_a_busy_machine_is_named_with_the_control_that_failed(
    nulls: list[Control], ceilings: list[Control], other: str
) -> None:
    doubt = find_doubt(nulls[0], ceilings[0], "same")
    assert doubt is not None
    reason = describe_doubt(doubt, nulls[0], ceilings[0])
    cells = [arm(name, 1.0, "withheld", reason=reason) for name in ("threads", "processes")]
    assert say(*cells, nulls=nulls, ceilings=ceilings) == [
        f"nogil: no verdict, because {reason}.",
        f"The machine was busy{other}: run again when it is quieter, or with --rigorous.",
    ]


def test_a_ceiling_that_failed_is_blamed_and_not_the_machine() -> None:
    failed = replace(ceiling(), speedup=None, passed=None, reason="OSError: no more processes.")
    reason = f"what this machine gives could not be measured: {failed.reason}"
    cells = [
        WIN_PROCESSES,
        arm("threads", 1.0, "withheld", reason=reason),
        arm("interpreters", 1.0, "withheld", reason=reason),
    ]
    assert say(*cells, ceilings=[failed]) == [
        "nogil: use processes, 1.92x [1.89, 1.95], 98 % of what this machine gives.",
        "nogil: no verdict on threads and interpreters, because what this machine gives could not "
        "be measured: OSError: no more processes.",
    ]


def test_the_advice_for_a_busy_machine_comes_once() -> None:
    reason = "two identical serial arms differ"
    cells = [
        cell
        for name in ("held", "nogil")
        for cell in (serial(name), arm("threads", 1.9, "withheld", workload=name, reason=reason))
    ]
    controls = [null(False, "held"), null(False, "nogil")]
    said = make_result(cells, nulls=controls, ceilings=[], environment={}).summary
    assert [sentence.split()[0] for sentence in said] == ["held:", "nogil:", "The"]


def test_a_verdict_withheld_for_another_reason_tells_that_reason() -> None:
    cell = replace(arm("threads", 1.9, "withheld"), reason="the clock went backwards.")
    assert say(cell) == ["nogil: no verdict, because the clock went backwards."]


def test_what_is_decided_is_told_beside_what_is_withheld() -> None:
    reason = "the machine gave 1.31 of 4 cores"
    withheld = arm("threads", 1.0, "withheld", workers=4, reason=reason)
    sentences = say(arm("threads", 1.9, "wins"), withheld)
    assert sentences[0] == "nogil: use 2 threads, 1.90x [1.87, 1.93]."
    assert sentences[1].startswith("nogil: no verdict on 4 threads, because the machine gave 1.31")


def test_failures_are_told_with_their_reason() -> None:
    assert say(
        arm("threads", 1.96, "wins"),
        missing("processes", "exit code 3."),
        missing("interpreters", "exit code 3."),
    )[1:] == ["nogil: processes and interpreters failed: exit code 3."]
    assert say(arm("threads", 1.96, "wins"), missing("threads", "no more threads", workers=4))[
        1:
    ] == ["nogil: 4 threads failed: no more threads."]


def test_what_is_unavailable_is_told_only_where_nothing_wins() -> None:
    unavailable = missing("interpreters", "needs Python 3.14", "unavailable")
    assert not any("3.14" in sentence for sentence in say(WIN_PROCESSES, unavailable))
    assert say(SAME_THREADS, unavailable) == [
        "nogil: stay serial; threads gain nothing: about one runs at a time, as the GIL allows.",
        "nogil: interpreters unavailable: needs Python 3.14.",
    ]


def test_without_a_serial_arm_there_is_nothing_to_compare_with() -> None:
    failed = missing("serial", "ended by signal 11", workers=1)
    sentences = make_result([failed, arm("processes", None, None)]).summary
    assert sentences[0] == (
        "nogil: the serial arm failed: ended by signal 11, so there is nothing to compare with."
    )
    late = missing("serial", "the time was up", "unavailable", workers=1)
    (sentence, _) = make_result([late, arm("processes", None, None)]).summary
    assert sentence.startswith("nogil: the serial arm is unavailable: the time was up, so")
    assert make_result([failed, missing("threads", "ended by signal 11")]).summary == [
        "nogil: every strategy failed: ended by signal 11."
    ]


def test_serial_alone_is_told_as_its_time() -> None:
    assert say() == ["nogil: 20.1 ms a task in serial, and no other strategy to compare with."]
    assert make_result([]).summary == []


def test_a_long_reason_is_cut_and_stays_on_one_line() -> None:
    (_, sentence) = say(WIN_PROCESSES, missing("threads", "line\n\x1b[31m" * 300))
    assert len(sentence) < 250
    assert sentence.isprintable()
