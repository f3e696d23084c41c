/* For LD_PRELOAD: the wall clock of a process is CLOCK_AHEAD_SECONDS ahead. The monotonic clock is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*system_clock)(clockid_t, struct timespec *);
    if (!system_clock)
        system_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = system_clock(clock, now);
    const char *ahead = getenv("CLOCK_AHEAD_SECONDS");
    if (status == 0 && clock == CLOCK_REALTIME && ahead)
        now->tv_sec += atol(ahead);
    return status;
}
