"""The facts about machine, interpreter and build that matter for the result."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def collect_environment() -> dict[str, Any]:
    """Return all facts, as in the JSON."""
    return {**collect_gillab(), **collect_interpreter(), **collect_machine()}


def collect_gillab() -> dict[str, Any]:
    """Return this package's version and how its kernels were built."""
    from gillab import __version__
    from gillab.kernels import BARRIER, COMPILER

    return {"gillab": __version__, "kernel_barrier": BARRIER, "kernel_compiler": COMPILER}


def collect_interpreter() -> dict[str, Any]:
    """Return which Python this is and what it does about the GIL."""
    import platform
    import sysconfig

    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation().lower(),
        "compiler": platform.python_compiler(),
        "executable": sys.executable,
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": is_gil_enabled(),
        "switch_interval_s": sys.getswitchinterval(),
    }


def collect_machine() -> dict[str, Any]:
    """Return the machine's CPUs, and those of them that this process may really use."""
    import platform

    return {
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpu_model": _read_cpu_model() or platform.processor(),
        "cpus": os.cpu_count(),
        "cpus_affinity": count_affinity(),
        "cpu_quota": read_cpu_quota(),
        "cpus_usable": count_usable_cpus(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def is_gil_enabled() -> bool:
    """Whether this interpreter has a GIL now."""
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else bool(check())


def count_usable_cpus() -> int:
    """Return how many CPUs this process may keep busy; it may use the last of them only in part."""
    return math.ceil(find_capacity())


def find_capacity() -> float:
    """Return how many times one thread's CPU time this process may use at most.

    Its affinity, limited by its CPU quota. 1 also if the quota is less, since one thread has no
    more.
    """
    quota = read_cpu_quota()
    return float(count_affinity() if quota is None else max(1.0, min(count_affinity(), quota)))


def count_affinity() -> int:
    """Return how many CPUs the scheduler may give this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_cpu_quota(root: Path = Path("/sys/fs/cgroup"), groups: str | None = None) -> float | None:
    """Return the CPUs' worth of time that the control groups allow, None without a limit.

    The lowest limit of the group and those around it counts; for the parameters see
    `list_cpu_groups`.
    """
    quotas = map(_read_quota, list_cpu_groups(root, groups))
    return min((quota for quota in quotas if quota is not None), default=None)


def list_cpu_groups(
    root: Path = Path("/sys/fs/cgroup"), groups: str | None = None
) -> Iterator[Path]:
    """Yield the folders of the control groups that govern this process's CPU time.

    ``groups`` is the text of /proc/self/cgroup, read where it is None.
    """
    if groups is None:
        try:
            groups = Path("/proc/self/cgroup").read_text()
        except OSError:
            return
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(inside) + 1):
            yield top.joinpath(*inside[:depth])


def _read_quota(group: Path) -> float | None:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text()
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _read_cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return None
