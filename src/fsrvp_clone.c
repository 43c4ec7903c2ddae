/* Files cloned by their names, with all that a backup looks at: see "clones" in
 * fsrvp_core.h. Nothing here waits for a lock of Python's, so threads run side by side. */
#define _GNU_SOURCE

#include "fsrvp_core.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Most attributes fit. The kernel clears as much memory as it is asked to fill. */
#define USUAL_SIZE 512
/* What the kernel allows, for the list of names as for a value. */
#define LARGEST_SIZE 65536
#define PATH_SIZE (32 + 255 + 1)

#define ORIGINAL (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC)
#define COPY (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* An open file; or, with a path, one that cannot be opened without side effects, whose
 * last name is not followed. */
struct place {
    int file;
    const char *path;
};

/* statx, whose structure is the kernel's ABI: the fstat of a new libc is not to be found in
 * an older one. */
struct moment {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct found {
    uint32_t mask;
    uint32_t block_size;
    uint64_t flags;
    uint32_t links;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode;
    uint16_t padding;
    uint64_t numbers[4];
    struct moment accessed;
    struct moment born;
    struct moment changed;
    struct moment modified;
    uint64_t others[16];
};
_Static_assert(sizeof(struct found) == 256, "as the kernel fills it");
#define BASIC_STATS 0x7ffu

static int status(int returned)
{
    return returned < 0 ? -errno : 0;
}

/* Of directory/name, which is not followed; with "" of the open file itself. */
static int look_at(int directory, const char *name, struct found *found)
{
    int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);

    return status((int)syscall(SYS_statx, directory, name, flags, BASIC_STATS, found));
}

static ssize_t list_names(struct place of, char *names, size_t size)
{
    return of.path ? llistxattr(of.path, names, size) : flistxattr(of.file, names, size);
}

static ssize_t get_value(struct place of, const char *name, void *value, size_t size)
{
    return of.path ? lgetxattr(of.path, name, value, size)
                   : fgetxattr(of.file, name, value, size);
}

static int set_value(struct place to, const char *name, const void *value, size_t size)
{
    return status(to.path ? lsetxattr(to.path, name, value, size, 0)
                          : fsetxattr(to.file, name, value, size, 0));
}

/* A security module may forbid to set what it has set itself: then equal is enough. */
static int put_value(struct place to, const char *name, const void *value, size_t size)
{
    char present[LARGEST_SIZE];
    ssize_t present_size;
    int error = set_value(to, name, value, size);

    if (error != -EOPNOTSUPP && error != -EPERM && error != -EACCES) {
        return error;
    }
    present_size = get_value(to, name, present, sizeof present);
    if (present_size >= 0 && (size_t)present_size == size && memcmp(present, value, size) == 0) {
        return 0;
    }
    return error;
}

static int copy_value(struct place from, struct place to, const char *name)
{
    char value[LARGEST_SIZE];
    ssize_t size = get_value(from, name, value, USUAL_SIZE);

    if (size < 0 && errno == ERANGE) {
        size = get_value(from, name, value, sizeof value);
    }
    if (size < 0) {
        return errno == ENODATA ? 0 : -errno; /* taken away meanwhile */
    }
    return put_value(to, name, value, (size_t)size);
}

