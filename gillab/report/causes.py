"""The clauses for what keeps a strategy from gaining: each cause in one place."""

from __future__ import annotations

from gillab.report.figures import format_percent
from gillab.results import Cause, Cell


def tell_cause(cause: Cause | None, held: float | None) -> str:
    """Return the clause for a cause, with the fraction of the time that the GIL was held.

    Empty where there is nothing to say.
    """
    percent = "" if held is None else format_percent(held)
    match cause:
        case "gil":
            return f"the GIL is held {percent} of the time, so one runs at a time"
        case "gil_unmetered":
            return "about one runs at a time, as the GIL allows"
        case "gil_in_part":
            return f"and the GIL is held {percent} of the time"
        case "other_lock":
            hardly = f"held {percent} of the time" if percent else "hardly held"
            return f"they wait for another lock: one core is busy, and the GIL is {hardly}"
        case "contention":
            return "they slow each other down: all run, and each task takes more CPU time"
        case "one_cpu":
            return "this process may use one CPU only"
        case "inner_threads":
            return "one task alone keeps the cores busy"
        case "no_gil":
            return "though there is no GIL here"
    return ""


def tell_shortfall(cell: Cell, due: float | None) -> str:
    """Return the clause that says where the rest of the ceiling is; empty where it is not known."""
    parts = []
    if "dearer" in cell.shortfall:
        parts.append(f"a task takes {cell.cpu_cost:.1f}x the CPU time of a serial one")
    if "idle_cores" in cell.shortfall:
        parts.append(f"the workers keep {cell.cores:.1f} of {due:g} cores busy")
    return " and ".join(parts)
