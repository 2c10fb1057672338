"""The kernels: one suite over all of them, then what sets each apart."""

from __future__ import annotations

import inspect
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import CASES, KernelCase

import gillab
from gillab import kernels
from gillab.errors import CompiledPartMissingError
from gillab.gil_assertions import GilAssertions
from gillab.kernels import (
    KERNELS,
    countdown_array,
    countdown_mixed,
    countdown_nogil,
    countdown_python,
)

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "csrc"
# With what is there before, so that a child has the gillab that is tested here.
CHILD_PATH = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
CHILD_ENVIRONMENT = {**os.environ, "PYTHONPATH": CHILD_PATH}
ENDLESS = 2**62
TIME_LIMIT_S = 120  # of a child that should end at once: only a hang reaches it
INT64_MAX = 2**63 - 1
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

needs_signals = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
needs_gil = pytest.mark.skipif(FREE_THREADED, reason="this Python has no GIL to hold")

all_kernels = pytest.mark.parametrize("case", CASES.values(), ids=str)
NATIVE = [case for case in CASES.values() if case.native]
native_kernels = pytest.mark.parametrize("case", NATIVE, ids=str)


def run_isolated(script: str, *arguments: str) -> str:
    """Run a script of tests/isolated in a child and return what it prints."""
    child = subprocess.run(
        [sys.executable, str(TESTS / "isolated" / script), *arguments],
        check=False,
        env=CHILD_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.strip()


# The contract: (n) -> max(n, 0)


@all_kernels
@pytest.mark.parametrize("n", [0, 1, 2, 1000, 1_000_001])
def test_returns_the_steps_taken(case: KernelCase, n: int) -> None:
    assert case.call(n) == n


@all_kernels
@pytest.mark.parametrize("n", [-1, -1000, -(2**40), -(2**63)])
def test_takes_no_step_from_a_negative_number(case: KernelCase, n: int) -> None:
    assert case.call(n) == 0


# A release of the GIL at every second step takes long, and by the same path.
@pytest.mark.parametrize("case", [c for c in NATIVE if c.name != "mixed-0.5-2"], ids=str)
@pytest.mark.parametrize("n", [2**26, 2**26 + 1, 3 * 2**26 + 5])
def test_counts_on_past_each_look_for_a_signal(case: KernelCase, n: int) -> None:
    assert case.call(n) == n


@native_kernels
@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 10**100, -(10**100)])
def test_refuses_what_does_not_fit_64_bits(case: KernelCase, n: int) -> None:
    with pytest.raises(OverflowError):
        case.call(n)


@pytest.mark.parametrize("n", [-(2**63) - 1, -(10**100)])
def test_pure_python_has_no_limit(n: int) -> None:
    assert countdown_python(n) == 0


@all_kernels
@pytest.mark.parametrize("n", [1.0, 0.0, math.nan, "1", b"1", None, [1], 1j, object], ids=repr)
def test_refuses_what_is_not_an_integer(case: KernelCase, n: Any) -> None:
    with pytest.raises(TypeError):
        case.call(n)


class Indexed(int):
    """An integer only by ``__index__``; as an int subclass it would be 0."""


class ByIndex:
    def __init__(self, n: Any) -> None:
        self.n = n

    def __index__(self) -> Any:
        return self.n


@pytest.mark.parametrize("name", KERNELS)
def test_takes_whatever_stands_for_an_integer(name: str) -> None:
    kernel: Any = KERNELS[name]
    results = [kernel(n) for n in (True, False, ByIndex(5), ByIndex(-5), Indexed(7), np.int64(3))]
    assert results == [1, 0, 5, 0, 7, 3]


