"""What a transfer concludes from blocks: costs, throughput, break-even, charts and sentences."""

from __future__ import annotations

from typing import Any

import pytest

from gillab.errors import UsageError
from gillab.estimates import Bracket, Estimate
from gillab.report.transfer import summarize_transfer
from gillab.strategies import get_strategy
from gillab.transfers.costs import Cost, draw_charts, find_cheaper_from, find_costs
from gillab.transfers.sizes import format_size, read_size
from gillab.transfers.ways import DEFAULT, PROCESSES, Way, list_ways, plan_size

PICKLED, BUFFERS, FILLED, PLACED = PROCESSES
THREADS = Way("threads", "", "threads", "shared", copies=False)
SIZES = {"1 kB": 1000, "1 MB": 10**6}


def make_blocks(
    name: str, count: int = 6, serial: tuple[float, float] = (0.001, 0.003), **seconds: float
) -> list[dict[str, Any]]:
    """Return equal blocks of one size; the two serial arms, and by variant what others took."""
    keys = {way.variant or "threads": way.arm.key for way in (THREADS, *PROCESSES)}
    taken = {keys[variant]: value for variant, value in seconds.items()}
    both = {"serial/1": serial[0], "null/1": serial[1]}
    return [{"workload": name, "seconds": {**both, **taken}} for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "size"),
    [("1kB", 1000), ("2.5 MB", 2_500_000), ("100mb", 10**8), ("7", 7), ("1e3 B", 1000),
     ("1.001kB", 1001), ("1_000kB", 10**6), ("1 GB", 10**9)],
)  # fmt: skip
def test_sizes_are_decimal(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1 MiB", "-1kB", "1.2.3", "nan", "much"])
def test_what_is_no_size_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no size; write 1kB, 2\.5MB or 1GB"):
        read_size(text)


@pytest.mark.parametrize("text", ["0", "0.5", "1.0001kB", "1e30TB"])
def test_a_size_is_a_whole_number_of_bytes(text: str) -> None:
    with pytest.raises(UsageError, match="is no whole number of bytes from 1 on"):
        read_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1 B"), (1000, "1 kB"), (1001, "1.001 kB"), (2_500_000, "2.5 MB"), (10**8, "100 MB"),
     (1_234_567, "1234567 B"), (10**15, "1000 TB")],
)  # fmt: skip
def test_a_size_is_written_exactly(size: int, text: str) -> None:
    assert format_size(size) == text
    assert read_size(text) == size


def test_the_ways_are_those_that_each_strategy_has() -> None:
    assert [way.arm.key for way in list_ways(DEFAULT)] == [
        "threads/1",
        "processes/1/pickled",
        "processes/1/buffers",
        "processes/1/filled",
        "processes/1/placed",
        "interpreters/1/bytes",
        "interpreters/1/memoryview",
    ]
    assert list_ways(["serial"]) == []
    assert get_strategy("processes").own_process
    with pytest.raises(UsageError, match="did you mean threads"):
        list_ways(["thread"])


def test_an_experiment_has_the_ways_between_two_serial_arms() -> None:
    experiment = plan_size("1 kB", 1000, [THREADS, PICKLED], returns=True)
    keys = [arm.key for arm in experiment.arms]
    assert keys == ["serial/1", "threads/1", "processes/1/pickled", "null/1"]
    assert (experiment.workload.name, experiment.workload.args) == ("1 kB", "(1000, True)")


def test_a_call_costs_what_it_takes_more_than_in_the_parent_in_each_block() -> None:
    blocks = make_blocks("1 kB", pickled=0.012, threads=0.002) + make_blocks("1 MB", pickled=0.5)
    costs = find_costs(blocks, SIZES, [THREADS, PICKLED, FILLED], 0.5)
    assert list(costs) == [THREADS, PICKLED]
    assert [cost.size for cost in costs[PICKLED]] == [1000, 10**6]
    first, second = (cost.seconds for cost in costs[PICKLED])
    assert (first.low, first.estimate, first.high) == pytest.approx((0.01, 0.01, 0.01))
    assert second.estimate == pytest.approx(0.498)
    assert costs[THREADS][0].seconds.estimate == pytest.approx(0.0)


def test_a_few_blocks_give_no_interval_and_blocks_without_both_arms_do_not_count() -> None:
    blocks = make_blocks("1 kB", 2, pickled=0.012)
    blocks.append({"workload": "1 kB", "seconds": {"processes/1/pickled": 9.0}})
    (cost,) = find_costs(blocks, SIZES, [PICKLED], 0.95)[PICKLED]
    assert (cost.seconds.low, cost.seconds.high) == (None, None)
    assert cost.seconds.estimate == pytest.approx(0.01)
    assert find_costs([], SIZES, [PICKLED], 0.95) == {}


def test_throughput_is_size_over_cost_with_the_ends_exchanged() -> None:
    assert Cost(1000, Estimate(0.5, 0.25, 1.0)).rate == Estimate(2000.0, 1000.0, 4000.0)
    assert Cost(1000, Estimate(0.5, -0.1, 1.0)).rate == Estimate(2000.0, 1000.0, None)
    assert Cost(1000, Estimate(0.5, None, None)).rate == Estimate(2000.0, None, None)
    assert Cost(1000, Estimate(-0.1, -0.2, 1.0)).rate is None


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(2, Estimate(1.0, 0.5, 2.0)), (5, Estimate(0.625, 0.3125, 1.25))],
)
def test_a_call_pays_once_it_saves_more_than_it_costs(workers: int, expected: Estimate) -> None:
    assert Cost(1, Estimate(0.5, 0.25, 1.0)).find_break_even(workers) == expected


