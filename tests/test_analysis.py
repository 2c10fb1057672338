"""What is concluded from blocks, and when nothing is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gillab.blocks.analysis import Analysis, analyze, correct, find_widest
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import Held
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.record import Block, Failure, Record
from gillab.blocks.scaling import read_scaling
from gillab.environment import collect_environment, find_capacity
from gillab.estimates import Estimate
from gillab.results import Cell, Result
from gillab.statistics import confidence_at, corrected_confidence, ratio
from gillab.workload import Workload

QUIET = {"wall_s": 1.0, "other_cores": 0.0, "steal": 0.0}
BUSY = {"wall_s": 1.0, "other_cores": 0.9, "steal": 0.0}
TWO_CPUS = Machine(capacity=2.0, gil_enabled=True)
ONE_CPU = Machine(capacity=1.0, gil_enabled=True)


def make_record(
    speedup: float = 2.0,
    null: float = 1.0,
    ceiling: float = 2.0,
    blocks: int = 20,
    wobble: float = 0.01,
    held: float | None = None,
    cores: dict[str, float] | None = None,
) -> Record:
    """Return a record of two strategies whose ratios wobble by 1 % from block to block.

    ``held`` is what the meter read of the serial arm and of the threads.
    """
    experiment = Experiment(
        Workload("countdown_nogil", "kernel"), plan_arms(("serial", "threads", "processes"), (2,))
    )
    record = Record(experiment, steps=1)
    for number in range(blocks):
        drift = 1 + 0.3 * math.sin(number)  # common to a block, and so without effect
        shaken = 1 + wobble * (number % 5 - 2) / 2
        seconds = {
            "serial/1": drift,
            "null/1": drift / null * (1 + 0.01 * (number % 5 - 2) / 2),
            "threads/2": drift / speedup * shaken,
            "processes/2": drift / 1.9 / (1 + 0.01 * (number % 5 - 2) / 2),
            "reference/1": drift,
            "ceiling/2": drift / ceiling * (1 + 0.01 * (number % 5 - 2) / 2),
        }
        noise = BUSY if number % 4 == 0 else QUIET
        used = {key: drift / each for key, each in seconds.items()} | (cores or {})
        block = Block("countdown_nogil", 1, tuple(seconds), seconds, used, noise)
        record.blocks.append(block)
    record.setups_s = {"threads/2": [0.3, 0.1, 0.2]}
    if held is not None:
        for key in ("serial/1", "threads/2"):
            record.held[key] = [Held(key, held, held - 0.01, min(1.0, held + 0.01))] * 3
    return record


def conclude(*records: Record, machine: Machine = TWO_CPUS, interrupted: bool = False) -> Analysis:
    return analyze(records, 0.95, machine, "3.13.0", interrupted=interrupted)


def judge_threads(record: Record, machine: Machine = TWO_CPUS) -> Cell:
    """Return what is concluded of the threads, and of nothing else."""
    return conclude(record, machine=machine).cells[1]


def test_a_drifting_machine_with_sound_controls_gets_verdicts() -> None:
    cells, null, ceiling, _, noise = conclude(make_record())
    serial, threads, processes = cells
    assert (serial.verdict, serial.speedup) == (None, None)
    assert (threads.verdict, processes.verdict) == ("wins", "wins")
    assert threads.speedup is not None
    assert threads.speedup.estimate == pytest.approx(2.0, rel=0.01)
    assert threads.of_ceiling is not None
    assert threads.of_ceiling.estimate == pytest.approx(1.0, rel=0.01)
    assert threads.setup_s == 0.2
    assert threads.blocks == 20
    assert null[0].passed
    assert ceiling[0].passed
    assert (noise.blocks, noise.quiet_blocks) == (20, 15)
    assert threads.speedup_quiet is not None


def test_winners_are_held_against_the_fastest_of_them_block_by_block() -> None:
    """Serial wobbles by 40 % here, and so do the speedups, but not what is between the winners."""
    record = make_record(speedup=1.7)
    for number, block in enumerate(record.blocks):
        block.seconds["serial/1"] *= 1.4 if number % 2 else 1.0
        block.seconds["null/1"] *= 1.4 if number % 2 else 1.0
    serial, threads, processes = conclude(record).cells
    assert threads.speedup is not None
    assert processes.speedup is not None
    assert threads.speedup.high is not None
    assert processes.speedup.low is not None
    assert threads.speedup.high > processes.speedup.low
    assert processes.of_fastest == Estimate(1.0, 1.0, 1.0)
    assert threads.of_fastest is not None
    assert threads.of_fastest.estimate == pytest.approx(1.7 / 1.9, rel=0.01)
    assert threads.of_fastest.high is not None
    assert threads.of_fastest.high < 1 / 1.05
    assert serial.of_fastest is None
    same, _, alone = conclude(make_record(speedup=1.0)).cells[0:3]
    assert same.of_fastest is None
    assert alone.of_fastest == Estimate(1.0, 1.0, 1.0)


def make_result(record: Record, machine: Machine = TWO_CPUS) -> Result:
    cells, null, ceiling, choices, noise = conclude(record, machine=machine)
    return Result("check", False, 1, {}, {}, cells, null, ceiling, noise, choices)


def test_what_threads_gain_comes_with_what_the_machine_gives() -> None:
    result = make_result(make_record(speedup=1.0, held=0.99))
    scaling = read_scaling(result, 2)
    assert (scaling.workers, scaling.verdict, scaling.status) == (2, "same", "ok")
    assert scaling.speedup == result.cells[1].speedup
    assert scaling.ceiling == result.ceiling[0].speedup
    assert scaling.ceiling is not None
    assert scaling.ceiling.estimate == pytest.approx(2.0, rel=0.01)
    assert scaling.expected == 2.0
    assert scaling.busy == result.cells[0].busy
    assert (scaling.cause, scaling.held, scaling.trusted) == ("gil", 0.99, True)
    one_and_a_half = Machine(1.5, gil_enabled=True)
    assert read_scaling(make_result(make_record(), one_and_a_half), 2).expected == 1.5
    assert not read_scaling(make_result(make_record(null=1.1)), 2).trusted
    proved = read_scaling(make_result(make_record(speedup=1.2, held=0.99)), 2)
    assert (proved.verdict, proved.proved_by) == ("no_gain", "gil")


def test_how_busy_work_keeps_a_core_is_held_against_a_loop_that_has_as_little_of_it() -> None:
    record = make_record()
    for block in record.blocks:
        block.cores.update({"serial/1": 0.1, "reference/1": 0.5})
    serial, threads, _ = conclude(record).cells
    assert serial.busy == pytest.approx(0.2)
    assert threads.busy is None
    for block in record.blocks:
        del block.cores["reference/1"]
    assert conclude(record).cells[0].busy is None


def test_two_serial_arms_that_differ_withhold_every_verdict() -> None:
    cells, null, *_ = conclude(make_record(null=1.1))
    assert null[0].passed is False
    assert [cell.verdict for cell in cells] == [None, "withheld", "withheld"]
    assert (cells[1].reason or "").startswith("two identical serial arms differ, 1.10x [")


@pytest.mark.parametrize("record", [make_record(1.2, null=1.1, held=0.99), make_record(0.8, 1.1)])
def test_two_serial_arms_that_differ_withhold_what_is_proved_or_lost_too(record: Record) -> None:
    cell = judge_threads(record)
    assert (cell.verdict, cell.proved_by, cell.cause) == ("withheld", None, None)


@pytest.mark.parametrize("machine", [TWO_CPUS, ONE_CPU])
def test_two_serial_arms_that_differ_withhold_the_verdict_of_what_waits(machine: Machine) -> None:
    record = make_record(null=1.1, cores=WAITING)
    assert judge_threads(record, machine).verdict == "withheld"


# What a ceiling that failed takes back.

LOW = 1.3
"""What two workers get of two CPUs, where others have the rest."""


@pytest.mark.parametrize(("speedup", "wobble"), [(1.0, 0.01), (1.0, 0.18)])
def test_a_low_ceiling_takes_back_that_there_is_no_gain_and_the_share_of_it(
    speedup: float, wobble: float
) -> None:
    sound = judge_threads(make_record(speedup, wobble=wobble))
    cell = judge_threads(make_record(speedup, wobble=wobble, ceiling=LOW))
    assert sound.of_ceiling is not None
    assert cell.of_ceiling is None
    if sound.verdict == "inconclusive":
        assert cell.verdict == "inconclusive", "which says nothing that could be taken back"
    else:
        assert (sound.verdict, cell.verdict) == ("same", "withheld")
        assert cell.reason == "the machine gave 1.30 of 2 cores"


def test_a_low_ceiling_takes_back_no_gain_too() -> None:
    assert judge_threads(make_record(0.95, wobble=0.05)).verdict == "no_gain"
    cell = judge_threads(make_record(0.95, wobble=0.05, ceiling=LOW))
    assert (cell.verdict, cell.of_ceiling, cell.cause) == ("withheld", None, None)


def test_what_this_machine_gives_limits_no_workers_elsewhere() -> None:
    """Neither its ceiling nor its one CPU."""
    here = make_record(0.95, wobble=0.05, ceiling=LOW)
    arms = [
        replace(arm, scheduler="tcp://there:8786") if arm.key == "threads/2" else arm
        for arm in here.experiment.arms
    ]
    there = make_record(0.95, wobble=0.05, ceiling=LOW)
    there.experiment = replace(there.experiment, arms=tuple(arms))
    for machine in (TWO_CPUS, ONE_CPU):
        cell = judge_threads(there, machine)
        assert (cell.verdict, cell.of_ceiling) == ("no_gain", None)
        assert cell.cause != "one_cpu"
    assert judge_threads(here).verdict == "withheld"
    assert judge_threads(here, ONE_CPU).cause == "one_cpu"


def test_a_low_ceiling_leaves_a_win_which_it_can_only_make_smaller() -> None:
    cell = judge_threads(make_record(1.25, ceiling=LOW))
    assert (cell.verdict, cell.reason, cell.of_ceiling) == ("wins", None, None)


@pytest.mark.parametrize("speedup", [1.0, 1.2])
def test_a_low_ceiling_leaves_what_the_lock_proves(speedup: float) -> None:
    cell = judge_threads(make_record(speedup, ceiling=LOW, held=0.99))
    assert (cell.verdict, cell.cause) == ("same" if speedup == 1.0 else "no_gain", "gil")
    assert cell.of_ceiling is None


@pytest.mark.parametrize(("ceiling", "verdict"), [(LOW, "loses"), (0.9, "withheld")])
def test_a_low_ceiling_explains_a_loss_only_where_it_is_less_than_one_core(
    ceiling: float, verdict: str
) -> None:
    assert judge_threads(make_record(0.8, ceiling=ceiling)).verdict == verdict


def test_a_ceiling_as_low_as_the_cpus_is_due() -> None:
    _, _, ceiling, *_ = conclude(make_record(ceiling=1.0), machine=ONE_CPU)
    assert (ceiling[0].expected, ceiling[0].passed) == (1.0, True)
    _, _, ceiling, *_ = conclude(make_record(ceiling=1.5))
    assert (ceiling[0].expected, ceiling[0].passed) == (2.0, False)


WAITING = {"serial/1": 0.1, "threads/2": 0.2, "processes/2": 0.2}


def test_work_that_waits_needs_no_ceiling_and_shows_no_share_of_one() -> None:
    for speedup, verdict in ((1.0, "same"), (0.8, "loses"), (2.0, "wins")):
        for ceiling in (2.0, LOW, 0.9):
            cell = judge_threads(make_record(speedup, ceiling=ceiling, cores=WAITING))
            assert (cell.verdict, cell.of_ceiling) == (verdict, None)


def test_what_gains_more_than_the_machine_gives_waits_after_all() -> None:
    assert judge_threads(make_record(1.7, ceiling=1.65)).of_ceiling is not None
    assert judge_threads(make_record(2.0, ceiling=1.65)).of_ceiling is None


def test_a_control_that_failed_stands_with_the_choice_though_no_verdict_rests_on_it() -> None:
    (choice,) = conclude(make_record(1.25, ceiling=LOW)).choices
    assert (choice.advice, choice.doubts) == ("use", ("ceiling",))
    (choice,) = conclude(make_record(null=1.1, ceiling=LOW)).choices
    assert (choice.advice, choice.doubts) == ("withheld", ("null", "ceiling"))
    (choice,) = conclude(make_record()).choices
    assert choice.doubts == ()


# What figures prove, whatever the clock says.


@pytest.mark.parametrize(
    ("speedup", "wobble", "clock"), [(1.2, 0.01, "wins"), (1.0, 0.18, "inconclusive")]
)
def test_a_lock_that_is_held_throughout_decides_what_the_clock_does_not(
    speedup: float, wobble: float, clock: str
) -> None:
    assert judge_threads(make_record(speedup, wobble=wobble)).verdict == clock
    cells = conclude(make_record(speedup, wobble=wobble, held=0.99)).cells
    assert (cells[1].verdict, cells[1].proved_by, cells[1].cause) == ("no_gain", "gil", "gil")
    assert cells[2].verdict == "wins", "the lock keeps threads alone"


@pytest.mark.parametrize(
    ("speedup", "wobble", "clock"), [(1.2, 0.01, "wins"), (1.0, 0.18, "inconclusive")]
)
def test_one_cpu_decides_what_the_clock_does_not(speedup: float, wobble: float, clock: str) -> None:
    record = make_record(speedup, wobble=wobble, ceiling=1.0)
    assert judge_threads(record).verdict == clock
    analysis = conclude(record, machine=ONE_CPU)
    for cell in analysis.cells[1:]:
        assert (cell.verdict, cell.proved_by, cell.cause) == ("no_gain", "one_cpu", "one_cpu")
    (choice,) = analysis.choices
    assert (choice.advice, choice.because) == ("stay_serial", "one_cpu")


def test_a_verdict_of_the_clocks_own_needs_no_proof() -> None:
    for speedup, verdict in ((1.0, "same"), (0.8, "loses")):
        cell = judge_threads(make_record(speedup, held=0.99))
        assert (cell.verdict, cell.proved_by, cell.cause) == (verdict, None, "gil")


def test_what_is_held_is_the_median_over_launches() -> None:
    record = make_record(1.0, held=0.99)
    record.held["serial/1"][0] = Held("serial/1", 0.2, 0.1, 0.3)
    serial, threads, processes = conclude(record).cells
    assert (serial.held, serial.held_interval) == (0.99, (0.98, 1.0))
    assert threads.held == 0.99
    assert (processes.held, processes.held_interval) == (None, None)


def test_a_winner_says_where_the_rest_of_the_ceiling_is() -> None:
    record = make_record(1.5, cores={"threads/2": 1.95})
    cell = judge_threads(record)
    assert cell.cpu_cost == pytest.approx(1.95 / 1.5, rel=0.01)
    assert (cell.verdict, cell.shortfall, cell.cause) == ("wins", ("dearer",), None)


def test_one_workloads_failed_control_leaves_the_others_verdicts() -> None:
    bad, good = make_record(null=1.2), make_record()
    cells = conclude(bad, good).cells
    assert [cell.verdict for cell in cells] == [None, "withheld", "withheld", None, "wins", "wins"]


def test_a_failed_cell_keeps_what_was_measured_and_says_why() -> None:
    record = make_record()
    record.fail("threads/2", Failure("failed", "ValueError: no"))
    cells = conclude(record).cells
    assert (cells[1].status, cells[1].reason, cells[1].verdict) == (
        "failed",
        "ValueError: no",
        None,
    )
    assert cells[1].seconds is not None
    assert cells[2].verdict == "wins"


def test_a_cell_that_was_never_reached_says_so() -> None:
    cells, null, *_ = conclude(make_record(blocks=0))
    assert {cell.status for cell in cells} == {"unavailable"}
    assert "the time was up" in (cells[0].reason or "")
    assert null[0].passed is None
    cells = conclude(make_record(blocks=0), interrupted=True).cells
    assert cells[0].reason == "interrupted before it was measured"


@pytest.mark.parametrize(
    ("cut_s", "told"), [(0.0432, "0.043 s"), (3.21, "3.2 s"), (123.4, "120 s")]
)
def test_a_cell_that_was_cut_off_says_for_how_long_it_had_run(cut_s: float, told: str) -> None:
    record = make_record(blocks=0)
    record.cut["serial/1"] = cut_s
    cells = conclude(record).cells
    assert (cells[0].status, cells[0].reason) == (
        "unavailable",
        f"had not returned after {told}, when the time was up",
    )
    assert "before it was measured" in (cells[1].reason or "")


def test_a_cell_that_was_cut_off_after_it_was_measured_is_sound() -> None:
    record = make_record()
    record.cut["threads/2"] = 2.0
    cells = conclude(record).cells
    assert (cells[1].status, cells[1].reason, cells[1].verdict) == ("ok", None, "wins")


def test_a_ceiling_that_failed_says_why_and_a_win_alone_is_believed_without_it() -> None:
    record = make_record(speedup=1.0)
    for block in record.blocks:
        del block.seconds["ceiling/2"]
    record.fail("ceiling/2", Failure("failed", "OSError: no more processes"))
    cells, _, ceiling, *_ = conclude(record)
    assert (ceiling[0].reason, ceiling[0].passed) == ("OSError: no more processes", None)
    _, threads, processes = cells
    assert (processes.strategy, processes.verdict, processes.reason) == ("processes", "wins", None)
    assert (threads.verdict, threads.reason) == (
        "withheld",
        "what this machine gives could not be measured: OSError: no more processes",
    )


def test_a_fraction_of_a_cpu_more_than_one_is_a_ceiling_and_not_one_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gillab.environment.read_cpu_quota", lambda: 1.5)
    monkeypatch.setattr("gillab.environment.count_affinity", lambda: 4)
    assert collect_environment()["cpus_usable"] == 2
    record = make_record(speedup=1.0, ceiling=1.45)
    for block in record.blocks:
        del block.seconds["processes/2"]
    record.fail("processes/2", Failure("failed", "why"))
    machine = Machine(find_capacity(), gil_enabled=True)
    cells, _, ceiling, choices, _ = conclude(record, machine=machine)
    assert (ceiling[0].expected, ceiling[0].passed) == (1.5, True)
    assert (cells[1].verdict, cells[1].proved_by) == ("same", None)
    assert (choices[0].advice, choices[0].because) == ("stay_serial", None)


def test_too_few_blocks_are_inconclusive_and_infinitely_wide() -> None:
    record = make_record(blocks=3)
    cells, null, *_ = conclude(record)
    assert cells[1].verdict == "inconclusive"
    assert null[0].passed is None
    assert find_widest(record, 0.95) == math.inf


def test_the_confidence_is_corrected_for_every_comparison_and_null() -> None:
    record, other = make_record(), make_record()
    sure = confidence_at(0.95, 20, last=True)
    assert correct(record, [record], 0.95) == pytest.approx(1 - (1 - sure) / 3)
    assert correct(record, [record, other], 0.95) == pytest.approx(1 - (1 - sure) / 6)
    other.fail("threads/2", Failure("unavailable", "needs Python 3.14"))
    assert correct(record, [record, other], 0.95) == pytest.approx(1 - (1 - sure) / 5)


def test_a_run_that_ends_at_a_look_keeps_that_looks_confidence() -> None:
    record = make_record(blocks=18)
    assert correct(record, [record], 0.95) == pytest.approx(1 - 0.05 / 2 / 3)
    settled = replace(record, settled=True)
    assert correct(settled, [settled], 0.95) == pytest.approx(1 - 0.05 / 6 / 3)
    assert find_width(conclude(settled).cells[1]) > find_width(conclude(record).cells[1])


def find_width(cell: Cell) -> float:
    assert cell.speedup is not None
    assert cell.speedup.low is not None
    assert cell.speedup.high is not None
    return cell.speedup.high - cell.speedup.low


def test_winners_are_compared_with_a_confidence_that_every_pair_shares() -> None:
    record = make_record()
    sure = confidence_at(0.95, 20, last=True)
    threads, processes = (
        [block.seconds[key] for block in record.blocks] for key in ("threads/2", "processes/2")
    )
    for records in ([record], [record, make_record(), make_record()]):
        corrected = corrected_confidence(sure, len(records))
        cells = conclude(*records).cells
        assert cells[2].of_fastest == ratio(threads, processes, corrected)


def test_the_widest_interval_counts_only_what_is_still_measured() -> None:
    record = make_record()
    narrow = find_widest(record, 0.95)
    for block in record.blocks[::2]:
        block.seconds["threads/2"] *= 3
    assert find_widest(record, 0.95) > narrow
    record.fail("threads/2", Failure("failed", "why"))
    assert find_widest(record, 0.95) == pytest.approx(narrow, rel=0.5)
