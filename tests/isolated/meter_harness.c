/* Samplers of a lock that is not Python's, started, read and stopped by many threads at once: what
 * ThreadSanitizer and AddressSanitizer are to look at. Built with all of csrc/ that the sampler
 * needs but for csrc/gil_state.c and csrc/python_layout.c, for which this file stands in. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gil_sampler.h"

static _Atomic int locked;
static _Atomic(uintptr_t) holder;
static _Atomic unsigned long switches;
static _Atomic int enabled = 1;
static _Atomic uint32_t waiters;
static _Atomic int over;

const char *gl_layout_read(gl_layout *layout, uint32_t version, const unsigned char *head,
                           size_t size)
{
    (void)layout;
    (void)version;
    (void)head;
    (void)size;
    return "it has no layout";
}

/* Thread 1 + n has id and native id 1 + n, at address 4096 (1 + n % 100): addresses come again. */
int gl_gil_identify(const gl_gil *gil, uintptr_t state, gl_gil_thread *thread)
{
    memset(thread, 0, sizeof *thread);
    thread->interpreter = gil->interpreter;
    thread->id = thread->ident = thread->native_id = atomic_load(&switches) + state / 4096;
    return 0;
}

/* A process in which every other thread state is nowhere, and the others, of which the holder is
 * one, are in one of three functions; of the third the name is no str. */
typedef struct {
    uint64_t length;
    uint32_t state;
    char text[16];
} fake_text;
typedef struct {
    void *type, *file, *name;
    int32_t line;
} fake_code;
typedef struct {
    void *code, *previous;
    char owner;
} fake_frame;
static fake_text file = {9, 1 << 2 | 3 << 5, "/a/b/c.py"};
static fake_text names[] = {{1, 1 << 2 | 3 << 5, "f"}, {1, 1 << 2 | 3 << 5, "g"}, {1, 0, "h"}};
static fake_code codes[] = {
    {&codes, &file, &names[0], 1}, {&codes, &file, &names[1], 2}, {&codes, &file, &names[2], 3}};
static fake_frame frames[] = {
    {&codes[0], NULL, 0}, {&codes[1], NULL, 0}, {&codes[2], NULL, 0}, {NULL, &frames[1], 3}};
/* They are also all that a free-threaded process has: one is attached, one detached, one stopped. */
typedef struct {
    fake_frame *frame;
    void *next;
    unsigned long ident;
    int state;
} fake_thread;
static fake_thread states[] = {{&frames[0], &states[1], 1, 0},
                               {&frames[1], &states[2], 2, 1},
                               {&frames[2], &states[3], 3, 2},
                               {&frames[3], &states[4], 4, 1},
                               {NULL, NULL, 5, 1}};
static struct {
    void *next, *threads;
} interpreter = {NULL, states};
static void *runtime = &interpreter;
enum { STATES = sizeof states / sizeof *states };

static gl_profile *make_profile(unsigned every)
{
    gl_profile *profile;
    gl_python python;
    memset(&python, 0, sizeof python);
    python.code_type = (uintptr_t)&codes;
    python.layout.version = 0x030C;
    python.layout.thread_cframe = GL_NOWHERE;
    python.layout.frame_previous = offsetof(fake_frame, previous);
    python.layout.frame_owner = offsetof(fake_frame, owner);
    python.layout.code_file = offsetof(fake_code, file);
    python.layout.code_name = offsetof(fake_code, name);
    python.layout.code_line = offsetof(fake_code, line);
    python.layout.text_state = offsetof(fake_text, state);
    python.layout.text_ascii = offsetof(fake_text, text);
    python.runtime = (uintptr_t)&runtime;
    python.layout.interpreter_threads = sizeof(void *);
    python.layout.interpreter_gil = GL_NOWHERE;
    python.layout.thread_next = offsetof(fake_thread, next);
    python.layout.thread_ident = offsetof(fake_thread, ident);
    python.layout.thread_native = offsetof(fake_thread, ident);
    python.layout.thread_state = offsetof(fake_thread, state);
    python.layout.thread_wants = python.layout.thread_section = GL_NOWHERE;
    profile = gl_profile_new(&python, every, 64);
    if (profile == NULL || gl_profile_tell_states(profile, every) != 0)
        abort();
    return profile;
}

