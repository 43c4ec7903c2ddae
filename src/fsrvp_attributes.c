/* Copies everything beside the content of a file: see "clones" in fsrvp_clone.h. */
#define _GNU_SOURCE

#include "fsrvp_clone.h"
#include "fsrvp_errno.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Most attributes fit. A larger buffer costs time: the kernel clears all of it. */
#define USUAL_SIZE 512
/* The kernel's limit for a list of names and for a value. */
#define LARGEST_SIZE 65536
#define PATH_SIZE 32

/* XFS lists attributes in parts, however many there are. The headers of XFS are in a separate
 * package; these structures are the kernel's ABI. */
struct xfs_handle_request {
    uint32_t file;
    void *path;
    uint32_t flags;
    void *handle_in;
    uint32_t handle_in_size;
    void *handle_out;
    uint32_t *handle_out_size;
};

struct xfs_list_request {
    struct xfs_handle_request of;
    uint32_t cursor[4];
    uint32_t name_space;
    uint32_t size;
    void *list;
};

struct xfs_list {
    int32_t count;
    int32_t more;
    int32_t offsets[];
};

struct xfs_name {
    uint32_t value_size;
    char name[];
};
#define GET_XFS_HANDLE _IOWR('X', 106, struct xfs_handle_request)
#define LIST_XFS_ATTRIBUTES _IOW('X', 122, struct xfs_list_request)

static const struct {
    uint32_t number;
    const char *prefix;
} xfs_name_spaces[] = {{0, "user."}, {2, "trusted."}, {8, "security."}};

/* `by_path` leads to a file that is open by O_PATH, because opening it otherwise would have
 * effects. Functions that follow links follow this one, and none that the file may be. */
struct file_ref {
    int file;
    int is_symbolic_link;
    char by_path[PATH_SIZE];
};

/* What is copied, and the name of the attribute in hand for the caller's message. */
struct copying {
    struct file_ref from;
    struct file_ref to;
    char *attribute;
};

static struct file_ref ref_to(int file, uint32_t mode)
{
    struct file_ref ref = {.file = file, .is_symbolic_link = S_ISLNK(mode)};

    if (!S_ISREG(mode) && !S_ISDIR(mode)) {
        snprintf(ref.by_path, sizeof ref.by_path, "/proc/self/fd/%d", file);
    }
    return ref;
}

static ssize_t list_names(const struct file_ref *from, char *names, size_t size)
{
    return *from->by_path ? listxattr(from->by_path, names, size)
                          : flistxattr(from->file, names, size);
}

static ssize_t get_value(const struct file_ref *from, const char *name, void *value, size_t size)
{
    return *from->by_path ? getxattr(from->by_path, name, value, size)
                          : fgetxattr(from->file, name, value, size);
}

static int set_value(const struct file_ref *to, const char *name, const void *value, size_t size)
{
    return zero_or_errno(*to->by_path ? setxattr(to->by_path, name, value, size, 0)
                                      : fsetxattr(to->file, name, value, size, 0));
}

/* A security module may refuse a value that it has set itself. Then an equal one is enough. */
static int put_value(const struct file_ref *to, const char *name, const void *value, size_t size)
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

static int copy_value(const struct copying *copying, const char *name)
{
    char value[LARGEST_SIZE];
    ssize_t size = get_value(&copying->from, name, value, USUAL_SIZE);
    int error;

    if (size < 0 && errno == ERANGE) {
        size = get_value(&copying->from, name, value, sizeof value);
    }
    if (size < 0) {
        error = errno == ENODATA ? 0 : -errno; /* removed meanwhile */
    } else {
        error = put_value(&copying->to, name, value, (size_t)size);
    }
    if (error < 0) {
        snprintf(copying->attribute, FSRVP_NAME_MAX + 1, "%s", name);
    }
    return error;
}

static int copy_xfs_names(const struct copying *copying, const struct xfs_list *list,
                          const char *prefix)
{
    int error = 0;

    for (int i = 0; i < list->count && error == 0; i++) {
        const struct xfs_name *entry = (const void *)((const char *)list + list->offsets[i]);
        char name[2 * FSRVP_NAME_MAX];

        snprintf(name, sizeof name, "%s%s", prefix, entry->name);
        error = copy_value(copying, name);
    }
    return error;
}

static int copy_xfs_name_space(const struct copying *copying, struct xfs_list_request *request,
                               int directory, const char *prefix)
{
    const struct xfs_list *list = request->list;
    int error;

    do {
        error = zero_or_errno(ioctl(directory, LIST_XFS_ATTRIBUTES, request));
        error = error < 0 ? error : copy_xfs_names(copying, list, prefix);
    } while (error == 0 && list->more != 0);
    return error;
}

/* A directory of the same file system: XFS takes handles from directories alone. Users may have
 * renamed it meanwhile; any other of that file system will do. */
