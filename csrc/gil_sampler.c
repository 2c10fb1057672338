#include "gil_sampler.h"

#include <stdlib.h>
#include <string.h>

#include "gil_waiters.h"
#include "platform.h"

#define GL_SLOTS 16384 /* hash slots over GL_THREADS keys: a power of two */
#define GL_PAGE 64     /* shares are made in pages, which never move */
#define GL_PAGES ((GL_THREADS + 1 + GL_PAGE - 1) / GL_PAGE)
/* A thread state's address is taken for the same thread for so many samples at most. */
#define GL_TRUSTED 64
#define GL_LOOK_REST 19 /* after looking at threads: so many times as long as that took */
#define GL_CPU_EVERY 10000000 /* ns: how often the thread reads how much CPU time it has used */
#define GL_CLOCK_STOPPED (UINT64_C(1) << 63)
/* Looking for who waits costs a few microseconds for each thread. Of the time from one sample that
 * counts for the profile to the next it may take so much: many threads are looked at less often. */
#define GL_WAITS_NS 25000
#define GL_WAITS_SHARE 0.05

typedef struct {
    gl_share share; /* written before `count` says that it is there; its doubled_held is unused */
    gl_word doubled_held;
    uint32_t place;
} gl_entry;

typedef struct {
    uint32_t place, function;
} gl_waiter;

typedef struct {
    uint32_t place, what, function;
} gl_doing;

/* What the threads do at one sample without the lock. */
typedef struct {
    int64_t at;
    int suspended; /* whether all are stopped, or about to be */
    size_t count;
    gl_doing threads[GL_LOOKED_AT];
} gl_look;

/* A thread that waits, since when, and for whom as of the last sample. */
typedef struct {
    gl_waiter waiter;
    uint32_t holder;
    int still; /* whether the latest sample saw it too */
    int64_t since;
} gl_waiting;

/* One sample. */
typedef struct {
    int64_t at;
    int held, enabled;
    int wanted; /* how many threads wait, as far as the lock says */
    uintptr_t holder;
    uint64_t switches;
    gl_entry *entry; /* the holder's, where held */
    int profiled; /* whether it counts for the profile */
    int looked;   /* and whether it was looked for who waits */
    uint32_t function; /* that the holder was in, where it does */
    size_t waiter_count;
    gl_waiter waiters[GL_WAITERS];
    const gl_look *look; /* or NULL: nobody looked */
} gl_sample;

struct gl_sampler {
    gl_gil gil;
    gl_profile *profile; /* or NULL */
    int tells_waiters;
    uint64_t random;
    gl_thread thread;
    gl_word process; /* where it runs, or ran when that was forked; 0 where it was stopped */
    gl_word stop;
    gl_word gone; /* when another process's lock could no longer be read; 0 */
    gl_word clock; /* when it would have started had it never stopped; or GL_CLOCK_STOPPED, and how
                      long it has run: one word, so that a reader sees no half of a change */

#define GL_NONE(name)
#define GL_ONE(name) gl_word name;
#define GL_MANY(name, length) gl_word name[length];
    GL_COUNTERS(GL_NONE, GL_ONE, GL_MANY)
#undef GL_NONE
#undef GL_ONE
#undef GL_MANY
    gl_word sampled; /* when the last sample was taken; 0 where it does not run */

    gl_word count; /* of entries */
    gl_entry *pages[GL_PAGES];

    /* The sampling thread's own. */
    gl_pace pace;
    int64_t cpu_read; /* when, */
    int64_t cpu_then; /* and how much it had used */
    uint64_t batch_held[GL_LEVELS];
    int batch_full[GL_LEVELS]; /* whether the first half of the batch is there */
    uint16_t by_key[GL_SLOTS]; /* 0, or one more than the entry */
    gl_entry *trusted;
    uintptr_t trusted_state;
    uint64_t trusted_switches;
    int trust;
    int64_t started;
    int64_t stretch_begin; /* 0: the lock was free */
    uint64_t stretch_error;
    uint64_t free_samples; /* in a row, until now */
    size_t waited_count; /* of the thread states that were seen to wait at the last look */
    uintptr_t waited[GL_WAITERS];
    gl_look looks[2]; /* the last two */
    int look;         /* which is the last */
    const gl_look *look_before; /* at the last sample with one, or NULL: not since there was a lock */
    int64_t look_again; /* not before: many threads take long */
    double waits_cost; /* of looking for who waits, in ns: a mean of late */
    size_t waiting_count;
    gl_waiting waiting[GL_WAITERS];
};

