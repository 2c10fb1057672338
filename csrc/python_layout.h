/* Where a CPython keeps its interpreters, threads, frames and code objects: offsets in bytes, for a
 * process that may be another one and may run another version. This header needs no Python.h. */
#ifndef GL_PYTHON_LAYOUT_H
#define GL_PYTHON_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* Offsets that a version does not have are GL_NOWHERE. */
#define GL_NOWHERE UINT32_MAX

/* The one list of the offsets; python_layout.c fills it for each version. */
#define GL_OFFSETS(ONE)                                                                          \
    /* in _PyRuntime */                                                                          \
    ONE(runtime_size)                                                                            \
    ONE(interpreters) /* the first PyInterpreterState * */                                       \
    ONE(runtime_gil)  /* the lock, where the process has one (3.11) */                           \
    /* in a PyInterpreterState */                                                                \
    ONE(interpreter_size)                                                                        \
    ONE(interpreter_next)                                                                        \
    ONE(interpreter_id)                                                                          \
    ONE(interpreter_threads) /* the first PyThreadState * */                                     \
    ONE(interpreter_gil)     /* a pointer to the lock, from 3.12 on */                           \
    /* in a lock */                                                                              \
    ONE(gil_locked)  /* int */                                                                   \
    ONE(gil_holder)  /* PyThreadState * */                                                       \
    ONE(gil_enabled) /* int, in a free-threaded build */                                         \
    /* in a PyThreadState */                                                                     \
    ONE(thread_next)                                                                             \
    ONE(thread_interpreter)                                                                      \
    ONE(thread_frame)  /* the innermost frame; up to 3.12 a pointer to where that stands */      \
    ONE(thread_cframe) /* up to 3.12: where it stands there */                                   \
    ONE(thread_ident)  /* unsigned long: threading.get_ident() */                                \
    ONE(thread_native) /* unsigned long: threading.get_native_id() */                            \
    ONE(thread_wants)  /* int, from 3.15 on: whether it waits for the lock */                    \
    ONE(thread_state)  /* int, in a free-threaded build: attached or not */                      \
    ONE(thread_section) /* there: the innermost PyCriticalSection *; low bits say more */        \
    /* in a _PyInterpreterFrame */                                                               \
    ONE(frame_previous)                                                                          \
    ONE(frame_code)                                                                              \
    ONE(frame_owner) /* char: from 3 on no Python function */                                    \
    /* in a PyCodeObject */                                                                      \
    ONE(code_file)                                                                               \
    ONE(code_name) /* the qualified one */                                                       \
    ONE(code_line)                                                                               \
    /* in a PyObject, a PyTypeObject, a str */                                                   \
    ONE(object_type)                                                                             \
    ONE(type_name)                                                                               \
    ONE(text_length)                                                                             \
    ONE(text_state)                                                                              \
    ONE(text_ascii)   /* where the characters of an ASCII one begin */                           \
    ONE(text_compact) /* and of another */

/* In a free-threaded build, from an object on: its own mutex; and the one that a lock has after the
 * head of an object, which is so long. */
#define GL_OBJECT_MUTEX 10
#define GL_OBJECT_HEAD 32

typedef struct {
    uint32_t version; /* 0x030B for 3.11 */
    int free_threaded;
#define GL_OFFSET(name) uint32_t name;
    GL_OFFSETS(GL_OFFSET)
#undef GL_OFFSET
} gl_layout;

/* So much of _PyRuntime from its beginning holds all that gl_layout_read looks at. */
#define GL_LAYOUT_HEAD 1024

/* Fills the layout of a CPython of 64 bits. From 3.13 on it says by itself where things are, in a
 * table at the head of _PyRuntime, of which `head` is a copy; 3.11 and 3.12 do not, and never
 * change any more, so `version` (0x030B) is enough. `version` 0 stands for one that is not known.
 * NULL, or one clause that says why not. */
const char *gl_layout_read(gl_layout *layout, uint32_t version, const unsigned char *head,
                           size_t size);

/* The same for the running one; and where its _PyRuntime is, and its type of code objects. */
const char *gl_layout_locate(gl_layout *layout, uintptr_t *runtime, uintptr_t *code_type);

/* Whether the running one, which is free-threaded, keeps critical sections and the mutexes of objects
 * where the layout says. Called by a thread that is attached. */
int gl_layout_tells_sections(const gl_layout *layout);

#endif
