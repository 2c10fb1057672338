/* What the threads of a free-threaded CPython do at one moment: run Python, wait for an object that
 * another thread has locked, stand still with all others, or none of it. Told from outside, with no
 * thread paused. This header needs no Python.h. */
#ifndef GL_THREAD_STATES_H
#define GL_THREAD_STATES_H

#include <stddef.h>
#include <stdint.h>

#include "gil_state.h"
#include "gil_waiters.h"
#include "platform.h"
#include "python_frames.h"

#define GL_KINDS 1024 /* kinds of objects told apart; what comes after them is not told */
#define GL_KIND_NAME 64

/* What a thread does. From GL_PARKED on it sleeps until another unlocks something: an object of the
 * kind with the number what - GL_PARKED, of which 0 is none that can be told. */
enum {
    GL_DETACHED = 0,   /* it runs or sleeps outside of Python */
    GL_ATTACHED = 1,   /* it runs Python, or would with a CPU */
    GL_STOPPED = 2,    /* it waits for the end of a stop of all threads */
    GL_TORN_STATE = 3, /* what was read does not hold together, since the thread went on meanwhile */
    GL_PARKED = 4
};
/* Kinds that are no type of Python's: what belongs to no object, as the end of a thread; locks in
 * the interpreter, in the runtime and elsewhere in CPython; an object whose type could not be read. */
enum {
    GL_KIND_UNTOLD = 0,
    GL_KIND_INTERPRETER = 1,
    GL_KIND_RUNTIME = 2,
    GL_KIND_CPYTHON = 3,
    GL_KIND_OBJECT = 4
};

/* What is kept between two looks: the kinds of objects that were seen. One thread looks; any may
 * read. */
typedef struct gl_states gl_states;

/* Whether states can be told: in a free-threaded build of CPython. */
int gl_states_told(const gl_python *python);
/* Whether the state of that thread reads as attached, or as not. */
int gl_state_reads(const gl_python *python, uintptr_t state, int attached);

/* Whether all threads of a process, perhaps another one, read as in a state that there is. */
int gl_states_read_rightly(const gl_gil *gil, const gl_python *python);

/* NULL without memory. */
gl_states *gl_states_new(void);
void gl_states_free(gl_states *states);
/* Whether the system tells what threads are parked on; else they count as detached. */
int gl_states_tell_parked(const gl_states *states);
/* How many kinds there are, and the name of one: that of a type, or one of the kinds above. */
size_t gl_states_kinds(const gl_states *states);
const char *gl_states_kind(const gl_states *states, size_t number);

/* Says what the thread does at which the walk is. `suspended`: whether it may not run Python now,
 * since all are stopped or about to be. It costs some three system calls, and a few more where it is
 * parked. */
uint32_t gl_states_look(gl_states *states, const gl_walk *walk, int *suspended);

#endif
