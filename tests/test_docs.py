"""README and the pages: each command is one that its parser takes, each picture is there."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from compare_run import LIMIT_S
from long_tests import only_long
from test_packaging import LAYERS, MODULES, layer, room

from gillab.__main__ import EXPERIMENTS
from gillab.meter.command import _parser, _split

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*")), *DOCS.glob("workflows/*")]

# Programs that are not gillab's, each with where it is run.
ELSEWHERE = {
    "-m venv": "CI's every stage makes one",
    "-m pytest": "CI runs README's block as it stands",
    "pip": "CI's stages install each of the extras",
    "ruff": "CI's stage 'lint and types'",
    "mypy": "CI's stage 'lint and types'",
    "sphinx-build": "CI's stage 'documents'",
    "bash .ci/run": "that is CI",
}
# What makes a command of each kind short. The gates' exit codes are answers too.
BRIEFLY = {
    "compare": ["-q", "--min-blocks", "1", "--max-blocks", "1"],
    "scaling": ["-q", "--min-blocks", "1", "--max-blocks", "1"],
    "crossover": ["-q", "--min-blocks", "1", "--max-blocks", "1"],
    "versus": ["-q", "--min-blocks", "1", "--max-blocks", "1"],
    "transfer": ["-q", "--sizes", "1kB", "--max-blocks", "1"],
    "job": ["-q", "--min-blocks", "1", "--max-blocks", "1"],
    "startup": ["-q", "--max-blocks", "1"],
    "latency": ["-q", "--rounds", "1", "--round-time", "10ms"],
    "check": ["--time", "50ms"],
    "census": ["zlib", "-q", "--time", "50ms"],
}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    text: str
    not_run: str
    """Why nobody runs it; empty where somebody does."""


def find_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks that a reader may run."""
    pattern = (
        r"(?:<!-- not run: (?P<why>.+?) -->\n+)?"
        r"```(?P<language>sh|bash|console|python)\n(?P<text>.*?)^```$"
    )
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE):
        block = found["text"]
        if found["language"] == "console":  # what follows a prompt; the rest is output
            block = "\n".join(re.findall(r"^[$>] (.*)", block, re.MULTILINE))
        language = "python" if found["language"] == "python" else "sh"
        yield Block(page, language, block, found["why"] or "")


BLOCKS = [block for page in PAGES for block in find_blocks(page)]


def split_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command; a quoted text may go on over several lines."""
    script = re.sub(r"(?m)(^| ) *# .*$", "", script).replace("\\\n", " ")
    lexer = shlex.shlex(script, posix=True, punctuation_chars="&|;\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for word in lexer:
        if word.strip("&|;\n"):
            words.append(word)
        elif words:
            yield words
            words = []
    if words:
        yield words


COMMANDS = [
    (block, words)
    for block in BLOCKS
    if block.language == "sh"
    for words in split_commands(block.text)
]
PYTHON_BLOCKS = [block for block in BLOCKS if block.language == "python"]


def find_experiment(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the experiment that a command runs and its arguments; None for another program."""
    program = words[0].rpartition("/")[2]
    if program == "gillab" and len(words) > 1:
        return words[1], list(words[2:])
    if program == "python" and words[1:2] == ["-m"] and words[2].startswith("gillab."):
        return words[2].removeprefix("gillab."), list(words[3:])
    return None


# Each once, however many pages show it.
RUNNABLE = {
    " ".join(words): found
    for block, words in COMMANDS
    if not block.not_run and (found := find_experiment(words))
}


def name_case(value: object) -> str | None:
    """Return a test id for a block or the words of a command."""
    if isinstance(value, Block):
        return value.page.stem
    return " ".join(value)[:60] if isinstance(value, list) else None


def find_parser(experiment: str) -> Callable[[Sequence[str]], object]:
    """Return what parses an experiment's arguments, and exits where they are wrong."""
    if experiment == "meter":
        return lambda arguments: _parser().parse_args(_split(arguments)[0])
    pages = {"report": "gillab.command.page", "schema": "gillab.command.schema"}
    module = pages.get(experiment, f"gillab.{experiment}")
    parse: Callable[[Sequence[str]], object] = (
        importlib.import_module(module).build_parser().parse_args
    )
    return parse


