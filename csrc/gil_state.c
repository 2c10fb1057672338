#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef GL_TEST_VERSION /* as if this were another CPython */
#undef PY_VERSION_HEX
#define PY_VERSION_HEX GL_TEST_VERSION
#endif

#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)
#define GL_UNREADABLE "this is not CPython, whose lock it reads"
#elif PY_VERSION_HEX < 0x030B0000
#define GL_UNREADABLE "it knows where the lock is from CPython 3.11 on, and this one is older"
#elif PY_VERSION_HEX >= 0x03100000
#define GL_UNREADABLE "it knows where the lock is up to CPython 3.15, and this one is newer"
#elif defined(__has_include)
#if !__has_include("internal/pycore_gil.h")
#define GL_UNREADABLE "it was built without CPython's internal headers, which say where the lock is"
#endif
#endif

#include "gil_state.h"

#include <string.h>

#define GL_STATE_BYTES 512 /* of a thread state: more than up to all that is looked at */

#ifdef GL_UNREADABLE

const char *gl_gil_locate(gl_gil *gil)
{
    (void)gil;
    return GL_UNREADABLE;
}

int gl_gil_reads_held(const gl_gil *gil)
{
    (void)gil;
    return 0;
}

int gl_gil_reads_released(const gl_gil *gil, uintptr_t holder)
{
    (void)gil;
    (void)holder;
    return 0;
}

ptrdiff_t gl_cond_waiters(void)
{
    return -1;
}

#else

#define Py_BUILD_CORE_MODULE 1
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#undef _PyGC_FINALIZED /* 3.11 and 3.12 define it in both worlds */
#include "internal/pycore_gil.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

typedef struct _gil_runtime_state gl_lock;

/* The lock of `interp`, where this version keeps it.
 *
 * 3.11 has one for the process. From 3.12 on an interpreter points to its own or to the main
 * one's. From 3.13 on the running CPython says by itself where things are, in the table of debug
 * offsets at the head of _PyRuntime: a patch release that moves them is then read rightly by a
 * module built for another. */
#if PY_VERSION_HEX < 0x030C0000

static const char *find_lock(PyInterpreterState *interp, const char **lock)
{
    (void)interp;
    *lock = (const char *)&_PyRuntime.ceval.gil;
    return NULL;
}

#elif PY_VERSION_HEX < 0x030D0000

static const char *find_lock(PyInterpreterState *interp, const char **lock)
{
    *lock = (const char *)interp->ceval.gil;
    return NULL;
}

#else

static const char *find_lock(PyInterpreterState *interp, const char **lock)
{
    const _Py_DebugOffsets *table = &_PyRuntime.debug_offsets;
    const size_t base = (size_t)table->interpreter_state.gil_runtime_state;
    if (memcmp(table->cookie, "xdebugpy", 8) != 0 ||
        table->version >> 16 != (uint64_t)PY_VERSION_HEX >> 16)
        return "CPython's table of debug offsets is not the one it was built for";
    if (table->interpreter_state.gil_runtime_state_locked - base != offsetof(gl_lock, locked) ||
        table->interpreter_state.gil_runtime_state_holder - base != offsetof(gl_lock, last_holder))
        return "the lock is laid out differently in the CPython that it was built for";
    memcpy(lock, (const char *)interp + table->interpreter_state.ceval_gil, sizeof *lock);
    return NULL;
}

#endif

#if defined(__GLIBC__) && !defined(_WIN32)

/* Where glibc counts the threads that wait on a condition variable, in units of 8 (__wrefs in
 * nptl/pthread_cond_common.c). It moved in 2.41, so it is not taken from a header but found: the
 * one word of a condition variable that reads 0, then 8 with a thread waiting, then 0. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting, done;
} gl_probe;

static void wait_on_probe(void *argument)
{
    gl_probe *probe = argument;
    pthread_mutex_lock(&probe->mutex);
    probe->waiting = 1;
    while (!probe->done)
        pthread_cond_wait(&probe->cond, &probe->mutex);
    pthread_mutex_unlock(&probe->mutex);
}

#define GL_COND_WORDS (sizeof(pthread_cond_t) / sizeof(uint32_t))

static void copy_cond(const pthread_cond_t *cond, uint32_t *words)
{
    for (size_t i = 0; i < GL_COND_WORDS; i++)
        words[i] = GL_PEEK(uint32_t, (const uint32_t *)(const void *)cond + i);
}

static ptrdiff_t find_waiters_offset(void)
{
    gl_probe probe;
    gl_thread thread;
    uint32_t before[GL_COND_WORDS], during[GL_COND_WORDS], after[GL_COND_WORDS];
    ptrdiff_t found = -1;
    int waiting = 0, candidates = 0;
    memset(&probe, 0, sizeof probe);
    pthread_mutex_init(&probe.mutex, NULL);
    pthread_cond_init(&probe.cond, NULL);
    copy_cond(&probe.cond, before);
    if (gl_thread_start(&thread, wait_on_probe, &probe) != 0) {
        pthread_cond_destroy(&probe.cond);
        pthread_mutex_destroy(&probe.mutex);
        return -1;
    }
    while (!waiting) { /* once it is set and the mutex is ours, the thread waits */
        gl_sleep_until_ns(gl_now_ns() + 20000);
        pthread_mutex_lock(&probe.mutex);
        waiting = probe.waiting;
        if (waiting) {
            copy_cond(&probe.cond, during);
            probe.done = 1;
            pthread_cond_signal(&probe.cond);
        }
        pthread_mutex_unlock(&probe.mutex);
    }
    gl_thread_join(thread);
    copy_cond(&probe.cond, after);
    pthread_cond_destroy(&probe.cond);
    pthread_mutex_destroy(&probe.mutex);
    for (size_t i = 0; i < GL_COND_WORDS; i++) {
        if ((before[i] & ~7u) == 0 && (during[i] & ~7u) == 8 && (after[i] & ~7u) == 0) {
            found = (ptrdiff_t)(i * sizeof(uint32_t));
            candidates++;
        }
    }
    return candidates == 1 ? found : -1;
}

