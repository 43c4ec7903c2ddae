/* System calls that Python cannot make by itself: see "storage" in fsrvp_core.h. */
#define _GNU_SOURCE

#include "fsrvp_core.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/openat2.h came with Linux 5.6; these numbers are the kernel's ABI and let the
 * core be built with older headers. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* BTRFS_ROOT_SUBVOL_RDONLY of linux/btrfs_tree.h: the info has the flags as on disk. */
#define BTRFS_ROOT_READ_ONLY 1u

#define RESOLVE_WITHOUT_MAGIC_LINKS 0x02u
#define RESOLVE_WITHOUT_SYMBOLIC_LINKS 0x04u
#define RESOLVE_BELOW_DIRECTORY 0x08u

/* FS_IOC_GETFSUUID came with Linux 6.9, and the headers of XFS are a package of their own;
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

static int status(int returned)
{
    return returned < 0 ? -errno : returned;
}

/* A name that does not fit would be cut, and another snapshot be created or destroyed. */
static int take_name(char *to, size_t size, const char *name)
{
    size_t length = strlen(name);

    if (length > FSRVP_NAME_MAX || length >= size) {
        return -ENAMETOOLONG;
    }
    memcpy(to, name, length + 1);
    return 0;
}

int fsrvp_btrfs_create(int directory, const char *name)
{
    struct btrfs_ioctl_vol_args_v2 request = {0};
    int error = take_name(request.name, sizeof request.name, name);

    if (error < 0) {
        return error;
    }
    return status(ioctl(directory, BTRFS_IOC_SUBVOL_CREATE_V2, &request));
}

int fsrvp_btrfs_snapshot(int source, int directory, const char *name, int read_only)
{
    struct btrfs_ioctl_vol_args_v2 request = {0};
    int error = take_name(request.name, sizeof request.name, name);

    if (error < 0) {
        return error;
    }
    request.fd = source;
    request.flags = read_only ? BTRFS_SUBVOL_RDONLY : 0;
    return status(ioctl(directory, BTRFS_IOC_SNAP_CREATE_V2, &request));
}

int fsrvp_btrfs_destroy(int directory, const char *name)
{
    struct btrfs_ioctl_vol_args request = {0};
    int error = take_name(request.name, sizeof request.name, name);

    if (error < 0) {
        return error;
    }
    return status(ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &request));
}

int fsrvp_btrfs_get_read_only(int subvolume, int *read_only)
{
    uint64_t flags = 0;
    int error = status(ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags));

    *read_only = (flags & BTRFS_SUBVOL_RDONLY) != 0;
    return error;
}

int fsrvp_btrfs_set_read_only(int subvolume, int read_only)
{
    uint64_t flags = 0;
    int error = status(ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags));

    if (error < 0) {
        return error;
    }
    flags &= ~(uint64_t)BTRFS_SUBVOL_RDONLY;
    flags |= read_only ? BTRFS_SUBVOL_RDONLY : 0;
    return status(ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags));
}

int fsrvp_btrfs_info(int file, fsrvp_subvolume *info)
{
    struct btrfs_ioctl_get_subvol_info_args answer = {0};
    int error = status(ioctl(file, BTRFS_IOC_GET_SUBVOL_INFO, &answer));

    if (error < 0) {
        return error;
    }
    memset(info, 0, sizeof *info);
    info->id = answer.treeid;
    info->parent_id = answer.parent_id;
    info->directory_inode = answer.dirid;
    info->generation = answer.generation;
    info->flags = answer.flags & BTRFS_ROOT_READ_ONLY ? FSRVP_SUBVOLUME_READ_ONLY : 0;
    info->created_seconds = answer.otime.sec;
    info->created_nanoseconds = answer.otime.nsec;
    memcpy(info->uuid, answer.uuid, sizeof info->uuid);
    memcpy(info->parent_uuid, answer.parent_uuid, sizeof info->parent_uuid);
    memcpy(info->received_uuid, answer.received_uuid, sizeof info->received_uuid);
    answer.name[sizeof answer.name - 1] = '\0';
    return take_name(info->name, sizeof info->name, answer.name);
}

