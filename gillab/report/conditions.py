"""Describes the conditions of a run in words: controls, noise, environment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gillab.report.figures import (
    format_duration,
    format_interval,
    format_percent,
    format_workers,
    label_workloads,
)
from gillab.results import Cell, Control, Noise, Result
from gillab.text import printable

_PASSED = {True: "passed", False: "FAILED", None: "too few blocks to tell"}


def describe_controls(result: Result) -> list[str]:
    """Describe the controls, one line for each workload."""
    itself = "old against itself" if result.command == "versus" else "serial against itself"
    controls = [(control, itself) for control in result.null]
    controls += [(c, f"ceiling {format_workers(c.workers)}") for c in result.ceiling]
    labels = label_workloads(
        [cell.workload for cell in result.cells] + [control.workload for control, _ in controls]
    )
    lines = []
    for workload, label in labels.items():
        of = [
            _describe(control, name) for control, name in controls if control.workload == workload
        ]
        if of:
            lines.append(f"{label}: {'; '.join(of)}")
    return lines


def _describe(control: Control, name: str) -> str:
    if control.reason is not None:
        return f"{name} failed: {printable(control.reason)}"
    if control.speedup is None:
        return f"{name} not measured"
    figure = format_interval(control.speedup)
    of = "" if control.expected == 1 else f" of {control.expected:g}"
    return f"{name} {figure}{of}, {_PASSED[control.passed]}"


def describe_noise(noise: Noise) -> str:
    """Describe what else the machine did meanwhile, as far as this system tells."""
    parts = list(_noise_parts(noise))
    if noise.blocks == 0:
        quiet = "no block was finished"
    elif noise.other_cores is None:
        quiet = f"{_blocks(noise.blocks)}; this system does not tell whether others kept it busy"
    else:
        quiet = f"{noise.quiet_blocks} of {_blocks(noise.blocks)} quiet"
    return "; ".join([quiet, *parts])


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"


def _noise_parts(noise: Noise) -> Iterator[str]:
    if noise.other_cores is not None:
        most = "" if noise.other_cores_max is None else f" (at most {noise.other_cores_max:.2f})"
        yield f"others kept {noise.other_cores:.2f} cores busy{most}"
    if noise.steal is not None:
        yield f"steal {format_percent(noise.steal, 1)}"
    if noise.pressure is not None:
        yield f"CPU pressure {format_percent(noise.pressure, 1)}"
    if noise.throttled_s is not None:
        yield f"throttled for {format_duration(noise.throttled_s)}"
    if noise.involuntary_switches is not None:
        yield f"{noise.involuntary_switches} involuntary switches"
    if noise.frequency_mhz is not None:
        low, high = noise.frequency_mhz
        yield f"{low:.0f} to {high:.0f} MHz"


def describe_environment(environment: Mapping[str, Any]) -> str:
    """Describe interpreter and machine in one line, without what is not known."""
    usable, present = environment.get("cpus_usable"), environment.get("cpus")
    cpus = f"{usable} of {present} CPUs usable" if usable and present else ""
    python = describe_interpreter(environment)
    parts = [python, cpus, environment.get("cpu_model"), environment.get("platform")]
    return ", ".join(printable(str(part)) for part in parts if part)


def describe_interpreter(facts: Mapping[str, Any]) -> str:
    """Describe an interpreter: ``CPython 3.14.2, GIL off``."""
    gil = {True: "GIL on", False: "GIL off"}.get(facts.get("gil_enabled"), "")  # type: ignore[arg-type]
    name = str(facts.get("implementation") or "Python")
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(name, name)
    python = f"{name} {facts.get('python') or ''}".strip()
    jit = "JIT on" if facts.get("jit_enabled") else ""
    return ", ".join(part for part in (python, gil, jit) if part)


def list_interpreters(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the description of each other interpreter, by its label."""
    return {
        each["label"]: describe_interpreter(each) if each.get("python") else ""
        for each in environment.get("pythons", ())
    }


def list_warnings(result: Result) -> list[str]:
    """Return what a reader must know before trusting the figures."""
    interrupted = "interrupted: only what was measured until then is shown"
    return [*([interrupted] if result.partial else []), *result.warnings]


def describe_later(cells: Sequence[Cell]) -> str:
    """Say how much wider the intervals for the minutes after are; empty if there are none."""
    wider = {f"{each:.1f}" for cell in cells if (each := _find_widening(cell)) is not None}
    if not wider:
        return ""
    least, most = min(wider, key=float), max(wider, key=float)
    times = least if least == most else f"{least} to {most}"
    return f"for the minutes after it, intervals are {times} times as wide"


def _find_widening(cell: Cell) -> float | None:
    widths = []
    for of in (cell.speedup, cell.speedup_later):
        if of is None or not of.low or not of.high or of.low == of.high:
            return None
        widths.append(math.log(of.high / of.low))
    now, later = widths
    return later / now


def shows_later(result: Result) -> bool:
    """Whether there are intervals for the minutes after the run."""
    return any(cell.speedup_later and cell.speedup_later.low for cell in result.cells)


def shows_quiet(result: Result) -> bool:
    """Whether some blocks were not quiet: then figures without these blocks are shown too."""
    noisy = result.noise.quiet_blocks < result.noise.blocks
    return noisy and any(cell.speedup_quiet for cell in result.cells)


def shows_held(result: Result) -> bool:
    """Whether the GIL's state was measured."""
    return any(cell.held is not None for cell in result.cells)
