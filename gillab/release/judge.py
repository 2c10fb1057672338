"""Judges a call by what the meter read: pure functions."""

from __future__ import annotations

from dataclasses import replace

from gillab.estimates import Estimate
from gillab.release.findings import Finding, Gate, GateResult, Scaling, Verdict
from gillab.release.rounds import Release
from gillab.statistics import MARGIN

MOSTLY = 0.9
"""A call that releases (or holds) the lock for this fraction of its time counts as releasing (or
holding)."""
_WIDE = 0.2
"""An interval wider than this names no class."""
_CONTROL_ERROR = 0.05
"""A control may be off by this much."""
_LOOP_SHARE = 0.02
"""The largest share of a call's time that the loop around it may take."""
COMPUTES = 0.8
"""A call that keeps a core less busy than this share of a loop beside it waits part of the time."""
_OTHERS = 0.02
_UNEVEN = 0.1
_LATE = 2.0
_STOLEN = 1.1
"""If a loop without the GIL gains this many times what the CPUs can give, it took CPU time from
other programs."""


def judge(
    workload: str,
    variant: str,
    python: str,
    call: Release,
    holder: Release,
    releaser: Release,
) -> Finding:
    """Say what the call does, unless a control reads wrong or the interval is too wide."""
    finding = replace(
        describe(workload, variant, python, call),
        holder=holder.released,
        releaser=releaser.released,
    )
    if not call.gil_enabled:
        all_of_it, no_hold = Estimate(1.0, 1.0, 1.0), Estimate(0.0, 0.0, 0.0)
        return replace(finding, verdict="no_gil", released=all_of_it, longest_hold_s=no_hold)
    doubt = find_doubt(holder, releaser)
    if doubt:
        return replace(finding, verdict="undecided", reason=doubt)
    released = allow_for_loop(call)
    verdict, reason = classify(call.released, released, finding.shortest_s or 0.0)
    return replace(finding, verdict=verdict, reason=reason)


def describe(workload: str, variant: str, python: str, call: Release | None) -> Finding:
    """Report what was read of a call (None: nothing), without a verdict."""
    finding = Finding(workload, python, "ok", variant)
    if call is None:
        return finding
    if call.gil_enabled:
        finding = replace(finding, released=allow_for_loop(call), longest_hold_s=call.longest_hold)
    return replace(
        finding,
        held_mean=call.held_mean,
        others_held=call.others,
        call=call.call,
        shortest_s=call.empty_s / _LOOP_SHARE,
        samples=call.samples,
        missed=call.missed,
        calls=call.calls,
        duration_s=call.duration_s,
        notes=tuple(_find_notes(call)),
    )


def allow_for_loop(call: Release) -> Estimate:
    """Widen the interval of the released fraction by what the loop around it may have held."""
    released = call.released
    loop = min(call.empty_s / call.call.median, 0.99)
    return replace(released, high=min(1.0, _high(released) / (1 - loop)))


def find_doubt(holder: Release, releaser: Release) -> str | None:
    """Say which control read wrong; None if both read right."""
    if not (holder.gil_enabled and releaser.gil_enabled):
        return "the GIL was turned on while it was measured"
    for name, control, truth in (("holds", holder, 0.0), ("releases", releaser, 1.0)):
        if _misreads(control.released, truth):
            why = "the machine was too busy to tell"
            # While others hold the lock, this loop cannot release it. If that explains the whole
            # error, nothing else is wrong.
            if not _misreads(control.released, truth - control.others):
                held = f"{100 * control.others:.0f} % of the time"
                why = f"other threads of the process held it for {held}"
            return (
                f"a loop in C that {name} the GIL seemed to release it for "
                f"{100 * control.released.estimate:.0f} %: {why}"
            )
    return None


def _misreads(control: Estimate, truth: float) -> bool:
    return abs(control.estimate - truth) > _CONTROL_ERROR


def classify(bare: Estimate, released: Estimate, shortest_s: float) -> tuple[Verdict, str | None]:
    """Name the class that a fraction and its interval allow, or say why there is none.

    ``bare`` is the interval without what the loop around the call may have held.
    """
    middle = released.estimate
    low, high = _low(released), _high(released)
    if low >= MOSTLY:
        return "releases", None
    if high <= 1 - MOSTLY:
        return "holds", None
    if high - low <= _WIDE:
        if middle >= MOSTLY:
            return "releases", None
        return ("holds", None) if middle <= 1 - MOSTLY else ("partly", None)
    if _high(bare) - low <= _WIDE:
        return "too_short", f"the shortest call that can be told takes {shortest_s * 1e6:.2g} µs"
    if low > 1 - MOSTLY and high < MOSTLY:
        return "partly", None
    return "undecided", "the interval is too wide: give it more time, or a quieter machine"


