"""What every test file needs."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A script's background jobs, the tests perhaps, are started with Ctrl-C ignored, and so would be
# what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow example on a busy machine is no failure: no test asserts time.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["pytester"]

# Thousands of simulated runs: they take as long as half of the others together.
collect_ignore = [] if "GILLAB_LONG_TESTS" in os.environ else ["test_simulation.py"]


@pytest.fixture(autouse=True, scope="session")
def hold_exports_against_the_schema() -> Iterator[None]:
    """Have every result that was measured in this process looked at when it becomes JSON."""
    from schema_check import check_export

    from gillab.release.findings import Findings
    from gillab.results import Result

    def look(result: Result | Findings) -> str:
        text: str = plain[type(result)](result)
        if "executable" in result.environment:  # else it is made up
            check_export(json.loads(text))
        return text

    plain: dict[type, Any] = {kind: kind.to_json for kind in (Result, Findings)}
    with pytest.MonkeyPatch.context() as patch:
        for kind in plain:
            patch.setattr(kind, "to_json", look)
        yield


@pytest.fixture
def removed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the current folder be one that is no more."""
    if sys.platform == "win32":
        pytest.skip("a current folder cannot be removed there")
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
