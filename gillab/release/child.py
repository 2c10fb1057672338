"""A launch that examines a call: ``python -m gillab.release.child``, told which by its parent."""

from __future__ import annotations

from gillab.errors import GillabError
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes
from gillab.release.examine import examine_here
from gillab.release.messages import ExaminationFailed, Examine, Undecided
from gillab.release.rounds import TooBusyError
from gillab.strategies.failure import describe_exception


def serve(pipes: ParentPipes) -> None:
    """Tell how much of the time one call of the workload releases the GIL."""
    plan = pipes.read()
    assert isinstance(plan, Examine)
    try:
        examine_here(plan.workload, plan.seconds, pipes.say, waits=plan.waits)
    except TooBusyError as error:
        pipes.say(Undecided(str(error)))
    except GillabError as error:
        pipes.say(ExaminationFailed("unavailable", str(error)))
    except ModuleNotFoundError as error:
        pipes.say(ExaminationFailed("missing", describe_exception(error)))
    except BaseException as error:
        pipes.say(ExaminationFailed("failed", describe_exception(error)))


if __name__ == "__main__":
    run_child(serve)
