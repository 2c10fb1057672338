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
from gillab.measure.release import Release, measure_release
from gillab.workload import Workload

_CONTROL_SHARE = 0.2
"""Each control is measured for this share of the call's time."""
# Some 0.1 and 1 ms a call: what a call of the releaser holds is beneath notice.
_HOLDER = Call(countdown_held, (300_000,))
_RELEASER = Call(countdown_nogil, (3_000_000,))


def examine_call(call: Call, seconds: float) -> tuple[Release, Release, Release]:
    """Measure the call, the holder and the releaser, in this thread and for about ``seconds``.

    MeterUnavailableError where the lock's state cannot be read, TooBusyError where the machine
    gave no sample of it; whatever the call raises.
    """
    holder = measure_release(_HOLDER, _CONTROL_SHARE * seconds)
    release = measure_release(call, seconds)
    releaser = measure_release(_RELEASER, _CONTROL_SHARE * seconds)
    return release, holder, releaser


def examine_here(workload: Workload, seconds: float) -> dict[str, Any]:
    """Measure a workload in this thread; plain data, to be sent to another process."""
    call, holder, releaser = examine_call(prepare_call(workload), seconds)
    return {"call": asdict(call), "holder": asdict(holder), "releaser": asdict(releaser)}


def examine(workload: Workload, seconds: float, timeout_s: float, variant: str = "") -> Finding:
    """Measure a workload in a fresh interpreter and say what it does.

    What goes wrong there is in the finding, with its reason.
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
            event = launch.receive(timeout_s)
        except TimeoutError:
            event = _fail(f"did not return within {timeout_s:g} s (--timeout)")
        except LaunchEndedError as error:
            event = _fail(str(error))
    if event["event"] == "undecided":
        return leave_undecided(workload.name, variant, python, event["reason"])
    if event["event"] == "failed":
        return Finding(
            workload.name, python, event["status"], variant=variant, reason=event["reason"]
        )
    call, holder, releaser = (read_release(event[key]) for key in ("call", "holder", "releaser"))
    return judge(workload.name, variant, python, call, holder, releaser)


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
