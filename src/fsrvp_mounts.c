/* The table of mounts: see "mounts" in fsrvp_core.h.
 *
 * Mount points are sorted with '/' before every other byte, so that everything below a
 * directory follows it without a gap. Each entry knows the one that encloses it; the longest
 * prefix of a path is then the last entry that does not come after the path, or one that
 * encloses this entry.
 */
#include "fsrvp_core.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t size;
    size_t offset;
    bool failed;
} line_reader;

/* Decodes the octal escapes of the kernel (space, tab, newline, backslash) in place. */
static uint32_t unescape(char *text, size_t size)
{
    size_t to = 0;

    for (size_t from = 0; from < size; from++, to++) {
        char *code = text + from;

        if (size - from >= 4 && code[0] == '\\' && code[1] >= '0' && code[1] <= '3' &&
            code[2] >= '0' && code[2] <= '7' && code[3] >= '0' && code[3] <= '7') {
            text[to] = (char)((code[1] - '0') * 64 + (code[2] - '0') * 8 + code[3] - '0');
            from += 3;
        } else {
            text[to] = text[from];
        }
    }
    return (uint32_t)to;
}

/* The next field, up to a space or the end of the line. */
static fsrvp_span read_field(line_reader *in)
{
    fsrvp_span field = {(uint32_t)in->offset, 0};

    if (in->failed || in->offset > in->size) {
        in->failed = true;
        return field;
    }
    if (in->offset < in->size) {
        const char *start = in->text + in->offset;
        size_t left = in->size - in->offset;
        const char *space = memchr(start, ' ', left);

        field.size = (uint32_t)(space == NULL ? left : (size_t)(space - start));
    }
    /* Past the end by one means that there is no further field. */
    in->offset += (size_t)field.size + 1;
    return field;
}

static fsrvp_span read_name(line_reader *in)
{
    fsrvp_span name = read_field(in);

    if (!in->failed) {
        name.size = unescape(in->text + name.offset, name.size);
    }
    return name;
}

static uint32_t to_number(line_reader *in, const char *digits, size_t size)
{
    uint64_t value = 0;

    if (size == 0 || size > 10) {
        in->failed = true;
    }
    for (size_t i = 0; i < size && !in->failed; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            in->failed = true;
        }
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    if (value > UINT32_MAX) {
        in->failed = true;
    }
    return in->failed ? 0 : (uint32_t)value;
}

static uint32_t read_number(line_reader *in)
{
    fsrvp_span field = read_field(in);

    return in->failed ? 0 : to_number(in, in->text + field.offset, field.size);
}

static void read_device(line_reader *in, fsrvp_mount *mount)
{
    fsrvp_span field = read_field(in);
    const char *start = in->text + field.offset;
    const char *colon = in->failed || field.size == 0 ? NULL : memchr(start, ':', field.size);

    if (colon == NULL) {
        in->failed = true;
        return;
    }
    mount->major = to_number(in, start, (size_t)(colon - start));
    mount->minor = to_number(in, colon + 1, field.size - (size_t)(colon - start) - 1);
}

static void skip_optional_fields(line_reader *in)
{
    fsrvp_span field;

    do {
        field = read_field(in);
    } while (!in->failed && !(field.size == 1 && in->text[field.offset] == '-'));
}

static void read_mount(line_reader *in, fsrvp_mount *mount)
{
    mount->mount_id = read_number(in);
    mount->parent_id = read_number(in);
    read_device(in, mount);
    mount->root = read_name(in);
    mount->mount_point = read_name(in);
    mount->options = read_name(in);
    skip_optional_fields(in);
    mount->fs_type = read_name(in);
    mount->source = read_name(in);
    mount->super_options = read_name(in);
    if (mount->mount_point.size == 0 || in->text[mount->mount_point.offset] != '/') {
        in->failed = true;
    }
}

/* "/" becomes the empty path: no path ends with a slash. */
static size_t trimmed(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] == '/') {
        size--;
    }
    return size;
}

static int rank(char byte)
{
    return byte == '/' ? -1 : (unsigned char)byte;
}

static int compare_paths(const char *left, size_t left_size, const char *right, size_t right_size)
{
    size_t shorter = left_size < right_size ? left_size : right_size;

    for (size_t i = 0; i < shorter; i++) {
        if (left[i] != right[i]) {
            return rank(left[i]) < rank(right[i]) ? -1 : 1;
        }
    }
    return left_size < right_size ? -1 : left_size > right_size;
}

static bool encloses(const fsrvp_mount *mount, const char *path, size_t size)
{
    size_t own = trimmed(mount->path, mount->mount_point.size);

    return own <= size && memcmp(mount->path, path, own) == 0 && (own == size || path[own] == '/');
}

static int compare_places(const fsrvp_mount *left, const fsrvp_mount *right)
{
    return compare_paths(left->path, trimmed(left->path, left->mount_point.size), right->path,
                         trimmed(right->path, right->mount_point.size));
}

