"""The call that is repeated: resolved once, called from C, ended by what it raises."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from gillab._repeat import repeat_for
from gillab.release.call import Call, fill_loop, prepare_call
from gillab.workload import resolve_workload


def resolve(text: str, setup: str = "", args: str = "") -> Call:
    return prepare_call(resolve_workload(text, setup, args))


def test_it_calls_at_least_once_and_tells_how_often() -> None:
    seen: list[int] = []
    calls, elapsed_ns, longest_ns, shortest_ns = repeat_for(0.0, seen.append, (1,))
    assert (calls, seen) == (1, [1])
    assert 0 < shortest_ns == longest_ns <= elapsed_ns


def test_it_counts_every_call_of_every_batch() -> None:
    seen: list[int] = []
    calls, elapsed_ns, longest_ns, shortest_ns = repeat_for(0.01, seen.append, (1,))
    assert calls == len(seen) > 1
    assert elapsed_ns >= 10_000_000
    assert longest_ns <= elapsed_ns
    assert shortest_ns == 0  # nobody knows: they were timed together


def test_long_calls_are_timed_alone() -> None:
    calls, elapsed_ns, longest_ns, shortest_ns = repeat_for(0.01, time.sleep, (0.001,))
    assert 1_000_000 <= shortest_ns <= longest_ns
    assert calls * shortest_ns <= elapsed_ns <= calls * longest_ns + 1_000_000


def test_arguments_arrive_by_place_and_by_name() -> None:
    seen: list[Any] = []

    def call(*args: object, **named: object) -> None:
        seen.append((args, named))

    repeat_for(0.0, call, (1, "two"), {"three": 3, "four": None})
    assert seen == [((1, "two"), {"three": 3, "four": None})]


def test_what_the_call_raises_goes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        repeat_for(1.0, divmod, (1, 0))


def test_nothing_is_leaked_or_freed_too_often() -> None:
    argument = object()
    before = sys.getrefcount(argument)
    repeat_for(0.01, lambda value, same: [value, same], (argument,), {"same": argument})
    assert sys.getrefcount(argument) == before


def test_an_interrupt_ends_it() -> None:
    script = (
        "import signal\n"
        "from gillab._repeat import repeat_for\n"
        "if hasattr(signal, 'setitimer'):\n"
        "    signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "    try:\n"
        "        repeat_for(3600.0, len, ('',))\n"
        "    except KeyboardInterrupt:\n"
        "        print('ended')\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert child.stdout.strip() == ("ended" if sys.platform != "win32" else "")


def test_a_plain_call_is_resolved_once() -> None:
    call = resolve("len(data)", "data = [1, 2, 3]")
    assert (call.function, call.arguments, call.per_call) == (len, ([1, 2, 3],), 1)


def test_names_of_the_setup_and_keywords_are_found() -> None:
    call = resolve("sorted(data, reverse=flag, key=None)", "data = [1, 2]; flag = True")
    assert call.function is sorted
    assert call.named == {"reverse": True, "key": None}
    assert resolve("math.pow(2, -1)", "import math").arguments == (2, -1)


def test_a_bound_method_is_resolved_too() -> None:
    call = resolve("data.count(1)", "data = [1, 1]")
    assert call.function(*call.arguments) == 2


@pytest.mark.parametrize(
    "statement",
    ["x = len(data)", "len(data) + 1", "len(list(data))", "print(*data)", "data[0].bit_length()"],
)
def test_anything_else_runs_in_a_loop_of_pythons(statement: str) -> None:
    call = resolve(statement, "data = [1, 2]")
    assert (call.loops, call.per_call, call.arguments) == (True, 1, (1,))
    assert call.function not in (len, print)


def test_a_loop_is_filled_with_calls_and_any_other_call_stays_as_it_is() -> None:
    # A call that has to wait for a CPU seems long enough by itself.
    tries = (fill_loop(resolve("x = 1")) for _ in range(20))
    filled = max(tries, key=lambda call: call.per_call)
    assert filled.per_call > 1
    assert filled.arguments == (filled.per_call,)
    assert fill_loop(resolve("time.sleep(0.001); x = 1", "import time")).per_call == 1
    plain = resolve("len('abc')")
    assert fill_loop(plain) is plain


def test_a_statement_shares_the_names_of_its_setup() -> None:
    resolve("total += 1", "total = 0").function(3)


def test_a_function_takes_its_arguments() -> None:
    call = resolve("math:gcd", args="(12, 18)")
    assert call.function(*call.arguments) == 6
    assert resolve("builtins:len", args="'abc'").arguments == ("abc",)


def test_a_kernel_is_called_with_its_steps() -> None:
    call = resolve("nogil")
    assert call.arguments == (1_000_000,)


def test_what_the_setup_made_lives_as_long_as_the_call() -> None:
    setup = "import tempfile; f = tempfile.TemporaryFile(); fd = f.fileno()"
    call = resolve("os.write(fd, b'x')", f"import os; {setup}")
    assert call.function(*call.arguments) == 1
    call.keeps.names["f"].close()  # type: ignore[attr-defined]
