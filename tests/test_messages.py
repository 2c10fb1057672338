"""What a launch and its parent tell each other is the same on both sides."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
from rounds import ROUND

from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Failed,
    Held,
    Measured,
    MeterArms,
    Metered,
    Noted,
    OpenArms,
    Ready,
    Refused,
    RunBlock,
    Traced,
)
from gillab.blocks.plan import plan_arms
from gillab.jobs.messages import JobSeen, JobTimed, LookAtJob
from gillab.launch.messages import (
    End,
    FindFunctions,
    Found,
    Imports,
    ListImports,
    Message,
    Paths,
    Started,
    decode,
    encode,
)
from gillab.release.messages import (
    ControlRead,
    ExaminationFailed,
    Examine,
    Examined,
    Filled,
    Prepared,
    Returned,
    RoundRead,
    Undecided,
    WaitsRead,
)
from gillab.release.rounds import summarize
from gillab.release.waits import WaitRound
from gillab.workload import Workload

MODULES = (
    "gillab.launch.messages",
    "gillab.blocks.messages",
    "gillab.release.messages",
    "gillab.jobs.messages",
)
WORKLOAD = Workload('x = "ä\\n"\n', "statement", setup="import json", args="(1,)")
OPEN = OpenArms(
    WORKLOAD,
    plan_arms(("serial", "threads"), (2, 3)),
    task_time_s=0.04,
    timeout_s=1e300,
    steps=None,
    control_steps=2**62,
    start_method="spawn",
    inner_threads=1,
)
EXAMPLES: list[Message] = [
    Paths(("/a", "/ü b"), None),
    Paths((), "/a:/b", whole=False),
    Started(),
    FindFunctions(("json:dumps", "os.path:join")),
    Found(),
    Found("there is no module 'jsno'"),
    ListImports(Workload("json:dumps", "function", args="1")),
    Imports({"json": "/usr/lib/python3/json/__init__.py"}),
    Imports({}, "there is no module 'jsno'"),
    End(),
    OPEN,
    replace(OPEN, steps=7, control_steps=None, start_method=None, inner_threads=None),
    RunBlock(("threads/2", "serial/1")),
    RunBlock(()),
    MeterArms(("threads/2",), ("threads/2", "threads/2")),
    Announced("threads/2"),
    Ready("threads/2", 0.1 + 0.2),
    Failed("threads/2", "unavailable", "needs\nPython 3.14"),
    Calibrated(7, None),
    Measured("threads/2", 1e-9, 1.97),
    BlockDone({"wall_s": 0.5, "other_cores": 0.0}, ("changes the working directory",)),
    BlockDone({}, ()),
    Noted("3.14t", ("turns the GIL back on",)),
    Held("threads/2", 0.5, 0.25, 0.75),
    Traced("processes/2/100", 1.5, (0.1, 0.2, 0.3, 0.2, 0.2, 0.05), None),
    Refused("the items cannot be made"),
    LookAtJob(WORKLOAD, "spawn"),
    JobSeen(100_000),
    JobSeen(None),
    JobTimed(5.0),
    Metered(),
    Examine(WORKLOAD, 0.05),
    Prepared(),
    Filled(),
    Returned(3.9, 1e-8),
    ControlRead("holder", summarize([ROUND] * 12, 1e-8)),
    RoundRead(ROUND),
    WaitsRead(WaitRound("call", (0.005, 1e-6), (), True, 0.5, 0.005)),
    Examined(),
    Undecided("no sample was taken"),
    ExaminationFailed("missing", "ModuleNotFoundError: No module named 'numba'"),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_is_the_same_after_a_line_of_json(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    for each in (line, line.decode()):
        assert decode(each) == message
        assert type(decode(each)) is type(message)


def test_every_kind_of_message_has_an_example_and_a_name_of_its_own() -> None:
    known = {kind for kind in Message._known.values() if kind.__module__ in MODULES}
    assert known == {type(example) for example in EXAMPLES}
    # The registry goes by name alone: a second class of one name would be taken for the first.
    for module in MODULES:
        defined = vars(importlib.import_module(module)).values()
        for kind in defined:
            if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message:
                assert Message._known[kind.__name__] is kind


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        encode(OPEN)[:-20],
        b"word word\n",
        b"\xff\n",
        b"[]\n",
        b"7\n",
        b"{}\n",
        b'{"message": "Hello"}\n',
        b'{"message": ["End"]}\n',
        b'{"message": "Message"}\n',
        b'{"message": "RunBlock"}\n',
        b'{"message": "RunBlock", "order": 7}\n',
    ],
)
def test_a_line_that_is_no_message_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the JSON decoder's are as good
        decode(line)
