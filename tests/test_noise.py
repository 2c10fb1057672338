"""What else the machine is said to have done, from counters that this system may lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from gillab.blocks.noise import difference, is_quiet, read_counters


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
