"""The model of the GIL, held to cases that are known in closed form."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gillab.errors import UsageError
from gillab.estimates import Estimate
from gillab.model.bounds import find_lower_bound, find_upper_bound
from gillab.model.predict import LEFT_OUT, LEFT_OUT_SENTENCE, Prediction, predict
from gillab.model.processors import Processors
from gillab.model.serial_fraction import fit_serial_fraction
from gillab.model.simulation import HANDOVER_S, Rates, simulate
from gillab.model.task import Task

MS = 1e-3
SMALL = 0.03
"""How far a simulation may lie beside the truth: it ends in the middle of calls."""


def speedup(task: Task, workers: int, cores: float, handover_s: float = 0.0) -> float:
    """Return the speedup that threads of one GIL reach in the simulation, whatever the bounds."""
    rates = simulate([task] * workers, cores, handover_s=handover_s)
    return sum(rates.calls_per_s) * task.total_s


def find_bounds(
    task: Task, workers: int, cores: float, shares_gil: bool, handover_s: float
) -> tuple[float, float]:
    low = find_lower_bound(
        task,
        workers,
        cores,
        shares_gil=shares_gil,
        switch_interval_s=5 * MS,
        handover_s=handover_s,
    )
    return low, find_upper_bound(task, workers, cores, shares_gil=shares_gil)


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
@pytest.mark.parametrize("task", [Task(1.0), Task(MS), Task(MS, interruptible=False)])
def test_threads_that_hold_the_lock_all_the_time_gain_nothing(task: Task, workers: int) -> None:
    assert speedup(task, workers, workers) == pytest.approx(1)


@pytest.mark.parametrize(("workers", "cores"), [(1, 4), (2, 4), (4, 4), (9, 4), (9, 1.5), (64, 64)])
def test_threads_that_never_hold_it_gain_what_the_cores_give(workers: int, cores: float) -> None:
    assert speedup(Task(0, MS), workers, cores) == pytest.approx(min(workers, cores))


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_one_core_gives_one_worker_of_computing(workers: int) -> None:
    task = Task(MS, MS)
    assert speedup(task, workers, 1) == pytest.approx(1)
    alone = predict(task, workers, 1, shares_gil=False)
    assert alone.expected == pytest.approx(1)
    assert alone.low == alone.high == 1


def test_less_than_one_core_slows_one_worker_as_many() -> None:
    assert predict(Task(0, MS), 4, 0.5, shares_gil=False).expected == pytest.approx(1)


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_threads_that_only_wait_gain_as_many_as_they_are(workers: int) -> None:
    assert speedup(Task(0, 0, MS), workers, 1) == pytest.approx(workers, rel=SMALL)


@pytest.mark.parametrize("held", [0.5, 0.25, 0.1])
def test_a_lock_that_is_never_idle_gives_one_over_the_held_fraction(held: float) -> None:
    task = Task(held * MS, (1 - held) * MS, interruptible=False)
    assert speedup(task, 64, 64) == pytest.approx(1 / held, rel=SMALL)


def test_two_threads_that_hold_half_use_the_lock_in_turns() -> None:
    simulated = simulate([Task(MS, MS, interruptible=False)] * 2, 2, handover_s=0, variation=0)
    assert sum(simulated.calls_per_s) * 2 * MS == pytest.approx(2, rel=SMALL)


@pytest.mark.parametrize(("workers", "cores"), [(2, 4), (8, 4), (64, 8)])
def test_processes_gain_what_the_cores_give_however_long_they_hold_their_lock(
    workers: int, cores: int
) -> None:
    found = predict(Task(MS, MS), workers, cores, shares_gil=False)
    assert found.expected == pytest.approx(min(workers, cores))
    assert found.low == pytest.approx(found.high) == min(workers, cores)


def test_two_threads_of_bytecode_switch_after_every_interval_and_two_hand_overs() -> None:
    interval_s, handover_s = 5 * MS, 0.1 * MS
    rates = simulate([Task(1.0)] * 2, 2, interval_s, handover_s)
    assert rates.switches_per_s == pytest.approx(1 / (interval_s + 2 * handover_s), rel=SMALL)
    busy = (interval_s + handover_s) / (interval_s + 2 * handover_s)
    assert sum(rates.calls_per_s) == pytest.approx(busy, rel=SMALL)
    assert rates.calls_per_s[0] == pytest.approx(rates.calls_per_s[1], rel=SMALL)


def test_calls_into_c_switch_at_their_end_however_short_the_interval() -> None:
    rates = simulate([Task(50 * MS, interruptible=False)] * 2, 2, MS, 0, variation=0)
    assert rates.switches_per_s == pytest.approx(1 / (50 * MS), rel=SMALL)


@pytest.mark.parametrize("interval_s", [MS, 5 * MS, 20 * MS])
def test_a_thread_beside_bytecode_gets_a_turn_every_interval(interval_s: float) -> None:
    """The convoy: https://bugs.python.org/issue7946."""
    input_and_output = Task(0.01 * MS, 0, 0.05 * MS)
    bytecode = Task(1.0)
    alone = simulate([input_and_output], 2, interval_s).calls_per_s[0]
    beside = simulate([bytecode, input_and_output], 2, interval_s)
    assert alone == pytest.approx(1 / (0.06 * MS), rel=SMALL)
    turn_s = interval_s + 0.06 * MS + HANDOVER_S
    assert beside.calls_per_s[1] == pytest.approx(1 / turn_s, rel=SMALL)
    # Each turn of the other costs it two hand-overs.
    assert beside.calls_per_s[0] == pytest.approx(1 - 2 * HANDOVER_S / turn_s, rel=0.06)


