"""The CPUs that this process may really use, and the facts beside every result."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from gillab.environment import (
    collect_environment,
    count_usable_cpus,
    find_capacity,
    list_cpu_groups,
    read_cpu_quota,
)


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/a/b\n", {"cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "200000 100000"}, 2.0),
        ("0::/gone\n", {"cpu.max": "50000 100000"}, 0.5),
        (
            "3:memory:/x\n2:cpu,cpuacct:/x\n0::/\n",
            {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"},
            3.0,
        ),
        (
            "2:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("0::/\n", {}, None),
    ],
)
def test_the_tightest_quota_on_the_way_up_counts(
    tmp_path: Path, groups: str, files: dict[str, str], quota: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_cpu_quota(tmp_path, groups) == quota


@pytest.mark.parametrize(
    ("quota", "usable"), [(0.5, 1), (1.0, 1), (1.5, 2), (10_000.0, None), (None, None)]
)
def test_usable_cpus_are_the_affinity_within_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, usable: int | None
) -> None:
    monkeypatch.setattr("gillab.environment.read_cpu_quota", lambda: quota)
    monkeypatch.setattr("gillab.environment.count_affinity", lambda: 64)
    assert count_usable_cpus() == (usable or 64)


@pytest.mark.parametrize(
    ("quota", "affinity", "capacity"),
    [(0.5, 4, 1.0), (1.5, 4, 1.5), (1.5, 1, 1.0), (9.0, 4, 4.0), (None, 4, 4.0)],
)
def test_the_capacity_keeps_the_fraction_of_a_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, affinity: int, capacity: float
) -> None:
    monkeypatch.setattr("gillab.environment.read_cpu_quota", lambda: quota)
    monkeypatch.setattr("gillab.environment.count_affinity", lambda: affinity)
    assert find_capacity() == capacity


def test_the_groups_that_govern_a_process_are_its_own_and_those_around_it(tmp_path: Path) -> None:
    groups = "4:memory:/m\n3:cpu,cpuacct:/x\n0::/a/b\n"
    assert list(list_cpu_groups(tmp_path, groups)) == [
        tmp_path / name for name in ("cpu", "cpu/x", "", "a", "a/b")
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity calls")
def test_affinity_limits_the_usable_cpus() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert count_usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_the_facts_are_json_and_name_this_interpreter() -> None:
    facts = json.loads(json.dumps(collect_environment()))
    assert facts["python"] == platform.python_version()
    assert facts["gil_enabled"] in (True, False)
    assert facts["kernel_barrier"] in ("asm", "volatile")
    assert facts["cpus_usable"] >= 1