@pytest.mark.parametrize("name", KERNELS)
def test_passes_on_what_an_index_raises(name: str) -> None:
    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        KERNELS[name](Broken())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        KERNELS[name](ByIndex("5"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", KERNELS)
def test_the_result_is_an_exact_int(name: str) -> None:
    assert type(KERNELS[name](True)) is int


@given(n=st.integers(min_value=-(2**63), max_value=20_000))
@settings(deadline=None)
def test_all_agree_with_pure_python(n: int) -> None:
    steps = countdown_python(n)
    assert {case.name: case.call(n) for case in NATIVE} == {case.name: steps for case in NATIVE}


@given(n=st.integers(min_value=2**63) | st.integers(max_value=-(2**63) - 1))
def test_overflows_beyond_64_bits_everywhere(n: int) -> None:
    for case in NATIVE:
        try:
            steps = case.call(n)
        except OverflowError:
            continue
        pytest.fail(f"{case} took {n} and returned {steps}")


# What a reader and a tool can ask of a kernel


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("countdown_held", "(n, /)"),
        ("countdown_nogil", "(n, /)"),
        ("countdown_mixed", "(n, released=0.5, chunk=1000000)"),
        ("countdown_array", "(counts, /)"),
    ],
)
def test_says_its_signature_and_what_it_does(name: str, signature: str) -> None:
    kernel = getattr(kernels, name)
    assert str(inspect.signature(kernel)) == signature
    assert kernel.__doc__.startswith("Count ")


@pytest.mark.parametrize("name", [*KERNELS, "countdown_array"])
def test_travels_by_pickle(name: str) -> None:
    kernel = getattr(kernels, name)
    assert pickle.loads(pickle.dumps(kernel)) is kernel


# The loop is there


@needs_signals
def test_an_endless_count_is_interrupted_and_does_not_return() -> None:
    ends = run_isolated("interrupt_kernel.py", "alarm").splitlines()
    assert ends == [f"{name}: interrupted" for name in CASES]


