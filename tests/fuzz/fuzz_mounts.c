/* libFuzzer: mountinfo. The sorted table must agree with a linear search. */
#include "fsrvp_core.h"

#include <stdlib.h>
#include <string.h>

#define MOUNTS 64

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static size_t trimmed(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] == '/') {
        size--;
    }
    return size;
}

static uint32_t search(const fsrvp_mount *mounts, uint32_t count, const char *path, size_t size)
{
    uint32_t best = FSRVP_NO_MOUNT;
    size_t best_size = 0;

    size = trimmed(path, size);
    for (uint32_t i = 0; i < count; i++) {
        size_t own = trimmed(mounts[i].path, mounts[i].mount_point.size);
        int encloses = own <= size && memcmp(mounts[i].path, path, own) == 0 &&
                       (own == size || path[own] == '/');

        if (encloses && (best == FSRVP_NO_MOUNT || own > best_size)) {
            best = i;
            best_size = own;
        }
    }
    return best;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fsrvp_mount mounts[MOUNTS];
    char *text = malloc(size + 1);
    uint32_t count = 0;
    uint32_t first;

    memcpy(text, data, size);
    if (fsrvp_mounts_parse(text, size, mounts, MOUNTS, &count) == FSRVP_OK) {
        for (uint32_t i = 0; i < count; i++) {
            const char *path = mounts[i].path;
            size_t length = mounts[i].mount_point.size;

            require(fsrvp_mounts_find(mounts, count, path, length) ==
                    search(mounts, count, path, length));
            require(fsrvp_mounts_below(mounts, count, path, length, &first) <= count);
        }
    }
    free(text);
    return 0;
}
