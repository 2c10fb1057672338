"""How figures and names are written, alike in every form."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gillab.charts import Unit
from gillab.estimates import Estimate, Spread
from gillab.text import printable

_PREFIXES = ((9, "G"), (6, "M"), (3, "k"))
_UNITS = ((0, "s"), (-3, "ms"), (-6, "µs"), (-9, "ns"))


def format_duration(seconds: float, digits: int = 3) -> str:
    """Write a time with that many significant digits and the unit that fits: ``20.1 ms``."""
    power, unit, decimals = _fit(seconds, digits)
    return f"{seconds / 10**power:.{decimals}f} {unit}"


def format_value(value: float, unit: Unit, digits: int = 3) -> str:
    """Write a figure of a chart with its unit: ``20.1 ms``, ``1.5 MB``, ``1.93x``, ``12 %``."""
    return format_measured(Estimate(value, None, None), unit, digits)


def format_measured(estimate: Estimate, unit: Unit, digits: int = 3) -> str:
    """Write a figure of a chart with its interval and unit: ``20.1 [19.8, 20.5] ms``."""
    if unit == "x":
        return format_speedup(estimate)
    power, name = _choose_unit(estimate.estimate, unit, digits)
    values = [estimate.estimate, estimate.low, estimate.high]
    middle, *ends = (
        "" if value is None else _round_to(value * 10.0**-power, digits) for value in values
    )
    interval = f" [{ends[0]}, {ends[1]}]" if all(ends) else ""
    joint = "" if name.startswith("/") else " "
    return f"{middle}{interval}{joint}{name}".rstrip()


def _choose_unit(value: float, unit: Unit, digits: int) -> tuple[int, str]:
    """Return the power of ten and the name of the unit in which to write a figure."""
    if unit == "s":
        power, name, _ = _fit(value, digits)
        return power, name
    if unit == "fraction":
        return -2, "%"
    if unit in ("B", "B/s"):
        exponent = _exponent(value, digits) if value else 0
        power, prefix = next((each for each in _PREFIXES if exponent >= each[0]), (0, ""))
        return power, f"{prefix}{unit}"
    return 0, "/s" if unit == "1/s" else ""


def _round_to(value: float, digits: int) -> str:
    """Write a number with so many significant digits at least, and no zeros after its point."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - _exponent(value, digits))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_spread(spread: Spread) -> str:
    """Write a median and its deviation in one unit: ``20.1 ± 0.3 ms``."""
    power, unit, decimals = _fit(spread.median, 3)
    median, mad = (f"{s / 10**power:.{decimals}f}" for s in (spread.median, spread.mad))
    return f"{median} ± {mad} {unit}"


def format_interval(estimate: Estimate, suffix: str = "") -> str:
    """Write a ratio and, where it has one, its interval: ``1.93 [1.90, 1.96]``."""
    decimals = _decimals(estimate.estimate)
    text = f"{estimate.estimate:.{decimals}f}{suffix}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:.{decimals}f}, {estimate.high:.{decimals}f}]"


def format_speedup(speedup: Estimate) -> str:
    """Write a speedup as sentences do: ``1.93x [1.90, 1.96]``."""
    return format_interval(speedup, suffix="x")


def format_share(share: Estimate, whom: str = "") -> str:
    """Write a share of the ceiling: ``98 % of what this machine gives``, ``all that ...``.

    ``whom`` it gives that to, where it may give others more.
    """
    percent = round(100 * share.estimate)
    part = "all that" if percent >= 100 else f"{percent} % of what"
    return f"{part} this machine gives{' ' if whom else ''}{whom}"


def format_percent(fraction: float, decimals: int = 0) -> str:
    """Write a fraction of one in percent: ``99 %``."""
    return f"{100 * fraction:.{decimals}f} %"


def format_workers(workers: int) -> str:
    """Write a number of workers: a multiplication sign and the number."""
    return f"\N{MULTIPLICATION SIGN}{workers}"


def count_workers(workers: int) -> str:
    """Write a number of workers as sentences do: ``1 worker``, ``2 workers``."""
    return f"{workers} worker{'' if workers == 1 else 's'}"


def format_clock(seconds: float) -> str:
    """Write a time left as a clock does: ``0:23``, ``1:02:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is longer than ``width`` characters."""
    text = " ".join(printable(text, keep="\n\t").split())
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def label_workloads(workloads: Iterable[str], width: int = 40) -> dict[str, str]:
    """Give each workload a label for use in a sentence, whole where the short ones collide."""
    names = list(dict.fromkeys(workloads))
    labels = {name: shorten(name, width) for name in names}
    taken = list(labels.values())
    return {n: s if taken.count(s) == 1 else printable(n) for n, s in labels.items()}


def _fit(seconds: float, digits: int) -> tuple[int, str, int]:
    """Return the power of ten, the unit and the decimals in which to write a time."""
    if not seconds:
        return 0, "s", 0
    exponent = _exponent(seconds, digits)
    power, unit = next((u for u in _UNITS if exponent >= u[0]), _UNITS[-1])
    return power, unit, min(max(0, digits - 1 - exponent + power), digits)


def _exponent(value: float, digits: int) -> int:
    """Return the power of ten of ``value`` once it is rounded: 9.999 counts as 10.0."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _decimals(ratio: float) -> int:
    """Return the decimals of a ratio: two, fewer for large ones, more for very small ones."""
    if not ratio:
        return 2
    exponent = _exponent(ratio, 3)
    return max(0, 2 - exponent) if exponent >= 0 else min(max(2, 1 - exponent), 6)
