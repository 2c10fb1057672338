"""What a person would say of a transfer: what a size costs, from where on it pays to send it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gillab.estimates import Bracket, Estimate
from gillab.report.figures import format_measured, format_value
from gillab.transfers.costs import Cost, Costs
from gillab.transfers.sizes import format_size
from gillab.transfers.ways import Way

_TYPICAL = 10**6
"""The size that the answer speaks of, or the nearest to it."""


def summarize_transfer(
    costs: Costs,
    workers: int,
    cheaper: Mapping[Way, Bracket],
    *,
    returns: bool = False,
    gil: bool = True,
) -> list[str]:
    """Return the sentences: first what a size costs each strategy, then what follows."""
    sizes = {cost.size for each in costs.values() for cost in each}
    if not sizes:
        return ["No way was measured."]
    size = min(sizes, key=lambda each: abs(math.log(each / _TYPICAL)))
    here = {way: cost for way, each in costs.items() for cost in each if cost.size == size}
    return [
        _tell_costs(here, size, returns=returns),
        *_tell_break_even(here, workers),
        *(
            f"{_begin(way)} is cheaper than pickling {_tell_from(at)}."
            for way, at in cheaper.items()
        ),
        *_tell_pipe(here),
        *_tell_threads(here, gil=gil),
        *_tell_interpreters(here),
    ]


def _tell_costs(here: Mapping[Way, Cost], size: int, *, returns: bool) -> str:
    """Say what a size costs, strategy by strategy."""
    parts = []
    for strategy in dict.fromkeys(way.strategy for way in here):
        ways = [(way, cost) for way, cost in here.items() if way.strategy == strategy]
        told = [f"{_tell(cost.seconds)} {way.phrase}" for way, cost in ways if way.variant]
        parts += [f"{_NAMES.get(strategy, strategy)} {_join(told)}"] if told else []
    shared = [
        f"{way.strategy} share it and pay {_tell(cost.seconds)} for the call"
        for way, cost in here.items()
        if not way.variant
    ]
    both = " there and back" if returns else ""
    if not parts:
        return f"{format_size(size)}{both}: {_join(shared)}."
    return f"{format_size(size)}{both} costs {'; '.join([*parts, *shared])}."


_NAMES = {"processes": "a process", "interpreters": "an interpreter"}


def _tell(seconds: Estimate) -> str:
    if seconds.estimate <= 0:
        return "nothing"
    return format_measured(seconds, "s", 2)


def _join(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _tell_break_even(here: Mapping[Way, Cost], workers: int) -> list[str]:
    """Say from which computing time on a call pays: the plain way, and the cheapest that copies."""
    told: list[str] = []
    for strategy in dict.fromkeys(way.strategy for way in here if way.copies):
        copying = [way for way in here if way.copies and way.strategy == strategy]
        plain = next((way for way in copying if way.variant == "pickled"), copying[0])
        best = min(copying, key=lambda way: here[way].seconds.estimate)
        times = [
            f"{_tell(here[way].find_break_even(workers))} {way.phrase}"
            for way in dict.fromkeys((plain, best))
        ]
        pays = f"to {strategy}, for more than"
        if not told:
            pays = f"With {workers} workers, sending it to {strategy} pays once a call computes for"
            pays = f"{pays} more than"
        told.append(f"{pays} {', '.join(times)}")
    return [f"{'; '.join(told)}."] if told else []


def _begin(way: Way) -> str:
    return {"filled": "Shared memory", "buffers": "A buffer sent apart"}.get(way.variant, way.label)


def _tell_from(at: Bracket) -> str:
    if at.estimate is None:
        return "at no size that was tried"
    text = f"from {format_value(at.estimate, 'B')} on"
    if at.high == at.estimate:
        return text
    if at.high is None:
        return f"{text}, as far as can be told"
    return f"{text} (shown from {format_value(at.high, 'B')} on)"


def _tell_pipe(here: Mapping[Way, Cost]) -> list[str]:
    if {"buffers", "pickled"} <= {way.variant for way in here}:
        return [
            "A buffer goes apart over a pipe of its own, since no executor sends one so: what it "
            "saves at small sizes is the executor."
        ]
    return []


def _tell_threads(here: Mapping[Way, Cost], *, gil: bool) -> list[str]:
    if gil and any(way.strategy == "threads" for way in here):
        return ["Threads gain only by calls that release the GIL."]
    return []


def _tell_interpreters(here: Mapping[Way, Cost]) -> list[str]:
    if any(way.strategy == "interpreters" for way in here):
        return [
            "NumPy does not load in a subinterpreter: the code there reads the bytes without it."
        ]
    return []
