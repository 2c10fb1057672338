#include "other_process.h"

#include <string.h>

#include "platform.h"

#define GL_MOST_INTERPRETERS 256
#define GL_LOCK_BYTES 128      /* of a lock: up to its condition variable's end */
#define GL_FARTHEST 32         /* where any of its words before that can be */
#define GL_LONGEST_TURN 3600e6 /* us: no switch interval is longer */

/* In a lock of every version, counted from its word `locked`: before that stand the interval and
 * the last holder, after it the number of switches and the condition variable. */
enum { GL_INTERVAL_BEFORE = 16, GL_SWITCHES = 8, GL_COND = 16 };

#if defined(_WIN32)
#define GL_COND_BYTES 0
#else
/* With one for those who wait and one for those who were asked to let go, each with its mutex. */
#define GL_COND_BYTES (2 * (sizeof(pthread_cond_t) + sizeof(pthread_mutex_t)))
#endif

int gl_gil_read_other(const gl_gil *gil, gl_gil_words *words)
{
    unsigned char bytes[GL_LOCK_BYTES], mark[GL_MARK];
    const uintptr_t begin = gil->lock;
    const gl_part parts[GL_MOST_PARTS] = {
        {begin, bytes, gil->waiters != NULL ? (uintptr_t)gil->waiters + 4 - begin
                                            : (uintptr_t)gil->switch_number + 8 - begin},
        {gil->mark, mark, sizeof mark},
    };
    int locked, enabled = 1;
    uint32_t waiters = 0;
    if (parts[0].size > sizeof bytes ||
        gl_read_parts(gil->pid, parts, gil->mark != 0 ? 2 : 1) != 0 ||
        (gil->mark != 0 && memcmp(mark, gil->marked, sizeof mark) != 0))
        return -1;
    memcpy(&locked, bytes + ((uintptr_t)gil->locked - begin), sizeof locked);
    memcpy(&words->holder, bytes + ((uintptr_t)gil->last_holder - begin), sizeof words->holder);
    memcpy(&words->switches, bytes + ((uintptr_t)gil->switch_number - begin),
           sizeof words->switches);
    if (gil->enabled != NULL)
        memcpy(&enabled, bytes + ((uintptr_t)gil->enabled - begin), sizeof enabled);
    if (gil->waiters != NULL)
        memcpy(&waiters, bytes + ((uintptr_t)gil->waiters - begin), sizeof waiters);
    words->locked = locked == 1;
    words->enabled = enabled != 0;
    words->wanted = waiters >= 8;
    return 0;
}

/* Finds the main interpreter, and how many have a lock that is not its own. */
static uintptr_t find_main(const gl_python *python, uintptr_t *lock, unsigned *others)
{
    const gl_layout *layout = &python->layout;
    uintptr_t locks[GL_MOST_INTERPRETERS];
    uintptr_t interpreter = gl_python_pointer(python, python->runtime + layout->interpreters);
    uintptr_t main = 0;
    size_t count = 0;
    *lock = 0;
    *others = 0;
    for (; interpreter != 0 && count < GL_MOST_INTERPRETERS; count++) {
        int64_t id;
        locks[count] = layout->interpreter_gil == GL_NOWHERE
                           ? python->runtime + layout->runtime_gil
                           : gl_python_pointer(python, interpreter + layout->interpreter_gil);
        if (gl_python_read(python, interpreter + layout->interpreter_id, &id, sizeof id) != 0)
            return 0;
        if (id == 0) {
            main = interpreter;
            *lock = locks[count];
        }
        interpreter = gl_python_pointer(python, interpreter + layout->interpreter_next);
    }
    for (size_t i = 0; i < count; i++)
        *others += locks[i] != *lock && locks[i] != 0;
    return main;
}

/* Whether what stands there can be a lock. */
static int reads_as_lock(const gl_python *python, uintptr_t locked)
{
    int64_t interval;
    int value;
    return gl_python_read(python, locked - GL_INTERVAL_BEFORE, &interval, sizeof interval) == 0 &&
           gl_python_read(python, locked, &value, sizeof value) == 0 && interval > 0 &&
           (double)interval <= GL_LONGEST_TURN && (value == 0 || value == 1);
}

const char *gl_other_locate(gl_gil *gil, gl_python *python, uint32_t version,
                            ptrdiff_t cond_waiters, unsigned *others)
{
    const gl_layout *layout = &python->layout;
    unsigned char head[GL_LAYOUT_HEAD];
    uintptr_t lock, locked;
    const char *reason;
    memset(gil, 0, sizeof *gil);
    if (gl_python_read(python, python->runtime, head, sizeof head) != 0)
        return "its memory cannot be read";
    reason = gl_layout_read(&python->layout, version, head, sizeof head);
    if (reason != NULL)
        return reason;
    gil->interpreter = find_main(python, &lock, others);
    if (gil->interpreter == 0 || lock == 0)
        return "it has no main interpreter, or not yet";
    if (layout->gil_locked > GL_FARTHEST || layout->gil_holder > GL_FARTHEST ||
        (layout->gil_enabled != GL_NOWHERE && layout->gil_enabled > GL_FARTHEST))
        return "its lock is not laid out as those known here";
    locked = lock + layout->gil_locked;
    if (!reads_as_lock(python, locked))
        return "its lock does not read as one";
    gil->pid = python->pid;
    gil->lock = lock;
    gil->lock_size = layout->gil_locked + GL_COND + GL_COND_BYTES;
    gil->locked = (const void *)locked;
    gil->last_holder = (const void *)(lock + layout->gil_holder);
    gil->switch_number = (const void *)(locked + GL_SWITCHES);
    if (layout->gil_enabled != GL_NOWHERE)
        gil->enabled = (const void *)(lock + layout->gil_enabled);
    if (cond_waiters >= 0)
        gil->waiters = (const void *)(locked + GL_COND + (size_t)cond_waiters);
    gil->id_offset = GL_NO_OFFSET;
    gil->interpreter_offset = layout->thread_interpreter;
    gil->ident_offset = layout->thread_ident;
    gil->native_offset = layout->thread_native;
    return NULL;
}
