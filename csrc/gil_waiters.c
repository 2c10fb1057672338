#include "gil_waiters.h"

#include <string.h>

#define GL_MOST_INTERPRETERS 64
#define GL_MOST_THREADS 1024 /* that are looked at: a list that is torn may have no end */

int gl_waiters_told(const gl_gil *gil, const gl_python *python)
{
    return python->runtime != 0 && gil->lock != 0 &&
           (python->layout.thread_wants != GL_NOWHERE || gl_sees_futexes());
}

static int waits(const gl_gil *gil, const gl_python *python, const unsigned char *state)
{
    const gl_layout *layout = &python->layout;
    unsigned long native_id;
    uintptr_t futex;
    if (layout->thread_wants != GL_NOWHERE) {
        int wants;
        memcpy(&wants, state + layout->thread_wants, sizeof wants);
        return wants != 0;
    }
    memcpy(&native_id, state + layout->thread_native, sizeof native_id);
    return gl_thread_futex(gil->tasks, native_id, &futex) == 0 && futex >= gil->lock &&
           futex < gil->lock + gil->lock_size;
}

/* Whether an interpreter's threads take this lock. */
static int has_lock(const gl_gil *gil, const gl_python *python, uintptr_t interpreter)
{
    const uint32_t offset = python->layout.interpreter_gil;
    return offset == GL_NOWHERE || gl_python_pointer(python, interpreter + offset) == gil->lock;
}

/* Finds the next interpreter whose threads take the lock, and its first thread. */
static int next_interpreter(gl_walk *walk)
{
    const gl_python *python = walk->python;
    const gl_layout *layout = &python->layout;
    while (walk->interpreters++ < GL_MOST_INTERPRETERS) {
        walk->interpreter = gl_python_pointer(
            python, walk->begun ? walk->interpreter + layout->interpreter_next
                                : python->runtime + layout->interpreters);
        walk->begun = 1;
        if (walk->interpreter == 0)
            return 0;
        if (!has_lock(walk->gil, python, walk->interpreter))
            continue;
        walk->next = gl_python_pointer(python, walk->interpreter + layout->interpreter_threads);
        if (walk->next != 0)
            return 1;
    }
    return 0;
}

int gl_walk_on(gl_walk *walk)
{
    const gl_layout *layout = &walk->python->layout;
    const uint32_t wants = layout->thread_wants != GL_NOWHERE ? layout->thread_wants : 0;
    const uint32_t section = layout->thread_section != GL_NOWHERE ? layout->thread_section : 0;
    const size_t size = GL_MAX(GL_MAX(layout->thread_next, layout->thread_native),
                               GL_MAX(wants, section)) +
                        sizeof(uintptr_t);
    if (size > sizeof walk->bytes)
        return 0;
    while (walk->threads++ < GL_MOST_THREADS && (walk->next != 0 || next_interpreter(walk))) {
        walk->state = walk->next;
        walk->next = 0;
        if (gl_python_read(walk->python, walk->state, walk->bytes, size) != 0)
            continue;
        walk->next = gl_pointer_at(walk->bytes, layout->thread_next);
        return 1;
    }
    return 0;
}

int gl_walk_has_thread(const gl_walk *walk)
{
    unsigned long ident;
    memcpy(&ident, walk->bytes + walk->python->layout.thread_ident, sizeof ident);
    return ident != 0;
}

size_t gl_waiters_find(const gl_gil *gil, const gl_python *python, uintptr_t holder,
                       uintptr_t *states, size_t capacity)
{
    gl_walk walk;
    size_t count = 0;
    memset(&walk, 0, sizeof walk);
    walk.gil = gil;
    walk.python = python;
    while (count < capacity && gl_walk_on(&walk)) {
        if (walk.state != holder && waits(gil, python, walk.bytes))
            states[count++] = walk.state;
    }
    return count;
}