def write_inputs(folder: Path) -> None:
    """Put into the folder what a page's reader has there."""
    for source in (DOCS / "examples").glob("*.py"):
        shutil.copy(source, folder)
    result = DOCS / "data" / "compare.json"
    for name in ("OLD.json", "NEW.json", "RESULT.json"):
        shutil.copy(result, folder / name)


@pytest.mark.parametrize(("block", "words"), COMMANDS, ids=name_case)
def test_a_command_is_one_that_its_parser_takes(
    block: Block, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_experiment(words)
    if found is None:
        command = " ".join([words[0].rpartition("/")[2], *words[1:]])
        known = command == "python -m gillab" or any(
            command.startswith(name) or command.startswith((f"python {name}", f"python3 {name}"))
            for name in ELSEWHERE
        )
        assert known or block.not_run, f"who runs {command!r}?"
        return
    experiment, arguments = found
    assert experiment in EXPERIMENTS
    if arguments != ["..."]:
        find_parser(experiment)(arguments)


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=name_case)
def test_a_python_block_compiles_and_imports_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gillab"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


def run_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that has what a page's reader has."""
    write_inputs(folder)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@only_long
@pytest.mark.parametrize(("experiment", "arguments"), RUNNABLE.values(), ids=name_case)
def test_a_command_runs(experiment: str, arguments: list[str], tmp_path: Path) -> None:
    if "before.json" in arguments and "--baseline" in arguments:
        shutil.copy(DOCS / "data" / "tutorial.json", tmp_path / "before.json")
    short = [] if experiment == "meter" else BRIEFLY.get(experiment, [])
    child = run_in(tmp_path, "-m", f"gillab.{experiment}", *arguments, *short)
    assert child.returncode in (0, 3, 4), child.stdout + child.stderr


@only_long
@pytest.mark.parametrize(
    "block", [block for block in PYTHON_BLOCKS if not block.not_run], ids=name_case
)
def test_a_python_block_runs(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "test_block.py"
    script.write_text(block.text, encoding="utf-8")
    if "(gil)" in block.text:
        child = run_in(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", script.name)
    else:
        child = run_in(tmp_path, script.name)
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_commands_that_exist(workflow: Path) -> None:
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    for step in steps:
        for words in split_commands(step.get("run", "")):
            found = find_experiment(words)
            if found is not None:
                find_parser(found[0])(found[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_first_page_names_every_experiment_and_each_has_its_page() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for name in EXPERIMENTS:
        assert f"`python -m gillab.{name}`" in index
        assert (DOCS / "experiments" / f"{name}.md").exists()


def test_every_saved_result_has_its_picture_and_a_page_shows_each() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    pictures = {picture.name for picture in (DOCS / "pictures").iterdir()}
    assert pictures >= {f"{data.stem}.svg" for data in (DOCS / "data").glob("*.json")}
    for name in pictures:
        assert f"pictures/{name}" in pages, name


@only_long
def test_the_pictures_are_drawn_from_the_saved_results(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "data", docs / "data")
    (docs / "pictures").mkdir()
    shutil.copy(DOCS / "make_pictures.py", docs)
    child = run_in(tmp_path, str(docs / "make_pictures.py"))
    assert child.returncode == 0, child.stderr
    for data in (docs / "data").glob("*.json"):
        drawn = (docs / "pictures" / f"{data.stem}.svg").read_text(encoding="utf-8")
        # Other versions of matplotlib place things otherwise; the words are the same.
        kept = (DOCS / "pictures" / f"{data.stem}.svg").read_text(encoding="utf-8")
        assert re.findall(r">([^<>\n]+)</text>", drawn) == re.findall(r">([^<>\n]+)</text>", kept)


def test_the_house_is_drawn_as_it_stands() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = text[text.index("\n10 ") : text.index("\n```\n\nBeside the package")]
    floors = re.split(r"\n *(?=\d+ {2})", drawing)[1:]
    words = {int(floor.split()[0]): set(re.findall(r"\w+", floor)) for floor in floors}
    rooms = {room(name): layer(name) for name in MODULES} | LAYERS
    doors = {"gillab", "gillab.__main__"}
    for name, level in rooms.items():
        if name not in doors:
            assert name.removeprefix("gillab.") in words[level], name


def test_a_saved_result_has_no_raw_blocks() -> None:
    for data in (DOCS / "data").glob("*.json"):
        assert not json.loads(data.read_text(encoding="utf-8"))["gillab"].get("blocks")
