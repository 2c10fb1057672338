#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* process_vm_readv, pthread_setname_np */
#endif

#include "platform.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    void (*run)(void *);
    void *argument;
} gl_start;

#if defined(_WIN32)

#include <errno.h>

int64_t gl_now_ns(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    const int64_t whole = ticks.QuadPart / per_second.QuadPart;
    const int64_t rest = ticks.QuadPart % per_second.QuadPart;
    return whole * 1000000000 + rest * 1000000000 / per_second.QuadPart;
}

int64_t gl_thread_cpu_ns(void)
{
    FILETIME made, ended, kernel, user;
    ULARGE_INTEGER in_kernel, in_user;
    if (!GetThreadTimes(GetCurrentThread(), &made, &ended, &kernel, &user))
        return 0;
    in_kernel.LowPart = kernel.dwLowDateTime;
    in_kernel.HighPart = kernel.dwHighDateTime;
    in_user.LowPart = user.dwLowDateTime;
    in_user.HighPart = user.dwHighDateTime;
    return (int64_t)(in_kernel.QuadPart + in_user.QuadPart) * 100;
}

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

void gl_sleep_until_ns(int64_t deadline_ns)
{
    const int64_t left = deadline_ns - gl_now_ns();
    HANDLE timer;
    LARGE_INTEGER due;
    if (left <= 0)
        return;
    /* Made for each sleep: one kept by its thread would have nobody to close it. */
    timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION,
                                   TIMER_ALL_ACCESS);
    due.QuadPart = -((left + 99) / 100);
    if (timer != NULL && SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
        WaitForSingleObject(timer, INFINITE);
    else
        Sleep((DWORD)((left + 999999) / 1000000));
    if (timer != NULL)
        CloseHandle(timer);
}

int64_t gl_process_id(void)
{
    return (int64_t)GetCurrentProcessId();
}

static DWORD WINAPI gl_thread_main(LPVOID argument)
{
    const gl_start start = *(gl_start *)argument;
    free(argument);
    start.run(start.argument);
    return 0;
}

int gl_thread_start(gl_thread *thread, void (*run)(void *), void *argument)
{
    gl_start *start = malloc(sizeof *start);
    if (start == NULL)
        return ENOMEM;
    start->run = run;
    start->argument = argument;
    *thread = CreateThread(NULL, 256 * 1024, gl_thread_main, start, 0, NULL);
    if (*thread != NULL)
        return 0;
    free(start);
    return EAGAIN;
}

void gl_thread_join(gl_thread thread)
{
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

void gl_thread_prepare(const char *name, int urgent)
{
    (void)name;
    if (urgent)
        SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_TIME_CRITICAL);
}

int gl_read_process(int64_t pid, uintptr_t address, void *buffer, size_t size)
{
    SIZE_T copied = 0;
    return pid == 0 &&
                   ReadProcessMemory(GetCurrentProcess(), (LPCVOID)address, buffer, size, &copied) &&
                   copied == size
               ? 0
               : -1;
}

void gl_thread_system_name(const char *tasks, uint64_t native_id, char *name, size_t size)
{
    (void)tasks;
    (void)native_id;
    (void)size;
    name[0] = '\0';
}

#else /* POSIX */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <mach/mach_vm.h>
#endif

int64_t gl_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t gl_thread_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