def test_a_thread_beside_calls_into_c_waits_for_the_end_of_one() -> None:
    rates = simulate([Task(50 * MS, interruptible=False), Task(0.01 * MS, 0, MS)], 2, variation=0)
    assert rates.calls_per_s[1] == pytest.approx(1 / (50 * MS), rel=SMALL)


def test_a_thread_that_takes_the_lock_back_at_once_starves_the_one_that_wakes_up() -> None:
    rates = simulate([Task(0.5 * MS, 0.001 * MS, interruptible=False)] * 2, 2, handover_s=0.1 * MS)
    assert min(rates.calls_per_s) < 0.01 * max(rates.calls_per_s)
    assert sum(rates.calls_per_s) * 0.501 * MS == pytest.approx(1, rel=SMALL)


def test_what_a_release_costs_beside_a_busy_thread_as_it_was_measured() -> None:
    """On two shared CPUs: 309 calls/s held, 146 released, and 2.2 times the turns for the other."""
    call_s, bytecode = 1 / 580, Task(1.0)
    held = simulate([Task(call_s, interruptible=False), bytecode], 2)
    released = simulate([Task(2e-6, 0, call_s, interruptible=False), bytecode], 2)
    assert held.calls_per_s[0] == pytest.approx(309, rel=0.05)
    assert released.calls_per_s[0] == pytest.approx(146, rel=0.05)
    assert released.calls_per_s[1] / held.calls_per_s[1] == pytest.approx(2.2, rel=0.1)


def test_a_slower_hand_over_costs_throughput() -> None:
    task = Task(0.1 * MS, 0.1 * MS, interruptible=False)
    fast, slow = (speedup(task, 4, 4, handover_s) for handover_s in (1e-6, 50e-6))
    assert slow < 0.8 * fast


def test_the_same_seed_gives_the_same_rates() -> None:
    def run(seed: int) -> Rates:
        return simulate([Task(MS, MS, MS)] * 3, 2, seed=seed, events=1000)

    assert run(1) == run(1)
    assert run(1) != run(2)


seconds = st.one_of(st.just(0.0), st.floats(1e-6, 0.05))


@settings(max_examples=30, deadline=None)
@given(
    task=st.builds(Task, seconds, seconds, st.floats(1e-6, 0.05), st.booleans()),
    workers=st.integers(1, 16),
    cores=st.floats(1, 16),
    shares_gil=st.booleans(),
    handover_s=st.floats(0, 1e-4),
)
def test_the_bounds_hold_the_simulation(
    task: Task, workers: int, cores: float, shares_gil: bool, handover_s: float
) -> None:
    low, high = find_bounds(task, workers, cores, shares_gil, handover_s)
    simulated = speedup(task if shares_gil else task.without_lock(), workers, cores, handover_s)
    assert 0 < low <= high <= workers
    assert low * (1 - SMALL) <= simulated <= high * (1 + SMALL)


