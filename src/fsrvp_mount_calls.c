/* System calls on mounts: see "files" in fsrvp_core.h. */
#define _GNU_SOURCE

#include "fsrvp_errno.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* listmount and statmount came with Linux 6.8. These numbers and structures are the kernel's ABI. */
#ifndef SYS_listmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

#define EVERY_MOUNT UINT64_MAX /* in place of the one below which to look */
#define MOUNT_POINT 0x10u
/* What mountinfo shows. A kernel leaves out what it does not know yet. */
#define EVERYTHING 0x3bfu

struct mount_request {
    uint32_t size;
    uint32_t spare;
    uint64_t mount;
    uint64_t parameter; /* what to tell, or the id after which to begin */
};

struct mount_answer {
    uint32_t size; /* with the texts */
    uint32_t others[26];
    uint32_t mount_point; /* its place in the texts */
    uint32_t more[100];
    char texts[FSRVP_MOUNT_POINT_MAX + 1];
};

int fsrvp_mount_at(const char *source, const char *target, unsigned int flags)
{
    return zero_or_errno(mount(source, target, NULL, flags, NULL));
}

int fsrvp_detach(const char *mount_point)
{
    return zero_or_errno(umount2(mount_point, MNT_DETACH | UMOUNT_NOFOLLOW));
}

int fsrvp_unmount(const char *mount_point)
{
    return zero_or_errno(umount2(mount_point, UMOUNT_NOFOLLOW));
}

int fsrvp_mounts_list(uint64_t after, uint64_t *ids, uint32_t capacity)
{
    struct mount_request request = {sizeof request, 0, EVERY_MOUNT, after};

    return value_or_errno((int)syscall(SYS_listmount, &request, ids, (size_t)capacity, 0u));
}

static int tell(uint64_t id, uint64_t what, void *answer, size_t capacity)
{
    struct mount_request request = {sizeof request, 0, id, what};

    return zero_or_errno((int)syscall(SYS_statmount, &request, answer, capacity, 0u));
}

int fsrvp_mount_point(uint64_t id, char *path)
{
    struct mount_answer answer = {0};
    int error = tell(id, MOUNT_POINT, &answer, sizeof answer);
    size_t size;

    if (error < 0) {
        return error;
    }
    size = strnlen(answer.texts + answer.mount_point, sizeof answer.texts - answer.mount_point);
    memcpy(path, answer.texts + answer.mount_point, size);
    return (int)size;
}

int fsrvp_mount_facts(uint64_t id, uint8_t *facts, uint32_t capacity)
{
    int error = tell(id, EVERYTHING, facts, capacity);
    uint32_t size;

    if (error < 0) {
        return error;
    }
    memcpy(&size, facts, sizeof size);
    return (int)size;
}