static int compare_mounts(const void *left_mount, const void *right_mount)
{
    const fsrvp_mount *left = left_mount;
    const fsrvp_mount *right = right_mount;
    int order = compare_places(left, right);

    if (order != 0) {
        return order;
    }
    return left->line < right->line ? -1 : left->line > right->line;
}

/* The topmost of the mounts stacked at one place on the mount `below`; NULL for none. */
static const fsrvp_mount *topmost(const fsrvp_mount *group, size_t count, uint32_t below)
{
    const fsrvp_mount *top = NULL;
    bool climbed = true;

    /* The lines are in the order of mounting unless mounts were moved. */
    for (size_t pass = 0; climbed && pass < count; pass++) {
        climbed = false;
        for (size_t i = 0; i < count; i++) {
            if (group[i].parent_id == below && group[i].mount_id != below) {
                top = &group[i];
                below = top->mount_id;
                climbed = true;
            }
        }
    }
    return top;
}

/* The same where no mount encloses the place: the parent is not in the table, or is itself. */
static const fsrvp_mount *topmost_of_all(const fsrvp_mount *group, size_t count)
{
    const fsrvp_mount *bottom = &group[0];
    const fsrvp_mount *top = topmost(group, count, bottom->mount_id);

    return top == NULL ? bottom : top;
}

static uint32_t enclosing(const fsrvp_mount *mounts, uint32_t from, const fsrvp_mount *mount)
{
    size_t size = trimmed(mount->path, mount->mount_point.size);

    while (from != FSRVP_NO_MOUNT && !encloses(&mounts[from], mount->path, size)) {
        from = mounts[from].enclosing;
    }
    return from;
}

/* Keeps those sorted mounts that a path can reach; returns their number. */
static uint32_t keep_visible(fsrvp_mount *mounts, size_t count)
{
    uint32_t kept = 0;
    size_t next;

    for (size_t first = 0; first < count; first = next) {
        uint32_t around = kept == 0 ? FSRVP_NO_MOUNT : kept - 1;
        const fsrvp_mount *top;

        for (next = first + 1; next < count; next++) {
            if (compare_places(&mounts[first], &mounts[next]) != 0) {
                break;
            }
        }
        around = enclosing(mounts, around, &mounts[first]);
        top = around == FSRVP_NO_MOUNT
                  ? topmost_of_all(&mounts[first], next - first)
                  : topmost(&mounts[first], next - first, mounts[around].mount_id);
        if (top != NULL) {
            mounts[kept] = *top;
            mounts[kept].enclosing = around;
            kept++;
        }
    }
    return kept;
}

uint32_t fsrvp_mounts_count(const char *text, size_t size)
{
    uint32_t count = 0;

    for (size_t i = 0; i < size; i++) {
        count += text[i] == '\n';
    }
    return count;
}

int fsrvp_mounts_parse(char *text, size_t size, fsrvp_mount *mounts, uint32_t capacity,
                       uint32_t *count)
{
    size_t start = 0;

    *count = 0;
    if (size > FSRVP_MOUNTS_SIZE_MAX) {
        return FSRVP_MOUNT_FORMAT;
    }
    while (start < size && *count < capacity) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline == NULL ? size : (size_t)(newline - text);
        line_reader in = {text, end, start, false};
        fsrvp_mount *mount = &mounts[*count];

        read_mount(&in, mount);
        if (in.failed) {
            return FSRVP_MOUNT_FORMAT;
        }
        mount->line = *count;
        mount->path = text + mount->mount_point.offset;
        *count += 1;
        start = end + 1;
    }
    qsort(mounts, *count, sizeof *mounts, compare_mounts);
    *count = keep_visible(mounts, *count);
    return FSRVP_OK;
}

/* The first entry that comes after a path. */
static uint32_t after(const fsrvp_mount *mounts, uint32_t count, const char *path, size_t size)
{
    uint32_t low = 0;
    uint32_t high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const fsrvp_mount *mount = &mounts[middle];
        size_t own = trimmed(mount->path, mount->mount_point.size);

        if (compare_paths(mount->path, own, path, size) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t fsrvp_mounts_find(const fsrvp_mount *mounts, uint32_t count, const char *path, size_t size)
{
    uint32_t found;

    size = trimmed(path, size);
    found = after(mounts, count, path, size);
    if (found == 0) {
        return FSRVP_NO_MOUNT;
    }
    found--;
    while (found != FSRVP_NO_MOUNT && !encloses(&mounts[found], path, size)) {
        found = mounts[found].enclosing;
    }
    return found;
}

uint32_t fsrvp_mounts_below(const fsrvp_mount *mounts, uint32_t count, const char *path,
                            size_t size, uint32_t *first)
{
    uint32_t end;

    size = trimmed(path, size);
    *first = after(mounts, count, path, size);
    for (end = *first; end < count; end++) {
        const fsrvp_mount *mount = &mounts[end];

        if (mount->mount_point.size <= size || memcmp(mount->path, path, size) != 0 ||
            mount->path[size] != '/') {
            break;
        }
    }
    return end - *first;
}
