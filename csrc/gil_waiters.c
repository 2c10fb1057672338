#include "gil_waiters.h"

#include <string.h>

#define GL_MOST_INTERPRETERS 64
#define GL_MOST_THREADS 1024 /* that are looked at: a list that is torn may have no end */
#define GL_STATE_BYTES 384   /* of a thread state */

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

size_t gl_waiters_find(const gl_gil *gil, const gl_python *python, uintptr_t holder,
                       uintptr_t *states, size_t capacity)
{
    const gl_layout *layout = &python->layout;
    unsigned char bytes[GL_STATE_BYTES];
    const uint32_t wants = layout->thread_wants != GL_NOWHERE ? layout->thread_wants : 0;
    const size_t size =
        GL_MAX(GL_MAX(layout->thread_next, layout->thread_native), wants) + sizeof(uintptr_t);
    uintptr_t interpreter = gl_python_pointer(python, python->runtime + layout->interpreters);
    size_t count = 0, threads = 0;
    if (size > sizeof bytes)
        return 0;
    for (int i = 0; interpreter != 0 && i < GL_MOST_INTERPRETERS; i++) {
        uintptr_t state = 0;
        if (has_lock(gil, python, interpreter))
            state = gl_python_pointer(python, interpreter + layout->interpreter_threads);
        for (; state != 0 && threads < GL_MOST_THREADS && count < capacity; threads++) {
            if (gl_python_read(python, state, bytes, size) != 0)
                break;
            if (state != holder && waits(gil, python, bytes))
                states[count++] = state;
            state = gl_pointer_at(bytes, layout->thread_next);
        }
        interpreter = gl_python_pointer(python, interpreter + layout->interpreter_next);
    }
    return count;
}