def pass_gate(finding: Finding, gate: Gate, limit: float) -> GateResult:
    """Compare a finding with a limit: undecided if the limit lies within its interval."""
    if gate == "speedup":
        passed, reason = _pass_speedup(finding.scaling, limit)
    elif gate == "longest_wait":
        passed, reason = _pass_wait(finding, limit)
    else:
        passed, reason = _pass(finding, gate, limit), None
    return GateResult(finding.workload, finding.variant, gate, limit, passed, reason)


def _pass_speedup(scaling: Scaling | None, limit: float) -> tuple[bool | None, str | None]:
    """Compare what threads gain with a limit, and say why if that could not be decided.

    Passed if the interval's low end reaches the limit. Failed if its high end does not, and the
    machine gave as much to a loop in the same blocks; for work that waits no loop is asked.
    """
    if scaling is None or scaling.speedup is None or not scaling.trusted:
        return None, None
    if scaling.speedup.low is None:
        return None, "too few blocks were measured in the time there was"
    # On one CPU the call is not to blame.
    if scaling.proved_by not in (None, "one_cpu") and limit > 1 + MARGIN:
        return False, None
    passed = _is_at_least(scaling.speedup, limit)
    if scaling.busy is not None and scaling.busy < COMPUTES:
        return passed, None
    ceiling, expected = scaling.ceiling, scaling.expected
    # If other programs compete for a CPU, two threads get a larger share of it than one.
    if ceiling is not None and expected and (ceiling.low or 0.0) > _STOLEN * expected:
        gains = f"a loop without the GIL gained {_format_ceiling(ceiling)}"
        return None, f"the machine was busy: {gains} where the CPUs give {expected:g}x at most"
    if passed is not False:
        return passed, None
    if ceiling is None:
        return None, "what this machine gives a loop without the GIL was not measured"
    if _gave(ceiling, scaling.speedup, limit):
        return False, None
    return None, f"this machine gives a loop without the GIL {_format_ceiling(ceiling)}"


def _gave(ceiling: Estimate, speedup: Estimate, limit: float) -> bool:
    """Whether the machine surely gave a loop as much as the limit, or surely more than the call."""
    if ceiling.low is None or speedup.high is None:
        return False
    return ceiling.low >= limit or (ceiling.estimate >= limit and speedup.high < ceiling.low)


def _format_ceiling(ceiling: Estimate) -> str:
    text = f"{ceiling.estimate:.2f}x"
    if ceiling.low is None or ceiling.high is None:
        return text
    return f"{text} [{ceiling.low:.2f}, {ceiling.high:.2f}]"


def _pass_wait(finding: Finding, limit: float) -> tuple[bool | None, str | None]:
    """Compare the longest wait with a limit, and say why if that could not be decided.

    If even beside bytecode half of the requests waited far longer than the switch interval, the
    machine keeps threads waiting. Then a wait beyond the limit is undecided.
    """
    if finding.verdict == "no_gil":
        return True, None
    waits = finding.waits
    if finding.status != "ok" or waits is None:
        return None, None
    over = _is_at_least(waits.longest_s, limit)
    if over is False:
        return True, None
    if waits.floor.p50_s > _LATE * waits.switch_interval_s:
        late = f"{1e3 * waits.floor.p50_s:.2g} ms beside a loop of bytecode"
        return None, f"the machine was too busy: a thread that asks waited {late}"
    if over:
        return False, None
    low, high = 1e3 * _low(waits.longest_s), 1e3 * (waits.longest_s.high or 0.0)
    return None, f"the call surely makes it wait {low:.2g} ms, and {high:.2g} ms at most"


def _pass(finding: Finding, gate: Gate, limit: float) -> bool | None:
    if finding.verdict == "no_gil":
        return True
    if finding.status != "ok" or finding.holder is None or finding.releaser is None:
        return None
    if _misreads(finding.holder, 0.0) or _misreads(finding.releaser, 1.0):
        return None
    if gate == "at_least":
        return None if finding.released is None else _is_at_least(finding.released, limit)
    longest = finding.longest_hold_s
    if longest is None:
        return None
    over = _is_at_least(longest, limit)
    return None if over is None else not over


def _is_at_least(estimate: Estimate, limit: float) -> bool | None:
    if estimate.low is None or estimate.high is None:
        return None
    if estimate.low >= limit:
        return True
    return False if estimate.high < limit else None


def _find_notes(call: Release) -> list[str]:
    notes = []
    if call.others > _OTHERS:
        held = f"{100 * call.others:.0f} % of the time"
        notes.append(f"other threads of the process held the GIL for {held}")
    mean = 1 - call.held_mean
    if abs(mean - call.released.estimate) > _UNEVEN:
        notes.append(f"uneven: over all rounds together it was released for {100 * mean:.0f} %")
    return notes


def _low(estimate: Estimate) -> float:
    return 0.0 if estimate.low is None else estimate.low


def _high(estimate: Estimate) -> float:
    return 1.0 if estimate.high is None else estimate.high
