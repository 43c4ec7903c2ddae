#ifndef FSRVP_HANDLES_H
#define FSRVP_HANDLES_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin (read by build_core.py) */

/* Files by what they are, wherever they were moved, and single names in a directory to which
 * users can write. Results and errors as in the section "btrfs" of fsrvp_core.h. */

/* The largest handle: the kernel's type, four bytes, and at most 128 bytes that only the file
 * system understands. The same file has the same handle after the next boot, and no file that
 * is made later has it. */
#define FSRVP_HANDLE_MAX 132

/* name_to_handle_at. `handle` has room for FSRVP_HANDLE_MAX bytes; returns their number.
 * -EOPNOTSUPP: the file system has none. */
int fsrvp_handle_of(int file, uint8_t *handle);

/* open_by_handle_at, on the file system and the mount of `file`. Returns a descriptor with
 * O_CLOEXEC. -ESTALE: the file does not exist any more. -EPERM: CAP_DAC_READ_SEARCH is missing. */
int fsrvp_open_handle(int file, const uint8_t *handle, size_t size, int flags);

/* Opens the directory with this name. -ENOTDIR: it is none, be it a link to one. -EXDEV: something is
 * mounted there, which is not asked. */
int fsrvp_open_directory(int directory, const char *name);

/* Renames within a directory. -EEXIST: the new name is taken. */
int fsrvp_rename_new(int directory, const char *from, const char *to);

/* The flags that chattr sets and that forbid changes, to root too. Linux has more of them. */
#define FSRVP_FLAG_IMMUTABLE 0x10u
#define FSRVP_FLAG_APPEND_ONLY 0x20u

/* Returns the flags. -ENOTTY: the file system has none. The second function clears those above. */
int fsrvp_get_flags(int file);
int fsrvp_clear_flags(int file);

/* One step up from a child whose path is too long for fsrvp_btrfs_child_path: the name of the
 * child with this id, of FSRVP_NAME_MAX bytes at most, with its NUL. `parent_id` is that of the
 * subvolume of `file`. -ENOENT: it is gone. Needs CAP_SYS_ADMIN, as the next function does. */
int fsrvp_btrfs_child_name(int file, uint64_t parent_id, uint64_t id, char *name);

/* The name of a directory, and the inode of the directory that holds it, both in the subvolume
 * of `file`. -ENOENT: it is gone. */
int fsrvp_btrfs_directory_name(int file, uint64_t inode, uint64_t *parent, char *name);

/* RENAME_EXCHANGE: two entries of a directory take each other's name, at one moment. */
int fsrvp_exchange(int directory, const char *one, const char *other);

/* cdef: end */

#endif
