"""Runs every kernel without end, one after the other: ``interrupt_kernel.py alarm|ctrl-c``.

``alarm``: a timer's handler raises; prints "NAME: interrupted". ``ctrl-c``: says "NAME: counting"
and waits for whoever started it to send SIGINT; the one in the last kernel ends it as it ends any
Python program. A kernel that returns, because its loop was deleted, prints "NAME: returned".
"""

import signal
import sys
from types import FrameType

from kernel_cases import CASES, KernelCase

ENDLESS = 2**63 - 1  # the most there is, which a double cannot tell from one more


class AlarmError(Exception):
    """The timer went off."""


def raise_alarm(signum: int, frame: FrameType | None) -> None:
    raise AlarmError


def await_alarm(case: KernelCase) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        case.call(ENDLESS)
    except AlarmError:
        print(f"{case}: interrupted")
    else:
        print(f"{case}: returned")


def await_ctrl_c(case: KernelCase) -> None:
    print(f"{case}: counting", flush=True)
    case.call(ENDLESS)
    print(f"{case}: returned", flush=True)


*others, last = CASES.values()
if sys.argv[1] == "alarm":
    signal.signal(signal.SIGALRM, raise_alarm)
    for case in CASES.values():
        await_alarm(case)
else:
    # A shell starts background jobs with SIGINT ignored, and Python leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for case in others:
        try:
            await_ctrl_c(case)
        except KeyboardInterrupt:
            continue
    await_ctrl_c(last)