ptrdiff_t gl_cond_waiters(void)
{
    /* Found once: 0 is not yet, 1 is nowhere, else two more than the offset. Threads that look
     * at the same time find the same. */
    static gl_word known;
    uint64_t code = GL_LOAD(&known);
    if (code == 0) {
        code = (uint64_t)(find_waiters_offset() + 2);
        GL_STORE(&known, code);
    }
    return (ptrdiff_t)code - 2;
}

#else

ptrdiff_t gl_cond_waiters(void)
{
    return -1;
}

#endif

static const void *find_waiters(const char *lock)
{
    const ptrdiff_t offset = gl_cond_waiters();
    return offset < 0 ? NULL : lock + offsetof(gl_lock, cond) + offset;
}

const char *gl_gil_locate(gl_gil *gil)
{
    PyThreadState *self = PyThreadState_Get();
    const char *lock = NULL;
    const char *reason = find_lock(self->interp, &lock);
    gl_gil_thread thread;
    memset(gil, 0, sizeof *gil);
    if (reason != NULL)
        return reason;
    if (lock == NULL)
        return "this interpreter has no lock";
    gil->locked = lock + offsetof(gl_lock, locked);
    gil->last_holder = lock + offsetof(gl_lock, last_holder);
    gil->switch_number = lock + offsetof(gl_lock, switch_number);
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030D0000
    gil->enabled = lock + offsetof(gl_lock, enabled);
#endif
    gil->lock = (uintptr_t)lock;
    gil->lock_size = sizeof(gl_lock);
    gil->interpreter = (uintptr_t)self->interp;
    gil->id_offset = offsetof(PyThreadState, id);
    gil->interpreter_offset = offsetof(PyThreadState, interp);
    gil->ident_offset = offsetof(PyThreadState, thread_id);
    gil->native_offset = offsetof(PyThreadState, native_thread_id);
    if (!gl_gil_reads_held(gil))
        return "the lock does not read as held by the thread that holds it";
    /* Where the system does not let memory be copied, threads are told by address alone. */
    if (gl_gil_identify(gil, (uintptr_t)self, &thread) == 0 &&
        (thread.id != PyThreadState_GetID(self) ||
         thread.ident != (uint64_t)PyThread_get_thread_ident()))
        return "the calling thread does not read as itself";
    gil->waiters = find_waiters(lock);
    return NULL;
}

int gl_gil_reads_held(const gl_gil *gil)
{
    return !gl_gil_enabled(gil) ||
           (gl_gil_locked(gil) && gl_gil_holder(gil) == (uintptr_t)PyThreadState_Get());
}

int gl_gil_reads_released(const gl_gil *gil, uintptr_t holder)
{
    return !(gl_gil_locked(gil) && gl_gil_holder(gil) == holder);
}

#endif

int gl_gil_identify(const gl_gil *gil, uintptr_t holder, gl_gil_thread *thread)
{
    unsigned char bytes[GL_STATE_BYTES];
    unsigned long ident, native_id;
    const size_t id_offset = gil->id_offset != GL_NO_OFFSET ? gil->id_offset : 0;
    const size_t size = GL_MAX(GL_MAX(id_offset, gil->interpreter_offset),
                               GL_MAX(gil->ident_offset, gil->native_offset)) +
                        sizeof(uint64_t);
    memset(thread, 0, sizeof *thread);
    if (holder == 0 || size > sizeof bytes || gl_read_process(gil->pid, holder, bytes, size) != 0)
        return -1;
    if (gil->id_offset != GL_NO_OFFSET)
        memcpy(&thread->id, bytes + id_offset, sizeof thread->id);
    memcpy(&thread->interpreter, bytes + gil->interpreter_offset, sizeof thread->interpreter);
    memcpy(&ident, bytes + gil->ident_offset, sizeof ident);
    memcpy(&native_id, bytes + gil->native_offset, sizeof native_id);
    thread->ident = ident;
    thread->native_id = native_id;
    return 0;
}
