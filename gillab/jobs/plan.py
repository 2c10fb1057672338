"""The arms of a job: each strategy, and for workers that items travel to, each chunk size."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from gillab.blocks.plan import NULL, SERIAL, Arm
from gillab.blocks.protocol import Protocol
from gillab.blocks.thinning import MUCH_SLOWER
from gillab.errors import UsageError
from gillab.jobs.chunks import list_chunksizes, takes_too_long
from gillab.jobs.program import write_main
from gillab.strategies import get_strategy
from gillab.workload import Workload, is_function

AUTO = "auto"
_DEFAULT_SHARE = 1.6
"""The default of `Executor.map` is what most programs do, so more is spent on it."""

_MOST_BUDGET_S = 300.0
"""So long at most a run takes unless it is given more."""
_RUNS_BESIDE = 1.5
"""So many times the blocks alone: candidates, launches and traces take time as well."""


def resolve_job(text: str, items: str, setup: str) -> Workload:
    """Tell what a job is; nothing of the user's is imported or run. UsageError."""
    text = text.strip()
    if is_function(text):
        workload = Workload(text, "function", setup=setup, items=items)
    else:
        workload = Workload(text, "statement", setup=setup, items=items)
        nodes = ast.walk(_parse(text, "the work"))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        if "item" not in names:
            raise UsageError(
                f"{text!r} takes no item; name a package.module:function, or write an expression "
                "with item in it."
            )
    _parse(setup, "the setup")
    if not items.strip():
        raise UsageError("a job needs items; give them with --items, as in --items 'range(100)'.")
    _parse(items, "--items", "eval")
    write_main(workload)
    return workload


def _parse(text: str, what: str, mode: Literal["exec", "eval"] = "exec") -> ast.AST:
    try:
        return ast.parse(text.strip() if mode == "eval" else text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{what} is not valid Python ({message}): {text}") from None


def plan_job(
    strategies: Sequence[str],
    workers: Sequence[int],
    chunksizes: Sequence[int | str],
    items: int | None,
    timeout_s: float,
    scheduler: str = "",
) -> tuple[Arm, ...]:
    """Return the arms; what is tried to find the best chunk size are candidates.

    Without chunk sizes asked for: 1, as `Executor.map` has it, where that is not known to take too
    long, and the best of some. Strategies that can use a running ``scheduler`` do. UsageError for a
    strategy that there is not.
    """
    arms: list[Arm] = []
    for name in strategies:
        strategy = get_strategy(name)
        if not strategy.parallel:
            continue
        for count in workers:
            # Executors of this process ignore the chunk size: each item goes alone.
            if not (strategy.own_process and strategy.takes_chunksize):
                arms.append(Arm(name, count))
                continue
            at = scheduler if strategy.connect else ""
            arms += [
                Arm(name, count, chunksize=size, candidate=candidate, scheduler=at)
                for size, candidate in _list_sizes(chunksizes, items, count, timeout_s)
            ]
    return (SERIAL, *arms, NULL)


def _list_sizes(
    chunksizes: Sequence[int | str], items: int | None, workers: int, timeout_s: float
) -> list[tuple[int, bool]]:
    asked = [size for size in chunksizes if isinstance(size, int)]
    if not chunksizes and not takes_too_long(items or 1, 1, timeout_s * _DEFAULT_SHARE):
        asked = [1]
    found = dict.fromkeys(asked, False)
    if items is not None and (not chunksizes or AUTO in chunksizes):
        ladder = list_chunksizes(items, workers)
        quick = [size for size in ladder if not takes_too_long(items, size, timeout_s)]
        for size in quick or ladder[-1:]:
            found.setdefault(size, True)
    return list((found or {1: False}).items())


def fit_budget(
    protocol: Protocol,
    arms: Sequence[Arm],
    loop_s: float | None,
    *,
    budget_given: bool,
    timeout_given: bool,
) -> Protocol:
    """Return the protocol with a budget, and a timeout, that fit a job of that length.

    A long one gets time for the least number of blocks, 5 minutes at most. Where either was
    ``given`` it stays. Of the arms that differ by their chunks two stay: what is asked for by
    default, and the fastest candidate.
    """
    if loop_s is None:
        return protocol
    kept = [arm for arm in arms if not arm.candidate]
    kept_arms = len(kept) + len({(arm.strategy, arm.workers) for arm in arms if arm.candidate})
    needs_s = min(_MOST_BUDGET_S, _RUNS_BESIDE * protocol.min_blocks * kept_arms * loop_s)
    if not budget_given:
        protocol = replace(protocol, time_budget_s=max(protocol.time_budget_s, needs_s))
    if not timeout_given:
        # An arm that is not far slower than the loop is not yet one that hangs.
        most_s = min(MUCH_SLOWER * loop_s, protocol.time_budget_s / 2)
        protocol = replace(protocol, timeout_s=max(protocol.timeout_s, most_s))
    return protocol
