#include "pace.h"

#define GL_WINDOW 1000000000 /* ns: the interval changes no more often */
#define GL_HEADROOM 0.9      /* of the budget is planned for: turns cost more at times */
/* A guess on the high side, so that the first second is within the budget too. */
#define GL_FIRST_COST 50000.0
#define GL_SHORTEST 100000.0
#define GL_LONGEST 1e9

static void choose(gl_pace *pace)
{
    const double interval = pace->cost / (pace->budget * GL_HEADROOM);
    pace->interval = interval < GL_SHORTEST  ? GL_SHORTEST
                     : interval > GL_LONGEST ? GL_LONGEST
                                             : interval;
}

void gl_pace_fix(gl_pace *pace, uint64_t interval_ns)
{
    pace->budget = 0;
    pace->interval = (double)interval_ns;
}

void gl_pace_budget(gl_pace *pace, double share)
{
    pace->budget = share;
    pace->cost = GL_FIRST_COST;
    choose(pace);
}

void gl_pace_begin(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns)
{
    pace->at = now_ns;
    pace->cpu = cpu_ns;
    pace->turns = turns;
}

/* Nothing but the cost decides, and of a whole second that is over: the gaps between samples do not
 * depend on what those samples see, which would make them a biased choice of moments. */
void gl_pace_follow(gl_pace *pace, int64_t now_ns, int64_t cpu_ns, uint64_t turns)
{
    double cost;
    if (pace->budget == 0 || now_ns - pace->at < GL_WINDOW || turns == pace->turns)
        return;
    cost = (double)(cpu_ns - pace->cpu) / (double)(turns - pace->turns);
    /* Dearer turns count at once, cheaper ones little by little: the budget is a promise. */
    pace->cost = cost > pace->cost ? cost : pace->cost + (cost - pace->cost) / 4;
    choose(pace);
    gl_pace_begin(pace, now_ns, cpu_ns, turns);
}