#define GL_ONE(name) {#name, offsetof(gl_counts, name), 1},
#define GL_MANY(name, length) {#name, offsetof(gl_counts, name), length},
const gl_counter gl_counters[] = {GL_COUNTERS(GL_ONE, GL_ONE, GL_MANY){NULL, 0, 0}};
#undef GL_ONE
#undef GL_MANY

size_t gl_bucket(uint64_t length)
{
    size_t exponent = 0;
    size_t bucket;
    while (length >> exponent > 15)
        exponent++;
    /* Now 8 <= length >> exponent <= 15, or the length is under 8. */
    if (length < 8)
        return (size_t)length;
    bucket = 8 * (exponent + 1) + (size_t)(length >> exponent) - 8;
    return bucket < GL_BUCKETS ? bucket : GL_BUCKETS - 1;
}

uint64_t gl_bucket_begin(size_t bucket)
{
    if (bucket < 8)
        return bucket;
    return (uint64_t)(8 + bucket % 8) << (bucket / 8 - 1);
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
 * ACM TOMS 42 (2016). */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* From 0 to 1, evenly. */
static double next_unit(gl_sampler *sampler)
{
    return (double)(next_random(&sampler->random) >> 11) / 9007199254740992.0;
}

/* From a half to three halves of the interval, evenly. A phase that moves by such a step is lost
 * at once for a program as periodic as the interval, and within a few samples for any other. */
static int64_t next_gap(gl_sampler *sampler)
{
    return (int64_t)(sampler->pace.interval * (0.5 + next_unit(sampler))) + 1;
}

static gl_entry *entry_at(const gl_sampler *sampler, size_t index)
{
    return &sampler->pages[index / GL_PAGE][index % GL_PAGE];
}

static gl_entry *new_entry(gl_sampler *sampler, uintptr_t state, const gl_gil_thread *thread)
{
    const size_t index = (size_t)GL_LOAD(&sampler->count);
    gl_entry **page = &sampler->pages[index / GL_PAGE];
    gl_entry *entry;
    if (*page == NULL)
        *page = calloc(GL_PAGE, sizeof **page);
    if (*page == NULL)
        return NULL;
    entry = entry_at(sampler, index);
    entry->place = (uint32_t)index;
    entry->share.state = state;
    entry->share.thread = *thread;
    if (thread->native_id != 0)
        gl_thread_system_name(sampler->gil.tasks, thread->native_id, entry->share.name,
                              sizeof entry->share.name);
    GL_STORE_RELEASE(&sampler->count, index + 1);
    return entry;
}

/* What tells a thread from others for good. Addresses of thread states are used again at once, and
 * one thread that calls into Python again and again may have a new state each time; the kernel's
 * number for it does not change and is not given again soon. Windows does give it again soon. */
static uint64_t thread_key(uintptr_t state, const gl_gil_thread *thread)
{
#if !defined(_WIN32)
    if (thread->native_id != 0)
        return thread->native_id * 2 + 1;
#endif
    if (thread->id != 0)
        return (thread->id ^ (uint64_t)thread->interpreter) * 2;
    return (uint64_t)state * 2;
}

static int still_holds(const gl_gil *gil, uintptr_t state)
{
    gl_gil_words words;
    return gl_gil_read(gil, &words) == 0 && words.locked && words.holder == state;
}

/* `ours`: whether the state is known to be one of a thread that takes this lock. */
static gl_entry *find_entry(gl_sampler *sampler, uintptr_t state, int ours)
{
    gl_gil_thread thread;
    uint64_t key;
    size_t slot;
    gl_entry *entry;
    gl_gil_identify(&sampler->gil, state, &thread);
    /* Memory of a thread state that was freed between the sample and now may read as anything; a
     * state that belongs to another interpreter may be one that shares this lock. */
    if (!ours && thread.interpreter != sampler->gil.interpreter &&
        !still_holds(&sampler->gil, state))
        memset(&thread, 0, sizeof thread);
    key = thread_key(state, &thread);
    for (slot = gl_hash(key, GL_SLOTS); sampler->by_key[slot] != 0; slot = (slot + 1) & (GL_SLOTS - 1)) {
        entry = entry_at(sampler, sampler->by_key[slot] - 1u);
        if (thread_key(entry->share.state, &entry->share.thread) == key)
            return entry;
    }
    if (GL_LOAD(&sampler->count) >= GL_THREADS) {
        memset(&thread, 0, sizeof thread);
        if (GL_LOAD(&sampler->count) == GL_THREADS)
            return new_entry(sampler, 0, &thread);
        return entry_at(sampler, GL_THREADS);
    }
    entry = new_entry(sampler, state, &thread);
    if (entry != NULL)
        sampler->by_key[slot] = (uint16_t)GL_LOAD(&sampler->count);
    return entry;
}

/* Whether to look for who waits: chosen before it is known whether anybody does. */
static int chooses_to_look(gl_sampler *sampler)
{
    const double gap = sampler->pace.interval * gl_profile_every(sampler->profile);
    const double often = (GL_WAITS_NS + GL_WAITS_SHARE * gap) / (sampler->waits_cost + 1);
    return often >= 1 || next_unit(sampler) < often;
}

/* Adds to the `count` threads that were found asleep those that the lock counts besides, as far as
 * they slept at the last look: who has been woken, and does not run yet, waits still. */
static size_t add_woken(gl_sampler *sampler, const gl_sample *sample, uintptr_t *states,
                        size_t count)
{
    const size_t asleep = count;
    for (size_t i = 0; i < sampler->waited_count && (int)count < sample->wanted; i++) {
        const uintptr_t state = sampler->waited[i];
        size_t place = 0;
        while (place < asleep && states[place] != state)
            place++;
        if (place == asleep && count < GL_WAITERS && !(sample->held && state == sample->holder))
            states[count++] = state;
    }
    memcpy(sampler->waited, states, count * sizeof *states);
    sampler->waited_count = count;
    return count;
}

static void find_waiters(gl_sampler *sampler, gl_sample *sample)
{
    uintptr_t states[GL_WAITERS];
    const int64_t begun = gl_now_ns();
    const size_t asleep =
        gl_waiters_find(&sampler->gil, gl_profile_python(sampler->profile),
                        sample->held ? sample->holder : 0, states, GL_WAITERS);
    const size_t count = add_woken(sampler, sample, states, asleep);
    for (size_t i = 0; i < count; i++) {
        /* A thread that is no longer found may have ended. */
        const gl_entry *entry = find_entry(sampler, states[i], i < asleep);
        gl_waiter *waiter = &sample->waiters[sample->waiter_count];
        if (entry == NULL)
            continue;
        waiter->place = entry->place;
        waiter->function = GL_UNTOLD;
        if (gl_profile_keeps_spans(sampler->profile))
            waiter->function = gl_profile_find(sampler->profile, states[i]);
        sample->waiter_count++;
    }
    sampler->waits_cost += ((double)(gl_now_ns() - begun) - sampler->waits_cost) / 8;
}

/* Each thread's function is read right after its state, which it may leave at any time. */
static void look_at_threads(gl_sampler *sampler, gl_sample *sample)
{
    gl_look *look = &sampler->looks[sampler->look ^= 1];
    gl_walk walk;
    int64_t now;
    memset(&walk, 0, sizeof walk);
    walk.gil = &sampler->gil;
    walk.python = gl_profile_python(sampler->profile);
    look->at = sample->at;
    look->count = 0;
    look->suspended = 0;
    while (look->count < GL_LOOKED_AT && gl_walk_on(&walk)) {
        gl_doing *doing = &look->threads[look->count];
        const gl_entry *entry;
        int suspended;
        if (!gl_walk_has_thread(&walk))
            continue;
        doing->what = gl_states_look(gl_profile_states(sampler->profile), &walk, &suspended);
        doing->function = gl_profile_find(sampler->profile, walk.state);
        look->suspended |= suspended;
        entry = find_entry(sampler, walk.state, 1);
        if (entry == NULL)
            continue;
        doing->place = entry->place;
        look->count++;
    }
    sample->look = look;
    now = gl_now_ns();
    sampler->look_again = now + GL_LOOK_REST * (now - sample->at);
}

/* Whether this is one sample of so many, picked at random. */
static int is_picked(gl_sampler *sampler, unsigned every)
{
    return (next_random(&sampler->random) >> 33) % every == 0;
}

/* 0, or -1 where the process whose lock it is has gone. */
static int take_sample(gl_sampler *sampler, gl_sample *sample)
{
    const gl_gil *gil = &sampler->gil;
    gl_gil_words words;
    sample->at = gl_now_ns();
    if (gl_gil_read(gil, &words) != 0) {
        GL_STORE_RELEASE(&sampler->gone, (uint64_t)sample->at);
        return -1;
    }
    sample->enabled = words.enabled;
    sample->held = words.enabled && words.locked;
    sample->holder = sample->held ? words.holder : 0;
    sample->wanted = words.enabled ? words.wanted : 0;
    sample->switches = words.switches;
    sample->entry = NULL;
    sample->function = GL_UNTOLD;
    sample->profiled =
        sampler->profile != NULL && is_picked(sampler, gl_profile_every(sampler->profile));
    sample->waiter_count = 0;
    if (sample->held && sample->profiled) /* first: looking for many that wait takes long */
        sample->function = gl_profile_find(sampler->profile, sample->holder);
    sample->look = NULL;
    if (!sample->enabled && sampler->profile != NULL &&
        gl_profile_states(sampler->profile) != NULL &&
        sample->at >= sampler->look_again &&
        is_picked(sampler, gl_profile_states_every(sampler->profile)))
        look_at_threads(sampler, sample);
    sample->looked = sample->profiled && sampler->tells_waiters && chooses_to_look(sampler);
    if (sample->looked && sample->enabled && (sample->wanted || gil->waiters == NULL))
        find_waiters(sampler, sample);
    else if (sample->looked)
        sampler->waited_count = 0;
    if (!sample->held)
        return 0;
    if (sample->holder != sampler->trusted_state || sample->switches != sampler->trusted_switches ||
        sampler->trust == 0) {
        sampler->trusted = find_entry(sampler, sample->holder, 0);
        sampler->trusted_state = sample->holder;
        sampler->trusted_switches = sample->switches;
        sampler->trust = GL_TRUSTED;
    }
    sampler->trust--;
    sample->entry = sampler->trusted;
    return 0;
}

/* Blocks of doubling size, each from two of the size below: Flyvbjerg and Petersen, "Error
 * estimates on averages of correlated data", J. Chem. Phys. 91, 461 (1989). */
static void add_to_batches(gl_sampler *sampler, uint64_t held)
{
    for (int level = 0; level < GL_LEVELS; level++) {
        gl_add(&sampler->sums[level], held);
        gl_add(&sampler->squares[level], held * held);
        gl_add(&sampler->batches[level], 1);
        if (!sampler->batch_full[level]) {
            sampler->batch_full[level] = 1;
            sampler->batch_held[level] = held;
            return;
        }
        sampler->batch_full[level] = 0;
        held += sampler->batch_held[level];
    }
}

/* Ends it at that time, which is uncertain by so much. */
static void end_stretch(gl_sampler *sampler, int64_t at, uint64_t error)
{
    const uint64_t length = (uint64_t)(at - sampler->stretch_begin);
    if (length >= GL_LOAD(&sampler->longest)) {
        GL_STORE(&sampler->longest, length);
        GL_STORE(&sampler->longest_error, sampler->stretch_error + error);
    }
    gl_add(&sampler->stretches[gl_bucket(length)], 1);
    sampler->stretch_begin = 0;
    GL_STORE(&sampler->latest_since, 0);
    GL_STORE(&sampler->latest, 0);
}

static uint32_t holder_place(const gl_sample *sample)
{
    return sample->entry != NULL ? sample->entry->place : GL_NOBODY;
}

static void follow_profile(gl_sampler *sampler, const gl_sample *now, int64_t at, int again)
{
    if (sampler->profile != NULL)
        gl_profile_follow(sampler->profile, at, holder_place(now), now->function, again);
}

static void end_wait(gl_sampler *sampler, const gl_waiting *waiting, int64_t at)
{
    gl_span span;
    span.begin = waiting->since;
    span.end = at;
    span.thread = waiting->waiter.place;
    span.function = waiting->waiter.function;
    span.kind = GL_WAIT;
    span.holder = waiting->holder;
    gl_profile_add_span(sampler->profile, &span);
}

/* Ends the waits that this sample no longer sees at that time, and begins those that are new. */
static void follow_waits(gl_sampler *sampler, const gl_sample *now, int64_t at)
{
    size_t kept = 0;
    if (!now->looked || !gl_profile_keeps_spans(sampler->profile))
        return;
    for (size_t i = 0; i < sampler->waiting_count; i++)
        sampler->waiting[i].still = 0;
    for (size_t i = 0; i < now->waiter_count; i++) {
        gl_waiting *waiting = sampler->waiting;
        const gl_waiting *end = waiting + sampler->waiting_count;
        while (waiting < end && waiting->waiter.place != now->waiters[i].place)
            waiting++;
        if (waiting == end) {
            if (sampler->waiting_count == GL_WAITERS)
                continue;
            waiting->waiter = now->waiters[i];
            waiting->since = at;
            sampler->waiting_count++;
        }
        waiting->still = 1;
        if (now->entry != NULL || waiting->since == at)
            waiting->holder = holder_place(now);
    }
    for (size_t i = 0; i < sampler->waiting_count; i++) {
        if (sampler->waiting[i].still)
            sampler->waiting[kept++] = sampler->waiting[i];
        else
            end_wait(sampler, &sampler->waiting[i], at);
    }
    sampler->waiting_count = kept;
}

/* A stretch begins and ends half-way between two samples, so that it is as often too long as too
 * short. */
static void follow_stretch(gl_sampler *sampler, const gl_sample *before, const gl_sample *now)
{
    const uint64_t gap = (uint64_t)(now->at - before->at);
    const int64_t middle = before->at + (int64_t)(gap / 2);
    const int ends =
        !now->held || now->holder != before->holder || now->switches != before->switches;
    uint64_t length;
    if (sampler->stretch_begin != 0 && ends)
        end_stretch(sampler, middle, gap);
    follow_profile(sampler, now, middle, ends);
    follow_waits(sampler, now, middle);
    if (!now->held)
        return;
    if (sampler->stretch_begin == 0) {
        sampler->stretch_begin = middle;
        sampler->stretch_error = gap;
        GL_STORE(&sampler->latest_since, (uint64_t)middle);
    }
    length = (uint64_t)(now->at - sampler->stretch_begin);
    GL_STORE(&sampler->latest, length);
    if (length > GL_LOAD(&sampler->longest)) {
        GL_STORE(&sampler->longest, length);
        GL_STORE(&sampler->longest_error, sampler->stretch_error);
    }
}

static void add_look(gl_profile *profile, const gl_look *look, uint64_t gap)
{
    gl_profile_cover_states(profile, gap, look->suspended);
    for (size_t i = 0; i < look->count; i++)
        gl_profile_do(profile, look->threads[i].place, look->threads[i].what,
                      look->threads[i].function, gap);
}

/* The stretch between two looks counts half for each. They are the rarer the longer they take, which
 * is when many threads wait: what counts is the time between them, not their number. */
static void follow_looks(gl_sampler *sampler, const gl_sample *now)
{
    const gl_look *before = sampler->look_before;
    if (now->look != NULL && before != NULL) {
        const uint64_t gap = (uint64_t)(now->look->at - before->at);
        gl_profile_follow_stops(sampler->profile, before->at + (int64_t)(gap / 2),
                                now->look->suspended);
        add_look(sampler->profile, before, gap);
        add_look(sampler->profile, now->look, gap);
    }
    if (now->look != NULL || now->enabled)
        sampler->look_before = now->look;
}

static void add_share(gl_sampler *sampler, const gl_sample *sample, uint64_t gap)
{
    if (sample->looked) {
        gl_profile_cover(sampler->profile, gap);
        for (size_t i = 0; i < sample->waiter_count; i++)
            gl_profile_wait(sampler->profile, sample->waiters[i].place, holder_place(sample), gap);
    }
    if (sample->entry == NULL)
        return;
    gl_add(&sample->entry->doubled_held, gap);
    if (sample->profiled)
        gl_profile_hold(sampler->profile, sample->entry->place, sample->function, gap);
}

static void count_sample(gl_sampler *sampler, const gl_sample *before, const gl_sample *now)
{
    const uint64_t gap = (uint64_t)(now->at - before->at);
    /* The whole before its parts: a reader, who takes them the other way round, never sees a part
     * that is greater than the whole. */
    gl_add(&sampler->covered, gap);
    GL_STORE_RELEASE(&sampler->samples, GL_LOAD(&sampler->samples) + 1);
    GL_STORE_RELEASE(&sampler->doubled_held,
                     GL_LOAD(&sampler->doubled_held) + gap * (uint64_t)(before->held + now->held));
    GL_STORE_RELEASE(&sampler->doubled_wanted,
                     GL_LOAD(&sampler->doubled_wanted) +
                         gap * (uint64_t)((before->wanted != 0) + (now->wanted != 0)));
    gl_add(&sampler->doubled_waiting, gap * (uint64_t)(before->wanted + now->wanted));
    GL_STORE_RELEASE(&sampler->doubled_enabled,
                     GL_LOAD(&sampler->doubled_enabled) +
                         gap * (uint64_t)(before->enabled + now->enabled));
    add_share(sampler, before, gap);
    add_share(sampler, now, gap);
    gl_add(&sampler->gap_squares, (gap >> 10) * (gap >> 10));
    if (before->held != now->held)
        gl_add(&sampler->edge_squares, (gap >> 10) * (gap >> 10));
    /* CPython counts them in an unsigned long, which may be of 32 bits and begin anew. */
    gl_add(&sampler->switches, (unsigned long)(now->switches - before->switches));
    add_to_batches(sampler, (uint64_t)now->held);
    if (now->held && sampler->free_samples == 1)
        GL_STORE_RELEASE(&sampler->blinks, GL_LOAD(&sampler->blinks) + 1);
    sampler->free_samples = now->held ? 0 : sampler->free_samples + 1;
    follow_stretch(sampler, before, now);
    follow_looks(sampler, now);
}

/* The clock is a call of the system: it is not read at every sample of many. */
static void count_cpu(gl_sampler *sampler, int64_t at)
{
    const int64_t cpu = gl_thread_cpu_ns();
    gl_add(&sampler->cpu, (uint64_t)(cpu - sampler->cpu_then));
    sampler->cpu_then = cpu;
    sampler->cpu_read = at;
}

static void run_sampler(void *argument)
{
    gl_sampler *sampler = argument;
    gl_sample before, now;
    int64_t due;
    /* Long sleeps are in parts, so that a stop is soon heard; but each part costs CPU time. */
    const int64_t longest_sleep = sampler->pace.budget > 0 ? 100000000 : 10000000;
    /* A sample costs some 5 to 30 us of a processor: with shorter intervals it would be busy. */
    gl_thread_prepare("gillab-meter", sampler->pace.interval >= 50000);
    if (take_sample(sampler, &before) != 0)
        return;
    if (before.held) {
        sampler->stretch_begin = before.at;
        /* From when nobody knows: nobody looked before. */
        sampler->stretch_error = (uint64_t)(before.at - sampler->started);
        GL_STORE(&sampler->latest_since, (uint64_t)before.at);
    }
    follow_profile(sampler, &before, before.at, 1);
    sampler->look_before = before.look;
    GL_STORE_RELEASE(&sampler->sampled, (uint64_t)before.at);
    sampler->cpu_then = 0;
    count_cpu(sampler, before.at);
    gl_pace_begin(&sampler->pace, before.at, sampler->cpu_then, GL_LOAD(&sampler->samples));
    due = before.at + next_gap(sampler);
    while (!GL_LOAD_ACQUIRE(&sampler->stop)) {
        const int64_t soon = gl_now_ns() + longest_sleep;
        gl_sleep_until_ns(due < soon ? due : soon);
        if (gl_now_ns() < due)
            continue;
        if (take_sample(sampler, &now) != 0)
            break;
        count_sample(sampler, &before, &now);
        GL_STORE_RELEASE(&sampler->sampled, (uint64_t)now.at);
        before = now;
        if (now.at - sampler->cpu_read >= GL_CPU_EVERY) {
            count_cpu(sampler, now.at);
            gl_pace_follow(&sampler->pace, now.at, sampler->cpu_then, GL_LOAD(&sampler->samples));
        }
        due += next_gap(sampler);
        while (due <= now.at) {
            gl_add(&sampler->missed, 1);
            due += next_gap(sampler);
        }
    }
    if (sampler->stretch_begin != 0)
        end_stretch(sampler, before.at, (uint64_t)(gl_now_ns() - before.at));
    before.entry = NULL;
    before.waiter_count = 0;
    if (sampler->profile != NULL)
        gl_profile_follow_stops(sampler->profile, before.at, 0);
    before.profiled = before.looked = sampler->profile != NULL;
    follow_profile(sampler, &before, before.at, 1);
    follow_waits(sampler, &before, before.at);
    GL_STORE(&sampler->sampled, 0);
    count_cpu(sampler, before.at);
    /* Keep the unfinished batch: subtracting two readings is only right if no batch is dropped. */
}

gl_sampler *gl_sampler_new(const gl_gil *gil, const gl_pace *pace, uint64_t seed,
                           gl_profile *profile)
{
    gl_sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL)
        return NULL;
    sampler->gil = *gil;
    sampler->profile = profile;
    sampler->pace = *pace;
    sampler->tells_waiters =
        profile != NULL && gl_waiters_told(gil, gl_profile_python(profile));
    sampler->random = seed != 0 ? seed : 1;
    GL_STORE(&sampler->clock, GL_CLOCK_STOPPED);
    return sampler;
}

