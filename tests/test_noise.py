"""What else the machine is said to have done, from counters that this system may lack."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from gillab.blocks.messages import Counters
from gillab.blocks.noise import _read_process_s, difference, is_quiet, read_counters


def throttle(group: Path, usage: str) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / "cpu.stat").write_text(f"usage_usec 7\nnr_throttled 3\n{usage}\n")


def test_throttling_is_read_where_the_quota_is_and_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In version 2 of control groups, in version 1 (other units), and in none that is gone."""
    folders = [tmp_path, tmp_path / "slice", tmp_path / "slice" / "ours", tmp_path / "gone"]
    monkeypatch.setattr("gillab.blocks.noise.list_cpu_groups", lambda: iter(folders))
    throttle(folders[1], "throttled_usec 1500000")
    throttle(folders[2], "throttled_time 250000000")
    before = read_counters()
    assert before["throttled_s"] == 1.75
    throttle(folders[2], "throttled_time 750000000")
    noise = difference(before, read_counters(), own_cpu_s=0.0)
    assert noise["throttled_s"] == 0.5
    assert not is_quiet({"wall_s": 1.0, "other_cores": 0.0} | {"throttled_s": 0.5})


def test_groups_without_a_quota_tell_nothing_of_throttling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gillab.blocks.noise.list_cpu_groups", lambda: iter([tmp_path]))
    (tmp_path / "cpu.stat").write_text("usage_usec 7\n")
    assert "throttled_s" not in read_counters()


def test_a_system_that_tells_nothing_is_not_called_quiet() -> None:
    assert not is_quiet({"wall_s": 1.0})
    assert not is_quiet({"wall_s": 1.0, "throttled_s": 0.0, "switches": 0.0})
    assert is_quiet({"wall_s": 1.0, "other_cores": 0.0})


def test_what_our_processes_use_between_tasks_is_the_workloads_own_and_no_others() -> None:
    """A second of two cores: workers use 1.25 s, of which tasks took 0.75."""
    before: Counters = {"wall_s": 0.0, "worker 7": 1.0, "worker 8": 2.0}
    before |= {"busy_s": 100.0, "steal_s": 1.0}
    after: Counters = {"wall_s": 1.0, "worker 7": 1.5, "worker 8": 2.75}
    after |= {"busy_s": 101.5, "steal_s": 1.0}
    noise = difference(before, after, own_cpu_s=0.75)
    assert noise["idle_cores"] == 0.5
    assert noise["other_cores"] == 0.25
    assert is_quiet({**noise, "other_cores": 0.0}), "what the workload does itself is no noise"


def test_a_process_that_came_or_went_meanwhile_is_left_out() -> None:
    before: Counters = {"wall_s": 0.0, "worker 7": 1.0, "worker 8": 2.0}
    after: Counters = {"wall_s": 2.0, "worker 8": 3.0, "worker 9": 50.0}
    assert difference(before, after, own_cpu_s=0.0)["idle_cores"] == 0.5


def test_tasks_that_took_more_than_the_clock_tick_shows_leave_no_idle_cores() -> None:
    before: Counters = {"wall_s": 0.0, "worker 7": 1.0}
    after: Counters = {"wall_s": 1.0, "worker 7": 1.5}
    assert difference(before, after, own_cpu_s=0.507)["idle_cores"] == 0.0


def test_where_no_process_can_be_read_nothing_is_said_of_idle_cores() -> None:
    assert "idle_cores" not in difference({"wall_s": 0.0}, {"wall_s": 1.0}, own_cpu_s=0.5)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks in /proc")
def test_a_process_is_read_with_its_threads_and_one_that_is_gone_is_not() -> None:
    ours = os.getpid()
    key = f"worker {ours}"

    def use_cpu() -> None:
        until = time.thread_time() + 0.1  # ten ticks of the counter, or so
        while time.thread_time() < until:
            pass

    before = read_counters([ours])
    thread = threading.Thread(target=use_cpu)
    thread.start()
    thread.join()
    after = read_counters([ours, 2**22 + 1])  # more than a system numbers its processes
    assert after[key] - before[key] >= 0.05
    assert [name for name in after if name.startswith("worker ")] == [key]


def test_the_name_of_a_program_may_hold_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 52 fields the second is the name in brackets, the 14th to 17th are CPU times."""
    fields = " ".join(str(number) for number in range(4, 53))
    stat = tmp_path / "stat"
    stat.write_text(f"7 (a ) b 1 2) S {fields}\n")
    monkeypatch.setattr("gillab.blocks.noise.Path", lambda path: stat)
    monkeypatch.setattr("gillab.blocks.noise._ticks_per_second", lambda: 100)
    assert _read_process_s(7) == (14 + 15 + 16 + 17) / 100
