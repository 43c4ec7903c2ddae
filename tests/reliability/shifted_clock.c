/*
 * A wall clock that a test can set. Preloaded, it adds the seconds in the file $SHIFTED_CLOCK,
 * a native int64_t, to the kernel's wall clock. Other clocks are not changed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t nowhere = 0;
static const volatile int64_t *shift = &nowhere;

__attribute__((constructor)) static void open_shift(void)
{
    int file = open(getenv("SHIFTED_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED)
        abort();
    close(file);
    shift = page;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *shift;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = (int)syscall(SYS_gettimeofday, now, zone);
    now->tv_sec += *shift;
    return result;
}

time_t time(time_t *now)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
