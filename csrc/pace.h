/* How often a thread takes its turns, so that it uses no more than a share of a CPU. It reads no
 * clock, starts nothing and keeps no state elsewhere. */
#ifndef GL_PACE_H
#define GL_PACE_H

#include <stdint.h>

typedef struct {
    double interval; /* ns between two turns on average */
    double budget;   /* the share of a CPU; 0: the interval stays as it is */
    double cost;     /* CPU time that a turn is expected to take, in ns */
    /* When the current window began, by both clocks, and how many turns there had been. */
    int64_t at, cpu;
    uint64_t turns;
} gl_pace;

/* A turn every `interval_ns`. */
void gl_pace_fix(gl_pace *pace, uint64_t interval_ns);
/* Turns as often as the share allows, which is above 0. */
void gl_pace_budget(gl_pace *pace, double share);
/* The thread starts: at that time, with its own CPU clock at `cpu_ns`, after so many turns. */
void gl_pace_begin(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns);
/* So many turns there have been now, and the thread's own CPU clock reads so: sets the interval for
 * the second that follows, where the one before is over. */
void gl_pace_follow(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns);

#endif
