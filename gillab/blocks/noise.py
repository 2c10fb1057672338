"""What else the machine did meanwhile, from the counters that this system offers.

Every source is optional: a counter that cannot be read is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from gillab.blocks.messages import Counters
from gillab.environment import list_cpu_groups

_PROC_STAT = Path("/proc/stat")
_PRESSURE = Path("/proc/pressure/cpu")
_THROTTLING_UNITS = {"throttled_usec": 1e6, "throttled_time": 1e9}
_WORKER = "worker "
_FREQUENCIES = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"


def read_counters(workers: Collection[int] = ()) -> Counters:
    """Return the counters as they are now; `difference` turns two such readings into figures.

    ``workers`` are the processes whose CPU time is our own, whether they have a task or not.
    """
    counters: Counters = {"wall_s": time.perf_counter()}
    for pid in workers:
        with suppress(OSError, ValueError, IndexError):
            counters[f"{_WORKER}{pid}"] = _read_process_s(pid)
    for read in (_read_cpus, _read_pressure, _read_throttling, _read_usage):
        try:
            counters.update(read())
        except (OSError, ValueError, IndexError, ImportError, AttributeError):
            continue
    return counters


def difference(before: Counters, after: Counters, own_cpu_s: float) -> Counters:
    """Return what happened between two readings.

    ``own_cpu_s`` is the CPU time that the tasks took. What our processes used beyond it is the
    workload's own threads, which run between tasks: ``idle_cores``. ``other_cores`` are busy cores
    that are neither; ``steal`` and ``pressure`` are fractions of the wall time; ``throttled_s`` is
    in seconds; ``switches`` a count; ``mhz`` the latest frequency.
    """
    wall_s = after["wall_s"] - before["wall_s"]
    delta = {
        name: after[name] - before[name] for name in after if name in before and name != "wall_s"
    }
    noise: Counters = {"wall_s": wall_s}
    workers = [seconds for name, seconds in delta.items() if name.startswith(_WORKER)]
    idle_s = 0.0
    if workers:
        idle_s = max(0.0, sum(workers) - own_cpu_s)
        noise["idle_cores"] = idle_s / wall_s
    if "busy_s" in delta:
        noise["other_cores"] = max(0.0, (delta["busy_s"] - own_cpu_s - idle_s) / wall_s)
        noise["steal"] = delta["steal_s"] / wall_s
    if "waited_s" in delta:
        noise["pressure"] = delta["waited_s"] / wall_s
    for name in ("throttled_s", "switches"):
        if name in delta:
            noise[name] = delta[name]
    mhz = _read_frequency()
    if mhz is not None:
        noise["mhz"] = mhz
    return noise


def is_quiet(noise: Counters) -> bool:
    """Whether the block was quiet. The filter is fixed before any result is known.

    Under a tenth of a core busy for others beyond the clock tick of the counter, under 1 % of
    the time stolen by the hypervisor, no throttling. False where the system does not tell.
    """
    if "other_cores" not in noise:
        return False
    tick_s = 1 / _ticks_per_second()
    allowance = 0.1 + 2 * tick_s / noise["wall_s"]
    return (
        noise["other_cores"] <= allowance
        and noise.get("steal", 0.0) <= 0.01 + tick_s / noise["wall_s"]
        and noise.get("throttled_s", 0.0) == 0.0
    )


def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _read_process_s(pid: int) -> float:
    """CPU seconds of a process, of all its threads and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _ticks_per_second()


def _read_cpus() -> Counters:
    """Busy and stolen seconds of the CPUs that this process may use."""
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    busy = steal = 0
    for line in _PROC_STAT.read_text().splitlines():
        name, *fields = line.split()
        if name in ours:
            user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, fields[:8])
            busy += user + nice + system + irq + softirq
            steal += stolen
    tick = _ticks_per_second()
    return {"busy_s": busy / tick, "steal_s": steal / tick}


def _read_pressure() -> Counters:
    some = _PRESSURE.read_text().splitlines()[0]
    return {"waited_s": int(some.rpartition("total=")[2]) / 1e6}


def _read_throttling() -> Counters:
    """Seconds for which a quota held us back, of our control group or of one around it."""
    throttled = [
        int(value) / _THROTTLING_UNITS[name]
        for group in list_cpu_groups()
        if (path := group / "cpu.stat").exists()
        for name, value in map(str.split, path.read_text().splitlines())
        if name in _THROTTLING_UNITS
    ]
    return {"throttled_s": sum(throttled)} if throttled else {}


def _read_usage() -> Counters:
    import resource

    return {"switches": float(resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)}


def _read_frequency() -> float | None:
    import glob

    values = []
    for path in glob.glob(_FREQUENCIES):
        try:
            values.append(int(Path(path).read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return min(values) if values else None
