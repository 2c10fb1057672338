"""What a call does with the GIL, in the words a person would use."""

from __future__ import annotations

from collections.abc import Sequence

from gillab.estimates import Estimate, Spread
from gillab.release.findings import RELEASING, Finding, GateResult, Onset, Scaling
from gillab.report.causes import add_cause, tell_proof
from gillab.report.figures import (
    format_duration,
    format_percent,
    format_share,
    format_speedup,
    shorten,
)
from gillab.report.waits import tell_waits
from gillab.text import printable

_CLASSES = {
    "releases": "releases the GIL",
    "holds": "holds the GIL",
    "partly": "releases the GIL in part",
    "no_gil": "no GIL here",
    "too_short": "too short to tell",
    "undecided": "undecided",
}
_NAMES = 60
_ABOUT = 1.5


def name_call(finding: Finding) -> str:
    """Return the call's name, with the value that its setup was given."""
    name = shorten(finding.workload, _NAMES)
    return f"{name} with {finding.variant}" if finding.variant else name


def tell_finding(finding: Finding) -> str:
    """Say all of a finding in one sentence."""
    return _tell_all(finding, _tell_release(finding))


def tell_failure(finding: Finding) -> str:
    """Say what was read of a call that fails its gate, and its class if it has one.

    An interval may be too wide for a class and still lie wholly beyond the limit: then the gate is
    decided.
    """
    if finding.verdict not in ("undecided", "too_short") or not (finding.released and finding.call):
        return tell_finding(finding)
    return _tell_all(finding, _tell_reading(finding.released, finding.call))


def _tell_all(finding: Finding, release: str) -> str:
    clauses = [release, *finding.notes]
    if finding.longest_hold_s is not None and finding.verdict != "no_gil":
        clauses.append(f"longest hold {format_hold(finding.longest_hold_s)}")
    if finding.waits is not None and finding.waits.handover != "released":
        clauses.append(tell_waits(finding.waits))
    if finding.scaling is not None:
        clauses.append(tell_scaling(finding.scaling))
    return f"{name_call(finding)}: {'; '.join(clauses)}."


def _tell_release(finding: Finding) -> str:
    reason = printable(finding.reason or "").rstrip(".")
    if finding.status != "ok":
        failed = f"{finding.status}: {reason}" if reason else finding.status
        return failed + _tell_until_then(finding)
    if finding.released is None or finding.call is None:
        return f"undecided, {reason}"
    takes = format_duration(finding.call.median, 2)
    if finding.verdict == "no_gil":
        return f"takes {takes}, and there is no GIL here to hold"
    if finding.verdict == "too_short":
        return f"takes {takes}, which is too short to tell; {reason}"
    if finding.verdict == "holds":
        return f"holds the GIL for {format_fraction(_complement(finding.released))} of its {takes}"
    share = f"{format_fraction(finding.released)} of its {takes}"
    if finding.verdict == "undecided":
        return f"undecided, {reason}; it seemed to release the GIL for {share}"
    part = "in part, " if finding.verdict == "partly" else ""
    return f"releases the GIL {part}for {share}"


def _tell_until_then(finding: Finding) -> str:
    """Say what a call seemed to do before it went wrong; empty if nothing was read."""
    if finding.released is None or finding.call is None:
        return ""
    return f"; until then it {_tell_reading(finding.released, finding.call)}"


def _tell_reading(released: Estimate, call: Spread) -> str:
    takes = format_duration(call.median, 2)
    return f"seemed to release the GIL for {format_fraction(released)} of its {takes}"


def tell_scaling(scaling: Scaling) -> str:
    """Say in a clause what threads gain, and what share of the ceiling that is."""
    count = "two" if scaling.workers == 2 else str(scaling.workers)
    threads = f"{count} threads"
    if scaling.speedup is None:
        reason = printable(scaling.reason or "").rstrip(".")
        return f"{threads} not measured: {reason}"
    text = f"{threads} {format_speedup(scaling.speedup)}"
    if scaling.verdict == "withheld":
        return f"{text}, but {scaling.reason}"
    # The same sentence already says for how much of the time the call itself holds the lock.
    cause = None if scaling.cause in ("gil", "gil_in_part") else scaling.cause
    if scaling.speedup.low is None and scaling.verdict in ("inconclusive", None):
        return f"{text} (too few blocks to tell)"
    if scaling.verdict in ("inconclusive", None):
        return add_cause(text, cause, scaling.held)
    if scaling.proved_by is not None:
        proof = tell_proof(scaling.proved_by, scaling.held)
        return f"{threads} gain nothing: {proof} (measured {format_speedup(scaling.speedup)})"
    if scaling.verdict != "wins":
        return add_cause(text, cause, scaling.held)
    if scaling.of_ceiling is None:
        return text
    return f"{text}, {format_share(scaling.of_ceiling, count)}"


