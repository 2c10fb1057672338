/* Under which Python functions a lock was held: how long in all, how long at once, and when. One
 * thread adds what it sees; any may read. This header needs no Python.h. */
#ifndef GL_GIL_PROFILE_H
#define GL_GIL_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "python_frames.h"
#include "thread_states.h"

#define GL_FUNCTIONS 4096 /* functions told apart; what comes after them is not told */
#define GL_USES 16384     /* pairs of a thread and a function */
#define GL_WAITS 4096     /* pairs of a thread that waits and one that holds */
#define GL_DOINGS 16384   /* of a thread, and what it does in which function */
#define GL_FILE 240
#define GL_FUNCTION_NAME 120
#define GL_UNTOLD 0 /* the number of no function */

/* What is known of a function; its number never changes. */
typedef struct {
    gl_function function;
    char file[GL_FILE]; /* the end of a long one */
    char name[GL_FUNCTION_NAME];
} gl_function_entry;

/* For how long a thread did something, in half nanoseconds, as everywhere: held the lock in the
 * function with that number; or waited for it while the thread in that place held it, GL_NOBODY
 * where it was free; or, without the lock, did `with / GL_FUNCTIONS`, of thread_states.h, in the
 * function with the number that is left. */
typedef struct {
    uint32_t thread; /* its place among the sampler's threads */
    uint32_t with;
    uint64_t doubled;
    uint64_t longest; /* at once, in nanoseconds, in a function */
} gl_pair;

typedef enum { GL_HOLD = 0, GL_WAIT = 1 } gl_kind;

/* A stretch in which every sample saw a thread do the same. */
typedef struct {
    int64_t begin, end;
    uint32_t thread, function;
    uint32_t kind;
    uint32_t holder; /* of a wait: the thread that held the lock at its end; GL_NOBODY */
} gl_span;
#define GL_NOBODY UINT32_MAX

typedef struct gl_profile gl_profile;

/* A profile of one process that keeps the last `spans` spans; NULL without memory. The function of
 * the holder is read at one sample of `every`, picked at random: it costs as much as a sample. */
gl_profile *gl_profile_new(const gl_python *python, unsigned every, size_t spans);
/* Has it tell what threads do without the lock, at one sample of `every`: each thread costs as much
 * as a sample. 0, or -1 without memory. */
int gl_profile_tell_states(gl_profile *profile, unsigned every);
void gl_profile_free(gl_profile *profile);

/* The process that it reads. */
const gl_python *gl_profile_python(const gl_profile *profile);
/* Whether it keeps spans. */
int gl_profile_keeps_spans(const gl_profile *profile);
/* How many samples there are for each at which the function is read. */
unsigned gl_profile_every(const gl_profile *profile);

/* By the sampling thread alone. Finds the number of the function that the thread with that thread
 * state is in; GL_UNTOLD. */
uint32_t gl_profile_find(gl_profile *profile, uintptr_t thread_state);
/* A thread held the lock in a function for so long, in half nanoseconds: of the samples at which
 * the function was read. */
void gl_profile_hold(gl_profile *profile, uint32_t thread, uint32_t function, uint64_t doubled);
/* From `at` on a thread holds the lock in a function, where that is not what it did before:
 * `again` says that it let go in between. GL_NOBODY: nobody holds it. GL_UNTOLD: in what it did
 * before, or in what is told next. */
void gl_profile_follow(gl_profile *profile, int64_t at, uint32_t thread, uint32_t function,
                       int again);
/* A sample at which it was looked for waits stands for so long, whoever held the lock. */
void gl_profile_cover(gl_profile *profile, uint64_t doubled);
/* A thread waited for so long, in half nanoseconds, of those samples. */
void gl_profile_wait(gl_profile *profile, uint32_t thread, uint32_t holder, uint64_t doubled);
/* A sample at which that was looked at, and whether all were being stopped, stands for so long. */
void gl_profile_cover_states(gl_profile *profile, uint64_t doubled, int suspended);
/* From `at` on all threads are being stopped, or not. */
void gl_profile_follow_stops(gl_profile *profile, int64_t at, int suspended);
/* A thread did that in that function for so long, of those samples. */
void gl_profile_do(gl_profile *profile, uint32_t thread, uint32_t what, uint32_t function,
                   uint64_t doubled);
/* Adds a span. */
void gl_profile_add_span(gl_profile *profile, const gl_span *span);

/* By any thread, without waiting. How many functions there are, GL_UNTOLD among them; the entry of
 * one; whether reading the function of a thread failed so often. */
size_t gl_profile_functions(const gl_profile *profile);
const gl_function_entry *gl_profile_function(const gl_profile *profile, size_t number);
uint64_t gl_profile_torn(const gl_profile *profile);
/* Copies the first `capacity` uses; returns how many there are. */
size_t gl_profile_uses(const gl_profile *profile, gl_pair *uses, size_t capacity);
/* The same of the waits. */
size_t gl_profile_waits(const gl_profile *profile, gl_pair *waits, size_t capacity);
/* What it looks at states with, or NULL; the same of what threads did; the time for which those
 * samples stand, that in which all threads were being stopped, and the longest stop in ns. */
gl_states *gl_profile_states(const gl_profile *profile);
unsigned gl_profile_states_every(const gl_profile *profile);
size_t gl_profile_doings(const gl_profile *profile, gl_pair *doings, size_t capacity);
void gl_profile_stops(const gl_profile *profile, uint64_t *covered, uint64_t *stopped,
                      uint64_t *longest);
/* The time for which the samples stand at which it was looked for waits. */
uint64_t gl_profile_covered(const gl_profile *profile);
/* Copies the spans that are kept, the oldest first, up to `capacity`; returns how many, and in
 * `dropped` how many older ones are lost. */
size_t gl_profile_spans(const gl_profile *profile, gl_span *spans, size_t capacity,
                        uint64_t *dropped);

#endif
