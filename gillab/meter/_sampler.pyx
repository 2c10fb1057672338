# cython: language_level=3, embedsignature=False, binding=True
# cython: freethreading_compatible=True, subinterpreters_compatible=own_gil
"""The compiled sampler of the GIL, bound as thinly as can be: GilMeter gives it its meaning."""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.errno cimport errno
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    PyThreadState *PyThreadState_Get()

cdef extern from "platform.h" nogil:
    int64_t gl_now_ns() noexcept
    void gl_sleep_until_ns(int64_t deadline_ns) noexcept
    int gl_read_process(int64_t pid, uintptr_t address, void *buffer, size_t size) noexcept
    enum:
        GL_TASKS

cdef extern from "gil_state.h" nogil:
    enum:
        GL_MARK
    ctypedef struct gl_gil:
        int64_t pid
        const void *waiters
        uintptr_t interpreter
        char *tasks
        uintptr_t mark
        unsigned char *marked
    ctypedef struct gl_gil_thread:
        uintptr_t interpreter
        uint64_t id
        uint64_t ident
        uint64_t native_id
    int gl_gil_reads_held(const gl_gil *gil) noexcept
    int gl_gil_reads_released(const gl_gil *gil, uintptr_t holder) noexcept
    ptrdiff_t gl_cond_waiters() noexcept

cdef extern from "gil_state.h":
    const char *gl_gil_locate(gl_gil *gil) noexcept

cdef extern from "python_layout.h":
    ctypedef struct gl_layout:
        uint32_t thread_section
        uint32_t version
        int free_threaded
    const char *gl_layout_locate(
        gl_layout *layout, uintptr_t *runtime, uintptr_t *code_type
    ) noexcept
    int gl_layout_tells_sections(const gl_layout *layout) noexcept
    enum:
        GL_NOWHERE

cdef extern from "python_frames.h" nogil:
    enum:
        GL_FUNCTION
    ctypedef struct gl_python:
        int64_t pid
        gl_layout layout
        uintptr_t runtime
        uintptr_t code_type
    ctypedef struct gl_function:
        int line
    int gl_python_text(
        const gl_python *python, uintptr_t text, char *buffer, size_t size, int tail
    ) noexcept
    int gl_python_function(gl_python *python, uintptr_t thread, gl_function *function) noexcept

cdef extern from "thread_states.h" nogil:
    enum:
        GL_PARKED
    ctypedef struct gl_states:
        pass
    int gl_states_told(const gl_python *python) noexcept
    int gl_state_reads(const gl_python *python, uintptr_t state, int attached) noexcept
    int gl_states_read_rightly(const gl_gil *gil, const gl_python *python) noexcept
    int gl_states_tell_parked(const gl_states *states) noexcept
    size_t gl_states_kinds(const gl_states *states) noexcept
    const char *gl_states_kind(const gl_states *states, size_t number) noexcept
cdef extern from "other_process.h" nogil:
    const char *gl_other_locate(
        gl_gil *gil, gl_python *python, uint32_t version, ptrdiff_t cond_waiters, unsigned *others
    ) noexcept

cdef extern from "gil_profile.h" nogil:
    enum:
        GL_UNTOLD
        GL_FUNCTIONS
        GL_NOBODY
    ctypedef struct gl_function_entry:
        gl_function function
        char *file
        char *name
    ctypedef struct gl_pair:
        uint32_t thread
        uint32_t with_ "with"
        uint64_t doubled
        uint64_t longest
    ctypedef struct gl_span:
        int64_t begin
        int64_t end
        uint32_t thread
        uint32_t function
        uint32_t kind
        uint32_t holder
    ctypedef struct gl_profile:
        pass
    gl_profile *gl_profile_new(const gl_python *python, unsigned every, size_t spans) noexcept
    int gl_profile_tell_states(gl_profile *profile, unsigned every) noexcept
    gl_states *gl_profile_states(const gl_profile *profile) noexcept
    size_t gl_profile_doings(const gl_profile *profile, gl_pair *doings, size_t capacity) noexcept
    void gl_profile_stops(
        const gl_profile *profile, uint64_t *covered, uint64_t *stopped, uint64_t *longest
    ) noexcept
    size_t gl_profile_functions(const gl_profile *profile) noexcept
    const gl_function_entry *gl_profile_function(const gl_profile *profile, size_t number) noexcept
    void gl_profile_free(gl_profile *profile) noexcept
    uint64_t gl_profile_torn(const gl_profile *profile) noexcept
    size_t gl_profile_uses(const gl_profile *profile, gl_pair *uses, size_t capacity) noexcept
    size_t gl_profile_waits(const gl_profile *profile, gl_pair *waits, size_t capacity) noexcept
    uint64_t gl_profile_covered(const gl_profile *profile) noexcept
    size_t gl_profile_spans(
        const gl_profile *profile, gl_span *spans, size_t capacity, uint64_t *dropped
    ) noexcept

