"""The call of each kernel without work, against the same kernel bound by other means."""

from __future__ import annotations

import random
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from bench.blocks import Arm, measure_blocks
from bench.compiling import BuildError
from bench.peers import Peer
from bench.rows import Goal, Row, compare_ratio
from gillab.kernels import countdown_array, countdown_held, countdown_mixed, countdown_nogil

LIMIT = "C API, by hand"
PEERS = {
    LIMIT: "bench.peers.by_hand",
    "ctypes": "bench.peers.by_ctypes",
    "cffi": "bench.peers.by_cffi",
    "pybind11": "bench.peers.by_pybind11",
    "Numba": "bench.peers.by_numba",
}
FASTEST = Goal(1.0)
AT_THE_LIMIT = Goal(1.05)  # what the project calls the same
CALLS_A_TURN = 20  # written out in the loop, so that little of the time is the loop's
TURNS = 500


@dataclass(frozen=True, slots=True)
class Call:
    """One kernel with one argument; ``kernel`` is the key under which a peer offers it."""

    kernel: str
    subject: str
    function: Callable[..., int]
    argument: Any
    peers: tuple[str, ...]


CALLS = (
    Call("held", "countdown_held(0)", countdown_held, 0, (LIMIT, "ctypes", "pybind11", "Numba")),
    Call(
        "nogil",
        "countdown_nogil(0): nothing to release the GIL for",
        countdown_nogil,
        0,
        tuple(PEERS),
    ),
    Call("nogil", "countdown_nogil(1): releases the GIL", countdown_nogil, 1, tuple(PEERS)),
    Call("mixed", "countdown_mixed(0)", countdown_mixed, 0, ("pybind11",)),
    Call(
        "array",
        "countdown_array on an array.array holding 0",
        countdown_array,
        array("q", [0]),
        ("ctypes", "cffi", "pybind11"),
    ),
    Call(
        "numpy",
        "countdown_array on a NumPy array holding 0",
        countdown_array,
        np.zeros(1, dtype=np.int64),
        ("pybind11", "Numba"),
    ),
)
CALLED = "\n".join(["        function(argument)"] * CALLS_A_TURN)
TIMED_LOOP = f"""
def timed(function, argument, turns, clock, repeat):
    start = clock()
    for _ in repeat(None, turns):
{CALLED}
    return (clock() - start) / (turns * {CALLS_A_TURN}) * 1e-9
"""


def timing(function: Callable[..., int], argument: Any) -> Arm:
    """Make an arm that returns the seconds of one call.

    Each arm has a loop of its own: the interpreter specialises bytecode for what it calls.
    """
    namespace: dict[str, Any] = {}
    exec(TIMED_LOOP, namespace)
    timed = namespace["timed"]
    return lambda: float(timed(function, argument, TURNS, time.perf_counter_ns, repeat))


def build_peers(folder: Path) -> dict[str, Peer | str]:
    """Build every peer; in place of one that cannot be had stands a sentence that says why."""
    peers: dict[str, Peer | str] = {}
    for name, module in PEERS.items():
        try:
            peers[name] = import_module(module).build(folder)
        except ImportError as error:
            peers[name] = f"{error}; run python -m pip install -e '.[bench]'."
        except BuildError as error:
            peers[name] = f"does not compile here: {error}"
    return peers


def measure(fast: bool, generator: random.Random) -> list[Row]:
    """Rows of this section."""
    with tempfile.TemporaryDirectory() as folder:
        peers = build_peers(Path(folder))
    return [
        row for call in CALLS for row in measure_call(call, peers, 40 if fast else 200, generator)
    ]


def measure_call(
    call: Call, peers: dict[str, Peer | str], blocks: int, generator: random.Random
) -> list[Row]:
    """Rows of one kernel: each peer that offers it, in one set of blocks."""
    arms = {"gillab": timing(call.function, call.argument)}
    for name in call.peers:
        peer = peers[name]
        if isinstance(peer, Peer):
            arms[name] = timing(peer.kernels[call.kernel], call.argument)
    seconds = measure_blocks(arms, blocks, generator)
    rows = []
    for name in call.peers:
        peer = peers[name]
        goal = AT_THE_LIMIT if name == LIMIT else FASTEST
        if isinstance(peer, str):
            rows.append(Row(call.subject, name, goal=goal, note=peer))
            continue
        rows.append(compare_ratio(call.subject, peer.label, seconds["gillab"], seconds[name], goal))
    return rows
