"""Words and options in any order, and what each option takes."""

from __future__ import annotations

from typing import Any

import pytest

from gillab import census, check, compare, transfer
from gillab.command.arguments import Parser, parse_duration, parse_word

COMPARE, CHECK, CENSUS, TRANSFER = (
    module.build_parser() for module in (compare, check, census, transfer)
)


@pytest.mark.parametrize(
    ("parser", "argv", "expected"),
    [
        (COMPARE, "nogil -j 2 held", {"workloads": ["nogil", "held"], "workers": (2,)}),
        (COMPARE, "--fast nogil -q held -s x=1 mixed -s y=2",
         {"workloads": ["nogil", "held", "mixed"], "setup": ["x=1", "y=2"], "preset": "fast"}),
        (COMPARE, "-j 2", {"workloads": [], "workers": (2,)}),
        (COMPARE, "nogil -j 2 -- -x --fast -- held",
         {"workloads": ["nogil", "-x", "--fast", "--", "held"], "preset": "default"}),
        (CHECK, "-j 3 nogil -q", {"workload": "nogil", "workers": 3, "quiet": True}),
        (CHECK, "-j 3 -- -x", {"workload": "-x", "workers": 3}),
        (CENSUS, "zlib --time 2s numpy", {"patterns": ["zlib", "numpy"], "time": 2.0}),
        (CENSUS, "-- -q", {"patterns": ["-q"], "quiet": False}),
    ],
    ids=str,
)  # fmt: skip
def test_words_may_stand_between_options(
    parser: Parser, argv: str, expected: dict[str, Any]
) -> None:
    parsed = vars(parser.parse_mixed(argv.split()))
    assert {name: parsed[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("parser", "argv", "complaint"),
    [
        (CHECK, "nogil -j 2 held", "unrecognized arguments: held"),
        (CHECK, "nogil -- -x", "unrecognized arguments: -x"),
        (CHECK, "-j 2", "the following arguments are required: WORKLOAD"),
        (COMPARE, "nogil --bogus held", "unrecognized arguments: --bogus"),
        (COMPARE, "nogil -s -- held", "argument -s/--setup: expected one argument"),
        (COMPARE, "nogil --fast held --rigorous",
         "argument --rigorous: not allowed with argument --fast"),
        (CENSUS, "zlib --time soon numpy", "argument --time: 'soon' is no duration"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_parsed_is_one_sentence_and_exit_code_2(
    parser: Parser, argv: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_mixed(argv.split())
    assert end.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"{parser.prog}: {complaint}")
    assert printed.endswith(f"; see {parser.prog} --help.\n")
    assert len(printed.splitlines()) == 1
    assert printed[:-1].isprintable()


@pytest.mark.parametrize(
    ("text", "share"), [("100%", 1.0), ("1", 1.0), ("90%", 0.9), ("1e-3", 1e-3)]
)
def test_all_of_the_time_may_be_asked_for(text: str, share: float) -> None:
    assert CHECK.parse_args(["nogil", "--at-least", text]).at_least == share


@pytest.mark.parametrize("text", ["0", "100.1%", "-1", "nan", "most", "%", ""])
def test_what_is_no_share_of_the_time_is_one_sentence(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        CHECK.parse_args(["nogil", f"--at-least={text}"])
    assert end.value.code == 2
    told = f"{text!r} is no fraction above 0 and at most 1, such as 0.9 or 90%; see"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parser", "argv"),
    [
        (COMPARE, "nogil --timeout 1e10"),
        (COMPARE, "nogil --time-budget 1e400"),
        (CHECK, "nogil --timeout 1e10"),
        (CHECK, "nogil --time 1e9min"),
        (CENSUS, "--timeout 1e10"),
        (TRANSFER, "--timeout 1e10"),
    ],
    ids=str,
)
def test_no_duration_is_longer_than_a_year(
    parser: Parser, argv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_mixed(argv.split())
    assert end.value.code == 2
    assert "is longer than a year; see" in capsys.readouterr().err
    assert parse_duration("500_000min") == 3e7


def test_the_command_line_is_kept_as_a_shell_takes_it() -> None:
    parser = Parser(prog="python -m gillab.compare")
    parser.add_argument("workloads", nargs="*", type=parse_word)
    parser.add_argument("-j", type=int)
    arguments = parser.parse_mixed(["x = 'a b'", "-j", "2", "--", "-x"])
    assert arguments.workloads == ["x = 'a b'", "-x"]
    said = "python -m gillab.compare 'x = '\"'\"'a b'\"'\"'' -j 2 -- -x"
    assert arguments.command_line == said