cdef extern from "pace.h" nogil:
    ctypedef struct gl_pace:
        double interval
    void gl_pace_fix(gl_pace *pace, uint64_t interval_ns) noexcept
    void gl_pace_budget(gl_pace *pace, double share) noexcept
    void gl_pace_begin(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns) noexcept
    void gl_pace_follow(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns) noexcept

cdef extern from "gil_sampler.h" nogil:
    enum:
        GL_LEVELS
        GL_BUCKETS
        GL_NAME
    ctypedef struct gl_counts:
        pass
    ctypedef struct gl_counter:
        const char *name
        size_t offset
        size_t length
    const gl_counter *gl_counters
    ctypedef struct gl_share:
        uintptr_t state
        gl_gil_thread thread
        uint64_t doubled_held
        char[GL_NAME] name
    ctypedef struct gl_sampler:
        pass
    gl_sampler *gl_sampler_new(
        const gl_gil *gil, const gl_pace *pace, uint64_t seed, gl_profile *profile
    ) noexcept
    const gl_gil *gl_sampler_gil(const gl_sampler *sampler) noexcept
    const gl_profile *gl_sampler_profile(const gl_sampler *sampler) noexcept
    int gl_sampler_tells_waiters(const gl_sampler *sampler) noexcept
    int gl_sampler_start(gl_sampler *sampler) noexcept
    void gl_sampler_stop(gl_sampler *sampler) noexcept
    int gl_sampler_running(const gl_sampler *sampler) noexcept
    int gl_sampler_forked(const gl_sampler *sampler) noexcept
    int gl_sampler_gone(const gl_sampler *sampler) noexcept
    void gl_sampler_free(gl_sampler *sampler) noexcept
    void gl_sampler_read(const gl_sampler *sampler, gl_counts *counts) noexcept
    size_t gl_sampler_shares(const gl_sampler *sampler, gl_share *shares, size_t capacity) noexcept
    size_t gl_bucket(uint64_t length) noexcept
    uint64_t gl_bucket_begin(size_t bucket) noexcept


cdef str _locate(gl_gil *gil):
    """Find and verify this interpreter's lock; the reason where that fails, else None."""
    cdef const char *reason = gl_gil_locate(gil)
    cdef uintptr_t ours
    cdef bint released
    if reason != NULL:
        return reason.decode()
    ours = <uintptr_t>PyThreadState_Get()
    with nogil:
        released = gl_gil_reads_released(gil, ours)
    if not released:
        return "the lock reads as held by a thread that has released it"
    return None


def why_unavailable():
    """Say in one clause why this interpreter's GIL cannot be read; None where it can.

    Each call finds the lock anew and verifies it: held by this thread it must read as held, and
    released by it as released.
    """
    cdef gl_gil gil
    return _locate(&gil)


# A capsule and functions, not a class: with a cdef class, a module that two own-GIL interpreters
# import corrupts the heap (Cython 3.3, CPython 3.13 to 3.15).
cdef void _free(object capsule) noexcept:
    gl_sampler_free(_get(capsule))


cdef gl_sampler *_get(object capsule) noexcept:
    return <gl_sampler *>PyCapsule_GetPointer(capsule, "gillab.meter._sampler")


cdef str _locate_frames(gl_python *python):
    """Find where this interpreter keeps its frames and verify it; the reason where that fails."""
    cdef gl_function function
    cdef const char *reason = gl_layout_locate(
        &python.layout, &python.runtime, &python.code_type
    )
    python.pid = 0
    if reason != NULL:
        return reason.decode()
    # Whoever calls this is in a Python function.
    if gl_python_function(python, <uintptr_t>PyThreadState_Get(), &function) != GL_FUNCTION:
        return "the calling function does not read as one"
    return None


