"""What a person would say of starting workers: the first, each further one, and their memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from gillab.charts import Unit
from gillab.estimates import Estimate
from gillab.pools.costs import Costs
from gillab.report.figures import count_workers, format_measured, format_value, shorten
from gillab.results import Result
from gillab.strategies import recall_strategy

_REASON_WIDTH = 200
_MUCH = 0.2
"""What a program pays once is told where it is so large a part of its first pool's start."""


def summarize_startup(result: Result, costs: Sequence[Costs], setup: str) -> list[str]:
    """Return the sentences, the answer first; ``costs`` are the cheapest first."""
    return [
        *_tell_times(costs),
        *_tell_once(costs),
        *_tell_memory(costs),
        *_tell_end(costs),
        *_tell_setup(costs, setup),
        *_tell_missing(result, costs),
    ]


def _tell_times(costs: Sequence[Costs]) -> Iterator[str]:
    if not costs:
        return
    default = multiprocessing.get_all_start_methods()[0]
    figures = _list(costs, lambda each: each.first, "s", {default: " (Python's default)"})
    yield f"The first worker is ready in {figures}."
    if any(each.further for each in costs):
        most = max(each.most for each in costs)
        figures = _list(costs, lambda each: each.further, "s")
        yield f"Each further one, up to {most}, adds {figures}."


def _tell_once(costs: Sequence[Costs]) -> Iterator[str]:
    dear = [each for each in costs if _own_process(each) and _shows(each.once)]
    dear = [each for each in dear if each.once.estimate > _MUCH * each.first.estimate]
    if dear:
        yield (
            "Some of that is paid once, for imports and helper processes: a later pool's first "
            f"worker is ready in {_list(dear, lambda each: each.later, 's')}."
        )


def _tell_memory(costs: Sequence[Costs]) -> Iterator[str]:
    if not costs:
        return
    told = [each for each in costs if each.first_memory is not None]
    if not told:
        yield "This system does not tell what memory a worker takes."
        return
    if any(each.further_memory for each in told):
        figures = _list(told, lambda each: each.further_memory, "B")
        yield f"In memory (PSS) each further one takes {figures}."
    else:
        figures = _list(told, lambda each: each.first_memory, "B")
        yield f"In memory (PSS) it takes {figures}."
    if any(each.variant == "fork" for each in told):
        yield (
            "A forked worker shares the program's memory until one of the two writes to it, and "
            "using a Python object can be writing."
        )


def _tell_end(costs: Sequence[Costs]) -> Iterator[str]:
    if costs:
        slowest = max(costs, key=lambda each: each.end.estimate)
        figure = format_measured(slowest.end, "s")
        yield (
            f"To end a pool of {count_workers(slowest.most)} takes at most {figure} "
            f"({slowest.name})."
        )


def _tell_setup(costs: Sequence[Costs], setup: str) -> Iterator[str]:
    if costs and setup.strip():
        yield (
            "The program had run the setup itself before: threads and forked workers have what it "
            "made, the others run it again (the fork server of a newer Python once for all of its "
            "workers)."
        )


def _tell_missing(result: Result, costs: Sequence[Costs]) -> Iterator[str]:
    missing = [cell for cell in result.cells if cell.status != "ok"]
    reasons = {cell.reason for cell in missing}
    if not costs and len(reasons) == 1:
        yield f"No worker was started: {_shorten(reasons.pop())}."
        return
    # What is only not available here is told below the charts.
    told = [cell for cell in missing if cell.status == "failed" or not costs]
    yield from dict.fromkeys(
        f"{_name(cell.strategy, cell.variant)} {cell.status}: {_shorten(cell.reason)}."
        for cell in told
    )


def _shorten(reason: str | None) -> str:
    return shorten((reason or "not measured").rstrip("."), _REASON_WIDTH)


def _name(strategy: str, variant: str) -> str:
    return f"{strategy} by {variant}" if variant else strategy


def _list(
    costs: Sequence[Costs],
    read: Callable[[Costs], Estimate | None],
    unit: Unit,
    remarks: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write ``80 µs as a thread, 4.1 ms as a process by fork and 290 ms by spawn``."""
    texts = []
    last = ""
    for each in costs:
        figure = read(each)
        if figure is None:
            continue
        head = "" if each.strategy == last else f" as {_describe_worker(each.strategy)}"
        way = f" by {each.variant}" if each.variant else ""
        remark = remarks.get(each.variant, "")
        texts.append(f"{_measured(figure, unit)}{head}{way}{remark}")
        last = each.strategy
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if texts[1:] else texts)


def _measured(figure: Estimate, unit: Unit) -> str:
    if figure.estimate <= 0 or (figure.low is not None and figure.low <= 0):
        top = figure.estimate if figure.high is None else figure.high
        return f"at most {format_value(top, unit)}" if top > 0 else "nothing that shows"
    return format_measured(figure, unit)


def _describe_worker(strategy: str) -> str:
    found = recall_strategy(strategy)
    if found is None or found.singular is None:
        return f"a worker of {strategy}"
    article = "an" if found.singular[0] in "aeiou" else "a"
    return f"{article} {found.singular}"


def _own_process(costs: Costs) -> bool:
    strategy = recall_strategy(costs.strategy)
    return strategy is not None and strategy.own_process


def _shows(difference: Estimate) -> bool:
    return difference.low is not None and difference.low > 0
