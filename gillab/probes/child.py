"""A launch that measures one round: ``python -m gillab.probes.child``, told what by its parent."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress

from gillab.blocks.noise import difference, read_counters
from gillab.environment import is_gil_enabled
from gillab.launch.child import run_child
from gillab.launch.messages import Message
from gillab.launch.pipes import ParentPipes
from gillab.probes.busy import BusyError, keep_threads_busy, repeat
from gillab.probes.messages import (
    Condition,
    ConditionFailed,
    Delays,
    DelaysNoted,
    ProbeDelays,
    RoundEnded,
    WorkloadFailed,
    WorkloadTimed,
)
from gillab.probes.probe import PROBES
from gillab.release.call import KERNEL_STEPS, Call, fill_loop, make_call
from gillab.strategies import get_strategy
from gillab.strategies.failure import describe_exception
from gillab.strategies.worker import Ready, answer, initialize, read_cpu_ns
from gillab.workload import Setup, Workload, run_setup

MOST_KEPT = 500
"""So many delays of one condition are reported; of more, as many that are evenly spaced."""
_CALLS = 3
"""A condition lasts at least so many calls of the workload."""
_POOL = "probes"
_ANSWER_S = 0.01


def serve(pipes: ParentPipes) -> None:
    """Measure every condition of the plan, in its order."""
    plan = pipes.read()
    assert isinstance(plan, ProbeDelays)
    try:
        setup = run_setup(plan.workload)
        most = max(each.busy for each in plan.conditions)
        # A generator, which a statement's loop is, runs in one thread alone.
        calls = [fill_loop(make_call(setup)) for _ in range(max(1, most))]
        call_s = time_call(calls[0])
    except BaseException as error:
        pipes.say(WorkloadFailed(describe_exception(error)))
        return
    pipes.say(WorkloadTimed(call_s, is_gil_enabled()))
    measure(plan, setup, calls, max(plan.seconds, _CALLS * call_s), pipes.say)


def time_call(call: Call) -> float:
    """Return how long one call of the workload takes, once what only the first does is done."""
    call.function(*call.arguments, **call.named)
    begun = time.perf_counter()
    call.function(*call.arguments, **call.named)
    return (time.perf_counter() - begun) / call.per_call


def measure(
    plan: ProbeDelays,
    setup: Setup,
    calls: list[Call],
    seconds: float,
    say: Callable[[Message], None],
) -> None:
    """Measure the conditions, and say what each found."""
    workers = Workers(plan.workload, plan.start_method, plan.conditions)
    before, cpu_ns = read_counters(), read_cpu_ns()
    own = sys.getswitchinterval()
    for condition in plan.conditions:
        try:
            sys.setswitchinterval(condition.switch_interval_s)
            busy = (
                workers.keep_busy(condition.busy, seconds)
                if condition.where == "processes"
                else keep_threads_busy(calls[: condition.busy])
            )
            with busy:
                begun = time.perf_counter()
                delays = PROBES[condition.probe](seconds)
                duration_s = time.perf_counter() - begun
        except BusyError as error:
            say(ConditionFailed("failed", str(error)))
        except BaseException as error:
            say(ConditionFailed("failed", describe_exception(error)))
        else:
            noted = Delays(condition, thin(sorted(delays)), len(delays), duration_s)
            say(DelaysNoted(noted))
        finally:
            sys.setswitchinterval(own)
    own_cpu_s = (read_cpu_ns() - cpu_ns + workers.cpu_ns) / 1e9
    noise = difference(before, read_counters(), own_cpu_s)
    workers.close()
    say(RoundEnded(noise))


def thin(ordered: list[float]) -> tuple[float, ...]:
    """Return at most `MOST_KEPT` of the delays, evenly spaced, the last one included."""
    count = len(ordered)
    if count <= MOST_KEPT:
        return tuple(ordered)
    return tuple(ordered[(i + 1) * count // MOST_KEPT - 1] for i in range(MOST_KEPT))


class Workers:
    """The processes in which the workload runs in place of threads."""

    def __init__(
        self, workload: Workload, start_method: str | None, conditions: tuple[Condition, ...]
    ) -> None:
        self._steps = KERNEL_STEPS if workload.kind == "kernel" else 1
        self._executor: Executor | None = None
        self._failure: str | None = None
        self.cpu_ns = 0
        """What they have taken of it so far."""
        most = max((each.busy for each in conditions if each.where == "processes"), default=0)
        if not most:
            return
        try:
            # Before there are threads: a fork among them may hang.
            self._executor = get_strategy("processes").create(
                most, initialize, (_POOL, workload, sys.path, None, "own"), start_method
            )
            ready = [self._executor.submit(answer, _POOL, _ANSWER_S) for _ in range(most)]
            self._await(ready)
        except Exception as error:
            self._failure = describe_exception(error)

    def _await(self, ready: list[Future[Ready]]) -> None:
        for future in ready:
            self._failure = self._failure or future.result().failure

    @contextmanager
    def keep_busy(self, count: int, seconds: float) -> Iterator[None]:
        """Have so many of them work for so long, about as long as the block takes.

        BusyError where they cannot.
        """
        if self._failure is not None:
            raise BusyError(self._failure)
        assert self._executor is not None
        futures = [self._executor.submit(repeat, _POOL, self._steps, seconds) for _ in range(count)]
        try:
            yield
        finally:
            outcomes = [future.result() for future in futures]
        for cpu_ns, failure in outcomes:
            self.cpu_ns += cpu_ns
            if failure is not None:
                raise BusyError(failure)

    def close(self) -> None:
        """End them, and wait."""
        if self._executor is not None:
            with suppress(Exception):
                self._executor.shutdown(cancel_futures=True)


if __name__ == "__main__":
    run_child(serve)