cdef bint _tells_states(gl_python *python):
    """Whether the states of threads can be told: this one's, attached and released, reads rightly."""
    cdef uintptr_t ours = <uintptr_t>PyThreadState_Get()
    cdef bint released
    if not gl_states_told(python) or not gl_state_reads(python, ours, 1):
        return False
    with nogil:
        released = gl_state_reads(python, ours, 0)
    if not gl_layout_tells_sections(&python.layout):
        python.layout.thread_section = GL_NOWHERE
    return released


def why_no_functions():
    """Say in one clause why the functions of threads cannot be read; None where they can.

    It must be called from a Python function.
    """
    cdef gl_python python
    return _locate_frames(&python)


def read_process(int64_t pid, uintptr_t address, size_t size):
    """Return ``size`` bytes of another process's memory. OSError where they cannot be read."""
    cdef bytes copied = bytes(size)
    if gl_read_process(pid, address, <char *>copied, size) != 0:
        raise OSError(errno, f"the memory of process {pid} cannot be read at {address:#x}")
    return copied


cdef object _locate_other(object other, gl_gil *gil, gl_python *python, unsigned *others):
    """Find the lock of another process; RuntimeError where that fails."""
    cdef const char *reason
    cdef ptrdiff_t cond_waiters = gl_cond_waiters() if other.same_libc else -1
    cdef bytes tasks = other.tasks.encode()
    cdef bytes marked = other.marked
    python.pid = other.pid
    python.runtime = other.runtime
    python.code_type = 0
    reason = gl_other_locate(gil, python, other.version >> 16, cond_waiters, others)
    if reason != NULL:
        raise RuntimeError(reason.decode())
    if len(tasks) >= GL_TASKS or len(marked) != GL_MARK:
        raise ValueError("the folder of tasks is too long, or the mark of another length")
    memcpy(gil.tasks, <const char *>tasks, len(tasks) + 1)
    memcpy(gil.marked, <const char *>marked, GL_MARK)
    gil.mark = other.mark


def read_texts(other, list addresses):
    """Return the str objects at addresses of another process, long ones cut; None for what is none.

    RuntimeError as `examine`.
    """
    cdef gl_gil gil
    cdef gl_python python
    cdef unsigned others = 0
    cdef char[256] buffer
    cdef uintptr_t address
    _locate_other(other, &gil, &python, &others)
    texts = []
    for address in addresses:
        if gl_python_text(&python, address, buffer, sizeof(buffer), False) == 0:
            texts.append((<bytes>buffer).decode("utf-8", "replace"))
        else:
            texts.append(None)
    return texts


def examine(other, /):
    """Return what is found in another process: (main interpreter, whether its Python is
    free-threaded, how many other interpreters' locks).

    The interpreter is an address. RuntimeError, one clause, where its lock cannot be read.
    """
    cdef gl_gil gil
    cdef gl_python python
    cdef unsigned others = 0
    _locate_other(other, &gil, &python, &others)
    return gil.interpreter, bool(python.layout.free_threaded), others


def new(
    uint64_t interval_ns,
    uint64_t seed,
    unsigned profile_every=0,
    size_t spans=0,
    double budget=0,
    unsigned states_every=1,
    other=None,
):
    """Make a sampler of this interpreter's GIL, for the functions below; it stops when dropped.

    Or of the one in the ``other`` process.

    At one sample of ``profile_every`` it reads under which function the lock is held, where that is
    above 0 and `why_no_functions` has no reason; and it keeps the last ``spans`` spans. Then it also
    reads what threads do without the lock, at one sample of ``states_every``.
    With a ``budget``, a share of a CPU, it chooses the interval itself.
    RuntimeError where the lock cannot be read.
    """
    cdef gl_gil gil
    cdef gl_python python
    cdef gl_pace pace
    cdef gl_sampler *sampler
    cdef gl_profile *profiled = NULL
    cdef unsigned others = 0
    cdef bint tells_states
    if other is not None:
        _locate_other(other, &gil, &python, &others)
    else:
        reason = _locate(&gil)
        if reason is not None:
            raise RuntimeError(reason)
    if profile_every and (other is not None or _locate_frames(&python) is None):
        profiled = gl_profile_new(&python, profile_every, spans)
        if profiled == NULL:
            raise MemoryError
        if other is None:
            tells_states = _tells_states(&python)
        else:
            tells_states = gl_states_told(&python) and gl_states_read_rightly(&gil, &python)
        if tells_states and gl_profile_tell_states(profiled, states_every) != 0:
            gl_profile_free(profiled)
            raise MemoryError
    if budget > 0:
        gl_pace_budget(&pace, budget)
    else:
        gl_pace_fix(&pace, interval_ns)
    sampler = gl_sampler_new(&gil, &pace, seed, profiled)
    if sampler == NULL:
        gl_profile_free(profiled)
        raise MemoryError
    return PyCapsule_New(sampler, "gillab.meter._sampler", _free)


