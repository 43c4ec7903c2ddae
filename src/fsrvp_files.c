/* System calls on files that Python does not offer: see "files" in fsrvp_core.h. */
#define _GNU_SOURCE

#include "fsrvp_errno.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/openat2.h came with Linux 5.6. These numbers are the kernel's ABI; with them the core
 * can be built with older headers. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#define RESOLVE_WITHOUT_MAGIC_LINKS 0x02u
#define RESOLVE_WITHOUT_SYMBOLIC_LINKS 0x04u
#define RESOLVE_BELOW_DIRECTORY 0x08u

/* FS_IOC_GETFSUUID came with Linux 6.9, and the headers of XFS are in a separate package;
 * both structures are the kernel's ABI. */
struct uuid_answer {
    uint8_t size;
    uint8_t uuid[16];
};
#define GET_FILE_SYSTEM_UUID _IOR(0x15, 0, struct uuid_answer)

struct xfs_geometry {
    uint32_t sizes[8];
    uint64_t places[4];
    uint8_t uuid[16];
    uint32_t others[7];
};
#define GET_XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)

struct open_request {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

/* btrfs shares no blocks between files with and without checksums. */
static int go_without_checksums(int destination, int source)
{
    long flags = 0; /* the kernel reads and writes an int, whatever the name of the ioctl says */
    int *bits = (int *)&flags;

    return ioctl(source, FS_IOC_GETFLAGS, &flags) == 0 && (*bits & FS_NOCOW_FL) != 0 &&
           ioctl(destination, FS_IOC_GETFLAGS, &flags) == 0 && (*bits |= FS_NOCOW_FL) != 0 &&
           ioctl(destination, FS_IOC_SETFLAGS, &flags) == 0;
}

int fsrvp_clone_file(int destination, int source)
{
    int error = zero_or_errno(ioctl(destination, FICLONE, source));

    if (error == -EINVAL && go_without_checksums(destination, source)) {
        error = zero_or_errno(ioctl(destination, FICLONE, source));
    }
    return error;
}

int fsrvp_sync_file_system(int file)
{
    return zero_or_errno(syncfs(file));
}

int fsrvp_file_system_magic(int file, uint64_t *magic)
{
    struct statfs answer = {0};
    int error = zero_or_errno(fstatfs(file, &answer));

    /* The field is signed on some machines and the magic of btrfs has its top bit set. */
    *magic = (uint32_t)answer.f_type;
    return error;
}

int fsrvp_file_system_uuid(int file, uint8_t *uuid)
{
    struct uuid_answer answer = {0};
    int error = zero_or_errno(ioctl(file, GET_FILE_SYSTEM_UUID, &answer));

    if (error < 0) {
        return error;
    }
    if (answer.size != sizeof answer.uuid) {
        return -ENOTTY;
    }
    memcpy(uuid, answer.uuid, sizeof answer.uuid);
    return 0;
}

int fsrvp_xfs_uuid(int file, uint8_t *uuid)
{
    struct xfs_geometry answer = {0};
    int error = zero_or_errno(ioctl(file, GET_XFS_GEOMETRY, &answer));

    if (error < 0) {
        return error;
    }
    memcpy(uuid, answer.uuid, sizeof answer.uuid);
    return 0;
}

int fsrvp_open_beneath(int directory, const char *path, int flags, unsigned int mode, int symlinks)
{
    struct open_request request = {0};

    request.flags = (unsigned int)(flags | O_CLOEXEC);
    request.mode = mode;
    request.resolve = RESOLVE_BELOW_DIRECTORY | RESOLVE_WITHOUT_MAGIC_LINKS;
    if (!symlinks) {
        request.resolve |= RESOLVE_WITHOUT_SYMBOLIC_LINKS;
    }
    return value_or_errno((int)syscall(SYS_openat2, directory, path, &request, sizeof request));
}

int fsrvp_inotify_open(void)
{
    return value_or_errno(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

int fsrvp_inotify_add(int inotify, const char *directory)
{
    const uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    const uint32_t itself = IN_DELETE_SELF | IN_MOVE_SELF;

    return value_or_errno(inotify_add_watch(inotify, directory, names | itself | IN_ONLYDIR));
}
