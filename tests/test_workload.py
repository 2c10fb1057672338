"""What a text on the command line means, and what a worker makes of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gillab.errors import UsageError
from gillab.kernels import KERNELS
from gillab.workload import (
    Workload,
    make_task,
    prepare,
    refuse_lazy,
    resolve_workload,
    run_setup,
)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_goes_by_its_long_and_its_short_name(name: str) -> None:
    long, short = resolve_workload(name), resolve_workload(name.removeprefix("countdown_"))
    assert long == short == Workload(name, "kernel")
    assert prepare(long) is KERNELS[name]


def test_module_and_function_are_a_function() -> None:
    assert resolve_workload("json:dumps", args="(1,)").kind == "function"


@pytest.mark.parametrize(
    "text", ["sum(range(10))", "x = 1", "{1: 2}[1]", "a[1:2]", "for _ in []: 1"]
)
def test_anything_else_is_a_statement(text: str) -> None:
    assert resolve_workload(text, setup="a = []").kind == "statement"


@pytest.mark.parametrize(
    ("text", "setup", "args", "hint"),
    [
        ("nogli", "", "", "did you mean nogil?"),
        ("countdown_phyton", "", "", "did you mean countdown_python"),
        ("undefined_name", "", "", "neither a kernel nor a name"),
        ("x +", "", "", "not valid Python"),
        ("return 1", "", "", "outside function"),
        ("yield", "", "", "outside function"),
        ("pass", "1 +", "", "the setup is not valid Python"),
        ("pass", "from math import *", "", "import \\* only allowed at module level"),
        ("", "", "", "empty"),
        ("x\0", "", "", "null byte"),
        ("json:dumps", "", "(1", "--args is not valid Python"),
        ("sum([])", "", "(1,)", "--args goes with package.module:function"),
        ("nogil", "", "(1,)", "--args goes with package.module:function"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    text: str, setup: str, args: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        resolve_workload(text, setup, args)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("deep", ["-" * 100_000 + "1", "1+" * 400_000 + "1"], ids=["-", "+"])
@pytest.mark.parametrize(
    ("form", "what"),
    [
        (("{}", "", ""), "the workload is"),
        (("pass", "{}", ""), "the setup is"),
        (("json:dumps", "{}", ""), "the setup is"),
        (("json:dumps", "", "{}"), "--args is"),
    ],
)
def test_what_is_nested_too_deeply_is_one_short_sentence(
    form: tuple[str, str, str], what: str, deep: str
) -> None:
    text, setup, args = (part.format(deep) for part in form)
    with pytest.raises(UsageError) as caught:
        resolve_workload(text, setup, args)
    assert str(caught.value) == f"{what} nested too deeply to be compiled."


@pytest.mark.parametrize("depth", range(50, 1000, 50))
def test_no_depth_of_nesting_is_a_traceback(depth: int) -> None:
    with suppress(UsageError):
        resolve_workload("-" * depth + "1")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("json:dmps", "no 'dmps'; did you mean dumps"),
        ("jsn:dumps", "no module 'jsn' .*; did you mean json"),
        ("json.nothing:dumps", "no module 'json.nothing'"),
        ("json:decoder", "is module, which cannot be called"),
    ],
)
def test_a_function_that_does_not_exist_offers_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        prepare(resolve_workload(name))


async def _coroutine() -> None:
    _KEPT.append(())


def _generator() -> Iterator[int]:
    yield len(_KEPT)


async def _asynchronous_generator() -> AsyncIterator[int]:
    yield len(_KEPT)


class _Methods:
    async def coroutine(self) -> None:
        _KEPT.append(())


_METHODS = _Methods()


class _Instance:
    def __call__(self) -> Iterator[int]:
        yield len(_KEPT)


class _Instances:
    __call__ = _Instance()


_INSTANCE, _OF_INSTANCES = _Instance(), _Instances()
_PARTIAL = partial(partial(_METHODS.coroutine))
_PARTIAL_INSTANCE = partial(_INSTANCE)


@pytest.mark.parametrize(
    ("name", "kind", "way"),
    [
        ("_coroutine", "a coroutine", "runs it, with asyncio.run() say"),
        ("_METHODS.coroutine", "a coroutine", "runs it, with asyncio.run() say"),
        ("_generator", "a generator", "goes through all that it yields"),
        ("_INSTANCE", "a generator", "goes through all that it yields"),
        ("_OF_INSTANCES", "a generator", "goes through all that it yields"),
        ("_INSTANCE.__call__", "a generator", "goes through all that it yields"),
        ("_PARTIAL", "a coroutine", "runs it, with asyncio.run() say"),
        ("_PARTIAL_INSTANCE", "a generator", "goes through all that it yields"),
        ("_asynchronous_generator", "an asynchronous generator", "goes through all that it yields"),
    ],
)
def test_a_function_whose_call_runs_none_of_it_is_refused(name: str, kind: str, way: str) -> None:
    text = f"{__name__}:{name}"
    with pytest.raises(UsageError) as caught:
        prepare(resolve_workload(text))
    assert str(caught.value) == (
        f"{text} is {kind} function, and calling it runs none of it; name a function that {way}."
    )


class _Runner:
    """What a decorator may make: it seems to be what it wraps, and runs that to its end."""

    def __init__(self, wrapped: object) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> object:
        return getattr(self._wrapped, name)

    def __call__(self) -> None:
        list(_generator())


_RUNNER = _Runner(_generator)


@pytest.mark.parametrize(
    "call", [len, _Runner, _RUNNER, _RUNNER.__call__, partial(_RUNNER), "".join, 7, Mock()]
)
def test_a_call_that_runs_something_is_refused_nowhere(call: Any) -> None:
    refuse_lazy(call, "call")


def test_resolving_imports_nothing_of_the_users() -> None:
    resolve_workload("wave:open")
    assert "wave" not in sys.modules


def test_setup_runs_once_and_the_statement_as_often_as_asked() -> None:
    task = prepare(resolve_workload("log.append(len(log))", setup="log = []; import builtins\n"
                                    "builtins._gillab_test = log"))  # fmt: skip
    task(3)
    task(2)
    import builtins

    assert builtins._gillab_test == [0, 1, 2, 3, 4]  # type: ignore[attr-defined]


def test_setup_and_statement_share_local_names_as_in_timeit() -> None:
    task = prepare(resolve_workload("i += 1\nassert i == expected.pop()", setup="i = 0\n"
                                    "expected = [3, 2, 1]"))  # fmt: skip
    task(3)
    with pytest.raises(IndexError):
        task(1)


def test_a_string_of_several_lines_keeps_its_lines() -> None:
    prepare(resolve_workload("assert text == 'a\\n  b\\nc'", setup="text = '''a\n  b\nc'''"))(1)


def test_tasks_of_one_setup_share_what_it_made_and_rebind_names_for_themselves() -> None:
    setup = run_setup(resolve_workload("log.append(i)\ni += 1", setup="log = []; i = 0"))
    first, second = make_task(setup), make_task(setup)
    first(2)
    second(1)
    assert setup.names["log"] == [0, 1, 0]
    assert setup.names["i"] == 0


def test_a_setups_functions_see_what_it_bound() -> None:
    setup = "data = [1, 2]\ndef total(): return sum(data) + offset\noffset = 4"
    prepare(resolve_workload("assert total() == 7", setup=setup))(1)


def test_each_worker_has_names_of_its_own() -> None:
    workload = resolve_workload("i += 1\nassert i <= 2", setup="i = 0")
    first, second = prepare(workload), prepare(workload)
    first(2)
    second(2)


@pytest.mark.parametrize(
    ("args", "expected"), [("(1, 2)", 2), ("[1, 2, 3]", 1), ("", 0), ("(data, data)", 2)]
)
def test_args_are_a_tuple_or_one_argument(args: str, expected: int) -> None:
    workload = resolve_workload(f"{__name__}:_keep", setup="data = 1", args=args)
    _KEPT.clear()
    prepare(workload)(2)
    assert [len(kept) for kept in _KEPT] == [expected] * 2


_KEPT: list[tuple[object, ...]] = []


def _keep(*args: object) -> None:
    _KEPT.append(args)


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_task_takes_exactly_the_steps_it_is_told(first: int, second: int) -> None:
    _KEPT.clear()
    task = prepare(resolve_workload("_keep()", setup=f"from {__name__} import _keep"))
    task(first)
    task(second)
    assert len(_KEPT) == first + second