static void *change(void *unused)
{
    (void)unused;
    for (unsigned long n = 0; !atomic_load(&over); n++) {
        atomic_store(&holder, n % 2 ? 4096 * (1 + n % 100) : (uintptr_t)&states[n / 2 % STATES]);
        atomic_store(&locked, 1);
        atomic_store(&waiters, n % 2 ? 8 : 0);
        atomic_fetch_add(&switches, 1);
        gl_sleep_until_ns(gl_now_ns() + 3000);
        atomic_store(&locked, 0);
        atomic_store(&enabled, n / 256 % 2 == 0 && n % 50 != 0);
    }
    return NULL;
}

static void look_at_profile(const gl_profile *profile)
{
    static __thread gl_pair uses[GL_USES];
    static __thread gl_pair doings[GL_DOINGS];
    static __thread gl_span spans[64];
    uint64_t dropped, covered, stopped, longest;
    const size_t done = gl_profile_doings(profile, doings, GL_DOINGS);
    const size_t told = gl_profile_spans(profile, spans, 64, &dropped);
    const size_t used = gl_profile_uses(profile, uses, GL_USES);
    const size_t count = gl_profile_functions(profile);
    for (size_t i = 0; i < told; i++)
        if (spans[i].begin > spans[i].end || (i > 0 && spans[i].begin < spans[i - 1].end) ||
            spans[i].function >= count || spans[i].kind != GL_HOLD)
            abort();
    for (size_t i = 0; i < used; i++)
        if (uses[i].with >= count)
            abort();
    for (size_t i = 0; i < done; i++)
        if (doings[i].with % GL_FUNCTIONS >= count ||
            doings[i].with / GL_FUNCTIONS >= GL_PARKED + gl_states_kinds(gl_profile_states(profile)))
            abort();
    gl_profile_stops(profile, &covered, &stopped, &longest);
    if (stopped > covered)
        abort();
    for (size_t i = 1; i < count; i++) {
        const gl_function_entry *entry = gl_profile_function(profile, i);
        if (strcmp(entry->file, "/a/b/c.py") != 0 ||
            strcmp(entry->name, entry->function.line == 1 ? "f" : "g") != 0)
            abort();
    }
}

static void *read_on(void *argument)
{
    gl_sampler *sampler = argument;
    static __thread gl_counts counts;
    static __thread gl_share shares[GL_THREADS + 1];
    uint64_t samples = 0;
    while (!atomic_load(&over)) {
        gl_sampler_read(sampler, &counts);
        if (counts.samples < samples || counts.doubled_held > 2 * counts.covered ||
            counts.blinks > counts.samples)
            abort();
        samples = counts.samples;
        gl_sampler_shares(sampler, shares, GL_THREADS + 1);
        if (gl_sampler_profile(sampler) != NULL)
            look_at_profile(gl_sampler_profile(sampler));
    }
    return NULL;
}

static gl_sampler *make_sampler(const gl_gil *gil, uint64_t interval_ns, uint64_t seed,
                                gl_profile *profile)
{
    gl_pace pace;
    gl_pace_fix(&pace, interval_ns);
    return gl_sampler_new(gil, &pace, seed, profile);
}

/* A lock held all the time is held so long, whenever the samples were taken. */
static void look_at_one_hold(gl_gil *gil)
{
    static gl_counts counts;
    atomic_store(&holder, 4096);
    atomic_store(&enabled, 1);
    atomic_store(&locked, 1);
    for (int turn = 0; turn < 20; turn++) {
        gl_sampler *sampler = make_sampler(gil, 2000000, (uint64_t)turn, make_profile(1));
        int64_t begun, until;
        if (sampler == NULL || gl_sampler_start(sampler) != 0)
            abort();
        begun = gl_now_ns();
        gl_sleep_until_ns(begun + 10000000);
        until = gl_now_ns();
        gl_sampler_read(sampler, &counts);
        if (counts.samples != 0 && (int64_t)(counts.longest + counts.longest_error + counts.tail) <
                                       until - begun)
            abort();
        gl_sampler_stop(sampler);
        gl_sampler_read(sampler, &counts);
        if (counts.tail != 0 || counts.latest != 0 ||
            (int64_t)(counts.longest + counts.longest_error) < until - begun)
            abort();
        gl_sampler_free(sampler);
    }
}

/* The lock of another process, which is this one: with its mark it is sampled, and without it, or
 * where it cannot be read, sampling ends, and can begin again. */
