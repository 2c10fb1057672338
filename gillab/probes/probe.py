"""The probes: three things that a program's other threads do, each of which notes its delays."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

PAUSE_S = 1e-3
_LEAST_S = 1e-9
"""A clock that is too coarse may show no delay at all, which no logarithmic axis could show."""

Probe = Callable[[float], list[float]]
"""Runs for so many seconds, but notes at least one delay; returns the delays, in seconds.

The end of the time cuts no delay short: that would leave out the long ones.
"""


def beat(seconds: float) -> list[float]:
    """Sleep for a millisecond again and again, and note how late each wake-up is."""
    delays: list[float] = []
    until = time.perf_counter() + seconds
    while True:
        due = time.perf_counter() + PAUSE_S
        time.sleep(PAUSE_S)
        now = time.perf_counter()
        delays.append(max(_LEAST_S, now - due))
        if now >= until:
            return delays


def ask_echo(seconds: float) -> list[float]:
    """Send a byte to a thread that sends it back, and note how long each round trip takes.

    Both ends are threads of this process, as in a program that talks with itself: each gives the
    lock away whenever it sends or receives.
    """
    near, far = socket.socketpair()

    def answer() -> None:
        while request := far.recv(64):
            far.send(request)

    server = threading.Thread(target=answer, name="gillab-echo", daemon=True)
    delays: list[float] = []
    with far, near:
        server.start()
        now = time.perf_counter()
        until = now + seconds
        while True:
            begun = now
            near.send(b"x")
            near.recv(64)
            now = time.perf_counter()
            delays.append(max(_LEAST_S, now - begun))
            if now >= until:
                break
        near.shutdown(socket.SHUT_WR)
        server.join()
    return delays


def watch_loop(seconds: float) -> list[float]:
    """Run an asyncio loop with a timer of a millisecond, and note how late each call of it is."""
    return asyncio.run(_watch(seconds))


async def _watch(seconds: float) -> list[float]:
    delays: list[float] = []
    until = time.perf_counter() + seconds
    while True:
        due = time.perf_counter() + PAUSE_S
        await asyncio.sleep(PAUSE_S)
        now = time.perf_counter()
        delays.append(max(_LEAST_S, now - due))
        if now >= until:
            return delays


PROBES: dict[str, Probe] = {"heartbeat": beat, "echo": ask_echo, "loop": watch_loop}
