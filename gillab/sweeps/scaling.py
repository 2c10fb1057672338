"""What a run over several numbers of workers tells: curves, how many are enough, a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.estimates import Bracket, Estimate
from gillab.model.predict import predict
from gillab.model.serial_fraction import fit_serial_fraction
from gillab.model.task import Task
from gillab.results import Cell, Control, Result
from gillab.strategies import recall_strategy, shares_gil
from gillab.sweeps.paired import find_ratio, pick_blocks

IDEAL, CEILING = "ideal", "ceiling"


@dataclass(frozen=True, slots=True)
class Curve:
    """One strategy over its numbers of workers."""

    name: str
    """``threads``, or ``threads, own data``."""
    cells: tuple[Cell, ...]
    """Those with a speedup, by workers."""
    enough: Cell
    """The fewest workers that are not shown to be slower than the fastest number of them."""
    serial_fraction: dict[int, Estimate]
    """By workers, for those that have a CPU each."""

    @property
    def strategy(self) -> str:
        """The strategy's name."""
        return self.cells[0].strategy


@dataclass(frozen=True, slots=True)
class Scaling:
    """One workload over several numbers of workers."""

    workload: str
    curves: tuple[Curve, ...]
    predicted: dict[str, dict[int, Estimate]]
    """By curve and workers: what the model gives for the cores that this machine gave."""
    foreseen: dict[str, dict[int, Estimate]]
    """The same for machines with a CPU for each worker."""
    asked: bool = False
    """Whether a prediction was asked for."""


def list_counts(cpus: int, most: int) -> tuple[int, ...]:
    """Return the numbers of workers to try: 1, 2, 4 ... up to twice the CPUs, those included.

    Never more than ``most``.
    """
    counts = {1, cpus, 2 * cpus}
    count = 2
    while count < 2 * cpus:
        counts.add(count)
        count *= 2
    return tuple(sorted(each for each in counts if each <= most))


def find_scaling(
    result: Result, workload: str, capacity: float, foresee: Sequence[int] = ()
) -> Scaling:
    """Draw the curves of one workload; ``foresee`` are the CPUs of machines to predict for."""
    blocks = pick_blocks(result.blocks, workload)
    own = [cell for cell in result.cells if cell.workload == workload]
    serial = next((cell for cell in own if cell.strategy == "serial"), None)
    groups: dict[str, list[Cell]] = {}
    for cell in own:
        if cell.speedup is not None:
            groups.setdefault(name_curve(cell), []).append(cell)
    confidence = float(result.options.get("confidence", 0.95))
    given = _find_given(result, workload)
    curves = []
    predicted: dict[str, dict[int, Estimate]] = {}
    foreseen: dict[str, dict[int, Estimate]] = {}
    for name, cells in groups.items():
        cells.sort(key=lambda cell: cell.workers)
        speedups = {
            cell.workers: cell.speedup
            for cell in cells
            if cell.speedup is not None and cell.workers <= capacity
        }
        curves.append(
            Curve(
                name,
                tuple(cells),
                _find_enough(cells, blocks, confidence),
                fit_serial_fraction(speedups),
            )
        )
        if foresee and serial is not None:
            locked = shares_gil(cells[0].strategy) and result.environment.get("gil_enabled")
            tasks = describe_tasks(serial, _count_calls(blocks, workload), locked=bool(locked))
            if tasks:
                counts = [cell.workers for cell in cells]
                predicted[name] = {n: _predict(tasks, n, given.get(n, capacity)) for n in counts}
                foreseen[name] = {n: _predict(tasks, n, float(n)) for n in foresee}
    return Scaling(workload, tuple(curves), predicted, foreseen, bool(foresee))


def _find_given(result: Result, workload: str) -> dict[int, float]:
    """Return the cores that the machine gave, by the number of workers, as the ceiling read."""
    return {
        each.workers: min(each.speedup.estimate, float(each.workers))
        for each in result.ceiling
        if each.workload == workload and each.speedup is not None
    }


def name_curve(cell: Cell) -> str:
    """Name the curve that a cell belongs to."""
    return f"{cell.strategy}, own data" if cell.data == "own" else cell.strategy


