/* Stands between a program and the kernel: adds the seconds that the file WRONG_CLOCK holds to the wall clock. Clocks that
 * measure how long something takes are left alone, as they are when an administrator sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long ahead(void)
{
    const char *path = getenv("WRONG_CLOCK");
    long seconds = 0;
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &seconds) != 1)
        seconds = 0;
    fclose(file);
    return seconds;
}

#define REAL(name) (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int answer = (REAL(clock_gettime))(clock, at);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += ahead();
    return answer;
}

time_t time(time_t *at)
{
    time_t now = (REAL(time))(NULL) + ahead();
    if (at != NULL)
        *at = now;
    return now;
}
