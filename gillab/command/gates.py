"""The gates of ``--fail-if``: a figure of some cells, and the limit that it must not be beyond."""

from __future__ import annotations

import argparse
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gillab.errors import UsageError
from gillab.estimates import Estimate
from gillab.limits import read_duration
from gillab.report.figures import format_interval

if TYPE_CHECKING:
    from gillab.results import Result

FIGURES = (
    *("speedup", "speedup_later", "speedup_quiet", "of_ceiling", "of_shared", "of_fastest"),
    "of_own_serial",
    *("seconds.median", "seconds.mad", "seconds.min", "setup_s", "blocks"),
    *("cores", "busy", "idle_cores", "cpu_cost", "held"),
    *("parts.start", "parts.send", "parts.compute", "parts.receive", "parts.idle"),
    *("parts.without_cpu", "parts.of_median", "pays_from.items", "pays_from.item_s"),
)
"""Of a cell, as in the JSON."""
_RESTS_ON_CONTROLS = ("speedup", "speedup_later", "speedup_quiet", "of_ceiling")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXPRESSION = re.compile(r"(?P<path>.+?)\s*(?P<sign>[<>]=?)\s*(?P<limit>[^<>=]+)")
_NUMERIC = re.compile(r"\d+t?")
"""A number of workers, or a part of the label of another Python: ``3.14t``."""
_NUMBER = re.compile(r"(?P<number>[-+]?\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?)(?P<unit>%|x?)")


