"""A fresh interpreter, seen from its parent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.temporary import make_folder, remove_folder


@pytest.mark.usefixtures("removed_folder")
def test_a_path_that_leads_to_a_removed_folder_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Launch({"functions": []}):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no files there")
def test_a_temporary_folder_of_a_long_name_is_not_used_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("n" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = make_folder()
    try:
        assert folder is not None
        assert os.path.isdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/listener-12345678")
    finally:
        remove_folder(folder)
    assert not os.path.exists(folder)


def test_a_launch_can_be_waited_for_any_number_of_seconds() -> None:
    with Launch({"functions": ["json:dumps"]}) as launch:
        launch.await_start(1e300)
        assert launch.receive(1e300) == {"event": "usable"}


def test_a_launch_that_is_waited_for_in_slices_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gillab.launch.launch._LONGEST_WAIT_S", 0.01)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3600)\n")
    with Launch({"functions": ["json:dumps", "slow_to_import:f"]}) as launch:
        launch.await_start(300.0)  # which takes longer than a slice
        assert launch.receive(300.0) == {"event": "usable"}
        for timeout_s in (0.1, 0.0, -1.0):
            with pytest.raises(TimeoutError):
                launch.receive(timeout_s)
    with pytest.raises(LaunchEndedError):
        launch.receive(300.0)


def test_ctrl_c_while_a_launch_is_being_made_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            made.append(self)

    def interrupt(**named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gillab.launch.launch.subprocess.Popen", Popen)
    monkeypatch.setattr("gillab.launch.launch.threading.Thread", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Launch({"functions": []})
    (process,) = made
    assert process.poll() is not None
    for pipe in (process.stdout, process.stderr):  # there are no threads to close them
        assert pipe is not None
        pipe.close()