def test_what_costs_nothing_pays_at_once() -> None:
    at = Cost(1, Estimate(-0.1, -0.2, 0.5)).find_break_even(2)
    assert at == Estimate(0.0, 0.0, 1.0)


def test_shared_memory_is_cheaper_from_the_size_on_that_the_blocks_show() -> None:
    sizes = {"1 kB": 1000, "100 kB": 10**5, "1 MB": 10**6}
    blocks = (
        make_blocks("1 kB", pickled=0.012, filled=0.02)
        + make_blocks("100 kB", pickled=0.03, filled=0.02)
        + make_blocks("1 MB", pickled=0.3, filled=0.1)
    )
    # All pairs of blocks are alike, so an interval is a point: what is so is shown.
    at = find_cheaper_from(blocks, sizes, FILLED, PICKLED, 0.5)
    assert at == Bracket(1e5, 1e5, 1e5)
    assert find_cheaper_from(blocks, sizes, PICKLED, FILLED, 0.5) == Bracket(None, None, None)
    assert find_cheaper_from(blocks, sizes, BUFFERS, PICKLED, 0.5) is None
    few = [block for block in blocks if block is not blocks[0]][::5]
    assert find_cheaper_from(few, sizes, FILLED, PICKLED, 0.95) == Bracket(1e5, 1e3, None)


def test_the_charts_show_cost_throughput_and_break_even_over_size() -> None:
    blocks = make_blocks("1 kB", pickled=0.012, threads=0.004, placed=0.003)
    costs = find_costs(blocks, SIZES, [THREADS, PICKLED, PLACED], 0.5)
    at = Bracket(1000.0)
    cost, rate, pays = draw_charts(costs, 2, {PICKLED: at})
    assert [series.name for series in cost.series] == [
        "threads", "process: pickled", "process: already shared",
    ]  # fmt: skip
    assert [(mark.series, mark.at) for mark in cost.marks] == [("process: pickled", at)]
    # Where nothing is copied, bytes a second mean nothing.
    assert [series.name for series in rate.series] == ["process: pickled"]
    assert rate.y.unit == "B/s"
    (point,) = rate.series[0].points
    assert (point.x, point.y.estimate) == pytest.approx((1000.0, 100_000.0))
    found = pays.series[1].find(1000.0)
    assert found is not None
    assert found.estimate == pytest.approx(0.02)
    assert "2 workers" in pays.title
    assert draw_charts({}, 2, {}) == ()


def test_the_answer_tells_what_a_size_costs_each_strategy_and_when_that_pays() -> None:
    bytes_, view = list_ways(["interpreters"])
    costs = {
        THREADS: [Cost(10**6, Estimate(2e-5, None, None))],
        PICKLED: [Cost(1000, Estimate(1e-4, None, None)),
                  Cost(10**6, Estimate(9e-4, 8e-4, 1e-3))],
        FILLED: [Cost(10**6, Estimate(5e-4, None, None))],
        bytes_: [Cost(10**6, Estimate(3e-4, None, None))],
        view: [Cost(10**6, Estimate(-1e-7, None, None))],
    }  # fmt: skip
    cheaper = {FILLED: Bracket(1e6, 1e6, None)}
    assert summarize_transfer(costs, 2, cheaper) == [
        "1 MB costs a process 900 [800, 1,000] µs pickled and 500 µs in shared memory; an "
        "interpreter 300 µs as bytes and nothing as a shared memoryview; threads share it and pay "
        "20 µs for the call.",
        "With 2 workers, sending it to processes pays once a call computes for more than "
        "1.8 [1.6, 2] ms pickled, 1 ms in shared memory; to interpreters, for more than 600 µs "
        "as bytes.",
        "Shared memory is cheaper than pickling from 1 MB on, as far as can be told.",
        "Threads gain only by calls that release the GIL.",
        "NumPy does not load in a subinterpreter: the code there reads the bytes without it.",
    ]


def test_the_answer_is_about_the_size_next_to_a_megabyte_and_about_what_was_measured() -> None:
    costs = {THREADS: [Cost(size, Estimate(2e-5, None, None)) for size in (1000, 10**8)]}
    (answer,) = summarize_transfer(costs, 2, {}, returns=True, gil=False)
    assert answer == "100 MB there and back: threads share it and pay 20 µs for the call."
    assert summarize_transfer({}, 2, {}) == ["No way was measured."]


@pytest.mark.parametrize(
    ("at", "words"),
    [(Bracket(None), "at no size that was tried"), (Bracket(1e4, 1e3, 1e4), "from 10 kB on"),
     (Bracket(1e3, 1e3, 1e6), "from 1 kB on (shown from 1 MB on)"),
     (Bracket(1e3, 1e3, None), "from 1 kB on, as far as can be told")],
)  # fmt: skip
def test_from_which_size_on_another_way_is_cheaper(at: Bracket, words: str) -> None:
    costs = {PICKLED: [Cost(1000, Estimate(1e-3, None, None))]}
    sentences = summarize_transfer(costs, 2, {FILLED: at})
    assert f"Shared memory is cheaper than pickling {words}." in sentences


def test_a_way_has_one_colour_in_every_chart() -> None:
    """A colour goes by the place among the series, of those that have none of their own."""
    ways = list_ways(DEFAULT)
    blocks = [
        {
            "workload": "1 kB",
            "seconds": {"serial/1": 0.1, "null/1": 0.1, **{way.arm.key: 0.2 for way in ways}},
        }
    ]
    cost, rate, _ = draw_charts(find_costs(blocks, SIZES, ways, 0.95), 2, {})
    names = [series.name for series in cost.series]
    assert names[0] == "threads"
    assert [series.name for series in rate.series] == names[1:5]
    assert names[5:] == ["process: already shared", "interpreter: memoryview"]
