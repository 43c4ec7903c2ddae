/* Lists directories with the status of each entry: see "directories" in fsrvp_clone.h. */
#define _GNU_SOURCE

#include "fsrvp_clone.h"
#include "fsrvp_errno.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* statx, whose structure is the kernel's ABI. A core that calls the fstat of a new libc does
 * not load beside an older one. */
struct statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct statx_result {
    uint32_t mask;
    uint32_t block_size;
    uint64_t flags;
    uint32_t links;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode;
    uint16_t padding;
    uint64_t inode;
    uint64_t size;
    uint64_t blocks;
    uint64_t flags_mask;
    struct statx_time accessed;
    struct statx_time born;
    struct statx_time changed;
    struct statx_time modified;
    uint32_t node_major;
    uint32_t node_minor;
    uint32_t device_major;
    uint32_t device_minor;
    uint64_t others[14];
};
_Static_assert(sizeof(struct statx_result) == 256, "the kernel's size");
#define BASIC_STATS_AND_BIRTH 0xfffu
#define IS_MOUNT_POINT 0x2000u /* Linux 5.8; never set by older ones */

/* An entry as getdents64 reports it, and its size without the name. */
struct record {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t kind;
    char name[];
};
_Static_assert(sizeof(((fsrvp_listing *)0)->records) / 24 <= FSRVP_ENTRIES_MAX,
               "no record is shorter than 24 bytes");

static fsrvp_time time_of(struct statx_time time)
{
    return (fsrvp_time){.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

int fsrvp_read_status(int directory, const char *name, fsrvp_status *status)
{
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
    struct statx_result found = {0};

    if (syscall(SYS_statx, directory, name, flags, BASIC_STATS_AND_BIRTH, &found) < 0) {
        return -errno;
    }
    *status = (fsrvp_status){
        .device = (uint64_t)found.device_major << 32 | found.device_minor,
        .inode = found.inode,
        .size = found.size,
        .accessed = time_of(found.accessed),
        .born = time_of(found.born),
        .changed = time_of(found.changed),
        .modified = time_of(found.modified),
        .mode = found.mode,
        .links = found.links,
        .uid = found.uid,
        .gid = found.gid,
        .node_major = found.node_major,
        .node_minor = found.node_minor,
        .is_mount_point = (found.flags & IS_MOUNT_POINT) != 0,
    };
    return 0;
}

static int is_itself_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The entries among `size` bytes of records. What has vanished since is left out. */
static int read_statuses(int directory, fsrvp_listing *listing, size_t size)
{
    int count = 0;

    for (size_t at = 0; at < size;) {
        const struct record *record = (const void *)((const char *)listing->records + at);
        fsrvp_entry *entry = &listing->entries[count];

        at += record->size;
        if (is_itself_or_parent(record->name)) {
            continue;
        }
        memset(entry, 0, sizeof *entry);
        entry->name = (uint32_t)(record->name - (const char *)listing->records);
        entry->error = fsrvp_read_status(directory, record->name, &entry->status);
        count += entry->error != -ENOENT;
    }
    return count;
}

int fsrvp_list_directory(int directory, fsrvp_listing *listing)
{
    int count = 0;

    while (count == 0) {
        long size = syscall(SYS_getdents64, directory, listing->records, sizeof listing->records);

        if (size <= 0) {
            return size == 0 || errno == ENOENT ? 0 : -errno; /* ENOENT: it was removed */
        }
        count = read_statuses(directory, listing, (size_t)size);
    }
    return count;
}

_Static_assert(sizeof(fsrvp_facts) == 40, "no padding");
_Static_assert(FSRVP_DESCRIPTIONS_MAX ==
                   sizeof(((fsrvp_listing *)0)->records) + FSRVP_ENTRIES_MAX * sizeof(fsrvp_facts),
               "every name and every entry's facts have room");

void fsrvp_describe(const fsrvp_status *status, fsrvp_facts *facts)
{
    *facts = (fsrvp_facts){
        .inode = status->inode,
        .size = status->size,
        .changed_seconds = status->changed.seconds,
        .modified_seconds = status->modified.seconds,
        .changed_nanoseconds = status->changed.nanoseconds,
        .modified_nanoseconds = status->modified.nanoseconds,
    };
}

static size_t describe_entry(const fsrvp_entry *entry, const char *name, unsigned char *text)
{
    size_t length = strlen(name);
    fsrvp_facts facts;

    fsrvp_describe(&entry->status, &facts);
    memcpy(text, &facts, sizeof facts);
    memcpy(text + sizeof facts, name, length);
    return sizeof facts + length;
}

int fsrvp_describe_entries(const fsrvp_listing *listing, int count, int64_t changed_before,
                           unsigned char *text, int *ends)
{
    size_t end = 0;
    int described = 0;

    for (int i = 0; i < count; i++) {
        const fsrvp_entry *entry = &listing->entries[i];
        const char *name = (const char *)listing->records + entry->name;

        if (!entry->skip && entry->error == 0 && entry->status.changed.seconds < changed_before) {
            end += describe_entry(entry, name, text + end);
            described++;
        }
        ends[i] = (int)end;
    }
    return described;
}
