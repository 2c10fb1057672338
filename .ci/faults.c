/* What each sanitizer has to catch before its silence counts: see sanitize. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

void harmless(void) {}

void beyond_the_end(void)
{
    volatile size_t size = 8; /* unknown to the compiler, whose own check would come first */
    volatile char *block = malloc(size);
    block[size] = 1;
    free((void *)block);
}

void overflow(void)
{
    volatile int number = INT_MAX;
    number = number + 1;
}

static int shared;

static void *count(void *unused)
{
    for (int turn = 0; turn < 1000; turn++)
        ((volatile int *)&shared)[0]++;
    return unused;
}

void race(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
