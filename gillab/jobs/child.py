"""A launch that plays a program's parent process: ``python -m gillab.jobs.child``."""

from __future__ import annotations

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import Announced, OpenArms, Refused
from gillab.blocks.plan import SERIAL, Arm
from gillab.blocks.runner import Measurable, Runner
from gillab.errors import UsageError
from gillab.jobs.arm import JobArm
from gillab.jobs.diagnosis import FORKED, describe_program_error
from gillab.jobs.forks import watch_forks
from gillab.jobs.look import estimate_loop
from gillab.jobs.messages import JobSeen, JobTimed, LookAtJob
from gillab.jobs.program import Job, ProgramError, load_job
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes

_SETUP = "it was still in the program's setup, before the job"


def serve(pipes: ParentPipes) -> None:
    """Look at the job, or run blocks of it, as asked."""
    plan = pipes.read()
    if isinstance(plan, LookAtJob):
        _look(plan, pipes)
        return
    assert isinstance(plan, OpenArms)
    # Where the program's own code dies or hangs, its loop is what cannot be measured.
    pipes.say(Announced(SERIAL.key, _SETUP))

    def tell_fork() -> None:
        pipes.say(Announced(SERIAL.key, f"{_SETUP}; {FORKED}"))

    loaded: Job | ProgramError
    try:
        with watch_forks(tell_fork):
            loaded = load_job(plan.workload, plan.start_method)
    except ProgramError as error:
        loaded = error
    except UsageError as error:
        pipes.say(Refused(str(error)))
        return

    def open_arm(arm: Arm) -> Measurable:
        if isinstance(loaded, ProgramError):
            raise ArmError(describe_program_error(loaded))
        return JobArm(arm, loaded, plan.start_method)

    runner = Runner(plan, pipes.say, open_arm=open_arm)
    runner.serve(pipes)


def _look(asked: LookAtJob, pipes: ParentPipes) -> None:
    try:
        job = load_job(asked.workload, asked.start_method)
    except ProgramError:
        pipes.say(JobSeen(None))
    except UsageError as error:
        pipes.say(Refused(str(error)))
    else:
        pipes.say(JobSeen(len(job.items)))
        pipes.say(JobTimed(estimate_loop(job)))


if __name__ == "__main__":
    run_child(serve)