static int copy_extended(struct place from, struct place to)
{
    char names[LARGEST_SIZE];
    ssize_t size = list_names(from, names, USUAL_SIZE);

    if (size < 0 && errno == ERANGE) {
        size = list_names(from, names, sizeof names);
    }
    if (size < 0) {
        return -errno;
    }
    for (const char *name = names; name < names + size; name += strlen(name) + 1) {
        int error = copy_value(from, to, name);

        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int set_owner(struct place to, const fsrvp_attributes *attributes)
{
    return status(to.path ? lchown(to.path, attributes->uid, attributes->gid)
                          : fchown(to.file, attributes->uid, attributes->gid));
}

/* Links have no mode of their own. */
static int set_mode(struct place to, const fsrvp_attributes *attributes)
{
    mode_t mode = attributes->mode & 07777;

    if (S_ISLNK(attributes->mode)) {
        return 0;
    }
    return status(to.path ? chmod(to.path, mode) : fchmod(to.file, mode));
}

static int set_times(struct place to, const fsrvp_attributes *attributes)
{
    struct timespec times[2] = {
        {.tv_sec = attributes->accessed_seconds, .tv_nsec = attributes->accessed_nanoseconds},
        {.tv_sec = attributes->modified_seconds, .tv_nsec = attributes->modified_nanoseconds},
    };

    return status(to.path ? utimensat(AT_FDCWD, to.path, times, AT_SYMLINK_NOFOLLOW)
                          : futimens(to.file, times));
}

/* Owner first, because a change of it takes set-user-id bits and capabilities away; times
 * last, because everything changes them. */
static int copy_all(struct place from, struct place to, const fsrvp_attributes *attributes)
{
    int error = set_owner(to, attributes);

    error = error < 0 ? error : set_mode(to, attributes);
    error = error < 0 ? error : copy_extended(from, to);
    return error < 0 ? error : set_times(to, attributes);
}

static struct place inside(int directory, const char *name, char *path)
{
    snprintf(path, PATH_SIZE, "/proc/self/fd/%d/%s", directory, name);
    return (struct place){.file = -1, .path = path};
}

int fsrvp_copy_attributes(int source, int target, const char *name,
                          const fsrvp_attributes *attributes)
{
    struct place from = {.file = source};
    struct place to = {.file = target};
    char from_path[PATH_SIZE];
    char to_path[PATH_SIZE];

    if (strlen(name) > FSRVP_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (*name != '\0') {
        from = inside(source, name, from_path);
        to = inside(target, name, to_path);
    }
    return copy_all(from, to, attributes);
}

static fsrvp_attributes attributes_of(const struct found *found)
{
    return (fsrvp_attributes){
        .mode = found->mode,
        .uid = found->uid,
        .gid = found->gid,
        .accessed_seconds = found->accessed.seconds,
        .modified_seconds = found->modified.seconds,
        .accessed_nanoseconds = found->accessed.nanoseconds,
        .modified_nanoseconds = found->modified.nanoseconds,
    };
}

static int fill(int original, int copy, const fsrvp_attributes *attributes)
{
    int error = status(ioctl(copy, FICLONE, original));

    return error < 0 ? error : copy_all((struct place){.file = original},
                                        (struct place){.file = copy}, attributes);
}

static int clone_open(int original, int target, const char *name)
{
    fsrvp_attributes attributes;
    struct found found;
    int copy;
    /* Read before the blocks are shared: a file that is written to meanwhile then looks
     * older than it is, and the next incremental backup takes it again. */
    int error = look_at(original, "", &found);

    if (error < 0) {
        return error;
    }
    if (!S_ISREG(found.mode)) {
        return FSRVP_CLONE_OTHER;
    }
    attributes = attributes_of(&found);
    copy = openat(target, name, COPY, 0600);
    if (copy < 0) {
        return -errno;
    }
    error = fill(original, copy, &attributes);
    close(copy);
    if (error < 0) {
        unlinkat(target, name, 0);
    }
    return error;
}

int fsrvp_clone_regular(int source, int target, const char *name)
{
    int original = openat(source, name, ORIGINAL);
    int result;

    if (original < 0) {
        switch (errno) {
        case ENOENT: /* gone, or not any more what it was */
        case ENOTDIR:
        case ELOOP:
        case ENXIO:
            return FSRVP_CLONE_OTHER;
        default:
            return -errno;
        }
    }
    result = clone_open(original, target, name);
    close(original);
    return result;
}

static int clone_plain(int source, int target, const char *name)
{
    struct found found;

    if (look_at(source, name, &found) < 0 || !S_ISREG(found.mode) || found.links != 1) {
        return FSRVP_CLONE_OTHER; /* to open a device may do something */
    }
    return fsrvp_clone_regular(source, target, name);
}

int fsrvp_clone_plain_files(int source, int target, const char *names, int count, int8_t *others)
{
    int cloned = 0;

    for (int i = 0; i < count; i++) {
        others[i] = clone_plain(source, target, names) != 0;
        cloned += !others[i];
        names += strlen(names) + 1;
    }
    return cloned;
}
