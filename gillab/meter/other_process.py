"""Another Python process: whether it may be read, which Python it is and where that keeps its lock.

All of it comes from /proc and from the memory of the process, which goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shlex
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gillab.errors import UsageError
from gillab.meter import _sampler, elf

Change = Literal["ended", "replaced", "unreadable"]
"""What can become of a process: it ends, becomes another program, or can no longer be read."""

_RUNTIME, _VERSION = "_PyRuntime", "Py_Version"
_SECTIONS = {_RUNTIME: ".PyRuntime"}
_COOKIE = b"xdebugpy"
_KNOWN = range(0x030B, 0x0310)
_LEVELS = {0xA: "a", 0xB: "b", 0xC: "rc"}
_RANDOM = 25  # in the vector that the kernel gives each program: where 16 random bytes are
_MARK = 16
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A process that runs a Python whose lock can be read."""

    pid: int
    own_pid: int
    """What it takes its pid to be, which differs in a container."""
    started: str
    """When it began, as the system says it: a later process with its pid has another."""
    command: tuple[str, ...]
    runtime: int
    """The address of its ``_PyRuntime``."""
    version: int
    """Its ``Py_Version``, such as 0x030D00F0 for 3.13.0."""
    same_libc: bool
    """Whether its C library is the same build as that of this process."""
    tasks: str
    """The folder in which the system tells of its threads, by the numbers that it knows."""
    mark: int
    """The address of bytes that are random in each program that is begun; 0 if it is not known."""
    marked: bytes
    interpreter: int = 0
    """The address of its main interpreter."""
    free_threaded: bool = False
    other_gils: int = 0
    """How many of its interpreters have a GIL of their own."""

    @property
    def python(self) -> str:
        """What runs in it: ``CPython 3.13.0``."""
        return f"CPython {_describe_version(self.version)}"


def find_target(pid: int) -> Target:
    """Find the lock in a process. UsageError, with what to do, where that cannot be."""
    if not sys.platform.startswith("linux"):
        raise UsageError(
            "--pid reads other processes on Linux only, so far: "
            "run the program under the meter instead"
        )
    if pid == os.getpid():
        raise UsageError(
            f"process {pid} is this command itself: to meter a program from within, "
            "use gillab.meter.GilMeter in it"
        )
    status = _read_status(pid)
    try:
        mark, marked = _read_mark(pid)
        images = list(_list_images(pid))
    except OSError as error:
        raise UsageError(_refuse(pid, error)) from None
    runtime, version = _find_runtime(pid, images)
    inner = status.get("NSpid", str(pid)).split()[-1]
    target = Target(
        pid=pid,
        own_pid=int(inner),
        started=_read_start(pid) or "",
        command=_read_command(pid),
        runtime=runtime,
        version=version,
        same_libc=_read_libc(pid, images) == _read_libc(0, _list_images(os.getpid())) is not None,
        tasks=_find_tasks(pid, inner),
        mark=mark,
        marked=marked,
    )
    if version >> 16 not in _KNOWN:
        raise UsageError(
            f"process {pid} runs {target.python}, and this meter knows CPython 3.11 to 3.15: "
            "look for a newer gillab"
        )
    try:
        interpreter, free_threaded, others = _sampler.examine(target)
    except RuntimeError as error:
        raise UsageError(
            f"the GIL of process {pid} ({target.python}) cannot be read: {error}"
        ) from None
    return replace(target, interpreter=interpreter, free_threaded=free_threaded, other_gils=others)


def find_change(target: Target) -> Change | None:
    """Say what has become of a process since it was found; None if it is there unchanged."""
    if _read_start(target.pid) != target.started:
        return "ended"
    try:
        return None if _read_mark(target.pid)[1] == target.marked else "replaced"
    except OSError:
        return "unreadable" if _has_memory(target.pid) else "ended"


def _has_memory(pid: int) -> bool:
    """Whether a process has any: one that ends gives it up first."""
    return _read_text(f"/proc/{pid}/statm").partition(" ")[0] not in ("", "0")


def list_children(pid: int) -> list[tuple[int, str]]:
    """Return the processes that this one started and that run, with their names."""
    children = []
    for task in _list(f"/proc/{pid}/task"):
        for child in _read_text(f"/proc/{pid}/task/{task}/children").split():
            children.append((int(child), _read_text(f"/proc/{child}/comm").strip()))
    return sorted(children)


