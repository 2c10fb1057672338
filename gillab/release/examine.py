"""Examines a call beside two controls, a loop that holds the lock and one that releases it.

It does so in this process or in a fresh interpreter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gillab.errors import GillabError
from gillab.kernels import countdown_held, countdown_nogil
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import Message
from gillab.release.call import Call, fill_loop, prepare_call
from gillab.release.examination import Examination
from gillab.release.findings import INTERRUPTED, Finding
from gillab.release.messages import (
    ControlRead,
    ExaminationFailed,
    Examine,
    Examined,
    Filled,
    Prepared,
    Returned,
    RoundRead,
    Undecided,
    WaitsRead,
)
from gillab.release.rounds import (
    TooBusyError,
    measure_release,
    measure_rounds,
    time_empty,
    time_first,
)
from gillab.release.waits import CALLS_A_ROUND, FEWEST_ROUNDS, measure_waits
from gillab.results import Status
from gillab.workload import Workload

_CONTROL_SHARE = 0.2
"""The time for each control, as a share of the call's."""
_MOST_TIMES = 4 * (1 + 2 * _CONTROL_SHARE)
"""Call and controls are repeated for at most three times their time, plus one round."""
_MOST_CALLS = 6
"""The most that a long call runs in addition: before the rounds, and in the fewest rounds."""
_WAIT_TIMES = 2
_WAIT_CALLS = CALLS_A_ROUND * (FEWEST_ROUNDS + 1)
"""The same beside a thread that asks for the lock."""
# Some 0.1 and 1 ms a call: what a call of the releaser holds is beneath notice.
_HOLDER = Call(countdown_held, (300_000,))
_RELEASER = Call(countdown_nogil, (3_000_000,))


def examine_call(name: str, call: Call, seconds: float, waits: bool = False) -> Finding:
    """Measure a call of this process, in this thread and for about ``seconds``.

    With ``waits``, a thread also asks for the lock, for as long again, to see how long it waits.
    MeterUnavailableError if the lock's state cannot be read; whatever the call raises.
    """
    examination = Examination(name, empty_s=time_empty(call))
    try:
        for part in _measure_parts(call, seconds, waits=waits):
            examination.take(part)
    except TooBusyError as error:
        return examination.leave_undecided(str(error))
    return examination.conclude()


def examine_here(
    workload: Workload, seconds: float, say: Callable[[Message], None], *, waits: bool = False
) -> None:
    """Measure a workload in this thread for another process.

    ``say`` is told when the setup has run, when a loop has been filled with the call, and when the
    call has returned once: then the other process knows how long a sound call may take. After that
    it is told each part, so that nothing is lost if a later call hangs.
    """
    call = prepare_call(workload)
    say(Prepared())
    call = fill_loop(call)
    say(Filled())
    first_s = time_first(call)
    say(Returned(first_s, time_empty(call)))
    for part in _measure_parts(call, seconds, first_s, waits=waits):
        say(part)
    say(Examined())


def _measure_parts(
    call: Call, seconds: float, first_s: float | None = None, *, waits: bool
) -> Iterator[ControlRead | RoundRead | WaitsRead]:
    yield ControlRead("holder", measure_release(_HOLDER, _CONTROL_SHARE * seconds))
    call_s = 0.0
    gil_enabled = True
    for each in measure_rounds(call, seconds, first_s):
        yield RoundRead(each)
        call_s, gil_enabled = each.call_s, each.gil_enabled
    yield ControlRead("releaser", measure_release(_RELEASER, _CONTROL_SHARE * seconds))
    if waits and gil_enabled:
        for asked in measure_waits(call, call_s, seconds):
            yield WaitsRead(asked)


def find_allowance(call_s: float, seconds: float, *, waits: bool = False) -> float:
    """Return the most that examining takes if one call takes ``call_s`` and none hangs."""
    times = _MOST_TIMES + (_WAIT_TIMES if waits else 0)
    calls = _MOST_CALLS + (_WAIT_CALLS if waits else 0)
    return times * seconds + calls * call_s


def examine(
    workload: Workload,
    seconds: float,
    timeout_s: float,
    variant: str = "",
    missing: Status = "unavailable",
    waits: bool = False,
) -> tuple[Finding | None, bool]:
    """Measure a workload in a fresh interpreter; say what it does, and whether Ctrl-C came.

    The finding is None if Ctrl-C came before anything was measured. If something goes wrong, the
    finding has the reason, and what was measured until then. That includes a setup or a first call
    that takes longer than ``timeout_s``, and a rest that takes so much longer than it can need.
    ``missing`` is the status if the setup or the call needs a module that is not there. With
    ``waits``, a thread also asks for the lock, to see how long it waits for the call.
    """
    examination = Examination(workload.name, variant)
    obstacle = find_obstacle()
    if obstacle is not None:
        reason = f"the GIL cannot be read here: {obstacle}"
        return examination.fail(reason, "unavailable"), False
    try:
        with Launch("gillab.release.child") as launch:
            end = _listen(launch, examination, Examine(workload, seconds, waits), timeout_s)
    except TimeoutError:
        return examination.fail(f"did not return within {timeout_s:g} s (--timeout)"), False
    except LaunchEndedError as error:
        return examination.fail(str(error)), False
    except KeyboardInterrupt:
        return (examination.leave_undecided(INTERRUPTED) if examination.rounds else None), True
    match end:
        case Examined():
            return examination.conclude(), False
        case Undecided(reason):
            return examination.leave_undecided(reason), False
        case ExaminationFailed(status, reason):
            return examination.fail(reason, missing if status == "missing" else status), False
    raise AssertionError(end)


def _listen(launch: Launch, examination: Examination, plan: Examine, timeout_s: float) -> Message:
    """Collect the parts, and return how it ended; TimeoutError if a setup or a call hangs."""
    launch.await_start(timeout_s)
    launch.send(plan)
    deadline = time.monotonic() + timeout_s
    while True:
        match launch.receive(deadline - time.monotonic()):
            case Prepared() | Filled():
                deadline = time.monotonic() + timeout_s
            case Returned(call_s, empty_s):
                examination.empty_s = empty_s
                deadline = (
                    time.monotonic()
                    + timeout_s
                    + find_allowance(call_s, plan.seconds, waits=plan.waits)
                )
            case ControlRead() | RoundRead() | WaitsRead() as part:
                examination.take(part)
            case end:
                return end


def require_meter() -> None:
    """Raise GillabError, with the reason, if this interpreter's GIL cannot be read."""
    why = find_obstacle()
    if why is not None:
        raise GillabError(f"the GIL cannot be read here: {why}.")


def find_obstacle() -> str | None:
    """Say why the GIL cannot be read here; None if it can."""
    check: Callable[[], str | None]
    try:
        from gillab.meter import why_unavailable as check
    except ImportError as error:
        return str(error)
    return check()