void gl_sleep_until_ns(int64_t deadline_ns)
{
    struct timespec at;
#if defined(__linux__)
    at.tv_sec = (time_t)(deadline_ns / 1000000000);
    at.tv_nsec = (long)(deadline_ns % 1000000000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
#else
    const int64_t left = deadline_ns - gl_now_ns();
    if (left <= 0)
        return;
    at.tv_sec = (time_t)(left / 1000000000);
    at.tv_nsec = (long)(left % 1000000000);
    nanosleep(&at, NULL);
#endif
}

int64_t gl_process_id(void)
{
    return (int64_t)getpid();
}

static void *gl_thread_main(void *argument)
{
    const gl_start start = *(gl_start *)argument;
    free(argument);
    start.run(start.argument);
    return NULL;
}

int gl_thread_start(gl_thread *thread, void (*run)(void *), void *argument)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int error;
    gl_start *start = malloc(sizeof *start);
    if (start == NULL)
        return ENOMEM;
    start->run = run;
    start->argument = argument;
    error = pthread_attr_init(&attributes);
    if (error != 0) {
        free(start);
        return error;
    }
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    /* The program's signals stay with the program's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, &attributes, gl_thread_main, start);
    if (error == EINVAL) /* thread-local storage counts too, and some programs have a lot */
        error = pthread_create(thread, NULL, gl_thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        free(start);
    return error;
}

void gl_thread_join(gl_thread thread)
{
    pthread_join(thread, NULL);
}

#if defined(__linux__) && defined(SYS_sched_setattr)
/* glibc has neither the call nor the structure before 2.41. */
struct gl_sched_attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};
#endif

void gl_thread_prepare(const char *name, int urgent)
{
#if defined(__linux__)
    /* The default slack lets every timer be 50 us late. */
    int on_time;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    {
        /* A thread that wakes late wakes when another lets go of its processor, which is not just
         * any moment: it would see the lock free too often. Where this process may have it (root,
         * or a limit on RLIMIT_RTPRIO), the lowest real-time priority keeps a sampler on time. */
        struct sched_param lowest;
        memset(&lowest, 0, sizeof lowest);
        lowest.sched_priority = sched_get_priority_min(SCHED_FIFO);
        on_time = urgent && pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest) == 0;
    }
#if defined(SYS_sched_setattr)
    if (!on_time) {
        /* From Linux 6.12 on a short slice has a thread that wakes run before those that compute:
         * sched_attr.runtime in sched(7). Older kernels ignore it. */
        struct gl_sched_attr attr;
        memset(&attr, 0, sizeof attr);
        if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) == 0 && attr.policy == 0) {
            attr.size = sizeof attr;
            attr.runtime = 100000;
            syscall(SYS_sched_setattr, 0, &attr, 0);
        }
    }
#endif
    pthread_setname_np(pthread_self(), name);
#else
    (void)urgent;
#if defined(__APPLE__)
    pthread_setname_np(name);
#else
    (void)name;
#endif
#endif
}

#if defined(__linux__)
int gl_read_parts(int64_t pid, const gl_part *parts, size_t count)
{
    struct iovec ours[GL_MOST_PARTS], theirs[GL_MOST_PARTS];
    const pid_t process = pid != 0 ? (pid_t)pid : getpid();
    char path[32];
    ssize_t whole = 0, copied;
    int memory;
    for (size_t i = 0; i < count; i++) {
        ours[i].iov_base = parts[i].buffer;
        theirs[i].iov_base = (void *)parts[i].address;
        ours[i].iov_len = theirs[i].iov_len = parts[i].size;
        whole += (ssize_t)parts[i].size;
    }
    copied = process_vm_readv(process, ours, count, theirs, count, 0);
    if (copied >= 0 || (errno != ENOSYS && errno != EPERM))
        return copied == whole ? 0 : -1;
    /* Some sandboxes refuse it. */
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)process);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        return -1;
    for (size_t i = 0; i < count && copied != -2; i++) {
        if (pread(memory, parts[i].buffer, parts[i].size, (off_t)parts[i].address) !=
            (ssize_t)parts[i].size)
            copied = -2;
    }
    close(memory);
    return copied == -2 ? -1 : 0;
}
#endif

int gl_read_process(int64_t pid, uintptr_t address, void *buffer, size_t size)
{
#if defined(__linux__)
    const gl_part part = {address, buffer, size};
    return gl_read_parts(pid, &part, 1);
#elif defined(__APPLE__)
    mach_vm_size_t copied = 0;
    return pid == 0 &&
                   mach_vm_read_overwrite(mach_task_self(), address, size, (mach_vm_address_t)buffer,
                                  &copied) == KERN_SUCCESS &&
                   copied == size
               ? 0
               : -1;
#else
    (void)pid;
    (void)address;
    (void)buffer;
    (void)size;
    return -1;
#endif
}

