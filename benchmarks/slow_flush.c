/* Preloaded into an agent: makes every flush longer, counts it, and times Commit.
 *
 * $SLOW_FLUSH is a file of 64-bit numbers that all processes share: how many microseconds each
 * flush is lengthened by; how many fsync, fdatasync and syncfs, how many msync, and how many
 * snapshots of btrfs there were; and when, in nanoseconds of the monotonic clock, the last
 * unsigned request of CommitShadowCopySet was received, its snapshot began and ended, and its
 * answer was sent. A snapshot waits for one transaction of the file system, which is lengthened
 * like a flush.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DELAY, FLUSHES, MSYNCS, SNAPSHOTS, RECEIVED, BEGAN, ENDED, ANSWERED, NUMBERS };
/* Of a message on the pipe: two bytes of length, then the PDU. */
enum { PDU_TYPE = 2 + 2, OPNUM = 2 + 22, LEAST = 2 + 24, REQUEST = 0, RESPONSE = 2, COMMIT = 4 };

static uint64_t *numbers;

__attribute__((constructor)) static void open_numbers(void)
{
    const char *path = getenv("SLOW_FLUSH");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *found;

    if (file < 0) {
        return;
    }
    found = mmap(NULL, NUMBERS * sizeof *numbers, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    numbers = found == MAP_FAILED ? NULL : found;
    close(file);
}

static void lengthen(int kind)
{
    if (numbers) {
        __atomic_add_fetch(&numbers[kind], 1, __ATOMIC_RELAXED);
        usleep((useconds_t)numbers[DELAY]);
    }
}

static void note(int what)
{
    struct timespec now;

    if (numbers) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        numbers[what] = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    }
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int fsync(int file)
{
    lengthen(FLUSHES);
    return ((int (*)(int))next("fsync"))(file);
}

int fdatasync(int file)
{
    lengthen(FLUSHES);
    return ((int (*)(int))next("fdatasync"))(file);
}

int syncfs(int file)
{
    lengthen(FLUSHES);
    return ((int (*)(int))next("syncfs"))(file);
}

int msync(void *start, size_t size, int flags)
{
    if (flags & MS_SYNC) {
        lengthen(MSYNCS);
    }
    return ((int (*)(void *, size_t, int))next("msync"))(start, size, flags);
}

ssize_t recv(int file, void *data, size_t size, int flags)
{
    ssize_t got = ((ssize_t(*)(int, void *, size_t, int))next("recv"))(file, data, size, flags);
    const uint8_t *message = data;

    if (got >= LEAST && message[2] == 5 && message[PDU_TYPE] == REQUEST &&
        message[OPNUM] == COMMIT) {
        note(RECEIVED);
    }
    return got;
}

ssize_t send(int file, const void *data, size_t size, int flags)
{
    const uint8_t *message = data;
    ssize_t sent =
        ((ssize_t(*)(int, const void *, size_t, int))next("send"))(file, data, size, flags);

    if (numbers && numbers[ANSWERED] < numbers[RECEIVED] && size >= LEAST && message[2] == 5 &&
        message[PDU_TYPE] == RESPONSE) {
        note(ANSWERED);
    }
    return sent;
}

int ioctl(int file, unsigned long request, ...)
{
    void *argument;
    int result;
    va_list list;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    if (request == BTRFS_IOC_SNAP_CREATE_V2) {
        note(BEGAN);
        lengthen(SNAPSHOTS);
    }
    result = ((int (*)(int, unsigned long, void *))next("ioctl"))(file, request, argument);
    if (request == BTRFS_IOC_SNAP_CREATE_V2) {
        note(ENDED);
    }
    return result;
}