static int open_any_directory(int file)
{
    char link[PATH_SIZE];
    char path[PATH_MAX];
    fsrvp_status of_file;
    fsrvp_status of_directory;
    ssize_t size;
    int directory;

    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/') {
        return -ENOENT;
    }
    path[size] = '\0';
    *(strrchr(path, '/') + 1) = '\0';
    directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        return -errno;
    }
    if (fsrvp_read_status(file, "", &of_file) < 0 ||
        fsrvp_read_status(directory, "", &of_directory) < 0 ||
        of_file.device != of_directory.device) {
        close(directory);
        return -EXDEV;
    }
    return directory;
}

static int copy_xfs_name_spaces(const struct copying *copying, struct xfs_list_request *request,
                                int directory)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < sizeof xfs_name_spaces / sizeof *xfs_name_spaces; i++) {
        memset(request->cursor, 0, sizeof request->cursor);
        request->name_space = xfs_name_spaces[i].number;
        error = copy_xfs_name_space(copying, request, directory, xfs_name_spaces[i].prefix);
    }
    return error;
}

/* All names of a file of XFS that has too many for one list. It takes CAP_SYS_ADMIN. */
static int copy_many_from_xfs(const struct copying *copying, void *buffer, size_t size)
{
    uint8_t handle[64];
    uint32_t handle_size = sizeof handle;
    struct xfs_handle_request of = {.file = (uint32_t)copying->from.file,
                                    .handle_out = handle,
                                    .handle_out_size = &handle_size};
    struct xfs_list_request request = {
        .of = {.handle_in = handle}, .size = (uint32_t)size, .list = buffer};
    int error = zero_or_errno(ioctl(copying->from.file, GET_XFS_HANDLE, &of));
    int directory = error < 0 ? error : open_any_directory(copying->from.file);

    if (directory < 0) {
        return directory;
    }
    request.of.handle_in_size = handle_size;
    error = copy_xfs_name_spaces(copying, &request, directory);
    close(directory);
    return error;
}

static int copy_extended(const struct copying *copying)
{
    _Alignas(8) char names[LARGEST_SIZE];
    ssize_t size = list_names(&copying->from, names, USUAL_SIZE);
    int error = 0;

    if (size < 0 && errno == ERANGE) {
        size = list_names(&copying->from, names, sizeof names);
    }
    if (size < 0 && errno == E2BIG) {
        error = copy_many_from_xfs(copying, names, sizeof names);
        return error < 0 && *copying->attribute == '\0' ? -E2BIG : error;
    }
    if (size < 0) {
        return -errno;
    }
    for (const char *name = names; name < names + size && error == 0; name += strlen(name) + 1) {
        error = copy_value(copying, name);
    }
    return error;
}

static int set_owner(const struct file_ref *to, const fsrvp_status *status)
{
    return zero_or_errno(*to->by_path ? chown(to->by_path, status->uid, status->gid)
                                      : fchown(to->file, status->uid, status->gid));
}

/* Symbolic links have no mode of their own. */
static int set_mode(const struct file_ref *to, mode_t mode)
{
    if (to->is_symbolic_link) {
        return 0;
    }
    return zero_or_errno(*to->by_path ? chmod(to->by_path, mode) : fchmod(to->file, mode));
}

static struct timespec timespec_of(fsrvp_time time)
{
    return (struct timespec){.tv_sec = time.seconds, .tv_nsec = time.nanoseconds};
}

static int set_times(const struct file_ref *to, const fsrvp_status *status)
{
    struct timespec times[2] = {timespec_of(status->accessed), timespec_of(status->modified)};

    return zero_or_errno(*to->by_path ? utimensat(AT_FDCWD, to->by_path, times, 0)
                                      : futimens(to->file, times));
}

/* Until its mode is set, which is the last change that matters to users, the copy is open to
 * nobody but its owner. The owner comes first, because changing it clears set-user-id bits and
 * capabilities; the times come last, because every other change updates them. */
int fsrvp_copy_attributes(int source, int target, const fsrvp_status *before, char *attribute)
{
    struct copying copying = {
        .from = ref_to(source, before->mode),
        .to = ref_to(target, before->mode),
        .attribute = attribute,
    };
    fsrvp_status now;
    int error = fsrvp_read_status(source, "", &now);

    *attribute = '\0';
    if (error == 0 && (now.inode != before->inode || now.device != before->device ||
                       (now.mode & S_IFMT) != (before->mode & S_IFMT))) {
        error = -ESTALE;
    }
    error = error < 0 ? error : set_owner(&copying.to, &now);
    error = error < 0 ? error : copy_extended(&copying);
    error = error < 0 ? error : set_mode(&copying.to, now.mode & before->mode & 07777);
    return error < 0 ? error : set_times(&copying.to, before);
}
