"""Tells whether a call releases the GIL, for how much of its time, and what threads gain by it.

``python -m gillab.check`` at the command line, `check` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from gillab.command.arguments import (
    Parser,
    parse_count,
    parse_duration,
    parse_factor,
    parse_share,
    parse_word,
)
from gillab.command.ending import EXIT_GATE_FAILED, EXIT_GATE_UNDECIDED, EXIT_OK, finish, run_main
from gillab.command.exports import add_export_options, find_exports
from gillab.errors import Interrupted, UsageError
from gillab.limits import check_ranges
from gillab.release.findings import Finding, Findings, GateResult

if TYPE_CHECKING:
    from gillab.workload import Workload

TIME_S = 1.0
TIMEOUT_S = 120.0


class Source(str):
    """A value to vary, written as a Python expression: it is not the text itself."""

    __slots__ = ()


def check(
    workload: str,
    *,
    setup: str = "",
    args: str = "",
    vary: Mapping[str, Sequence[object]] | None = None,
    at_least: float | None = None,
    longest_hold_s: float | None = None,
    longest_wait_s: float | None = None,
    speedup: float | None = None,
    scaling: bool = True,
    workers: int = 2,
    time_s: float = TIME_S,
    timeout_s: float = TIMEOUT_S,
    on_step: Callable[[str], None] = lambda step: None,
) -> Findings:
    """Say how much of a call's time the GIL is released, and what threads gain by it.

    ``workload`` is a text as the command line takes it. ``vary`` is one name and the values that
    the setup finds under it, each taken once: ``{"N": [10, 1000]}``.

    ``at_least`` (a fraction), ``longest_hold_s``, ``longest_wait_s`` and ``speedup`` (a factor) are
    gates: the result's ``passed`` says whether all hold. If a call often releases the GIL for under
    some 0.15 ms, only an upper bound of its holds is known: a ``longest_hold_s`` below that is
    undecided. ``longest_wait_s`` is about a thread that asks for the GIL: code that can be
    interrupted hands the GIL over at the switch interval.

    The call is repeated for ``time_s`` to see how it releases the GIL, and as long again for the
    waits. ``scaling`` also measures it in ``workers`` threads. That takes a few seconds more, and
    longer if a ``speedup`` is asked of a long call. ``on_step`` is told what comes next.

    gillab measures in processes of its own. If something goes wrong there, or if the GIL cannot be
    read here, the finding says why. UsageError if something cannot be measured, `Interrupted` on
    Ctrl-C.
    """
    from gillab.blocks.scaling import measure_scaling
    from gillab.launch.functions import check_functions
    from gillab.release.examine import examine
    from gillab.release.judge import pass_gate

    limits = {
        "at_least": at_least, "longest_hold": longest_hold_s, "longest_wait": longest_wait_s,
        "speedup": speedup,
    }  # fmt: skip
    check_ranges({"at_least"}, **limits, workers=workers, time_s=time_s, timeout_s=timeout_s)
    variants = _plan(workload, setup, args, vary)
    if speedup is not None and not scaling:
        raise UsageError("a speedup can be asked for only if scaling is measured.")
    check_functions([variants[0][1]], timeout_s)
    cells: list[Finding] = []
    options = {
        "time_s": time_s, "timeout_s": timeout_s, "workers": workers, "scaling": scaling,
        **limits,
    }  # fmt: skip
    interrupted = False
    try:
        for variant, resolved in variants:
            name = f"{resolved.name} {variant}".strip()
            on_step(f"{name}: does it release the GIL?")
            # A census may name modules that this Python lacks. Here the user named the call, so a
            # missing module is a failure.
            cell, interrupted = examine(resolved, time_s, timeout_s, variant, "failed", True)
            if cell is not None:
                cells.append(cell)
            if cell is not None and scaling and not interrupted and cell.status != "failed":
                on_step(f"{name}: does it gain from {workers} threads?")
                call_s = 0.0 if cell.call is None else cell.call.median
                gain, interrupted = measure_scaling(resolved, workers, timeout_s, call_s, speedup)
                if not interrupted or gain.speedup is not None or gain.status == "failed":
                    cells[-1] = replace(cell, scaling=gain)
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    gates = [
        # A gate that Ctrl-C left unmeasured is undecided; leaving it out would hide that it was
        # asked for.
        GateResult(resolved.name, variant, gate, limit, None)  # type: ignore[arg-type]
        if cell is None
        else pass_gate(cell, gate, limit)  # type: ignore[arg-type]
        for (variant, resolved), cell in zip_longest(variants, cells)
        for gate, limit in limits.items()
        if limit is not None
    ]
    planned = [variant for variant, _ in variants]
    result = _conclude(cells, planned, gates, options, partial=interrupted)
    if interrupted:
        raise Interrupted(result)
    return result


def _plan(
    text: str, setup: str, args: str, vary: Mapping[str, Sequence[object]] | None
) -> list[tuple[str, Workload]]:
    """Return each variant's name and its workload; UsageError if one cannot be measured."""
    from gillab.workload import resolve_workload

    if not vary:
        return [("", resolve_workload(text, setup, args))]
    if len(vary) > 1:
        raise UsageError(f"only one name can be varied, not {' and '.join(vary)}.")
    ((name, values),) = vary.items()
    if not name.isidentifier() or not values:
        raise UsageError(f"give a name to vary and its values, as N=10,1000: not {name!r}.")
    written = [value if isinstance(value, Source) else repr(value) for value in values]
    # Each once, as with -j: pyperf refuses two benchmarks of one name.
    return [
        (f"{name}={value}", resolve_workload(text, f"{name} = {value}\n{setup}", args))
        for value in dict.fromkeys(written)
    ]


