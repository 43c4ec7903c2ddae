#ifndef FSRVP_CLONE_H
#define FSRVP_CLONE_H

#include "fsrvp_core.h"

/* cdef: begin (read by build_core.py) */

/* ---- directories ----
 *
 * Lists an open directory with the status of each entry, many at a call.
 */

typedef struct {
    int64_t seconds;
    uint32_t nanoseconds;
} fsrvp_time;

/* What statx reports. `mode` includes the kind of file. `born` is zero where the file system
 * does not record it; `is_mount_point`: something is mounted on it (Linux 5.8 and newer). */
typedef struct {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    fsrvp_time accessed;
    fsrvp_time born;
    fsrvp_time changed;
    fsrvp_time modified;
    uint32_t mode;
    uint32_t links;
    uint32_t uid;
    uint32_t gid;
    uint32_t node_major;
    uint32_t node_minor;
    uint32_t is_mount_point;
} fsrvp_status;

/* The status of directory/name, which is not followed; with the name "" that of the open file,
 * which may have been opened by O_PATH. Returns 0 or -errno. */
int fsrvp_read_status(int directory, const char *name, fsrvp_status *status);

/* The most entries that one call of fsrvp_list_directory reports. */
#define FSRVP_ENTRIES_MAX 170

/* An entry: its name begins at records[name] and ends with a NUL. `error` is 0, or -errno
 * when the status could not be read. `skip` is for the caller, who may set it. */
typedef struct {
    fsrvp_status status;
    uint32_t name;
    int32_t error;
    int32_t skip;
} fsrvp_entry;

typedef struct {
    uint64_t records[512];
    fsrvp_entry entries[FSRVP_ENTRIES_MAX];
} fsrvp_listing;

/* Reads the next entries of the open directory, without "." and ".." and what has vanished
 * meanwhile. Returns their number, 0 at the end, or -errno. */
int fsrvp_list_directory(int directory, fsrvp_listing *listing);

/* What is different when a file has been changed: its clone is to be made again unless all of this
 * is as it was. No padding, so that two can be compared byte by byte. */
typedef struct {
    uint64_t inode;
    uint64_t size;
    int64_t changed_seconds;
    int64_t modified_seconds;
    uint32_t changed_nanoseconds;
    uint32_t modified_nanoseconds;
} fsrvp_facts;

/* The most bytes that fsrvp_describe_entries writes. */
#define FSRVP_DESCRIPTIONS_MAX 10896

/* Writes the facts of a status. */
void fsrvp_describe(const fsrvp_status *status, fsrvp_facts *facts);

/* Describes the first `count` entries, but not those to be skipped, those with an error, and those
 * that were changed at `changed_before` (seconds since 1970) or later: the facts, then the name
 * without a NUL. Descriptions follow each other in `text`; `ends` receives the end of each, the
 * same as the one before where there is none. Returns how many entries were described. */
int fsrvp_describe_entries(const fsrvp_listing *listing, int count, int64_t changed_before,
                           unsigned char *text, int *ends);

/* ---- clones ----
 *
 * Clones files from one open directory into another on the same file system: their content,
 * owner, group, mode, extended attributes with all ACLs, and times of access and
 * modification. No symbolic link is followed.
 */

/* Copies the attributes of the open file `source` to the open file `target`, as they are now:
 * call it when the content has been copied. `before` is the status of the source before that:
 * its times are the copy's, so that a file that is written meanwhile looks older than it is;
 * and what was not permitted then is not permitted by the copy. Regular files and directories
 * are open for reading, others by O_PATH. The name of an extended attribute that cannot be
 * copied is written to `attribute` (FSRVP_NAME_MAX + 1 bytes). Returns 0 or -errno. -ESTALE:
 * `before` is of another file. -E2BIG: the names of the attributes cannot be listed. */
int fsrvp_copy_attributes(int source, int target, const fsrvp_status *before, char *attribute);

/* Clones into `target` those of the first `count` entries that are regular files with one link
 * and no error, unless `skip` is set. Writes to `others` the numbers of the other entries that
 * are not to be skipped, and of those that could not be cloned, whatever the reason: nothing
 * is left of them. Returns how many these are. */
int fsrvp_clone_plain_files(int source, int target, fsrvp_listing *listing, int count, int *others);

/* Clones a regular file that is open for reading to target/name, which is not there. `before` is its
 * status before that. A file whose permissions are changed meanwhile is cloned anew; if they always
 * are its copy is closed to all but its owner. Returns 0 or -errno: nothing is left of it. */
int fsrvp_clone_regular(int original, int target, const char *name, const fsrvp_status *before);

/* cdef: end */

#endif
