"""What a workload is said to have done to its process."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from gillab.launch.side_effects import SideEffects


def test_nothing_done_is_nothing_said() -> None:
    assert SideEffects().list_notes() == []


def test_a_changed_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side_effects = SideEffects()
    monkeypatch.chdir(tmp_path)
    assert side_effects.list_notes() == ["changes the working directory"]


@pytest.mark.skipif(sys.platform == "win32", reason="a current folder cannot be removed there")
def test_where_the_folder_has_been_removed_it_is_not_the_workloads_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    side_effects = SideEffects()
    assert side_effects.list_notes() == []
    os.chdir(tmp_path)
    assert side_effects.list_notes() == ["changes the working directory"]


def test_an_executors_threads_are_expected_even_where_its_setup_fails() -> None:
    side_effects = SideEffects()
    end = threading.Event()
    thread = threading.Thread(target=end.wait)

    def start() -> None:
        with side_effects.expecting_threads():
            thread.start()
            raise RuntimeError

    try:
        with pytest.raises(RuntimeError):
            start()
        assert side_effects.list_notes() == []
        assert SideEffects().list_notes() == ["leaves threads of its own running"]
    finally:
        end.set()
        thread.join()