static void look_at_another(void)
{
    static struct {
        _Atomic(uintptr_t) holder;
        _Atomic int locked;
        _Atomic unsigned long switches;
        _Atomic uint32_t waiters;
        _Atomic unsigned char mark[GL_MARK];
    } lock;
    static gl_counts counts, later;
    gl_gil gil;
    memset(&gil, 0, sizeof gil);
    gil.pid = gl_process_id();
    gil.lock = (uintptr_t)&lock;
    gil.lock_size = sizeof lock;
    gil.locked = &lock.locked;
    gil.last_holder = &lock.holder;
    gil.switch_number = &lock.switches;
    gil.waiters = &lock.waiters;
    gil.mark = (uintptr_t)&lock.mark;
    atomic_store(&lock.locked, 1);
    atomic_store(&lock.holder, 4096);
    gl_sampler *sampler = make_sampler(&gil, 100000, 1, NULL);
    for (int turn = 0; turn < 3; turn++) {
        const uint64_t before = counts.samples;
        atomic_store(&lock.mark[3], 0);
        if (gl_sampler_start(sampler) != 0)
            abort();
        for (int i = 0; counts.samples < before + 10 && i < 10000; i++) {
            gl_sleep_until_ns(gl_now_ns() + 1000000);
            gl_sampler_read(sampler, &counts);
        }
        if (counts.samples < before + 10 || gl_sampler_gone(sampler))
            abort();
        atomic_store(&lock.mark[3], 7);
        while (!gl_sampler_gone(sampler))
            gl_sleep_until_ns(gl_now_ns() + 1000000);
        gl_sampler_read(sampler, &counts);
        gl_sleep_until_ns(gl_now_ns() + 5000000);
        gl_sampler_read(sampler, &later);
        gl_sampler_stop(sampler);
        gl_sampler_read(sampler, &counts);
        if (later.samples != counts.samples || later.duration != counts.duration ||
            counts.doubled_held != 2 * counts.covered)
            abort();
    }
    gl_sampler_free(sampler);
    gil.mark = 8; /* nothing is there */
    sampler = make_sampler(&gil, 100000, 1, NULL);
    if (gl_sampler_start(sampler) != 0)
        abort();
    while (!gl_sampler_gone(sampler))
        gl_sleep_until_ns(gl_now_ns() + 1000000);
    gl_sampler_stop(sampler);
    gl_sampler_read(sampler, &counts);
    if (counts.samples != 0)
        abort();
    gl_sampler_free(sampler);
}

int main(void)
{
    gl_gil gil;
    gl_sampler *samplers[4];
    pthread_t threads[5];
    size_t doings = 0;
    memset(&gil, 0, sizeof gil);
    gil.locked = &locked;
    gil.last_holder = &holder;
    gil.switch_number = &switches;
    gil.enabled = &enabled;
    gil.waiters = &waiters;
    gil.interpreter = 1;
    pthread_create(&threads[4], NULL, change, NULL);
    for (int i = 0; i < 4; i++) {
        samplers[i] = make_sampler(&gil, 10000, (uint64_t)i,
                                   i == 3 ? NULL : make_profile((unsigned)i + 1));
        pthread_create(&threads[i], NULL, read_on, samplers[i]);
    }
    for (int turn = 0; turn < 20; turn++) {
        for (int i = 0; i < 4; i++)
            if (gl_sampler_start(samplers[i]) != 0)
                abort();
        gl_sleep_until_ns(gl_now_ns() + 15000000);
        for (int i = 0; i < 4; i++)
            gl_sampler_stop(samplers[i]);
    }
    atomic_store(&over, 1);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        if (i < 3 && (gl_profile_functions(gl_sampler_profile(samplers[i])) != 3 ||
                      gl_profile_torn(gl_sampler_profile(samplers[i])) == 0))
            abort();
        if (i < 3)
            doings += gl_profile_doings(gl_sampler_profile(samplers[i]), NULL, 0);
        gl_sampler_free(samplers[i]);
    }
    if (doings == 0)
        abort();
    look_at_one_hold(&gil);
#if defined(__linux__)
    look_at_another();
#endif
    for (uint64_t length = 1; length < (uint64_t)1 << 50; length = length * 9 / 8 + 1) {
        const size_t bucket = gl_bucket(length);
        if (bucket + 1 < GL_BUCKETS &&
            (gl_bucket_begin(bucket) > length || gl_bucket_begin(bucket + 1) <= length))
            abort();
    }
    puts("ok");
    return 0;
}
