/* Where CPython keeps its global interpreter lock (GIL), and how to read it from outside.
 *
 * The words are read as they change, by a thread that holds no Python state: nothing is locked,
 * nothing waits. This header needs no Python.h. */
#ifndef GL_GIL_STATE_H
#define GL_GIL_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define GL_NO_OFFSET ((size_t)-1)
#define GL_MARK 16 /* bytes */

/* Where one interpreter's lock is. Filled in by gl_gil_locate; an address that is NULL is a word
 * that this build of CPython does not have or that could not be verified. */
typedef struct {
    int64_t pid;               /* 0: of this process; else its addresses are those of another */
    const void *locked;        /* int: 1 taken, 0 free */
    const void *last_holder;   /* PyThreadState *: who has or had it */
    const void *switch_number; /* unsigned long: how often it went to another thread */
    const void *enabled;       /* int: 0 while a free-threaded build runs without it */
    const void *waiters;       /* uint32_t, in units of 8: threads that wait for it */
    uintptr_t lock;            /* where it begins, and how long it is */
    size_t lock_size;
    uintptr_t interpreter; /* whose thread states are told by their ids alone */
    size_t id_offset;          /* in a PyThreadState: uint64_t; or GL_NO_OFFSET */
    size_t interpreter_offset; /* PyInterpreterState * */
    size_t ident_offset;       /* unsigned long: threading.get_ident() */
    size_t native_offset;      /* unsigned long: threading.get_native_id() */
    char tasks[GL_TASKS];      /* of another process: where the system tells of its threads */
    uintptr_t mark;            /* and what no other program has at that address there; 0: nowhere */
    unsigned char marked[GL_MARK];
} gl_gil;

/* A thread that took the lock. Zeros where it could not be told. */
typedef struct {
    uintptr_t interpreter;
    uint64_t id;
    uint64_t ident;
    uint64_t native_id;
} gl_gil_thread;

/* What a lock says at one moment. */
typedef struct {
    int enabled; /* 0 only where a free-threaded build runs without it */
    int locked;
    int wanted; /* whether a thread waits for it */
    uintptr_t holder;
    uint64_t switches;
} gl_gil_words;

/* Finds the lock of the calling thread's interpreter and verifies it; called with the lock held.
 * NULL, or one clause that says why the lock cannot be read. */
const char *gl_gil_locate(gl_gil *gil);

/* Verifies that the lock reads as held by the calling thread, which holds it; always true while a
 * free-threaded build runs without the lock. */
int gl_gil_reads_held(const gl_gil *gil);

/* Verifies that the lock reads as not held by thread state `holder`, whose thread calls this with
 * the lock released. */
int gl_gil_reads_released(const gl_gil *gil, uintptr_t holder);

/* Copies the identity of thread state `holder` without trusting that it still exists; 0 or -1. */
int gl_gil_identify(const gl_gil *gil, uintptr_t holder, gl_gil_thread *thread);

/* Where the C library counts those who wait for a condition variable: the offset in it of a word
 * in units of 8; -1 where that is not known. */
ptrdiff_t gl_cond_waiters(void);

/* 0 only where a free-threaded build runs without the lock. */
static inline int gl_gil_enabled(const gl_gil *gil)
{
    return gil->enabled == NULL || GL_PEEK(int, gil->enabled) != 0;
}

static inline int gl_gil_locked(const gl_gil *gil)
{
    return GL_PEEK(int, gil->locked) == 1;
}

static inline uintptr_t gl_gil_holder(const gl_gil *gil)
{
    return GL_PEEK(uintptr_t, gil->last_holder);
}

static inline uint64_t gl_gil_switches(const gl_gil *gil)
{
    return (uint64_t)GL_PEEK(unsigned long, gil->switch_number);
}

/* Whether a thread waits for the lock. */
static inline int gl_gil_wanted(const gl_gil *gil)
{
    return gil->waiters != NULL && GL_PEEK(uint32_t, gil->waiters) >= 8;
}

/* The same of another process, by one call of the system: 0, or -1 where it is gone, or has become
 * another program. In other_process.c. */
int gl_gil_read_other(const gl_gil *gil, gl_gil_words *words);

/* Reads the lock; 0, or -1 where that of another process is gone. */
static inline int gl_gil_read(const gl_gil *gil, gl_gil_words *words)
{
    if (gil->pid != 0)
        return gl_gil_read_other(gil, words);
    words->enabled = gl_gil_enabled(gil);
    words->locked = gl_gil_locked(gil);
    words->holder = gl_gil_holder(gil);
    words->wanted = gl_gil_wanted(gil);
    words->switches = gl_gil_switches(gil);
    return 0;
}

#endif