def _describe_version(version: int) -> str:
    major, minor, micro, level = (version >> shift & 0xFF for shift in (24, 16, 8, 0))
    suffix = f"{_LEVELS[level >> 4]}{level & 15}" if level >> 4 in _LEVELS else ""
    return f"{major}.{minor}.{micro}{suffix}"


def _read_text(path: str) -> str:
    """Return a file's text; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read_status(pid: int) -> dict[str, str]:
    """Return what the system says of a process. UsageError if there is none that runs."""
    lines = _read_text(f"/proc/{pid}/status").splitlines()
    status = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if not status:
        raise UsageError(f"there is no process {pid}: find it with 'pgrep -af python'")
    if status.get("Tgid", str(pid)) != str(pid):
        raise UsageError(
            f"{pid} is a thread of process {status['Tgid']}: give --pid {status['Tgid']}"
        )
    if status.get("State", "")[:1] in ("Z", "X"):
        raise UsageError(f"process {pid} has ended: find another with 'pgrep -af python'")
    return status


def _read_start(pid: int) -> str | None:
    """Return when a process began; None if it has ended."""
    # "pid (name) state parent ...": the name may have anything in it.
    fields = _read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return None if len(fields) < 20 or fields[0] in ("Z", "X") else fields[19]


def _read_command(pid: int) -> tuple[str, ...]:
    words = _read_text(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")
    return tuple(words) if words != [""] else (_read_name(pid),)


def _read_name(pid: int) -> str:
    return _read_text(f"/proc/{pid}/comm").strip()


def _read_mark(pid: int) -> tuple[int, bytes]:
    """Return where the process has bytes that tell its program from any other, and those bytes.

    Zeros where the system tells of none. OSError where the process cannot be read.
    """
    with open(f"/proc/{pid}/auxv", "rb") as file:
        vector = file.read()
    vector = vector[: len(vector) // 16 * 16]
    mark = dict(struct.iter_unpack("=QQ", vector)).get(_RANDOM, 0)
    return mark, _sampler.read_process(pid, mark, _MARK) if mark else bytes(_MARK)


@dataclass(frozen=True, slots=True)
class _Image:
    """A file that is mapped into a process, where its first byte is."""

    base: int
    mapped: str
    """Its range of addresses, as the system writes it."""
    file: tuple[str, str]
    """Its device and its number there."""
    path: str

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def _list_images(pid: int) -> Iterator[_Image]:
    """Yield the files that are mapped from their beginning on. OSError."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().splitlines()
    for line in lines:
        mapped, permissions, offset, device, number, *path = line.split(maxsplit=5)
        if permissions[0] == "r" and int(offset, 16) == 0 and number != "0" and path:
            base = int(mapped.split("-")[0], 16)
            yield _Image(base, mapped, (device, number), path[0].removesuffix(" (deleted)"))