def start(capsule, /):
    """Start the sampling thread; the caller sees to it that it does not run.

    OSError where the system gives no thread, RuntimeError where the lock reads wrongly.
    """
    cdef int error
    cdef gl_sampler *sampler = _get(capsule)
    cdef const gl_gil *gil = gl_sampler_gil(sampler)
    if gil.pid == 0 and not gl_gil_reads_held(gil):
        raise RuntimeError("the lock does not read as held by the thread that holds it")
    error = gl_sampler_start(sampler)
    if error != 0:
        raise OSError(error, "the system gives no thread to sample from")


def stop(capsule, /):
    """Stop the sampling thread where it runs, and wait for it."""
    cdef gl_sampler *sampler = _get(capsule)
    with nogil:
        gl_sampler_stop(sampler)


def running(capsule, /):
    """Whether the sampling thread runs in this process."""
    return bool(gl_sampler_running(_get(capsule)))


def forked(capsule, /):
    """Whether the sampling thread runs in the process that this one was forked from."""
    return bool(gl_sampler_forked(_get(capsule)))


def gone(capsule, /):
    """Whether sampling has ended by itself, since the other process ended or became another."""
    return bool(gl_sampler_gone(_get(capsule)))


def sees_waiters(capsule, /):
    """Whether it can be seen that a thread waits for the lock."""
    return gl_sampler_gil(_get(capsule)).waiters != NULL


def counts(capsule, /):
    """Return the counters by name: a number, a tuple by level, buckets that are not empty."""
    cdef gl_counts counts
    cdef const gl_counter *counter = gl_counters
    cdef const uint64_t *numbers
    cdef size_t i
    gl_sampler_read(_get(capsule), &counts)
    by_name = {}
    while counter.name != NULL:
        numbers = <const uint64_t *>(<const char *>&counts + counter.offset)
        if counter.length == 1:
            value = numbers[0]
        elif counter.length == GL_LEVELS:
            value = tuple([numbers[i] for i in range(GL_LEVELS)])
        else:
            value = {i: numbers[i] for i in range(counter.length) if numbers[i]}
        by_name[counter.name.decode()] = value
        counter += 1
    return by_name


def shares(capsule, /):
    """Return (place, ident, native id, system's name, doubled_held) of each thread."""
    cdef gl_sampler *sampler = _get(capsule)
    cdef size_t count = gl_sampler_shares(sampler, NULL, 0)
    cdef gl_share *shares = <gl_share *>malloc((count or 1) * sizeof(gl_share))
    if shares == NULL:
        raise MemoryError
    try:
        gl_sampler_shares(sampler, shares, count)
        return [
            (
                i,
                shares[i].thread.ident,
                shares[i].thread.native_id,
                shares[i].name.decode("utf-8", "replace"),
                shares[i].doubled_held,
            )
            for i in range(count)
        ]
    finally:
        free(shares)


cdef const gl_profile *_get_profile(object capsule) noexcept:
    return gl_sampler_profile(_get(capsule))


def profiles(capsule, /):
    """Whether it tells under which functions the lock was held."""
    return _get_profile(capsule) != NULL


def torn(capsule, /):
    """Return how often the function of a thread could not be told."""
    return gl_profile_torn(_get_profile(capsule))


def functions(capsule, size_t begin=0):
    """Return (file, line, qualified name) of the functions from number ``begin`` on.

    Number 0 is no function.
    """
    cdef const gl_profile *profile = _get_profile(capsule)
    cdef const gl_function_entry *entry
    cdef size_t number
    found = []
    for number in range(begin, gl_profile_functions(profile)):
        entry = gl_profile_function(profile, number)
        found.append((
            entry.file.decode("utf-8", "replace"),
            entry.function.line,
            entry.name.decode("utf-8", "replace"),
        ))
    return found


ctypedef size_t (*copy_pairs)(const gl_profile *, gl_pair *, size_t) noexcept nogil