@dataclass(frozen=True, slots=True)
class Gate:
    """An expression that must not be true: ``nogil.threads.speedup < 1.5``."""

    text: str
    where: str
    """Which cells: workload, strategy, workers and so on, with dots between; empty for all."""
    figure: str
    sign: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether the expression is true of a value."""
        return _COMPARE[self.sign](value, self.limit)


class Outcome(NamedTuple):
    """Whether a gate was passed; None if its interval cannot tell."""

    passed: bool | None
    sentence: str


def parse_gate(text: str) -> Gate:
    """Return the gate that an expression means. argparse.ArgumentTypeError, which names figures."""
    match = _EXPRESSION.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no comparison such as 'nogil.threads.speedup < 1.5'"
        )
    path = match["path"]
    figure = next((f for f in FIGURES if f".{path}".endswith(f".{f}")), None)
    if figure is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no figure of a cell; there are {', '.join(FIGURES)}"
        )
    limit = _read_limit(match["limit"].strip())
    where = path.removesuffix(figure).removesuffix(".")
    return Gate(text.strip(), where, figure, match["sign"], limit)


def _read_limit(text: str) -> float:
    """Return the number in ``1.5``, ``1.5x``, ``90%`` or ``20ms``."""
    match = _NUMBER.fullmatch(text)
    if match is not None:
        return float(match["number"]) / (100 if match["unit"] == "%" else 1)
    try:
        return read_duration(text)
    except UsageError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as 1.5 or 90%") from None


def check_gates(gates: Sequence[Gate], workloads: Sequence[str], strategies: Sequence[str]) -> None:
    """Refuse a gate with a word that can name nothing, before anything is measured. UsageError."""
    from gillab.kernels import KERNELS
    from gillab.strategies import DEFAULT, EXTRA

    known = {
        *DEFAULT,
        *EXTRA,
        *strategies,
        "serial",
        "old",
        "new",
        "shared",
        "own",
        "null",
        "ceiling",
    }
    aliases = {alias for name in KERNELS for alias in _list_aliases(name)}
    for number, text in enumerate(workloads, 1):
        aliases |= {*_list_aliases(text), str(number)}
    for gate in gates:
        for words in _split(gate.where, aliases)[1]:
            if words not in known and not _NUMERIC.fullmatch(words):
                raise UsageError(
                    f"--fail-if {gate.text!r}: {words!r} names no cell; name a workload (a kernel, "
                    "a function, or its number), a strategy, workers, and one figure."
                )


def decide_gate(gate: Gate, result: Result) -> Outcome:
    """Tell whether the expression is surely true of a cell that it names, or surely of none.

    A cell that has no such figure (serial has no speedup) is left out. UsageError if it names no
    cell.
    """
    places = list(_list_places(result))
    aliases = {alias for place in places for alias in place.aliases}
    named = [place for place in places if place.is_at(*_split(gate.where, aliases))]
    if not named:
        there = ", ".join(dict.fromkeys(place.name for place in places))
        raise UsageError(f"--fail-if {gate.text!r} names no cell; there are {there}.")
    told = [each for place in named if (each := _decide(gate, place)) is not None]
    if not told:
        return Outcome(None, f"gate {gate.text}: undecided, since it was not measured.")
    passed = [each for each, _ in told]
    outcome = False if False in passed else None if None in passed else True
    word = {True: "passed", False: "failed", None: "undecided"}[outcome]
    about = "; ".join(dict.fromkeys(text for each, text in told if each == outcome))
    return Outcome(outcome, f"gate {gate.text}: {word}, {about}.")


class _Place(NamedTuple):
    """A cell or a control, and the words that name it."""

    aliases: tuple[str, ...]
    """Of its workload, the shortest first."""
    words: tuple[str, ...]
    data: dict[str, Any]
    interpreter: str = ""

    @property
    def name(self) -> str:
        words = (self.interpreter, *(word for word in self.words if word != "shared"))
        return ".".join(filter(None, (self.aliases[0], *words)))

    def is_at(self, alias: str | None, words: Sequence[str]) -> bool:
        label = self.interpreter.split(".")
        # A cell of another interpreter is meant only where its label is among the words.
        if self.interpreter and not set(label) <= set(words):
            return False
        return alias in (None, *self.aliases) and set(words) <= {*self.words, *label}


def _list_places(result: Result) -> Iterator[_Place]:
    names = list(dict.fromkeys(cell.workload for cell in result.cells))

    def find_aliases(workload: str) -> tuple[str, ...]:
        number = str(names.index(workload) + 1)
        own = _list_aliases(workload)
        return (*own, number) if own[1:] else (number, *own)  # a statement goes by its number

    for cell in result.cells:
        pair = result.command == "versus"
        version = cell.variant or ("old" if pair else "")
        chunksize = "" if cell.chunksize is None else str(cell.chunksize)
        words = (cell.strategy, str(cell.workers), version, chunksize, cell.data)
        kept = tuple(word for word in words if word)
        # A version's interpreter has the version's name.
        where = "" if pair else cell.interpreter
        yield _Place(find_aliases(cell.workload), kept, asdict(cell), where)
    for kind, controls in (("null", result.null), ("ceiling", result.ceiling)):
        for control in controls:
            if control.workload in names:
                own = (kind, str(control.workers))
                yield _Place(find_aliases(control.workload), own, asdict(control))


def _list_aliases(workload: str) -> tuple[str, ...]:
    """Return what a workload may be called: ``nogil``, or a function without its module."""
    short = workload.removeprefix("countdown_")
    if re.fullmatch(r"[\w.]+:[\w.]+", workload):
        short = workload.partition(":")[2]
    return tuple(dict.fromkeys((short, workload)))


def _split(where: str, aliases: set[str]) -> tuple[str | None, list[str]]:
    """Return the workload that it begins with, None for any, and the words after that."""
    begins = [each for each in aliases if f"{where}.".startswith(f"{each}.")]
    alias = max(begins, key=len, default=None)
    rest = where if alias is None else where[len(alias) + 1 :]
    return alias, rest.split(".") if rest else []


def _decide(gate: Gate, place: _Place) -> tuple[bool | None, str] | None:
    """Return whether the gate is passed there, and what is there; None for no such figure."""
    data = place.data
    if data.get("status", "ok") != "ok":
        return None, f"{place.name} {data['status']}: {str(data['reason']).rstrip('.')}"
    value: Any = data
    for part in gate.figure.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        estimate, ends = value["estimate"], (value["low"], value["high"])
    else:
        estimate, ends = value, data.get(f"{gate.figure}_interval") or (value, value)
    if estimate is None:
        return None
    if None in ends:
        return None, f"{place.name} has {estimate:.3g}, by too few blocks for an interval"
    low, high = ends
    told = format_interval(Estimate(estimate, low, high)) if low != high else f"{estimate:.3g}"
    about = f"{place.name} has {told}"
    if data.get("verdict") == "withheld" and gate.figure in _RESTS_ON_CONTROLS:
        return None, f"{about}, but a control failed"
    holds = {gate.holds(low), gate.holds(high)}
    return (not holds.pop() if len(holds) == 1 else None), about
