"""A launch that runs blocks: ``python -m gillab.blocks.child``, told what to do by its parent."""

from __future__ import annotations

from gillab.blocks.messages import OpenArms
from gillab.blocks.runner import Runner
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes


def serve(pipes: ParentPipes) -> None:
    """Open the arms of the plan, then run blocks and meter arms as asked, until the end."""
    plan = pipes.read()
    assert isinstance(plan, OpenArms)
    runner = Runner(plan, pipes.say)
    runner.serve(pipes)


if __name__ == "__main__":
    run_child(serve)
