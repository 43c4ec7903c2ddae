/* The C core of fsrvpd: the one manual of what Python may call.
 *
 * Everything between the two marks below is handed to cffi as it stands, so it uses
 * plain C declarations only. fsrvpd/core is the only caller.
 *
 * Two rules hold for every function:
 *
 *   - Memory belongs to the caller. Nothing here allocates, and nothing keeps a pointer
 *     after it returned, except a mount table, which points into the text it was made of.
 *   - Codec functions are pure: bytes in, values out, no I/O, no globals. The functions of
 *     the section "storage" are the deliberate exception: each is one system call.
 */
#ifndef FSRVP_CORE_H
#define FSRVP_CORE_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin (read by build_core.py) */

/* ---- storage -----------------------------------------------------------------------
 *
 * One system call each, on descriptors that the caller holds. They return 0 (or a
 * descriptor) when it worked and -errno when it did not; the errno values are the
 * kernel's, named below only where they say something particular. They may block.
 */

/* Longest name of a subvolume, its NUL not counted. */
#define FSRVP_NAME_MAX 255

/* Most children that one call of fsrvp_btrfs_children reports. */
#define FSRVP_CHILDREN_MAX 255

/* The bit of `flags` in fsrvp_subvolume that matters here. */
#define FSRVP_SUBVOLUME_READ_ONLY 1

/* Room for the path of a child below a directory, its NUL counted. */
#define FSRVP_CHILD_PATH_SIZE 4352

/* A subvolume as BTRFS_IOC_GET_SUBVOL_INFO tells it. parent_uuid is zero unless it is a
 * snapshot, received_uuid zero unless it was received; the name of the top level is "". */
typedef struct {
    uint64_t id;
    uint64_t parent_id;
    uint64_t directory_inode;
    uint64_t generation;
    uint64_t flags; /* FSRVP_SUBVOLUME_READ_ONLY or 0 */
    uint64_t created_seconds;
    uint32_t created_nanoseconds;
    uint8_t uuid[16];
    uint8_t parent_uuid[16];
    uint8_t received_uuid[16];
    char name[256];
} fsrvp_subvolume;

/* -EEXIST: the name is taken. -ENOTTY: not btrfs. -ENAMETOOLONG: beyond FSRVP_NAME_MAX. */
int fsrvp_btrfs_create(int directory, const char *name);

/* A snapshot of the subvolume whose root `source` is, made as directory/name.
 * -EINVAL: `source` is no subvolume's root. -EXDEV: on another file system.
 * -EPERM: a swap file is active inside. Else as fsrvp_btrfs_create. */
int fsrvp_btrfs_snapshot(int source, int directory, const char *name, int read_only);

/* -ENOTEMPTY: there are subvolumes inside. -EINVAL: the name is no subvolume.
 * -EPERM: it is the default subvolume, or is being sent. */
int fsrvp_btrfs_destroy(int directory, const char *name);

/* `subvolume` must be a subvolume's root: -EINVAL. */
int fsrvp_btrfs_get_read_only(int subvolume, int *read_only);
int fsrvp_btrfs_set_read_only(int subvolume, int read_only);

/* The subvolume in which any file or directory lies. */
int fsrvp_btrfs_info(int file, fsrvp_subvolume *info);

/* The subvolumes directly below the subvolume of `file` with ids from *first on, with the
 * inodes of the directories that hold them. Returns how many; *first is then where to go
 * on, 0 when that was all. */
int fsrvp_btrfs_children(int file, uint64_t *first, uint64_t *ids, uint64_t *directories);

/* Where the child with this id, in a directory with this inode, lies below `directory`.
 * -EACCES: not below it. -ENOENT: gone. -ENAMETOOLONG: does not fit `size`. */
int fsrvp_btrfs_child_path(int directory, uint64_t id, uint64_t directory_inode,
                           char *path, size_t size);

/* The 16 bytes of the file system's UUID. */
int fsrvp_btrfs_uuid(int file, uint8_t *uuid);

/* Makes `destination` share all extents of `source`. -EOPNOTSUPP: the file system cannot.
 * -EXDEV: on another file system. -EINVAL: one of them is not a regular file. */
int fsrvp_clone_file(int destination, int source);

/* Writes back everything of the file system of `file`. -EIO, -ENOSPC: something was lost. */
int fsrvp_sync_file_system(int file);

/* The magic number by which statfs names the kind of file system. */
int fsrvp_file_system_magic(int file, uint64_t *magic);

/* openat2 with RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS and, unless `symlinks`,
 * RESOLVE_NO_SYMLINKS. Returns a descriptor with O_CLOEXEC. -EXDEV: the path leaves
 * `directory`. -ELOOP: a symbolic link. -ENOSYS: Linux before 5.6. */
int fsrvp_open_beneath(int directory, const char *path, int flags, unsigned int mode,
                       int symlinks);

/* cdef: end */

#endif
