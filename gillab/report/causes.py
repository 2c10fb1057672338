"""Says in a clause what keeps a strategy from gaining: all causes in one place."""

from __future__ import annotations

from gillab.report.figures import format_percent
from gillab.results import Cause, Cell


def add_cause(claim: str, cause: Cause | None, held: float | None) -> str:
    """Return the claim with its cause and the fraction of the time that the GIL was held.

    If no figure tells the cause, return the claim alone.
    """
    clause = tell_cause(cause, held)
    return f"{claim}{clause and ': '}{clause}{_tell_beside(cause, held)}"


def tell_proof(cause: Cause | None, held: float | None) -> str:
    """Return the clause for the proof that nothing is gained, whatever times were measured."""
    if cause == "gil" and held is not None:
        return f"the GIL is held {format_percent(held)} of the time and one core is busy"
    return tell_cause(cause, held)


def tell_cause(cause: Cause | None, held: float | None) -> str:
    """Return what keeps it from gaining."""
    percent = "" if held is None else format_percent(held)
    match cause:
        case "gil" if percent:
            return f"the GIL is held {percent} of the time, so one runs at a time"
        case "gil" | "gil_unmetered":
            return "about one runs at a time, as the GIL allows"
        case "other_lock" if percent:
            beside = f"one core is busy, and the GIL is held {percent} of the time"
            return f"they wait for a lock that is not the GIL ({beside})"
        case "other_lock":
            return "they wait for a lock that is not the GIL (one core is busy)"
        case "contention":
            return "they slow each other down (all run, and each task takes more CPU time)"
        case "one_cpu":
            return "this process may use one CPU only"
        case "inner_threads":
            return "one task alone keeps the cores busy"
    return ""


def _tell_beside(cause: Cause | None, held: float | None) -> str:
    """Return a clause with facts that do not explain the missing gain, but that matter."""
    if cause == "gil_in_part" and held is not None:
        return f", and the GIL is held {format_percent(held)} of the time"
    return ", though there is no GIL here" if cause == "no_gil" else ""


def tell_shortfall(cell: Cell, due: float | None) -> str:
    """Say in a clause why a winner does not reach the ceiling; empty if that is not known."""
    parts = []
    if "dearer" in cell.shortfall:
        parts.append(f"a task takes {cell.cpu_cost:.1f}x the CPU time of a serial one")
    if "idle_cores" in cell.shortfall and due is not None:
        parts.append(f"the workers keep {cell.cores:.1f} of {due:g} cores busy")
    return " and ".join(parts)