const gl_gil *gl_sampler_gil(const gl_sampler *sampler)
{
    return &sampler->gil;
}

const gl_profile *gl_sampler_profile(const gl_sampler *sampler)
{
    return sampler->profile;
}

int gl_sampler_tells_waiters(const gl_sampler *sampler)
{
    return sampler->tells_waiters;
}

static uint64_t run_time(const gl_sampler *sampler)
{
    const uint64_t clock = GL_LOAD_ACQUIRE(&sampler->clock);
    const uint64_t gone = GL_LOAD_ACQUIRE(&sampler->gone);
    if (clock & GL_CLOCK_STOPPED)
        return clock & ~GL_CLOCK_STOPPED;
    if (gone != 0) /* perhaps before the clock began */
        return gone > clock ? gone - clock : 0;
    return (uint64_t)gl_now_ns() - clock;
}

int gl_sampler_start(gl_sampler *sampler)
{
    int error;
    GL_STORE(&sampler->stop, 0);
    GL_STORE(&sampler->gone, 0);
    sampler->started = gl_now_ns();
    error = gl_thread_start(&sampler->thread, run_sampler, sampler);
    if (error != 0)
        return error;
    GL_STORE(&sampler->process, (uint64_t)gl_process_id());
    GL_STORE_RELEASE(&sampler->clock, (uint64_t)gl_now_ns() - run_time(sampler));
    return 0;
}