def format_fraction(fraction: Estimate) -> str:
    """Write a fraction and its interval in percent: ``99.1 % [98.8, 99.4]``."""
    text = format_percent(fraction.estimate, 1)
    if fraction.low is None or fraction.high is None:
        return text
    return f"{text} [{100 * fraction.low:.1f}, {100 * fraction.high:.1f}]"


def _complement(fraction: Estimate) -> Estimate:
    low, high = fraction.low, fraction.high
    return Estimate(
        1 - fraction.estimate,
        None if high is None else 1 - high,
        None if low is None else 1 - low,
    )


def format_hold(hold: Estimate) -> str:
    """Write the longest hold: a figure, or the one or two bounds if only those are known."""
    if hold.low is None or hold.high is None or hold.high <= _ABOUT * hold.low:
        return format_duration(hold.estimate, 2)
    most = format_duration(hold.high, 2)
    return f"under {most}" if hold.low <= 0 else f"{format_duration(hold.low, 2)} to {most}"


def name_class(finding: Finding) -> str:
    """Return the class as a row shows it, or that it was not measured."""
    return _CLASSES[finding.verdict] if finding.verdict else finding.status


def tell_onset(onset: Onset | None, cells: Sequence[Finding]) -> str | None:
    """Say from which value on the call releases the lock; None if there is only one value."""
    releasing = [cell.variant for cell in cells if cell.verdict in RELEASING]
    open_ = [cell.variant for cell in cells if cell.verdict not in (*RELEASING, "holds")]
    if onset is None or len(cells) < 2 or len(open_) == len(cells):
        return None
    name = shorten(onset.workload, _NAMES)
    untold = f"no answer for {', '.join(open_)}"
    if all(cell.verdict == "no_gil" for cell in cells if cell.variant not in open_):
        where = f"; {untold}" if open_ else ", whatever the value"
        return f"{name}: there is no GIL here{where}."
    if not onset.decided:
        at = ", ".join(releasing)
        known = f"it releases the GIL, at least in part, at {at}; " if releasing else ""
        if not open_:
            nothing = "so nothing can be said about where that begins"
            return f"{name}: {known}not all values are numbers, {nothing}."
        return f"{name}: {known}{untold}, so it is not known where it begins to release the GIL."
    begin = _tell_begin(onset, ", ".join(releasing), all_told=not open_)
    return f"{name}: {begin}; {untold}." if open_ else f"{name}: {begin}."


def _tell_begin(onset: Onset, releasing: str, *, all_told: bool) -> str:
    if onset.releases_from is None:
        if releasing:
            held = f"it holds the GIL at {onset.varied}={onset.holds_to}"
            return (
                f"{held}, the last value, though it releases it, at least in part, at {releasing}"
            )
        if all_told:
            return "it releases the GIL at none of these values"
        return "it was not seen to release the GIL"
    where = "at every value"
    if onset.holds_to is not None:
        name = onset.varied
        where = f"from {name}={onset.releases_from} on, not at {name}={onset.holds_to}"
    if onset.mostly_from == onset.releases_from:
        return f"it releases the GIL {where}"
    mostly = f", nearly all of the time from {onset.varied}={onset.mostly_from} on"
    return f"it releases the GIL in part {where}{mostly if onset.mostly_from is not None else ''}"


def tell_gate(gate: GateResult) -> str:
    """Say whether a finding passed a gate."""
    what = {
        "at_least": f"releases the GIL for at least {format_percent(gate.limit, 1)}",
        "longest_hold": f"holds the GIL for at most {format_duration(gate.limit, 2)} at once",
        "longest_wait": f"a thread that asks waits at most {format_duration(gate.limit, 2)}",
        "speedup": f"threads gain at least {gate.limit:g}x",
    }[gate.gate]
    how = {True: "passed", False: "FAILED", None: "undecided"}[gate.passed]
    where = f" ({gate.variant})" if gate.variant else ""
    why = f"; {gate.reason}" if gate.reason else ""
    return f"gate {how}: {what}{where}{why}."
