/* Clones the plain files of a directory: see "clones" in fsrvp_clone.h. No function here needs
 * Python's lock, so that threads run in parallel. */
#define _GNU_SOURCE

#include "fsrvp_clone.h"
#include "fsrvp_errno.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_ORIGINAL (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC)
#define CREATE_COPY (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* How often a file is cloned whose permissions are changed meanwhile. */
#define ATTEMPTS_MAX 8

static int clone_open(int original, int target, const char *name, const fsrvp_status *before)
{
    char attribute[FSRVP_NAME_MAX + 1];
    int copy = openat(target, name, CREATE_COPY, 0600);
    int error;

    if (copy < 0) {
        return -errno;
    }
    error = fsrvp_clone_file(copy, original);
    error = error < 0 ? error : fsrvp_copy_attributes(original, copy, before, attribute);
    close(copy);
    if (error < 0) {
        unlinkat(target, name, 0);
    }
    return error;
}

static int is_same(fsrvp_time one, fsrvp_time other)
{
    return one.seconds == other.seconds && one.nanoseconds == other.nanoseconds;
}

/* Whether the permissions may have been others between `before` and `now`, and be the same again.
 * What was last done to a file that is only written to is a write, which sets both times; but a
 * chmod within the same tick of the clock leaves them equal, too. */
static int is_doubtful(const fsrvp_status *before, const fsrvp_status *now)
{
    if (is_same(before->changed, now->changed)) {
        return 0;
    }
    return !is_same(now->changed, now->modified) || (now->mode & (S_IRWXG | S_IRWXO)) != 0;
}

/* Returns the number of a watch that tells changes of the file's permissions, not of its content, or
 * an error. Whoever has closed a file is heard of before he can write to it. `watches` is opened when
 * it is needed: to close it takes the kernel some 15 ms. */
static int watch_attributes(int *watches, int original)
{
    char path[32];

    if (*watches < 0) {
        *watches = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", original);
    return *watches < 0 ? -1 : inotify_add_watch(*watches, path, IN_ATTRIB);
}

/* Whether there was a change since the last call, or nobody knows. */
static int take_changes(int watches, int watch)
{
    char events[4096];
    int taken = watch < 0;

    while (watch >= 0 && read(watches, events, sizeof(events)) > 0) {
        taken = 1;
    }
    return taken;
}

/* Clones a file anew until its permissions are not changed meanwhile. The copy of one of which they
 * always are is closed to all but its owner. */
static int clone_watched(int original, int target, const char *name, int watches, int watch)
{
    fsrvp_status before;

    for (int attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
        int error = unlinkat(target, name, 0) < 0 ? -errno : 0;

        take_changes(watches, watch);
        error = error < 0 ? error : fsrvp_read_status(original, "", &before);
        error = error < 0 ? error : clone_open(original, target, name, &before);
        if (error < 0 || !take_changes(watches, watch)) {
            return error;
        }
    }
    return fchmodat(target, name, before.mode & S_IRWXU, 0) < 0 ? -errno : 0;
}

/* What was written while a file was closed to others must not be in a copy that is open to them. */
static int clone_settled(int original, int target, const char *name, const fsrvp_status *listed,
                         int *watches)
{
    fsrvp_status now;
    int error = clone_open(original, target, name, listed);
    int watch;

    error = error < 0 ? error : fsrvp_read_status(original, "", &now);
    if (error < 0 || !is_doubtful(listed, &now)) {
        return error;
    }
    watch = watch_attributes(watches, original);
    error = clone_watched(original, target, name, *watches, watch);
    if (watch >= 0) {
        inotify_rm_watch(*watches, watch);
    }
    return error;
}

static int clone_plain(int source, int target, const char *name, const fsrvp_status *listed,
                       int *watches)
{
    int original = openat(source, name, OPEN_ORIGINAL);
    int error;

    if (original < 0) {
        return -errno;
    }
    error = clone_settled(original, target, name, listed, watches);
    close(original);
    return error;
}

static void close_watches(int watches)
{
    if (watches >= 0) {
        close(watches);
    }
}

int fsrvp_clone_regular(int original, int target, const char *name, const fsrvp_status *before)
{
    int watches = -1;
    int error = clone_settled(original, target, name, before, &watches);

    close_watches(watches);
    return error;
}

/* Opening anything else may have effects, and what is mounted here is not in the directory. */
static int is_plain(const fsrvp_entry *entry)
{
    const fsrvp_status *status = &entry->status;

    return entry->error == 0 && S_ISREG(status->mode) && status->links == 1 &&
           !status->is_mount_point;
}

int fsrvp_clone_plain_files(int source, int target, fsrvp_listing *listing, int count, int *others)
{
    int others_count = 0;
    int watches = -1;

    for (int i = 0; i < count; i++) {
        const fsrvp_entry *entry = &listing->entries[i];
        const char *name = (const char *)listing->records + entry->name;

        if (entry->skip) {
            continue;
        }
        if (!is_plain(entry) || clone_plain(source, target, name, &entry->status, &watches) < 0) {
            others[others_count++] = i;
        }
    }
    close_watches(watches);
    return others_count;
}
