/* The countdown as a program: for each number of steps on stdin, the nanoseconds it took.
 *
 * A line "add N" times a chain of N dependent register additions instead. Each has to wait for
 * the one before, and a register addition takes one cycle on every common core, so that the time
 * of one is the length of a cycle at that moment: the nominal frequency says nothing of it. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "countdown.h"

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__x86_64__)
/* Register to register: some cores do away with additions of a constant before they execute. */
#define ADD __asm__ volatile("add %0, %0" : "+r"(sum));
#elif defined(__aarch64__)
#define ADD __asm__ volatile("add %0, %0, %0" : "+r"(sum));
#endif

#ifdef ADD
#define ADD_8 ADD ADD ADD ADD ADD ADD ADD ADD
#define ADD_64 ADD_8 ADD_8 ADD_8 ADD_8 ADD_8 ADD_8 ADD_8 ADD_8
static int add_chain(int64_t n)
{
    uint64_t sum = 1;
    for (int64_t left = n; left > 0; left -= 64) {
        ADD_64 /* the loop's own count runs beside the chain and costs no cycle */
    }
    return 1;
}
#else
static int add_chain(int64_t n)
{
    (void)n;
    return 0; /* not known for this processor */
}
#endif

int main(void)
{
    char line[64];
    int64_t n;
    while (fgets(line, sizeof line, stdin)) {
        int known = 1;
        int64_t start;
        if (sscanf(line, "add %" SCNd64, &n) == 1) {
            start = now_ns();
            known = add_chain(n);
        } else if (sscanf(line, "%" SCNd64, &n) == 1) {
            start = now_ns();
            gl_countdown(n);
        } else {
            return 1;
        }
        printf("%" PRId64 "\n", known ? now_ns() - start : -1);
        fflush(stdout);
    }
    return 0;
}
