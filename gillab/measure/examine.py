"""A call examined beside a known holder and a known releaser, here or in a fresh interpreter."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from gillab.errors import GillabError
from gillab.findings import Finding
from gillab.kernels import countdown_held, countdown_nogil
from gillab.measure.call import Call, prepare_call
from gillab.measure.judge import judge, leave_undecided, read_release
from gillab.measure.launch import Launch, LaunchEndedError
from gillab.measure.release import Release, measure_release, time_first
from gillab.results import Status
from gillab.workload import Workload

_CONTROL_SHARE = 0.2
"""Each control is measured for this share of the call's time."""
_MOST_TIMES = 4 * (1 + 2 * _CONTROL_SHARE)
"""Call and controls are repeated for three times their time at most, and a round more."""
_MOST_CALLS = 6
"""A long call runs so often at most besides: before the rounds, and in the fewest there are."""
# Some 0.1 and 1 ms a call: what a call of the releaser holds is beneath notice.
_HOLDER = Call(countdown_held, (300_000,))
_RELEASER = Call(countdown_nogil, (3_000_000,))


def examine_call(
    call: Call, seconds: float, first_s: float | None = None
) -> tuple[Release, Release, Release]:
    """Measure the call, the holder and the releaser, in this thread and for about ``seconds``.

    ``first_s`` is what `time_first` returned, where it was called before.
    MeterUnavailableError where the lock's state cannot be read, TooBusyError where the machine
    gave no sample of it; whatever the call raises.
    """
    holder = measure_release(_HOLDER, _CONTROL_SHARE * seconds)
    release = measure_release(call, seconds, first_s)
    releaser = measure_release(_RELEASER, _CONTROL_SHARE * seconds)
    return release, holder, releaser


def examine_here(workload: Workload, seconds: float, say: Callable[..., None]) -> dict[str, Any]:
    """Measure a workload in this thread; plain data, to be sent to another process.

    ``say`` is told when the setup has run, and when the call has returned once with the seconds
    that it took: who waits then knows how long a sound call may keep it waiting.
    """
    call = prepare_call(workload)
    say("prepared")
    first_s = time_first(call)
    say("returned", seconds=first_s)
    release, holder, releaser = examine_call(call, seconds, first_s)
    return {"call": asdict(release), "holder": asdict(holder), "releaser": asdict(releaser)}


def find_allowance(call_s: float, seconds: float) -> float:
    """Return the most that examining takes where one call takes ``call_s`` and none hangs."""
    return _MOST_TIMES * seconds + _MOST_CALLS * call_s


def examine(
    workload: Workload,
    seconds: float,
    timeout_s: float,
    variant: str = "",
    missing: Status = "unavailable",
) -> Finding:
    """Measure a workload in a fresh interpreter and say what it does.

    What goes wrong there is in the finding, with its reason: so it is where the setup or the first
    call takes longer than ``timeout_s``, or the rest so much longer than it can need. ``missing``
    is the status where the setup or the call wants a module that is not there.
    """
    python = platform.python_version()
    obstacle = find_obstacle()
    if obstacle is not None:
        reason = f"the GIL cannot be read here: {obstacle}"
        return Finding(workload.name, python, "unavailable", variant=variant, reason=reason)
    plan = {"workload": asdict(workload), "arms": [], "examine_s": seconds}
    event: dict[str, Any]
    with Launch(plan) as launch:
        try:
            event = _await_end(launch, seconds, timeout_s)
        except TimeoutError:
            event = _fail(f"did not return within {timeout_s:g} s (--timeout)")
        except LaunchEndedError as error:
            event = _fail(str(error))
    if event["event"] == "undecided":
        return leave_undecided(workload.name, variant, python, event["reason"])
    if event["event"] == "failed":
        status = missing if event["status"] == "missing" else event["status"]
        return Finding(workload.name, python, status, variant=variant, reason=event["reason"])
    call, holder, releaser = (read_release(event[key]) for key in ("call", "holder", "releaser"))
    return judge(workload.name, variant, python, call, holder, releaser)


def _await_end(launch: Launch, seconds: float, timeout_s: float) -> dict[str, Any]:
    """Return what came of it; TimeoutError where the setup, a call or the rest hangs."""
    allowance_s = 0.0
    while True:
        event = launch.receive(allowance_s + timeout_s)
        if event["event"] not in ("prepared", "returned"):
            return event
        if event["event"] == "returned":
            allowance_s = find_allowance(event["seconds"], seconds)


def _fail(reason: str) -> dict[str, Any]:
    return {"event": "failed", "status": "failed", "reason": reason}


def require_meter() -> None:
    """GillabError, with the reason, where this interpreter's GIL cannot be read."""
    why = find_obstacle()
    if why is not None:
        raise GillabError(f"the GIL cannot be read here: {why}.")


def find_obstacle() -> str | None:
    """Say why the GIL cannot be read here; None where it can."""
    check: Callable[[], str | None]
    try:
        from gillab.meter import why_unavailable as check
    except ImportError as error:
        return str(error)
    return check()