void gl_sampler_stop(gl_sampler *sampler)
{
    if (!gl_sampler_running(sampler))
        return;
    GL_STORE_RELEASE(&sampler->stop, 1);
    gl_thread_join(sampler->thread);
    GL_STORE(&sampler->process, 0);
    GL_STORE_RELEASE(&sampler->clock, GL_CLOCK_STOPPED | run_time(sampler));
}

int gl_sampler_running(const gl_sampler *sampler)
{
    return GL_LOAD(&sampler->process) == (uint64_t)gl_process_id();
}

int gl_sampler_gone(const gl_sampler *sampler)
{
    return GL_LOAD_ACQUIRE(&sampler->gone) != 0;
}

int gl_sampler_forked(const gl_sampler *sampler)
{
    const uint64_t process = GL_LOAD(&sampler->process);
    return process != 0 && process != (uint64_t)gl_process_id();
}

void gl_sampler_free(gl_sampler *sampler)
{
    if (sampler == NULL)
        return;
    gl_sampler_stop(sampler);
    for (size_t page = 0; page < GL_PAGES; page++)
        free(sampler->pages[page]);
    gl_profile_free(sampler->profile);
    free(sampler);
}

void gl_sampler_read(const gl_sampler *sampler, gl_counts *counts)
{
    const uint64_t sampled = GL_LOAD_ACQUIRE(&sampler->sampled);
    counts->duration = run_time(sampler);
    counts->tail = sampled != 0 ? (uint64_t)gl_now_ns() - sampled : 0;
#define GL_NONE(name)
#define GL_ONE(name) counts->name = GL_LOAD_ACQUIRE(&sampler->name);
#define GL_MANY(name, length)            \
    for (size_t i = 0; i < (length); i++) \
        counts->name[i] = GL_LOAD(&sampler->name[i]);
    GL_COUNTERS(GL_NONE, GL_ONE, GL_MANY)
#undef GL_NONE
#undef GL_ONE
#undef GL_MANY
}

size_t gl_sampler_shares(const gl_sampler *sampler, gl_share *shares, size_t capacity)
{
    const size_t count = (size_t)GL_LOAD_ACQUIRE(&sampler->count);
    for (size_t i = 0; i < count && i < capacity; i++) {
        const gl_entry *entry = entry_at(sampler, i);
        shares[i] = entry->share;
        shares[i].doubled_held = GL_LOAD(&entry->doubled_held);
    }
    return count;
}