def _find_enough(cells: Sequence[Cell], blocks: Sequence[object], confidence: float) -> Cell:
    fastest = max(cells, key=_pace)
    for cell in cells:
        if cell.workers >= fastest.workers:
            break
        share = find_ratio(blocks, fastest.key, cell.key, confidence)  # type: ignore[arg-type]
        if share is not None and share.low is not None and share.estimate >= 1 / 1.05:
            return cell
    return fastest


def _pace(cell: Cell) -> float:
    return cell.speedup.estimate if cell.speedup else 0.0


def _count_calls(blocks: Sequence[object], workload: str) -> int:
    """Return the calls of one serial task; a kernel is one call, whatever its steps are."""
    from gillab.kernels import KERNELS

    if workload in KERNELS:
        return 1
    return max((block["steps"] or 1 for block in blocks), default=1)  # type: ignore[index]


def describe_tasks(serial: Cell, calls: int, *, locked: bool) -> tuple[Task, Task, Task] | None:
    """Return one call as the model sees it: as measured, and held as little and as much as may be.

    None where the meter has not read how much of a serial task the GIL is held.
    """
    if serial.seconds is None:
        return None
    total_s = serial.seconds.median / calls
    busy = min(1.0, serial.cores if serial.busy is None else serial.busy) if serial.cores else 1.0
    if not locked:
        task = Task(0.0, busy * total_s, (1 - busy) * total_s)
        return task, task, task
    if serial.held is None:
        return None
    low, high = serial.held_interval or (serial.held, serial.held)

    def split(held: float) -> Task:
        held_s = min(held, busy) * total_s
        return Task(held_s, busy * total_s - held_s, (1 - busy) * total_s)

    return split(serial.held), split(low), split(high)


def _predict(tasks: tuple[Task, Task, Task], workers: int, cores: float) -> Estimate:
    expected, *ends = (
        predict(task, workers, cores, shares_gil=task.held_s > 0).expected for task in tasks
    )
    # An interval of the held fraction that is nearly a point may cross it in the simulation.
    return Estimate(expected, min(expected, *ends), max(expected, *ends))


def chart_scaling(scaling: Scaling, controls: Sequence[Control], capacity: float) -> list[Chart]:
    """Draw speedup over workers, with the ideal and the ceiling; and the serial fractions."""
    group = scaling.workload
    measured = [Series(curve.name, _draw(_speedups(curve))) for curve in scaling.curves]
    if not measured:
        return []
    ceiling = {
        each.workers: each.speedup
        for each in controls
        if each.workload == group and each.speedup is not None
    }
    predicted = [
        Series(f"{name}, {what}", _draw(values), "predicted")
        for what, of in (("predicted", scaling.predicted), ("a CPU each", scaling.foreseen))
        for name, values in of.items()
    ]
    counts = sorted({int(point.x) for each in (*measured, *predicted) for point in each.points})
    ideal = Series(IDEAL, tuple(_exact(n) for n in counts), "ideal")
    x = Axis("workers", logarithmic=counts[-1] >= 8 * counts[0])
    cpus = Mark("usable CPUs:", Bracket(capacity, capacity, capacity))
    charts = [
        Chart(
            "speedup over workers",
            x,
            Axis("speedup", "x", logarithmic=bool(predicted)),
            (*measured, *predicted, Series(CEILING, _draw(ceiling), "ceiling"), ideal),
            (cpus,),
            group,
        )
    ]
    fractions = [
        Series(curve.name, _draw(curve.serial_fraction))
        for curve in scaling.curves
        if curve.serial_fraction
    ]
    if fractions:
        axis = Axis("serial fraction", "fraction")
        title = "serial fraction by Karp and Flatt, where each worker has a CPU"
        charts.append(Chart(title, x, axis, tuple(fractions), (), group))
    return charts


def _speedups(curve: Curve) -> dict[int, Estimate]:
    return {cell.workers: cell.speedup for cell in curve.cells if cell.speedup is not None}


def _draw(values: dict[int, Estimate]) -> tuple[Point, ...]:
    return tuple(Point(float(x), y) for x, y in sorted(values.items()))


def _exact(workers: int) -> Point:
    return Point(float(workers), Estimate(float(workers), None, None))


def rank_curve(curve: Curve) -> tuple[float, int]:
    """Order curves by how simple their strategy is."""
    known = recall_strategy(curve.strategy)
    return (float("inf") if known is None else known.rank, curve.enough.workers)