def _conclude(
    cells: Sequence[Finding],
    planned: Sequence[str],
    gates: Sequence[GateResult],
    options: Mapping[str, Any],
    *,
    partial: bool,
) -> Findings:
    from gillab.environment import collect_environment
    from gillab.release.onset import add_unmeasured, find_onset
    from gillab.report.release import tell_finding, tell_gate, tell_onset

    every = add_unmeasured(cells, planned)
    onset = find_onset(every)
    begin = tell_onset(onset, every)
    return Findings(
        command="check",
        partial=partial,
        options=options,
        environment=collect_environment(),
        cells=cells,
        gates=gates,
        onsets=[onset] if onset else [],
        summary=[
            *(tell_finding(cell) for cell in cells),
            *([begin] if begin else []),
            *(tell_gate(gate) for gate in gates),
        ],
    )


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.check",
        description="Does this call release the GIL, and for how much of its time? How long "
        "does it hold the GIL at most? Is it faster in several threads?",
        epilog="exit codes: 0 done, 1 the call failed, 2 usage, 3 a gate failed, 4 a gate could "
        "not be decided, 130 interrupted (what was measured is shown and saved).",
    )
    parser.add_argument(
        "workload",
        type=parse_word,
        metavar="WORKLOAD",
        help="a kernel (python, held, nogil, mixed), package.module:function, or a statement",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        help="statements that run once before the call; may be given several times",
    )
    what.add_argument(
        "--args", default="", metavar="EXPR", help='the function\'s arguments: "(1, 2)"'
    )
    what.add_argument(
        "--vary",
        type=parse_variation,
        metavar="NAME=VALUE,...",
        help="measure the call with each of these values; the setup finds the value under NAME",
    )
    what.add_argument(
        "--no-scaling",
        dest="scaling",
        action="store_false",
        help="do not measure what threads gain, which takes most of the time",
    )
    gates = parser.add_argument_group("gates")
    gates.add_argument(
        "--at-least",
        type=parse_share,
        metavar="X",
        help="the call releases the GIL for at least this part of its time: 0.9 or 90%%",
    )
    gates.add_argument(
        "--longest-hold",
        type=parse_duration,
        metavar="TIME",
        help="the call never holds the GIL longer than this: 1ms",
    )
    gates.add_argument(
        "--longest-wait",
        type=parse_duration,
        metavar="TIME",
        help="a thread that asks for the GIL never waits longer than this: 20ms",
    )
    gates.add_argument(
        "--speedup", type=parse_factor, metavar="X", help="threads gain at least this factor: 1.5"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "-j", "--workers", type=parse_count, default=2, metavar="N", help="threads; default: 2"
    )
    how.add_argument(
        "--time",
        type=parse_duration,
        default=TIME_S,
        metavar="TIME",
        help="how long to repeat the call; default: 1s",
    )
    how.add_argument(
        "--timeout",
        type=parse_duration,
        default=TIMEOUT_S,
        metavar="TIME",
        help="a setup or a call that takes longer counts as hung; default: 2min",
    )
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print only the gates, and the calls that failed or did not pass",
    )
    add_export_options(parser, "check")
    return parser


def parse_variation(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the name and the values in ``N=10,1000``; commas in brackets separate nothing."""
    import ast

    name, _, values = text.partition("=")
    parts: tuple[Source, ...] = ()
    # Deep nesting exhausts the parser before it finds a mistake.
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        # The bracket is on a line of its own, so that no comment hides it. If the values close
        # the list themselves, the result is no list.
        tree = ast.parse(f"[{values}\n]", mode="eval").body
        if isinstance(tree, ast.List) and not any(isinstance(e, ast.Starred) for e in tree.elts):
            parts = tuple(Source(ast.unparse(part)) for part in tree.elts)
    if not name.isidentifier() or not parts:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name and its values, as N=10,1000")
    return name, parts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    exports = find_exports(arguments)
    from rich.console import Console

    from gillab.report.findings import print_summary
    from gillab.report.progress import Progress

    with Progress(None if arguments.quiet else Console(stderr=True)) as line:
        try:
            result = check(
                arguments.workload,
                setup="\n".join(arguments.setup),
                args=arguments.args,
                vary=None if arguments.vary is None else dict([arguments.vary]),
                at_least=arguments.at_least,
                longest_hold_s=arguments.longest_hold,
                longest_wait_s=arguments.longest_wait,
                speedup=arguments.speedup,
                scaling=arguments.scaling,
                workers=arguments.workers,
                time_s=arguments.time,
                timeout_s=arguments.timeout,
                on_step=line.show,
            )
        except Interrupted as interruption:
            result = interruption.result
    code = finish(
        result,
        exports,
        lambda: print_summary(result, Console(), quiet=arguments.quiet),
        "python -m gillab.check",
        arguments.command_line,
    )
    if code != EXIT_OK:
        return code
    return {True: EXIT_OK, False: EXIT_GATE_FAILED, None: EXIT_GATE_UNDECIDED}[result.passed]


if __name__ == "__main__":
    sys.exit(main())
