"""One call of a workload, resolved, so that it can be repeated without Python code in between."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gillab.kernels import KERNELS
from gillab.workload import Setup, Workload, make_task, prepare, run_setup

KERNEL_STEPS = 1_000_000
"""The steps of a kernel's call: some 0.3 ms in C."""

_LOOP_S = 100e-6
"""A statement runs in a loop that takes at least this long, so that entering it does not count."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that is repeated: ``function(*arguments, **named)`` runs ``per_call`` workloads."""

    function: Callable[..., object]
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    per_call: int = 1
    loops: bool = False
    """Whether its one argument is the number of workloads that it runs."""
    keeps: object = None
    """Keeps the setup's objects alive as long as the call, which may use a part of one of them."""


def prepare_call(workload: Workload) -> Call:
    """Run the setup and return the call.

    A kernel counts `KERNEL_STEPS`. A statement that is one call of a name with names and
    constants is resolved here, once. Any other statement runs in a Python loop, which `fill_loop`
    fills. UsageError if a named module or function does not exist; whatever the setup raises.
    """
    return make_call(run_setup(workload))


def make_call(setup: Setup) -> Call:
    """Return the call of a setup that has run; a loop may be called in one thread alone."""
    workload = setup.workload
    if workload.kind == "kernel":
        return Call(KERNELS[workload.name], (KERNEL_STEPS,))
    text = workload.name
    if workload.kind == "function":
        text = "_gillab_function(*_gillab_args)"
    statements = ast.parse(text).body
    first = statements[0]
    if isinstance(first, ast.Expr) and (workload.kind == "function" or is_plain(statements)):
        return _resolve(setup, first.value)
    return Call(make_task(setup), (1,), loops=True)


def prepare_empty(call: Call) -> Call:
    """Return a call that does nothing, repeated like ``call``: it shows what repeating costs."""
    from gillab._repeat import do_nothing

    if not call.loops:
        return Call(do_nothing)
    return Call(prepare(Workload("pass", "statement")), (call.per_call,), per_call=call.per_call)


def is_plain(statements: Sequence[ast.stmt]) -> bool:
    """Whether they are one call that can be resolved once."""
    return len(statements) == 1 and is_plain_call(statements[0])


def is_plain_call(statement: ast.stmt) -> bool:
    """Whether it is one call that can be resolved once: ``zlib.compress(data, level=9)``."""
    match statement:
        case ast.Expr(ast.Call(function, arguments, keywords)):
            values = [*arguments, *(keyword.value for keyword in keywords)]
            return (
                _is_dotted_name(function)
                and all(keyword.arg is not None for keyword in keywords)
                and all(map(_is_name_or_constant, values))
            )
    return False


def _is_dotted_name(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_name_or_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.Name | ast.Constant)


def _resolve(setup: Setup, call: ast.expr) -> Call:
    """Evaluate callee and arguments with the names that the setup has made."""
    assert isinstance(call, ast.Call)
    frame = ast.parse("_gillab_call()", mode="eval")
    resolving = frame.body
    assert isinstance(resolving, ast.Call)
    resolving.args = [call.func, *call.args]
    resolving.keywords = call.keywords
    code = compile(ast.fix_missing_locations(frame), "<workload>", "eval")
    names = {**setup.globals, "_gillab_call": _make_call, **setup.names}
    resolved: Call = eval(code, names)
    return replace(resolved, keeps=setup)


def _make_call(function: Callable[..., object], /, *arguments: Any, **named: Any) -> Call:
    return Call(function, arguments, named)


def fill_loop(call: Call) -> Call:
    """Return a looping call with so many workloads in it that it takes at least `_LOOP_S`.

    Return any other call unchanged.
    """
    while call.loops:
        begun = time.perf_counter()
        call.function(*call.arguments)
        if time.perf_counter() - begun >= _LOOP_S:
            break
        call = replace(call, arguments=(2 * call.per_call,), per_call=2 * call.per_call)
    return call
