/* A thread that samples a GIL at random times, and its counters. It holds no Python state, takes
 * no lock and knows of no policy; this header needs no Python.h. */
#ifndef GL_GIL_SAMPLER_H
#define GL_GIL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "gil_profile.h"
#include "gil_state.h"
#include "pace.h"

/* Batches of 2^0 .. 2^19 samples, for the correlation of samples. */
#define GL_LEVELS 20
/* Lengths in nanoseconds, eight buckets an octave: bucket 8 e + s holds those from
 * 2^e (1 + s / 8) on. */
#define GL_BUCKETS (8 * 48)
/* Threads told apart; whatever takes the lock after so many is counted as one more. */
#define GL_THREADS 4096
#define GL_NAME 16
/* Threads that are seen to wait at one sample; of more, nothing is told. */
#define GL_WAITERS 64
/* Threads that are looked at at one sample where there is no lock; of more, nothing is told. */
#define GL_LOOKED_AT 256

/* The one list of the counters: of what was counted since the sampler was made; nothing is ever
 * reset. From it come gl_counts, the sampler's own words and gl_counters; beside it stands only
 * Counts in gillab/meter/counters.py.
 *
 * Times are in nanoseconds. The stretch between two samples counts half for what the first saw
 * and half for what the second saw (the trapezoid rule), so that a sample that comes late stands
 * for no more than the samples around it; hence the words doubled_*, in half nanoseconds.
 *
 * CLOCK(name) is read off the clock. ONE(name) and MANY(name, length) are added to; they are copied
 * in this order, a part before its whole, so that no reader sees a part that is greater. */
#define GL_COUNTERS(CLOCK, ONE, MANY)                                                            \
    CLOCK(duration)      /* that the sampler ran */                                              \
    CLOCK(tail)          /* the time since the last sample, where the sampler runs */            \
    ONE(doubled_enabled) /* less than covered only in a free-threaded build */                   \
    ONE(doubled_wanted)                                                                          \
    ONE(doubled_waiting) /* of all threads that waited together */                               \
    ONE(doubled_held) /* the lock was taken */                                                   \
    ONE(blinks)       /* the lock was free at one sample alone between two that it was not */    \
    ONE(samples)                                                                                 \
    ONE(covered)       /* between samples */                                                     \
    ONE(missed)        /* samples that could not be taken when they were due */                  \
    ONE(cpu)           /* CPU time of the sampling thread */                                     \
    ONE(switches)      /* the lock went to another thread */                                     \
    ONE(longest)       /* the longest stretch that one thread was seen to hold it */             \
    ONE(longest_error) /* its two ends together are uncertain by so much: the end of one that    \
                          lasts still is not there yet, and uncertain by the tail besides */     \
    ONE(latest_since)  /* the stretch that lasts still: when it began, else 0 */                 \
    ONE(latest)        /* and how long it was at the last sample */                              \
    ONE(gap_squares)   /* the squares of the times between samples, in (1,024 ns)^2 */           \
    ONE(edge_squares)  /* of those with the lock taken at one end and free at the other */       \
    MANY(batches, GL_LEVELS)    /* full batches of 2^level samples */                            \
    MANY(sums, GL_LEVELS)       /* the sum over them of the samples that were held */            \
    MANY(squares, GL_LEVELS)    /* and of the square of that */                                  \
    MANY(stretches, GL_BUCKETS) /* how many stretches of each length have ended */

#define GL_ONE(name) uint64_t name;
#define GL_MANY(name, length) uint64_t name[length];
typedef struct {
    GL_COUNTERS(GL_ONE, GL_ONE, GL_MANY)
} gl_counts;
#undef GL_ONE
#undef GL_MANY

/* Where a counter lies in gl_counts, and how many numbers it is. */
typedef struct {
    const char *name;
    size_t offset;
    size_t length;
} gl_counter;

/* All of them; after the last one comes a name that is NULL. */
extern const gl_counter gl_counters[];

typedef struct {
    uintptr_t state; /* the PyThreadState that was seen first: an address, perhaps stale */
    gl_gil_thread thread;
    uint64_t doubled_held;
    char name[GL_NAME]; /* the system's name of the thread, or "" */
} gl_share;

typedef struct gl_sampler gl_sampler;

/* A sampler of `gil` at that pace, or NULL without memory. Where `profile` is not NULL it adds to
 * that, and frees it in the end. */
gl_sampler *gl_sampler_new(const gl_gil *gil, const gl_pace *pace, uint64_t seed,
                           gl_profile *profile);
/* The lock that it samples. */
const gl_gil *gl_sampler_gil(const gl_sampler *sampler);
/* The profile that it adds to, or NULL. Its threads are places among the shares. */
const gl_profile *gl_sampler_profile(const gl_sampler *sampler);
/* Whether it tells which threads wait. */
int gl_sampler_tells_waiters(const gl_sampler *sampler);
/* Starts it; 0, or an errno. It must not be running. */
int gl_sampler_start(gl_sampler *sampler);
/* Stops it where it runs, and waits for its thread, up to an interval or 10 ms, or
 * 100 ms where it keeps to a budget. */
void gl_sampler_stop(gl_sampler *sampler);
/* Whether it runs in this process: a fork has the counters, not the thread. */
int gl_sampler_running(const gl_sampler *sampler);
/* Whether it has ended by itself, since the process whose lock it sampled is gone or has become
 * another program. It is stopped all the same. */
int gl_sampler_gone(const gl_sampler *sampler);
/* Whether it was started by the process that this one was forked from. */
int gl_sampler_forked(const gl_sampler *sampler);
void gl_sampler_free(gl_sampler *sampler);

/* Copies the counters, at any time, from any thread, without waiting: words are read one by one,
 * so that they can be one sample apart. */
void gl_sampler_read(const gl_sampler *sampler, gl_counts *counts);
/* Copies the first `capacity` threads' shares; returns how many there are. Threads keep their
 * place. The last of GL_THREADS + 1, with zeros for an identity, is whoever could not be told. */
size_t gl_sampler_shares(const gl_sampler *sampler, gl_share *shares, size_t capacity);

/* Bucket of a length, and the length where a bucket begins. */
size_t gl_bucket(uint64_t length);
uint64_t gl_bucket_begin(size_t bucket);

#endif
