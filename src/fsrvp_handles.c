/* Files by handle, and names that nobody else may hold: see fsrvp_handles.h. */
#define _GNU_SOURCE

#include "fsrvp_errno.h"
#include "fsrvp_handles.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/openat2.h came with Linux 5.6; the numbers are the kernel's ABI. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#define RESOLVE_WITHIN_MOUNT 0x01u
#define RESOLVE_WITHOUT_SYMBOLIC_LINKS 0x04u
#define RESOLVE_BELOW_DIRECTORY 0x08u

struct open_request {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

/* The kernel's struct file_handle with room for the largest one. */
struct handle {
    uint32_t size;
    int32_t type;
    uint8_t bytes[FSRVP_HANDLE_MAX - sizeof(int32_t)];
};

int fsrvp_handle_of(int file, uint8_t *handle)
{
    struct handle answer = {0};
    int mount_id;
    int error;

    answer.size = sizeof answer.bytes;
    error = zero_or_errno(
        (int)syscall(SYS_name_to_handle_at, file, "", &answer, &mount_id, AT_EMPTY_PATH));
    if (error < 0) {
        return error;
    }
    memcpy(handle, &answer.type, sizeof answer.type);
    memcpy(handle + sizeof answer.type, answer.bytes, answer.size);
    return (int)(sizeof answer.type + answer.size);
}

int fsrvp_open_handle(int file, const uint8_t *handle, size_t size, int flags)
{
    struct handle request = {0};

    if (size < sizeof request.type || size > FSRVP_HANDLE_MAX) {
        return -EINVAL;
    }
    request.size = (uint32_t)(size - sizeof request.type);
    memcpy(&request.type, handle, sizeof request.type);
    memcpy(request.bytes, handle + sizeof request.type, request.size);
    return value_or_errno((int)syscall(SYS_open_by_handle_at, file, &request, flags | O_CLOEXEC));
}

int fsrvp_open_directory(int directory, const char *name)
{
    struct open_request request = {0};

    request.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    request.resolve =
        RESOLVE_WITHIN_MOUNT | RESOLVE_WITHOUT_SYMBOLIC_LINKS | RESOLVE_BELOW_DIRECTORY;
    return value_or_errno((int)syscall(SYS_openat2, directory, name, &request, sizeof request));
}

int fsrvp_get_flags(int file)
{
    int flags = 0;
    int error = zero_or_errno(ioctl(file, FS_IOC_GETFLAGS, &flags));

    return error < 0 ? error : flags & (FS_IMMUTABLE_FL | FS_APPEND_FL);
}

int fsrvp_clear_flags(int file)
{
    int flags = 0;
    int error = zero_or_errno(ioctl(file, FS_IOC_GETFLAGS, &flags));

    if (error < 0) {
        return error;
    }
    flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    return zero_or_errno(ioctl(file, FS_IOC_SETFLAGS, &flags));
}

int fsrvp_rename_new(int directory, const char *from, const char *to)
{
    return zero_or_errno(
        (int)syscall(SYS_renameat2, directory, from, directory, to, RENAME_NOREPLACE));
}

int fsrvp_exchange(int directory, const char *one, const char *other)
{
    return zero_or_errno(
        (int)syscall(SYS_renameat2, directory, one, directory, other, RENAME_EXCHANGE));
}
