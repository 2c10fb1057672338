"""Holds the GIL for known shares of the time, in two functions, and says on request which.

hold_20 holds it for 20 % of the time and hold_60 for 60 %; in between the thread sleeps. Each line
that is read is answered with the shares since the one before, as "0.2004 0.5991".
"""

import select
import sys
import time

import let_be_read  # noqa: F401

PERIOD_NS = 10_000_000


def hold_20(until_ns: int) -> None:
    while time.perf_counter_ns() < until_ns:
        pass


def hold_60(until_ns: int) -> None:
    while time.perf_counter_ns() < until_ns:
        pass


def main() -> None:
    begun = began = time.perf_counter_ns()
    short = long = 0
    print("ready", flush=True)
    while True:
        hold_20(begun + PERIOD_NS // 5)
        middle = time.perf_counter_ns()
        hold_60(middle + 3 * PERIOD_NS // 5)
        ended = time.perf_counter_ns()
        short += middle - begun
        long += ended - middle
        time.sleep(max(begun + PERIOD_NS - ended, 0) / 1e9)
        now = time.perf_counter_ns()
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            whole = now - began
            print(f"{short / whole:.4f} {long / whole:.4f}", flush=True)
            began, short, long = now, 0, 0
        begun = time.perf_counter_ns()


main()