def _find_runtime(pid: int, images: list[_Image]) -> tuple[int, int]:
    """Return the address of ``_PyRuntime`` and the version. UsageError."""
    program = os.path.realpath(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    likely = [each for each in images if each.path == program or "python" in each.name.lower()]
    others = [each for each in images if each not in likely]
    older = other = None
    for image in [*likely, *others]:
        if "pypy" in image.name.lower() or "graalpy" in image.name.lower():
            raise UsageError(
                f"process {pid} ({_read_name(pid)}) runs {image.name}, not CPython, whose GIL this "
                "meter reads: give the pid of a CPython"
            )
        try:
            symbols = _find_symbols(pid, image)
            runtime = symbols.get(_RUNTIME)
            if runtime is None:
                continue
            head = _sampler.read_process(pid, runtime, 16)
            if head[:8] == _COOKIE:
                return runtime, struct.unpack_from("=Q", head, 8)[0]
            if _VERSION in symbols:
                version = _sampler.read_process(pid, symbols[_VERSION], 8)
                return runtime, struct.unpack("=Q", version)[0]
            older = image
        except OSError:
            continue
        except elf.NoElfError as error:
            if image.path == program:
                other = str(error)
    if older is not None:
        raise UsageError(
            f"process {pid} ({_read_name(pid)}) runs a CPython older than 3.11: "
            "this meter reads 3.11 to 3.15"
        )
    raise UsageError(_describe_stranger(pid, other))


def _describe_stranger(pid: int, kind: str | None) -> str:
    found = f"process {pid} ({_read_name(pid)}) runs no CPython that this meter knows"
    if kind is not None:
        return f"{found}: its program is {kind}, and it reads those of 64 bits on this machine"
    children = [each for each in list_children(pid) if _looks_like_python(each[0])]
    if children:
        return f"{found}: give the pid of a child of it, {name_processes(children)}"
    return f"{found}: find one with 'pgrep -af python'"


def _looks_like_python(pid: int) -> bool:
    """Whether a file that is mapped into a process is named so; a script may be named anything."""
    try:
        return any("python" in image.name.lower() for image in _list_images(pid))
    except OSError:  # nothing is known of it
        return True


def name_processes(processes: list[tuple[int, str]]) -> str:
    """Return the first of them by number and name, and how many more there are."""
    named = [f"{pid} ({name})" for pid, name in processes]
    if len(named) > _MOST_NAMED:
        named[_MOST_NAMED - 1 :] = [f"{len(named) - _MOST_NAMED + 1} more"]
    return ", ".join(named)


def _reader(pid: int) -> elf.Read:
    def read(address: int, size: int) -> bytes:
        return _sampler.read_process(pid, address, size) if size else b""

    return read


def _find_symbols(pid: int, image: _Image) -> dict[str, int]:
    """Return the addresses of the two symbols, as far as they are there. OSError, NoElfError."""
    names = (_RUNTIME, _VERSION)
    read = _reader(pid)
    headers = elf.read_headers(read, image.base)
    try:
        found = elf.find_in_memory(read, image.base, names)
    except OSError:
        found = {}
    if _RUNTIME not in found:
        with contextlib.suppress(OSError, ValueError, struct.error):
            bias = headers.find_bias(image.base)
            for name, value in _scan_file(pid, image, headers).items():
                found.setdefault(name, value + bias)
    return found


def _scan_file(pid: int, image: _Image, headers: elf.Headers) -> dict[str, int]:
    """Look the symbols up in the file, if that is still the one that is mapped."""
    for path in (
        f"/proc/{pid}/map_files/{image.mapped}",
        f"/proc/{pid}/exe",
        f"/proc/{pid}/root{image.path}",
    ):
        try:
            with (
                open(path, "rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                if data[: elf.HEADER_SIZE] == headers.raw[: elf.HEADER_SIZE]:
                    return elf.find_in_file(data, headers, (_RUNTIME, _VERSION), _SECTIONS)
        except (OSError, ValueError):
            continue
    return {}


def _read_libc(pid: int, images: Iterable[_Image]) -> bytes | None:
    """Return what tells one build of the C library from another; None where it is not found."""
    for image in images:
        if re.match(r"libc(\.so|-[\d.]+so)", image.name):
            try:
                return elf.read_notes(_reader(pid), image.base) or None
            except (OSError, elf.NoElfError):
                return None
    return None


def _find_tasks(pid: int, inner: str) -> str:
    """Return the folder that lists its threads by the numbers that the process knows them by."""
    # A container's own /proc has the container's numbers.
    own = f"/proc/{pid}/root/proc/{inner}/task"
    return own if inner != str(pid) and os.path.isdir(own) else f"/proc/{pid}/task"


def _refuse(pid: int, error: OSError) -> str:
    """Say why a process cannot be read, and what helps."""
    if not os.path.isdir(f"/proc/{pid}"):
        return f"process {pid} has ended: find another with 'pgrep -af python'"
    found = f"process {pid} ({_read_name(pid)}) may not be read"
    if isinstance(error, ProcessLookupError):
        return f"process {pid} ({_read_name(pid)}) is one of the system's own: give a Python's pid"
    if not isinstance(error, PermissionError):
        return f"process {pid} ({_read_name(pid)}) cannot be read: {error.strerror}"
    if os.geteuid() == 0:
        return f"{found}, even by root here: start the container with --cap-add SYS_PTRACE"
    owner = _find_owner(pid)
    if owner != os.geteuid():
        return (
            f"{found}: it is another user's ({_name_user(owner)}), so run as root or as that user"
        )
    scope = _read_text("/proc/sys/kernel/yama/ptrace_scope").strip()
    if scope == "1":
        return f"{found}: run as root, or allow it with 'sudo sysctl kernel.yama.ptrace_scope=0'"
    if scope == "2":
        return f"{found}: run as root, since kernel.yama.ptrace_scope is 2 here"
    if scope == "3":
        return f"{found} until the next boot, by anybody, since kernel.yama.ptrace_scope is 3 here"
    return f"{found}: it has rights that you lack, or forbids it, so run as root"


def _find_owner(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def _name_user(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return f"number {number}"


def describe_command(target: Target) -> str:
    """Return the command line as one would type it."""
    return shlex.join(target.command)
