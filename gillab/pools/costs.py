"""What workers cost: from the blocks of a run to figures and charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gillab import statistics
from gillab.charts import Axis, Chart, Point, Series, Unit
from gillab.estimates import Estimate
from gillab.results import Cell, Result, arm_key

_FIGURES = 3
"""So many figures are told of each way to start workers: a first, a further, and its memory."""
_Block = Mapping[str, Any]
_Read = Callable[[_Block, str], float | None]


@dataclass(frozen=True, slots=True)
class Costs:
    """What one way to start workers costs; seconds and bytes."""

    name: str
    strategy: str
    variant: str
    first: Estimate
    """Until one worker is ready, in the first pool of a program."""
    most: int
    """The largest number of workers that was measured."""
    further: Estimate | None
    """Each further worker, up to the most; None where only one was measured."""
    once: Estimate
    """By so much a program's first pool takes longer than a later one, with one worker."""
    later: Estimate
    """Until one worker is ready, in a later pool."""
    end: Estimate
    """To end the pool with the most workers."""
    first_memory: Estimate | None
    """None where the system does not tell."""
    further_memory: Estimate | None


def name_series(strategy: str, variant: str) -> str:
    """Name one way to start workers: ``threads``, or for processes ``fork``."""
    if not variant:
        return strategy
    return variant if strategy == "processes" else f"{strategy} by {variant}"


def find_costs(result: Result) -> list[Costs]:
    """Return what each way costs that was measured with one worker, the cheapest first."""
    sure = choose_confidence(result)
    found = [
        _find_way(result.blocks, strategy, variant, counts[-1], sure)
        for (strategy, variant), counts in _group(result).items()
        if counts[0] == 1
    ]
    return sorted(filter(None, found), key=lambda costs: costs.first.estimate)


def _find_way(
    blocks: Sequence[_Block], strategy: str, variant: str, most: int, sure: float
) -> Costs | None:
    one, all_of_them = (arm_key(strategy, n, variant=variant) for n in (1, most))

    def find_further(read: _Read) -> Estimate | None:
        if most == 1:
            return None
        return find_difference(blocks, (read, all_of_them), (read, one), most - 1, sure)

    first = find_level(blocks, read_ready, one, sure)
    later = find_level(blocks, read_again, one, sure)
    end = find_level(blocks, read_end, all_of_them, sure)
    once = find_difference(blocks, (read_ready, one), (read_again, one), 1, sure)
    if first is None or later is None or end is None or once is None:
        return None
    return Costs(
        name=name_series(strategy, variant),
        strategy=strategy,
        variant=variant,
        first=first,
        most=most,
        further=find_further(read_ready),
        once=once,
        later=later,
        end=end,
        first_memory=find_level(blocks, read_memory, one, sure),
        further_memory=find_further(read_memory),
    )


def choose_confidence(result: Result) -> float:
    """Return the confidence for one figure, so that all which are told hold together."""
    ways = {(cell.strategy, cell.variant) for cell in result.cells if _is_sound(cell)}
    asked = float(result.options.get("confidence", 0.95))
    return statistics.corrected_confidence(asked, max(1, _FIGURES * len(ways)))


def _group(result: Result) -> dict[tuple[str, str], list[int]]:
    """Return the numbers of workers of each way, in order."""
    groups: dict[tuple[str, str], list[int]] = {}
    for cell in sorted(filter(_is_sound, result.cells), key=lambda cell: cell.workers):
        groups.setdefault((cell.strategy, cell.variant), []).append(cell.workers)
    return groups


def _is_sound(cell: Cell) -> bool:
    return cell.status == "ok" and cell.blocks > 0


def read_ready(block: _Block, key: str) -> float | None:
    """Return the time until a first pool was ready."""
    seconds: float | None = block["seconds"].get(key)
    return seconds


def read_again(block: _Block, key: str) -> float | None:
    """Return the time until a later pool was ready."""
    return _read_figure(block, key, "again_s")


def read_end(block: _Block, key: str) -> float | None:
    """Return the time to end a first pool."""
    return _read_figure(block, key, "end_s")


def read_memory(block: _Block, key: str) -> float | None:
    """Return the bytes that a first pool added; None where the system does not tell."""
    return _read_figure(block, key, "memory_bytes")


def _read_figure(block: _Block, key: str, name: str) -> float | None:
    figures: Mapping[str, float] = block.get("figures", {}).get(key, {})
    return figures.get(name)


def find_level(
    blocks: Sequence[_Block], read: _Read, key: str, confidence: float
) -> Estimate | None:
    """Return the median of a figure over blocks; None where no block has it."""
    values = [value for block in blocks if (value := read(block, key)) is not None]
    return statistics.median_interval(values, confidence) if values else None


def find_difference(
    blocks: Sequence[_Block],
    one: tuple[_Read, str],
    other: tuple[_Read, str],
    parts: int,
    confidence: float,
) -> Estimate | None:
    """Return by how much one figure exceeds another, paired in blocks, divided into ``parts``.

    None where no block has both.
    """
    values = []
    for block in blocks:
        left, right = (read(block, key) for read, key in (one, other))
        if left is not None and right is not None:
            values.append((left - right) / parts)
    return statistics.signed_rank_interval(values, confidence) if values else None


def chart_costs(result: Result) -> list[Chart]:
    """Draw over workers when pools are ready, how long they take to end, and their memory."""
    groups = _group(result)
    sure = choose_confidence(result)
    counts = sorted({n for each in groups.values() for n in each})
    if not counts:
        return []
    x = Axis("workers", logarithmic=counts[-1] >= 8 * counts[0])
    kinds: tuple[tuple[str, _Read, str, Unit], ...] = (
        ("time until all are ready, in a program's first pool", read_ready, "time", "s"),
        ("time until all are ready, in a later pool", read_again, "time", "s"),
        ("time to end the pool", read_end, "time", "s"),
        ("memory that the pool adds (PSS)", read_memory, "memory", "B"),
    )
    charts = []
    for title, read, label, unit in kinds:
        lines = [
            Series(name_series(*way), tuple(_draw(result.blocks, read, way, numbers, sure)))
            for way, numbers in groups.items()
        ]
        drawn = tuple(each for each in lines if each.points)
        if drawn:
            charts.append(Chart(title, x, Axis(label, unit, unit == "s"), drawn))
    return charts


def _draw(
    blocks: Sequence[_Block], read: _Read, way: tuple[str, str], counts: Sequence[int], sure: float
) -> Iterator[Point]:
    strategy, variant = way
    for n in counts:
        figure = find_level(blocks, read, arm_key(strategy, n, variant=variant), sure)
        if figure is not None:
            yield Point(n, figure)
