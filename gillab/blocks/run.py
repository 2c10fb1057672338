"""Runs a protocol from the plan to the result: every experiment with arms calls this."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from gillab.blocks.analysis import analyze
from gillab.blocks.evidence import Machine
from gillab.blocks.plan import Experiment
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Block, Failure, Record
from gillab.blocks.session import Launchable, Progress, Session
from gillab.blocks.stopping import Look, look
from gillab.blocks.team import Team
from gillab.environment import collect_environment, find_capacity, is_gil_enabled
from gillab.errors import Interrupted
from gillab.launch.functions import check_functions
from gillab.launch.inner_threads import limit_by_environment
from gillab.launch.launch import Launch
from gillab.pythons.examine import Python, describe_python
from gillab.results import Result


def find_machine() -> Machine:
    """Return what the verdicts need to know of this machine and interpreter."""
    return Machine(find_capacity(), is_gil_enabled())


def run_blocks(
    command: str,
    experiments: Sequence[Experiment],
    protocol: Protocol,
    on_block: Callable[[Progress], None] | None = None,
    start: Callable[[], Launchable] | None = None,
    conclude: Callable[[Result], Result] = lambda result: result,
    look: Look = look,
    pythons: Sequence[Python] = (),
) -> Result:
    """Measure, and draw the conclusions.

    ``start`` makes a launch, in a fresh interpreter unless something else is given. ``conclude``
    adds what the experiment makes of it, its charts and its summary in words; it is called with
    a partial result too. ``look`` tells when a workload is decided. ``pythons`` are the other
    interpreters that arms name. UsageError for what does not exist or cannot be measured;
    `Interrupted` on Ctrl-C, with what was measured.
    """
    started = time.monotonic()
    machine = replace(
        find_machine(), elsewhere={each.label: each.facts.get("gil_enabled") for each in pythons}
    )
    here = any(not arm.interpreter for plan in experiments for arm in plan.arms)
    if start is None and here:
        named = [each for plan in experiments for each in (plan.workload, plan.other) if each]
        check_functions(named, protocol.timeout_s)
    left_s = max(0.0, protocol.time_budget_s - (time.monotonic() - started))
    within = replace(protocol, time_budget_s=left_s)
    if pythons:
        start = partial(Team, partial(_start_launch, pythons, protocol), here=here)
    session = Session(experiments, within, machine, on_block, start, look)
    _refuse(pythons, session.records)
    try:
        session.run()
    except KeyboardInterrupt:
        cut = _conclude(command, session.records, protocol, machine, pythons, partial=True)
        raise Interrupted(conclude(cut)) from None
    return conclude(_conclude(command, session.records, protocol, machine, pythons, partial=False))


def _start_launch(pythons: Sequence[Python], protocol: Protocol, label: str) -> Launch:
    """Start a launch of the interpreter with that label, or of this one for an empty label."""
    interpreter = next((each.interpreter for each in pythons if each.label == label), None)
    limits = limit_by_environment(protocol.inner_threads)
    return Launch("gillab.blocks.child", limits, interpreter)


def _refuse(pythons: Sequence[Python], records: Sequence[Record]) -> None:
    """Fail the arms of the interpreters in which nothing can be measured."""
    for python in pythons:
        if python.reason is not None:
            for record in records:
                for arm in record.experiment.arms:
                    if arm.interpreter == python.label:
                        record.fail(arm.key, Failure(python.status, python.reason))


def _conclude(
    command: str,
    records: Sequence[Record],
    protocol: Protocol,
    machine: Machine,
    pythons: Sequence[Python],
    *,
    partial: bool,
) -> Result:
    environment = collect_environment()
    versions = {"": environment["python"]}
    if pythons:
        # Not one in which a control alone runs, which is another's again.
        labels = {arm.interpreter for record in records for arm in record.experiment.cells}
        told = [describe_python(each) for each in pythons if each.label in labels]
        environment["pythons"] = told
        versions |= {each.label: str(each.facts.get("python", "")) for each in pythons}
    analysis = analyze(
        records, protocol.confidence, machine, environment["python"], interrupted=partial
    )
    return Result(
        command=command,
        partial=partial,
        seed=protocol.seed,
        options={**asdict(protocol), "scheduler": _find_scheduler(records)},
        environment=environment,
        cells=[replace(each, python=versions[each.interpreter]) for each in analysis.cells],
        null=analysis.null,
        ceiling=analysis.ceiling,
        noise=analysis.noise,
        choices=analysis.choices,
        warnings=() if partial else _find_warnings(records, protocol),
        blocks=[
            _describe_block(block, record.steps) for record in records for block in record.blocks
        ],
    )


def _find_scheduler(records: Sequence[Record]) -> str | None:
    arms = (arm for record in records for arm in record.experiment.arms)
    return next((arm.scheduler for arm in arms if arm.scheduler), None)


def _describe_block(block: Block, steps: int | None) -> dict[str, Any]:
    plain = {**asdict(block), "steps": steps}
    if not block.figures:
        del plain["figures"]
    return plain


def _find_warnings(records: Sequence[Record], protocol: Protocol) -> list[str]:
    warnings = []
    for record in records:
        blocks = len(record.blocks)
        if record.open_cells and blocks < protocol.min_blocks:
            warnings.append(
                f"{record.experiment.workload.name}: the time was up after {blocks} of at least "
                f"{protocol.min_blocks} blocks; give it more with --time-budget."
            )
    return warnings