@needs_signals
def test_ctrl_c_ends_an_endless_count() -> None:
    child = subprocess.Popen(
        [sys.executable, str(TESTS / "isolated" / "interrupt_kernel.py"), "ctrl-c"],
        env=CHILD_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    hang = threading.Timer(TIME_LIMIT_S, child.kill)
    hang.start()
    with child:
        try:
            assert child.stdout is not None
            for name in CASES:
                assert child.stdout.readline() == f"{name}: counting\n"
                time.sleep(0.05)  # into the kernel; the claim holds as well before it
                child.send_signal(signal.SIGINT)
            output, errors = child.communicate(timeout=TIME_LIMIT_S)
        finally:
            hang.cancel()
            child.kill()
    assert output == ""
    assert errors.rstrip().endswith("KeyboardInterrupt")


ALARMED_COUNTDOWN = """
#include <unistd.h>
#include "countdown.h"
int main(void)
{
    ALARM;
    gl_countdown(INT64_C(1) << 62);
    return 0;
}
"""

SOON = "-DALARM=ualarm(50000,0)"
LATE = "-DALARM=alarm(60)"  # a program that returns at once does so first on any machine
WITHOUT_BARRIER = ["-DGL_BARRIER_H", "-DGL_COUNTER=int64_t", "-DGL_BARRIER(counter)=((void)0)"]


def exit_of_countdown(compiler: str, options: list[str], folder: Path) -> int:
    """How a C program that counts 2**62 down and is sent SIGALRM ends."""
    main, program = folder / "main.c", folder / "countdown"
    main.write_text(ALARMED_COUNTDOWN)
    compiled = subprocess.run(
        [compiler, *options, f"-I{SOURCES}", main, SOURCES / "countdown.c", "-o", program],
        check=False,
        capture_output=True,
        text=True,
    )
    if compiled.returncode != 0 and "-flto" in options:
        pytest.skip(f"{compiler} cannot optimise at link time here: {compiled.stderr[:200]}")
    assert compiled.returncode == 0, compiled.stderr
    return subprocess.run([program], check=False, timeout=TIME_LIMIT_S).returncode


# One compiler may have several names.
FOUND = {
    os.path.realpath(path): name for name in ("cc", "clang", "gcc") if (path := shutil.which(name))
}
compilers = pytest.mark.parametrize("compiler", FOUND.values())


@needs_signals
@compilers
@pytest.mark.parametrize("linking", [[], ["-flto"]], ids=["plain", "lto"])
@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3", "-Ofast"])
def test_no_compiler_deletes_the_loop(
    compiler: str, level: str, linking: list[str], tmp_path: Path
) -> None:
    assert exit_of_countdown(compiler, [level, SOON, *linking], tmp_path) == -signal.SIGALRM


@needs_signals
@compilers
def test_without_its_barrier_the_loop_is_deleted(compiler: str, tmp_path: Path) -> None:
    """The control of the test above: this is what it would see."""
    assert exit_of_countdown(compiler, ["-O2", LATE, *WITHOUT_BARRIER], tmp_path) == 0


# The lock is held, or not


@needs_gil
@pytest.mark.parametrize("name", ["held", "mixed-0.0-1000000"])
def test_a_held_count_lets_no_other_thread_run(name: str) -> None:
    assert run_isolated("order_of_events.py", name, str(2**29)) == "enter leave main"


@pytest.mark.parametrize("name", ["nogil", "mixed-0.5-1000000", "mixed-1.0-1000000", "array"])
def test_a_released_count_lets_another_thread_run(name: str) -> None:
    assert run_isolated("order_of_events.py", name, str(ENDLESS)) == "enter main"


def test_pure_python_hands_the_lock_over_on_request() -> None:
    assert run_isolated("order_of_events.py", "python", str(ENDLESS), "0.001") == "enter main"


@needs_gil
def test_pure_python_keeps_the_lock_until_it_is_asked() -> None:
    assert run_isolated("order_of_events.py", "python", "1000000") == "enter leave main"


# countdown_mixed


@pytest.mark.parametrize("released", [-0.1, 1.1, math.nan, math.inf, -math.inf])
def test_mixed_refuses_a_fraction_outside_0_to_1(released: float) -> None:
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        countdown_mixed(1, released=released)


@pytest.mark.parametrize("chunk", [0, -1])
def test_mixed_refuses_a_chunk_under_1(chunk: int) -> None:
    with pytest.raises(ValueError, match="from 1 on"):
        countdown_mixed(1, chunk=chunk)


@pytest.mark.parametrize("options", [{"released": "0.5"}, {"chunk": 1.5}, {"chunk": None}])
def test_mixed_refuses_options_of_another_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        countdown_mixed(1, **options)


@given(
    n=st.integers(min_value=-10, max_value=5_000),
    released=st.floats(min_value=0, max_value=1),
    chunk=st.integers(min_value=1, max_value=INT64_MAX),
)
@settings(deadline=None)
def test_mixed_takes_every_step_at_any_mixture(n: int, released: float, chunk: int) -> None:
    assert countdown_mixed(n, released, chunk) == max(n, 0)


# countdown_array


@pytest.mark.parametrize(
    "counts",
    [
        np.array([3, 0, -2, 5], dtype=np.int64),
        np.array([3, 0, -2, 5], dtype=np.longlong),
        array("q", [3, 0, -2, 5]),
        memoryview(array("q", [3, 0, -2, 5])),
        memoryview(bytearray(np.array([3, 0, -2, 5], dtype=np.int64).tobytes())).cast("q"),
        np.array([3, 9, 0, 9, -2, 9, 5], dtype=np.int64)[::2],
        np.array([5, -2, 0, 3], dtype=np.int64)[::-1],
        memoryview(array("q", [3, 9, 0, 9, -2, 9, 5]))[::2],
    ],
    ids=["int64", "longlong", "array", "memoryview", "cast", "strided", "reversed", "sliced"],
)
def test_array_counts_each_element_down_in_place(counts: Any) -> None:
    assert countdown_array(counts) == 8
    assert list(counts) == [0, 0, -2, 0]


def test_array_leaves_what_lies_between_the_strides() -> None:
    counts = np.arange(1, 9, dtype=np.int64)
    assert countdown_array(counts[1::3]) == 2 + 5 + 8
    assert counts.tolist() == [1, 0, 3, 4, 0, 6, 7, 0]


def test_array_may_be_unaligned() -> None:
    records = np.zeros(3, dtype=[("tag", "i1"), ("count", "i8")])
    counts = np.frombuffer(records, dtype=np.int64, count=3, offset=1)
    counts[:] = [1, 2, 3]
    assert countdown_array(counts) == 6


def test_array_may_be_empty() -> None:
    assert countdown_array(array("q")) == 0
    assert countdown_array(np.zeros(0, dtype=np.int64)) == 0


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros(3, dtype=np.int32),
        np.zeros(3, dtype=np.uint64),
        np.zeros(3, dtype=np.float64),
        np.zeros(3, dtype=np.complex128),
        np.zeros(3, dtype=np.dtype(np.int64).newbyteorder("S")),
        np.zeros(3, dtype=[("a", "i4"), ("b", "i4")]),
        np.zeros((2, 2), dtype=np.int64),
        np.array(3, dtype=np.int64),
        bytearray(8),
        [1, 2, 3],
        3,
        None,
    ],
    ids=lambda counts: str(getattr(counts, "dtype", type(counts).__name__)),
)
def test_array_refuses_anything_but_a_line_of_int64(counts: Any) -> None:
    with pytest.raises(TypeError):
        countdown_array(counts)