int fsrvp_btrfs_children(int file, uint64_t *first, uint64_t *ids, uint64_t *directories)
{
    struct btrfs_ioctl_get_subvol_rootref_args answer = {0};
    int error;

    answer.min_treeid = *first;
    error = status(ioctl(file, BTRFS_IOC_GET_SUBVOL_ROOTREF, &answer));
    /* EOVERFLOW: the answer is full, and min_treeid is where to go on. */
    if (error < 0 && error != -EOVERFLOW) {
        return error;
    }
    *first = error == -EOVERFLOW ? answer.min_treeid : 0;
    for (unsigned int i = 0; i < answer.num_items && i < FSRVP_CHILDREN_MAX; i++) {
        ids[i] = answer.rootref[i].treeid;
        directories[i] = answer.rootref[i].dirid;
    }
    return answer.num_items;
}

int fsrvp_btrfs_has_children(int file)
{
    struct btrfs_ioctl_get_subvol_rootref_args answer = {0};
    int error = status(ioctl(file, BTRFS_IOC_GET_SUBVOL_ROOTREF, &answer));

    return error < 0 && error != -EOVERFLOW ? error : answer.num_items != 0;
}

int fsrvp_btrfs_child_path(int directory, uint64_t id, uint64_t directory_inode,
                           char *path, size_t size)
{
    struct btrfs_ioctl_ino_lookup_user_args answer = {0};
    size_t path_length;
    size_t name_length;
    int error;

    answer.treeid = id;
    answer.dirid = directory_inode;
    error = status(ioctl(directory, BTRFS_IOC_INO_LOOKUP_USER, &answer));
    if (error < 0) {
        return error;
    }
    /* The path is "" or ends with a slash. */
    path_length = strnlen(answer.path, sizeof answer.path);
    name_length = strnlen(answer.name, sizeof answer.name);
    if (path_length + name_length >= size) {
        return -ENAMETOOLONG;
    }
    memcpy(path, answer.path, path_length);
    memcpy(path + path_length, answer.name, name_length);
    path[path_length + name_length] = '\0';
    return 0;
}

int fsrvp_btrfs_uuid(int file, uint8_t *uuid)
{
    struct btrfs_ioctl_fs_info_args answer = {0};
    int error = status(ioctl(file, BTRFS_IOC_FS_INFO, &answer));

    if (error < 0) {
        return error;
    }
    memcpy(uuid, answer.fsid, 16);
    return 0;
}

int fsrvp_clone_file(int destination, int source)
{
    return status(ioctl(destination, FICLONE, source));
}

int fsrvp_sync_file_system(int file)
{
    return status(syncfs(file));
}

int fsrvp_file_system_magic(int file, uint64_t *magic)
{
    struct statfs answer = {0};
    int error = status(fstatfs(file, &answer));

    /* The field is signed on some machines and the magic of btrfs has its top bit set. */
    *magic = (uint32_t)answer.f_type;
    return error;
}

int fsrvp_file_system_uuid(int file, uint8_t *uuid)
{
    struct uuid_answer answer = {0};
    int error = status(ioctl(file, GET_FILE_SYSTEM_UUID, &answer));

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
    int error = status(ioctl(file, GET_XFS_GEOMETRY, &answer));

    if (error < 0) {
        return error;
    }
    memcpy(uuid, answer.uuid, sizeof answer.uuid);
    return 0;
}

int fsrvp_open_beneath(int directory, const char *path, int flags, unsigned int mode,
                       int symlinks)
{
    struct open_request request = {0};

    request.flags = (unsigned int)(flags | O_CLOEXEC);
    request.mode = mode;
    request.resolve = RESOLVE_BELOW_DIRECTORY | RESOLVE_WITHOUT_MAGIC_LINKS;
    if (!symlinks) {
        request.resolve |= RESOLVE_WITHOUT_SYMBOLIC_LINKS;
    }
    return status((int)syscall(SYS_openat2, directory, path, &request, sizeof request));
}