def test_the_expected_speedup_lies_between_the_bounds() -> None:
    found = predict(Task(MS, MS), 4, 3, shares_gil=True, handover_s=0.1 * MS)
    assert (found.low, found.high) == find_bounds(Task(MS, MS), 4, 3, True, 0.1 * MS)
    assert found.low < found.expected < found.high


def test_the_bounds_in_numbers() -> None:
    task = Task(1.0, 3.0, 4.0)

    def bounds(workers: int, cores: float, shares_gil: bool) -> tuple[float, float]:
        return find_bounds(task, workers, cores, shares_gil, 0.0)

    assert bounds(1, 8, True) == (1, 1)
    assert bounds(2, 8, True) == pytest.approx((16 / 9, 2))  # a wait for one call of the other
    assert bounds(16, 64, True) == pytest.approx((128 / 23, 8))  # the lock: 8 s over 1 s
    assert bounds(64, 2, True)[1] == 4  # two cores have time for 8 s over 4 s each
    assert bounds(8, 8, False) == (8, 8)
    assert bounds(64, 2, False) == pytest.approx((512 / 132, 4))


def test_cores_are_shared_equally() -> None:
    cores = Processors(2)
    assert cores.find_next_end() == (math.inf, -1)
    for thread, cpu_s in enumerate((3.0, 1.0, 9.0)):
        cores.start(thread, cpu_s)
    assert cores.find_next_end() == (1.5, 1)  # three on two cores: two thirds each
    cores.advance(1.5)
    cores.stop(1)
    assert cores.left_s(0) == pytest.approx(2)
    assert cores.left_s(1) == 0
    assert cores.find_next_end() == (3.5, 0)  # and now a core each
    cores.stop(0)
    assert cores.find_next_end() == (9.5, 2)


def test_the_serial_fraction_of_a_law_is_the_one_in_it() -> None:
    serial = 0.2
    speedups = {p: Estimate(1 / (serial + (1 - serial) / p), None, None) for p in (1, 2, 8, 64)}
    fitted = fit_serial_fraction(speedups)
    assert list(fitted) == [2, 8, 64]
    assert [each.estimate for each in fitted.values()] == pytest.approx([serial] * 3)
    assert fitted[2].low is None


def test_a_higher_speedup_means_a_lower_serial_fraction() -> None:
    fitted = fit_serial_fraction({2: Estimate(1.6, 1.0, 2.0), 5: Estimate(10.0, 5.0, None)})
    assert fitted[2] == Estimate(0.25, 0, 1)
    assert fitted[5].low is None
    assert fitted[5].high == 0
    assert fitted[5].estimate == pytest.approx(-1 / 8)  # more than five of five


def test_what_is_left_out_is_one_sentence() -> None:
    assert all(each in LEFT_OUT_SENTENCE for each in LEFT_OUT)
    assert LEFT_OUT_SENTENCE.count(".") == 1


def predict_with(
    workers: int = 2, cores: float = 2, interval_s: float = 5 * MS, handover_s: float = 0.0
) -> Prediction:
    return predict(
        Task(MS),
        workers,
        cores,
        shares_gil=True,
        switch_interval_s=interval_s,
        handover_s=handover_s,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Task(-1.0), "from 0 up"),
        (lambda: Task(math.nan), "from 0 up"),
        (lambda: Task(0.0), "no time"),
        (lambda: predict_with(workers=0), "workers"),
        (lambda: predict_with(cores=0), "cores"),
        (lambda: predict_with(cores=math.nan), "cores"),
        (lambda: predict_with(interval_s=0), "switch interval"),
        (lambda: predict_with(handover_s=-1), "hand-over"),
        (lambda: simulate([], 2), "thread"),
        (lambda: simulate([Task(MS)], 2, variation=1.0), "variation"),
        (lambda: fit_serial_fraction({0: Estimate(1.0, None, None)}), "workers"),
        (lambda: fit_serial_fraction({2: Estimate(0.0, None, None)}), "speedup"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(UsageError, match=message):
        call()