cdef list _list_pairs(const gl_profile *profile, copy_pairs copy):
    """Return (thread, with, doubled, longest) of each pair."""
    cdef size_t count = copy(profile, NULL, 0)
    cdef gl_pair *pairs = <gl_pair *>malloc((count or 1) * sizeof(gl_pair))
    if pairs == NULL:
        raise MemoryError
    try:
        copy(profile, pairs, count)
        return [
            (pairs[i].thread, pairs[i].with_, pairs[i].doubled, pairs[i].longest)
            for i in range(count)
        ]
    finally:
        free(pairs)


def uses(capsule, /):
    """Return (place of a thread, number of a function, doubled_held, longest ns) of each pair."""
    return _list_pairs(_get_profile(capsule), gl_profile_uses)


def waits(capsule, /):
    """Return the time looked at, and each pair of threads; None where waits cannot be told.

    A pair is (place of the one that waits, place of the holder or None, time). Times are in half
    nanoseconds.
    """
    cdef gl_sampler *sampler = _get(capsule)
    if not gl_sampler_tells_waiters(sampler):
        return None
    rows = _list_pairs(_get_profile(capsule), gl_profile_waits)
    return gl_profile_covered(_get_profile(capsule)), [
        (thread, None if <uint32_t>holder == <uint32_t>GL_NOBODY else holder, doubled)
        for thread, holder, doubled, _ in rows
    ]


def states(capsule, /):
    """Return (time looked at, time stopped, longest stop in ns, whether it tells what threads are
    parked on, names of kinds, rows) of what threads did without the lock; None where it cannot.

    A row is (place, what, number of a function, time); what is 0 detached, 1 attached, 2 stopped,
    3 torn, and from 4 on parked on an object of the kind what - 4. Times are in half nanoseconds.
    """
    cdef const gl_profile *profile = _get_profile(capsule)
    cdef const gl_states *states
    cdef uint64_t covered, stopped, longest
    cdef size_t number
    if profile == NULL or gl_profile_states(profile) == NULL:
        return None
    states = gl_profile_states(profile)
    rows = _list_pairs(profile, gl_profile_doings)
    gl_profile_stops(profile, &covered, &stopped, &longest)
    kinds = [
        gl_states_kind(states, number).decode("utf-8", "replace")
        for number in range(gl_states_kinds(states))
    ]
    return covered, stopped, longest, bool(gl_states_tell_parked(states)), kinds, [
        (place, what // GL_FUNCTIONS, what % GL_FUNCTIONS, doubled)
        for place, what, doubled, _ in rows
    ]


def spans(capsule, size_t most):
    """Return how many spans are lost, and the last ``most`` in the order of their ends.

    A span is (place of a thread, whether it waited, number of a function, begin and end in ns, and
    of a wait the place of the holder or None).
    """
    cdef uint64_t dropped = 0
    cdef size_t count
    cdef gl_span *spans = <gl_span *>malloc((most or 1) * sizeof(gl_span))
    if spans == NULL:
        raise MemoryError
    try:
        count = gl_profile_spans(_get_profile(capsule), spans, most, &dropped)
        return dropped, [
            (
                spans[i].thread,
                spans[i].kind != 0,
                spans[i].function,
                spans[i].begin,
                spans[i].end,
                None if spans[i].holder == GL_NOBODY else spans[i].holder,
            )
            for i in range(count)
        ]
    finally:
        free(spans)


def now():
    """Return the time by the clock that spans are told by, in ns."""
    return gl_now_ns()


def knock(double pause_s):
    """Sleep with the GIL released, then take it; return how long taking it took, in ns."""
    cdef int64_t due = gl_now_ns() + <int64_t>(pause_s * 1e9)
    cdef int64_t begun
    with nogil:
        gl_sleep_until_ns(due)
        begun = gl_now_ns()
    return gl_now_ns() - begun


def pace(double budget, clocks):
    """Return the mean gaps in ns that a budget leads to: the first, then one for each of ``clocks``.

    These are (time in ns, CPU time in ns, turns) since the start.
    """
    cdef gl_pace pace
    gl_pace_budget(&pace, budget)
    gl_pace_begin(&pace, 0, 0, 0)
    gaps = [pace.interval]
    for now_ns, cpu_ns, turns in clocks:
        gl_pace_follow(&pace, now_ns, cpu_ns, turns)
        gaps.append(pace.interval)
    return gaps


def bucket(uint64_t length_ns):
    """Return the bucket of a length: eight an octave."""
    return gl_bucket(length_ns)


def bucket_begin(size_t index):
    """Return the length in ns where a bucket begins."""
    return gl_bucket_begin(index)
