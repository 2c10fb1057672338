"""What is concluded from blocks, and when nothing is."""

from __future__ import annotations

import math

import pytest

from gillab.blocks.analysis import analyze, correct, find_widest, read_scaling
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.record import Block, Failure, Record
from gillab.environment import collect_environment, find_capacity
from gillab.report.summary import summarize
from gillab.results import Estimate
from gillab.workload import Workload

QUIET = {"wall_s": 1.0, "other_cores": 0.0, "steal": 0.0}
BUSY = {"wall_s": 1.0, "other_cores": 0.9, "steal": 0.0}


def make_record(
    speedup: float = 2.0, null: float = 1.0, ceiling: float = 2.0, blocks: int = 20
) -> Record:
    """Return a record of two strategies whose ratios wobble by 1 % from block to block."""
    experiment = Experiment(
        Workload("countdown_nogil", "kernel"), plan_arms(("serial", "threads", "processes"), (2,))
    )
    record = Record(experiment, steps=1)
    for number in range(blocks):
        drift = 1 + 0.3 * math.sin(number)  # common to a block, and so without effect
        wobble = 1 + 0.01 * (number % 5 - 2) / 2
        seconds = {
            "serial/1": drift,
            "null/1": drift / null * wobble,
            "threads/2": drift / speedup * wobble,
            "processes/2": drift / 1.9 / wobble,
            "reference/1": drift,
            "ceiling/2": drift / ceiling * wobble,
        }
        noise = BUSY if number % 4 == 0 else QUIET
        cores = dict.fromkeys(seconds, 1.0)
        block = Block("countdown_nogil", 1, tuple(seconds), seconds, cores, noise)
        record.blocks.append(block)
    record.setups_s = {"threads/2": [0.3, 0.1, 0.2]}
    return record


def test_a_drifting_machine_with_sound_controls_gets_verdicts() -> None:
    cells, null, ceiling, noise = analyze([make_record()], 0.95, 2, "3.13.0")
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
    serial, threads, processes = analyze([record], 0.95, 2, "3.13.0").cells
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
    same, _, alone = analyze([make_record(speedup=1.0)], 0.95, 2, "3.13.0").cells[0:3]
    assert same.of_fastest is None
    assert alone.of_fastest == Estimate(1.0, 1.0, 1.0)


def test_what_threads_gain_comes_with_what_the_machine_gives() -> None:
    analysis = analyze([make_record(speedup=1.0)], 0.95, 2, "3.13.0")
    scaling = read_scaling(analysis, 2)
    assert (scaling.workers, scaling.verdict) == (2, "same")
    assert scaling.speedup == analysis.cells[1].speedup
    assert scaling.ceiling == analysis.ceiling[0].speedup
    assert scaling.ceiling is not None
    assert scaling.ceiling.estimate == pytest.approx(2.0, rel=0.01)
    assert scaling.expected == 2.0
    assert scaling.busy == analysis.cells[0].busy
    assert read_scaling(analyze([make_record()], 0.95, 1.5, "3.13.0"), 2).expected == 1.5


def test_how_busy_work_keeps_a_core_is_held_against_a_loop_that_has_as_little_of_it() -> None:
    record = make_record()
    for block in record.blocks:
        block.cores.update({"serial/1": 0.1, "reference/1": 0.5})
    serial, threads, _ = analyze([record], 0.95, 2, "3.13.0").cells
    assert serial.busy == pytest.approx(0.2)
    assert threads.busy is None
    for block in record.blocks:
        del block.cores["reference/1"]
    assert analyze([record], 0.95, 2, "3.13.0").cells[0].busy is None


def test_two_serial_arms_that_differ_withhold_every_verdict() -> None:
    cells, null, _, _ = analyze([make_record(null=1.1)], 0.95, 2, "3.13.0")
    assert null[0].passed is False
    assert [cell.verdict for cell in cells] == [None, "withheld", "withheld"]
    assert (cells[1].reason or "").startswith("two identical serial arms differ, 1.10x [")


@pytest.mark.parametrize(("usable_cpus", "verdict"), [(2, "withheld"), (1, "wins")])
def test_a_low_ceiling_withholds_verdicts_where_the_workers_fit(
    usable_cpus: int, verdict: str
) -> None:
    cells, _, ceiling, _ = analyze([make_record(ceiling=1.5)], 0.95, usable_cpus, "3.13.0")
    assert ceiling[0].expected == usable_cpus
    assert cells[1].verdict == verdict