#if defined(__linux__)
static void gl_read_name(const char *path, char *name, size_t size)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0;
    if (file >= 0) {
        length = read(file, name, size - 1);
        close(file);
    }
    while (length > 0 && name[length - 1] == '\n')
        length--;
    name[length > 0 ? length : 0] = '\0';
}
#endif

void gl_thread_system_name(const char *tasks, uint64_t native_id, char *name, size_t size)
{
    name[0] = '\0';
#if defined(__linux__)
    {
        char path[GL_TASKS + 32];
        char process[32];
        tasks = tasks[0] != '\0' ? tasks : "/proc/self/task";
        snprintf(path, sizeof path, "%s/%llu/comm", tasks, (unsigned long long)native_id);
        gl_read_name(path, name, size);
        snprintf(path, sizeof path, "%s/../comm", tasks);
        gl_read_name(path, process, sizeof process);
        if (strcmp(name, process) == 0)
            name[0] = '\0'; /* inherited: says nothing of this thread */
    }
#else
    (void)tasks;
    (void)native_id;
    (void)size;
#endif
}

#endif

#if defined(__linux__)
int64_t gl_cpu_delay_ns(int file)
{
    /* "time on a CPU, time ready to run without one, turns" */
    char text[96];
    char *delay;
    const ssize_t count = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
    if (count <= 0)
        return -1;
    text[count] = '\0';
    delay = strchr(text, ' ');
    return delay == NULL ? -1 : (int64_t)strtoll(delay, NULL, 10);
}
#else
int64_t gl_cpu_delay_ns(int file)
{
    (void)file;
    return -1;
}
#endif

#if defined(__linux__)
#define GL_STACK_BYTES 4096 /* of the innermost calls: those that sleep are few and small */

static int read_syscall(const char *tasks, uint64_t native_id, char *text, size_t size)
{
    char path[GL_TASKS + 32];
    int file;
    ssize_t length;
    snprintf(path, sizeof path, "%s/%llu/syscall", tasks[0] != '\0' ? tasks : "/proc/self/task",
             (unsigned long long)native_id);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    length = read(file, text, size - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? 0 : -1;
}

int gl_sees_futexes(void)
{
    char text[160];
    /* One's own says "running", where the kernel says anything. */
    return read_syscall("", (uint64_t)syscall(SYS_gettid), text, sizeof text) == 0;
}

/* Finds the futex, and where the stack of its thread ends. */
static int find_futex(const char *tasks, uint64_t native_id, uintptr_t *address,
                      uintptr_t *stack)
{
    /* "number argument ... stack code", or "running", or "-1 ..." for one that sleeps in no call. */
    char text[160];
    char *end;
    if (read_syscall(tasks, native_id, text, sizeof text) != 0 || strtol(text, &end, 10) != SYS_futex ||
        end == text)
        return -1;
    *address = (uintptr_t)strtoull(end, &end, 16);
    for (int i = 0; i < 6; i++)
        *stack = (uintptr_t)strtoull(end, &end, 16);
    return 0;
}

int gl_thread_futex(const char *tasks, uint64_t native_id, uintptr_t *address)
{
    uintptr_t stack;
    return find_futex(tasks, native_id, address, &stack);
}

int gl_thread_stack_futex(const char *tasks, uint64_t native_id, uintptr_t *address)
{
    uintptr_t stack;
    if (find_futex(tasks, native_id, address, &stack) != 0 || *address < stack ||
        *address - stack > GL_STACK_BYTES)
        return -1;
    return 0;
}
#else
int gl_read_parts(int64_t pid, const gl_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gl_read_process(pid, parts[i].address, parts[i].buffer, parts[i].size) != 0)
            return -1;
    }
    return 0;
}

int gl_sees_futexes(void)
{
    return 0;
}

int gl_thread_futex(const char *tasks, uint64_t native_id, uintptr_t *address)
{
    (void)tasks;
    (void)native_id;
    (void)address;
    return -1;
}

int gl_thread_stack_futex(const char *tasks, uint64_t native_id, uintptr_t *address)
{
    return gl_thread_futex(tasks, native_id, address);
}
#endif
