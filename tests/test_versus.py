"""Two versions side by side: what is measured, what is concluded, and what is said of it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from compare_run import PATIENT
from long_tests import in_long
from report_fixtures import make_result, missing, serial
from rich.console import Console

from gillab import versus as experiment
from gillab.blocks import pair_here
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import BlockDone, Measured, OpenArms, RunBlock
from gillab.blocks.pair import Comparison, Pair, compare_pair, conclude_pair, is_decided, make_look
from gillab.blocks.pair_here import is_no_slower
from gillab.blocks.plan import Arm, Experiment
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Block, Failure, Record
from gillab.blocks.runner import Runner
from gillab.blocks.turns import Reading, find_undisturbed
from gillab.errors import UsageError
from gillab.estimates import Estimate
from gillab.gil_assertions import GilAssertions
from gillab.launch.messages import Message
from gillab.report.versus import render_versus, summarize_versus
from gillab.results import Cell
from gillab.versus import versus
from gillab.workload import Workload

SERIAL_PAIR = Pair.of("serial", 1)
PROTOCOL = Protocol(0.001, 12, 93, 57.0, 0.03, 0.95, 30.0, 1, block_s=0.6)
WOBBLE = (0.997, 1.0, 1.003, 1.0)
"""What interpreters differ by."""


def make_blocks(ratio: float, number: int = 12, null: float = 1.0) -> list[dict[str, float]]:
    """Return blocks in which new is so many times as fast as old."""
    return [
        {"serial/1": 1.0, "null/1": 1 / null, "serial/1/new": WOBBLE[place % 4] / ratio}
        for place in range(number)
    ]


def compare(ratio: float, **named: Any) -> Comparison:
    return compare_pair(make_blocks(ratio, **named), SERIAL_PAIR, 0.95, 0.03)


def test_the_arms_are_old_the_same_again_and_new() -> None:
    assert [arm.key for arm in SERIAL_PAIR.arms] == ["serial/1", "null/1", "serial/1/new"]
    keys = [arm.key for arm in Pair.of("threads", 2).arms]
    assert keys == ["threads/2", "null/2", "threads/2/new"]


@pytest.mark.parametrize(
    ("ratio", "answer"),
    [(1.3, "faster"), (0.8, "slower"), (1.0, "same"), (1.02, "same"), (0.98, "same")],
)
def test_the_whole_interval_decides(ratio: float, answer: str) -> None:
    found = compare(ratio)
    assert found.answer == answer
    assert is_decided(found)
    assert found.ratio is not None
    assert found.ratio.estimate == pytest.approx(ratio, rel=0.001)
    assert found.null_passed


@pytest.mark.parametrize(("ratio", "answer"), [(1.03, "open"), (0.971, "no_faster")])
def test_an_interval_over_the_margin_decides_nothing(ratio: float, answer: str) -> None:
    found = compare(ratio)
    assert (found.answer, is_decided(found)) == (answer, False)


def test_too_few_blocks_and_none_at_all_are_open() -> None:
    assert compare(1.3, number=3).answer == "open"
    assert compare(1.3, number=3).null_passed is None
    assert compare(1.3, number=0) == Comparison(None, None, "open")


def test_an_old_that_differs_from_itself_puts_all_in_doubt() -> None:
    found = compare(1.3, null=1.03)
    assert (found.answer, is_decided(found), found.null_passed) == ("doubtful", False, False)
    # A narrow margin bears less.
    blocks = make_blocks(1.3, null=1.01)
    assert compare_pair(blocks, SERIAL_PAIR, 0.95, 0.03).answer == "faster"
    assert compare_pair(blocks, SERIAL_PAIR, 0.95, 0.01).answer == "doubtful"


def test_a_run_that_ended_undecided_spends_what_is_left_of_the_error() -> None:
    open_ = make_blocks(1.03, 12)
    at_end = conclude_pair(open_, SERIAL_PAIR, PROTOCOL, 0.03)
    assert at_end == compare_pair(open_, SERIAL_PAIR, 0.95, 0.03)
    decided = make_blocks(1.3, 12)
    at_look = conclude_pair(decided, SERIAL_PAIR, PROTOCOL, 0.03)
    assert at_look == compare_pair(decided, SERIAL_PAIR, 0.975, 0.03)


def make_record(blocks: list[dict[str, float]]) -> Record:
    workload = Workload("a", "statement")
    record = Record(Experiment(workload, SERIAL_PAIR.arms, workload), steps=1)
    record.blocks += [Block("a", 1, tuple(each), each, {}, {}) for each in blocks]
    return record


@pytest.mark.parametrize(("ratio", "decided"), [(1.3, True), (1.03, False)])
def test_a_run_goes_on_until_the_pair_is_decided(ratio: float, decided: bool) -> None:
    look = make_look(SERIAL_PAIR, 0.03)
    record = make_record(make_blocks(ratio))
    standing = look(record, [record], PROTOCOL, Machine(2.0, True))
    assert (standing.decided, standing.undecided) == (decided, int(not decided))
    assert not standing.narrow
    assert look(record, [record], replace(PROTOCOL, until_decided=False), Machine(2.0, True)).narrow


def test_the_lower_quartile_stands_for_an_arms_turns() -> None:
    assert find_undisturbed([Reading(7, 5)]) == (7, 5)
    readings = [Reading(elapsed, elapsed) for elapsed in (90, 10, 12, 11, 80, 13, 70, 60, 50)]
    assert find_undisturbed(readings).elapsed_ns == 12


def run_turns(block_s: float, tasks: tuple[Callable[[int], object], ...]) -> list[Message]:
    said: list[Message] = []
    workload = Workload("w", "statement")
    plan = OpenArms(
        workload, SERIAL_PAIR.arms, 0.001, 600.0, 3, 3, None, other=workload, block_s=block_s
    )
    runner = Runner(plan, said.append, tasks[0], other_task=tasks[1])
    runner.open_arms()
    runner.calibrate()
    said.clear()
    runner.run_block(RunBlock(tuple(arm.key for arm in SERIAL_PAIR.arms)))
    runner.close()
    return said


def test_what_turns_took_is_told_after_the_last_part_of_a_block() -> None:
    said: list[Message] = []
    plan = OpenArms(
        Workload("w", "statement"), SERIAL_PAIR.arms, 0.001, 600.0, 3, 3, None, block_s=9.0
    )
    called: list[int] = []
    runner = Runner(plan, said.append, called.append)
    runner.open_arms()
    runner.calibrate()
    said.clear()
    (old, *_) = (arm.key for arm in SERIAL_PAIR.arms)
    runner.run_block(RunBlock((old,), turns_s=1e-9, goes_on=True))
    first = said.pop()
    assert isinstance(first, BlockDone)
    assert first.cpu_s > 0
    assert not [m for m in said if isinstance(m, Measured)]
    runner.run_block(RunBlock((old,), turns_s=1e-9))
    assert [m.arm for m in said if isinstance(m, Measured)] == [old]
    assert called == [3, 3]
    runner.close()


def test_arms_take_turns_there_and_back_and_each_runs_its_own_task() -> None:
    called: list[str] = []
    said = run_turns(1e-9, (lambda steps: called.append("old"), lambda steps: called.append("new")))
    assert called == ["old", "old", "new"]
    assert [m.arm for m in said if isinstance(m, Measured)] == [a.key for a in SERIAL_PAIR.arms]
    assert isinstance(said[-1], BlockDone)
    called.clear()
    run_turns(0.01, (lambda steps: called.append("old"), lambda steps: called.append("new")))
    assert called[:6] == ["old", "old", "new", "new", "old", "old"]
    assert len(called) % 3 == 0


def tell(found: Comparison, within: float = 0.03) -> str:
    (sentence,) = summarize_versus(make_result([serial("a")]), found, within)
    return sentence


FINE = Estimate(1.0, 0.99, 1.01)


@pytest.mark.parametrize(
    ("ratio", "answer", "sentence"),
    [
        ((1.31, 1.29, 1.33), "faster", "new is 1.31x [1.29, 1.33] as fast as old."),
        ((0.5, 0.498, 0.502), "slower", "new is 0.500x [0.498, 0.502] as fast as old."),
        (
            (1.0, 0.98, 1.02), "same",
            "the same within 3 %: new is 1.00x [0.98, 1.02] as fast as old.",
        ),
        (
            (1.01, 0.98, 1.05), "open",
            "undecided: new may be faster or slower than old by 3 %: 1.01x [0.98, 1.05]; this "
            "machine cannot tell in this time, and more may (--time-budget).",
        ),
        (
            (1.03, 1.01, 1.05), "open",
            "undecided: new is faster than old, but not surely by 3 %: 1.03x [1.01, 1.05]; this "
            "machine cannot tell in this time, and more may (--time-budget).",
        ),
        (
            (1.2, None, None), "open",
            "undecided: new is 1.20x as fast as old, by too few blocks for an interval; give it "
            "more time with --time-budget.",
        ),
    ],
)  # fmt: skip
def test_the_answer_is_one_sentence(
    ratio: tuple[float, float | None, float | None], answer: Any, sentence: str
) -> None:
    assert tell(Comparison(Estimate(*ratio), FINE, answer)) == sentence


def test_a_null_control_that_failed_is_said_first() -> None:
    null = Estimate(1.04, 1.03, 1.05)
    sentence = tell(Comparison(Estimate(1.31, 1.29, 1.33), null, "doubtful"))
    assert sentence.startswith("in doubt: new is 1.31x [1.29, 1.33] as fast as old, but old ")
    assert "against itself came to 1.04x [1.03, 1.05]; run again when" in sentence


def find_new(cells: list[Cell]) -> Cell:
    (cell,) = [cell for cell in cells if cell.variant == "new"]
    return cell


@pytest.mark.parametrize("strategy", ["serial", in_long("threads")])
def test_a_short_run_has_both_versions(strategy: str) -> None:
    result = versus(
        "f(9)", "f(10)", setup="def f(n): return list(range(n))", new_setup="f(1)",
        strategy=strategy, max_blocks=2, task_time_s=1e-4, **PATIENT,
    )  # fmt: skip
    assert [cell.status for cell in result.cells] == ["ok", "ok"]
    assert [block["launch"] for block in result.blocks] == [1, 2], "each block has an interpreter"
    new = find_new(list(result.cells))
    assert new.speedup is not None
    assert (new.speedup.low, new.verdict) == (None, "inconclusive")
    assert result.options["versus"]["new"]["name"] == "f(10)"
    assert result.options["versus"]["new"]["setup"].endswith("\nf(1)")
    assert result.summary[0].startswith("undecided: new is ")
    console = Console(file=io.StringIO(), width=80)
    render_versus(result, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "new  f(10)\n" in printed
    assert "old against itself" in printed


@pytest.mark.parametrize(
    ("texts", "named", "message"),
    [
        (("nogil", "pass"), {}, r'countdown_nogil takes steps and pass is called; .* "countdown_n'),
        (("pass", "pass"), {"workers": 2}, "serial has one worker, not 2; name a --strategy"),
        (("pass", "pass"), {"within": 0.0}, "within is a finite number above 0"),
        (("pass", "pass"), {"strategy": "fibres"}, "fibres"),
        (("pass", "1 +"), {}, "not valid Python"),
        (("pass", "pass"), {"args": "1"}, "--args goes with"),
        (("pass", "math:sqrtt"), {}, "did you mean sqrt"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    texts: tuple[str, str], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        versus(*texts, **named)


def test_arguments_go_to_the_one_that_is_a_function() -> None:
    one, other = experiment._resolve("math:sqrt", "2 ** 0.5", ("", "", "x = 1"), "2.0")
    assert (one.args, other.args, other.setup) == ("2.0", "", "x = 1")


def test_a_version_that_raises_is_quoted() -> None:
    result = versus("pass", "1 / 0", max_blocks=1, **PATIENT)
    assert result.failed
    assert result.summary[0].startswith("new failed: ZeroDivisionError")


def test_why_nothing_was_measured_is_said_once_and_of_the_version() -> None:
    nothing = Comparison(None, None, "open")
    both = [
        missing("serial", "it raised."),
        replace(missing("serial", "it raised."), variant="new"),
    ]
    sentences = summarize_versus(make_result(both), nothing, 0.03)
    assert sentences == ["old and new failed: it raised."]
    one = [serial("a"), replace(missing("serial", "it hung"), variant="new")]
    assert summarize_versus(make_result(one), nothing, 0.03) == ["new failed: it hung."]


def test_a_run_whose_version_failed_goes_on_no_longer_than_to_the_first_look() -> None:
    record = make_record([{"serial/1": 1.0, "null/1": 1.0}] * 12)
    record.fail("serial/1/new", Failure("failed", "it hung"))
    look = make_look(SERIAL_PAIR, 0.03)
    assert look(record, [record], PROTOCOL, Machine(2.0, True)).decided


@pytest.mark.parametrize(
    ("ratio", "passed"),
    [
        ((1.0, 0.96, 1.04), True),
        ((2.0, 1.9, 2.1), True),
        ((0.9, 0.89, 0.91), False),
        ((0.96, 0.94, 0.98), None),
        ((0.5, None, None), None),
    ],
)
def test_no_slower_is_decided_by_the_interval(
    ratio: tuple[float, float | None, float | None], passed: bool | None
) -> None:
    found = Comparison(Estimate(*ratio), FINE, "open")
    assert is_no_slower(found, 0.05) is passed
    assert is_no_slower(replace(found, answer="doubtful"), 0.05) is None
    assert is_no_slower(Comparison(None, None, "open"), 0.05) is None


@pytest.mark.parametrize(
    ("ratio", "answer", "outcome"),
    [
        ((1.0, 0.96, 1.04), "open", ""),
        ((0.9, 0.89, 0.91), "slower", "failed"),
        ((0.96, 0.94, 0.98), "open", "undecided"),
        ((0.9, 0.89, 0.91), "doubtful", "undecided"),
    ],
)
def test_the_assertion_passes_fails_or_gives_up(
    monkeypatch: pytest.MonkeyPatch, ratio: Any, answer: Any, outcome: str
) -> None:
    null = FINE if answer != "doubtful" else Estimate(1.1, 1.08, 1.12)
    found = Comparison(Estimate(*ratio), null, answer)
    monkeypatch.setattr(pair_here, "measure_pair_here", lambda *rest: found)
    given_up: list[str] = []
    gil = GilAssertions(given_up.append, given_up.append)
    told = "sorted([]) is 0.90x [0.89, 0.91] as fast as list([]); at most 5 % slower was asked for"
    if outcome == "failed":
        with pytest.raises(AssertionError) as failure:
            gil.assert_no_slower(sorted, (), than=list)
        assert str(failure.value) == told.replace("[]", "<tuple of 0>") + "."
    else:
        assert gil.assert_no_slower(sorted, (), than=list) == found
        assert [text.partition(":")[0] for text in given_up] == ([outcome] if outcome else [])
        if answer == "doubtful":
            assert given_up[0].endswith("is 1.10x [1.08, 1.12] as fast as itself.")


def test_what_is_much_slower_in_this_process_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_here, "_BLOCK_S", 0.02)
    gil = GilAssertions(pytest.skip, pytest.skip)
    with pytest.raises(AssertionError, match=r"at most 5 % slower was asked for"):
        gil.assert_no_slower(sum, range(1000), than=len)


def test_a_version_that_is_much_slower_does_not_take_up_the_block() -> None:
    longest: list[int] = []

    def crawl(steps: int) -> None:
        longest.append(steps)
        time.sleep(0.001 * steps)

    workload = Workload("w", "statement")
    plan = OpenArms(
        workload, SERIAL_PAIR.arms, 0.001, 600.0, None, 3, None, other=workload, block_s=0.01
    )
    runner = Runner(
        plan, lambda message: None, lambda steps: time.sleep(1e-6 * steps), other_task=crawl
    )
    runner.open_arms()
    runner.calibrate()
    runner.run_block(RunBlock(tuple(arm.key for arm in SERIAL_PAIR.arms)))
    runner.close()
    # Of a millisecond: one step, or two where the first was read as shorter.
    assert longest[-1] <= 50 * 2


def test_what_a_call_raises_is_raised_as_it_was() -> None:
    gil = GilAssertions(pytest.skip, pytest.skip)
    with pytest.raises(ZeroDivisionError):
        gil.assert_no_slower(lambda: 1 / 0, than=lambda: 1)


def test_an_arm_of_a_pair_is_no_other_arm() -> None:
    assert SERIAL_PAIR.new == Arm("serial", 1, variant="new")