def test_array_refuses_what_it_cannot_write() -> None:
    frozen = np.array([3], dtype=np.int64)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        countdown_array(frozen)
    with pytest.raises(BufferError):
        countdown_array(memoryview(bytes(8)).cast("q"))
    assert frozen.tolist() == [3]


def test_array_gives_the_buffer_back() -> None:
    counts = array("q", [1])
    countdown_array(counts)
    counts.append(2)  # refused while a buffer is out
    wrong = bytearray(8)
    with pytest.raises(TypeError):
        countdown_array(wrong)
    wrong.append(0)


@given(st.lists(st.integers(min_value=-(2**63), max_value=1_000), max_size=30))
@settings(deadline=None)
def test_array_takes_the_sum_of_what_is_positive(elements: list[int]) -> None:
    counts = array("q", elements)
    assert countdown_array(counts) == sum(max(n, 0) for n in elements)
    assert counts.tolist() == [min(n, 0) for n in elements]


# What an import brings along


def test_importing_the_kernels_loads_next_to_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules); import gillab.kernels; "
        "print(*sorted(set(sys.modules) - before))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name for name in child.stdout.split() if not name.startswith("gillab")}
    # Of the standard library only what is small; of Cython only what it brings along itself.
    assert {name for name in loaded if "cython" not in name} <= {
        "__future__",
        "operator",
        "_operator",
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12: a GIL for each")
def test_interpreters_with_their_own_gil_import_them_again_and_again() -> None:
    assert run_isolated("kernels_in_interpreters.py") == "ok"


@pytest.mark.skipif(not FREE_THREADED, reason="needs a free-threaded build of Python")
def test_importing_the_kernels_leaves_the_gil_off() -> None:
    script = "import sys, gillab.kernels; print(sys._is_gil_enabled())"
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert child.stdout == "False\n"


@pytest.mark.parametrize(
    ("module", "what"), [("gillab.kernels", "kernels are"), ("gillab.meter", "sampler is")]
)
def test_a_missing_compiled_part_is_one_sentence_with_the_command(
    tmp_path: Path, module: str, what: str
) -> None:
    package = Path(gillab.__file__).parent
    shutil.copytree(
        package, tmp_path / "gillab", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    )
    child = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert child.returncode == 1
    sentence = child.stderr.splitlines()[-1]
    assert f"gillab's compiled {what} not beside its Python files" in sentence
    assert "'python -m pip install -e .'" in sentence
    assert isinstance(CompiledPartMissingError(sentence), ImportError)


# What they do with the lock, by the fixture that gillab brings to any suite


def test_the_released_kernel_releases_the_gil(gil: GilAssertions) -> None:
    gil.assert_releases(countdown_nogil, 3_000_000, at_least=0.5)


def test_the_array_kernel_releases_the_gil(gil: GilAssertions) -> None:
    def count_anew() -> None:
        countdown_array(np.full(3, 1_000_000))

    gil.assert_releases(count_anew, at_least=0.5)


def fail_to_release(gil: GilAssertions, call: Callable[..., object], *args: object) -> str:
    """Return what the failure says; skip where the machine was too busy to name a class."""
    with pytest.raises(AssertionError) as failure:
        gil.assert_releases(call, *args)
    if "seemed to release the GIL for" in str(failure.value):
        pytest.skip(str(failure.value))
    return str(failure.value)


@needs_gil
@pytest.mark.parametrize("name", ["countdown_held", "countdown_python"])
def test_the_kernels_that_hold_the_gil_are_seen_to(gil: GilAssertions, name: str) -> None:
    assert "holds the GIL" in fail_to_release(gil, KERNELS[name], 100_000)


@needs_gil
def test_a_kernel_that_releases_the_gil_in_part_is_seen_to(gil: GilAssertions) -> None:
    told = fail_to_release(gil, countdown_mixed, 1_000_000, 0.5, 100_000)
    assert "releases the GIL in part" in told


# The same from many threads at once


def test_many_threads_may_count_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as executor:
        counts = list(executor.map(countdown_nogil, range(0, 200_000, 1_000)))
    assert counts == list(range(0, 200_000, 1_000))
