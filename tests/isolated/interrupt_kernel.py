"""Runs a kernel without end: ``interrupt_kernel.py NAME alarm|ctrl-c``.

``alarm``: a timer's handler raises; prints "interrupted". ``ctrl-c``: says "counting" and waits
for whoever started it to send SIGINT, which ends it as it ends any Python program. A kernel that
returns, because its loop was deleted, prints "returned".
"""

import signal
import sys
from types import FrameType

from kernel_cases import CASES

ENDLESS = 2**63 - 1  # the most there is, which a double cannot tell from one more


class AlarmError(Exception):
    """The timer went off."""


def raise_alarm(signum: int, frame: FrameType | None) -> None:
    raise AlarmError


case = CASES[sys.argv[1]]
if sys.argv[2] == "alarm":
    signal.signal(signal.SIGALRM, raise_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        case.call(ENDLESS)
    except AlarmError:
        print("interrupted")
    else:
        print("returned")
else:
    # A shell starts background jobs with SIGINT ignored, and Python leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("counting", flush=True)
    case.call(ENDLESS)
    print("returned")