def test_one_workloads_failed_control_leaves_the_others_verdicts() -> None:
    bad, good = make_record(null=1.2), make_record()
    cells, _, _, _ = analyze([bad, good], 0.95, 2, "3.13.0")
    assert [cell.verdict for cell in cells] == [None, "withheld", "withheld", None, "wins", "wins"]


def test_a_failed_cell_keeps_what_was_measured_and_says_why() -> None:
    record = make_record()
    record.fail("threads/2", Failure("failed", "ValueError: no"))
    cells, _, _, _ = analyze([record], 0.95, 2, "3.13.0")
    assert (cells[1].status, cells[1].reason, cells[1].verdict) == (
        "failed",
        "ValueError: no",
        None,
    )
    assert cells[1].seconds is not None
    assert cells[2].verdict == "wins"


def test_a_cell_that_was_never_reached_says_so() -> None:
    cells, null, _, _ = analyze([make_record(blocks=0)], 0.95, 2, "3.13.0")
    assert {cell.status for cell in cells} == {"unavailable"}
    assert "the time was up" in (cells[0].reason or "")
    assert null[0].passed is None
    cells, _, _, _ = analyze([make_record(blocks=0)], 0.95, 2, "3.13.0", interrupted=True)
    assert cells[0].reason == "interrupted before it was measured"


@pytest.mark.parametrize(
    ("cut_s", "told"), [(0.0432, "0.043 s"), (3.21, "3.2 s"), (123.4, "120 s")]
)
def test_a_cell_that_was_cut_off_says_for_how_long_it_had_run(cut_s: float, told: str) -> None:
    record = make_record(blocks=0)
    record.cut["serial/1"] = cut_s
    cells, _, _, _ = analyze([record], 0.95, 2, "3.13.0")
    assert (cells[0].status, cells[0].reason) == (
        "unavailable",
        f"had not returned after {told}, when the time was up",
    )
    assert "before it was measured" in (cells[1].reason or "")


def test_a_cell_that_was_cut_off_after_it_was_measured_is_sound() -> None:
    record = make_record()
    record.cut["threads/2"] = 2.0
    cells, _, _, _ = analyze([record], 0.95, 2, "3.13.0")
    assert (cells[1].status, cells[1].reason, cells[1].verdict) == ("ok", None, "wins")


def test_a_ceiling_that_failed_says_why_and_a_win_alone_is_believed_without_it() -> None:
    record = make_record(speedup=1.0)
    for block in record.blocks:
        del block.seconds["ceiling/2"]
    record.fail("ceiling/2", Failure("failed", "OSError: no more processes"))
    cells, _, ceiling, _ = analyze([record], 0.95, 2, "3.13.0")
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
    environment = collect_environment()
    assert environment["cpus_usable"] == 2
    record = make_record(speedup=1.0, ceiling=1.45)
    cells, null, ceiling, _ = analyze([record], 0.95, find_capacity(), "3.13.0")
    assert (ceiling[0].expected, ceiling[0].passed) == (1.5, True)
    sentences = summarize(cells[:2], null, ceiling, environment)
    assert sentences[0].startswith("countdown_nogil: stay serial")
    assert not any("one CPU only" in sentence for sentence in sentences)


def test_too_few_blocks_are_inconclusive_and_infinitely_wide() -> None:
    record = make_record(blocks=3)
    cells, null, _, _ = analyze([record], 0.95, 2, "3.13.0")
    assert cells[1].verdict == "inconclusive"
    assert null[0].passed is None
    assert find_widest(record, 0.95) == math.inf


def test_the_confidence_is_corrected_for_every_comparison_and_null() -> None:
    record, other = make_record(), make_record()
    assert correct([record], 0.95) == pytest.approx(1 - 0.05 / 3)
    assert correct([record, other], 0.95) == pytest.approx(1 - 0.05 / 6)
    other.fail("threads/2", Failure("unavailable", "needs Python 3.14"))
    assert correct([record, other], 0.95) == pytest.approx(1 - 0.05 / 5)


def test_the_widest_interval_counts_only_what_is_still_measured() -> None:
    record = make_record()
    narrow = find_widest(record, 0.95)
    for block in record.blocks[::2]:
        block.seconds["threads/2"] *= 3
    assert find_widest(record, 0.95) > narrow
    record.fail("threads/2", Failure("failed", "why"))
    assert find_widest(record, 0.95) == pytest.approx(narrow, rel=0.5)
