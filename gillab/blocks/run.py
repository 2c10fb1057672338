"""Runs a protocol from the plan to the result: every experiment with arms calls this."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from gillab.blocks.analysis import analyze
from gillab.blocks.evidence import Machine
from gillab.blocks.plan import Experiment
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Block, Record
from gillab.blocks.session import Launchable, Progress, Session
from gillab.blocks.stopping import Look, look
from gillab.environment import collect_environment, find_capacity, is_gil_enabled
from gillab.errors import Interrupted
from gillab.launch.functions import check_functions
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
) -> Result:
    """Measure, and draw the conclusions.

    ``start`` makes a launch, in a fresh interpreter unless something else is given. ``conclude``
    adds what the experiment makes of it, its charts and its summary in words; it is called with
    a partial result too. ``look`` tells when a workload is decided. UsageError for what does not
    exist or cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    started = time.monotonic()
    machine = find_machine()
    if start is None:
        named = [each for plan in experiments for each in (plan.workload, plan.other) if each]
        check_functions(named, protocol.timeout_s)
    left_s = max(0.0, protocol.time_budget_s - (time.monotonic() - started))
    within = replace(protocol, time_budget_s=left_s)
    session = Session(experiments, within, machine, on_block, start, look)
    try:
        session.run()
    except KeyboardInterrupt:
        partial = _conclude(command, session.records, protocol, machine, partial=True)
        raise Interrupted(conclude(partial)) from None
    return conclude(_conclude(command, session.records, protocol, machine, partial=False))


def _conclude(
    command: str,
    records: Sequence[Record],
    protocol: Protocol,
    machine: Machine,
    *,
    partial: bool,
) -> Result:
    environment = collect_environment()
    analysis = analyze(
        records, protocol.confidence, machine, environment["python"], interrupted=partial
    )
    return Result(
        command=command,
        partial=partial,
        seed=protocol.seed,
        options={**asdict(protocol), "scheduler": _find_scheduler(records)},
        environment=environment,
        cells=analysis.cells,
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
