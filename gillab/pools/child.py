"""A launch that plays a program which makes a pool: ``python -m gillab.pools.child``."""

from __future__ import annotations

import sys

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import Failed
from gillab.jobs.diagnosis import describe_program_error
from gillab.jobs.program import Job, ProgramError, load_job
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes
from gillab.pools.messages import MakePool, PoolMade, ProgramLoaded
from gillab.pools.plan import make_program
from gillab.pools.pool import PoolMaker
from gillab.strategies import get_strategy


def serve(pipes: ParentPipes) -> None:
    """Load the program, and make the pool that is asked for."""
    asked = pipes.read()
    assert isinstance(asked, MakePool)
    arm = asked.arm
    try:
        job = _load(asked.setup)
        if arm is None:
            pipes.say(ProgramLoaded())
            return
        get_strategy(arm.strategy)  # what it imports, a program has imported before
        maker = PoolMaker(arm, asked.setup, job, asked.patience_s)
        first, second = maker.make(), maker.make()
    except ProgramError as error:
        pipes.say(Failed("" if arm is None else arm.key, "failed", describe_program_error(error)))
    except ArmError as error:
        assert arm is not None
        pipes.say(Failed(arm.key, error.status, str(error)))
    else:
        pipes.say(
            PoolMade(first.ready_s, first.end_s, second.ready_s, first.cores, first.memory_bytes)
        )


def _load(setup: str) -> Job:
    job = load_job(make_program(setup), None)
    # As in a script, whose main module a fork server loads once for all its workers.
    sys.modules["__main__"].__spec__ = None
    return job


if __name__ == "__main__":
    run_child(serve)
