/* Subvolumes of btrfs by ioctl: see "btrfs" in fsrvp_core.h. */
#define _GNU_SOURCE

#include "fsrvp_errno.h"
#include "fsrvp_handles.h"

#include <endian.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>

/* BTRFS_ROOT_SUBVOL_RDONLY of linux/btrfs_tree.h: the info has the flags as on disk. */
#define BTRFS_ROOT_READ_ONLY 1u

/* Keys of items in the trees of btrfs, of linux/btrfs_tree.h, and what
 * precedes the name in them. */
#define TREE_OF_SUBVOLUMES 1u
#define CHILD_OF_SUBVOLUME 156u /* BTRFS_ROOT_REF_KEY: struct btrfs_root_ref */
#define CHILD_HEAD 18u
#define NAME_OF_INODE 12u /* BTRFS_INODE_REF_KEY: struct btrfs_inode_ref */
#define NAME_HEAD 10u
#define TREE_OF_QUOTAS 8u
#define STATE_OF_QUOTAS 240u    /* BTRFS_QGROUP_STATUS_KEY: struct btrfs_qgroup_status_item */
#define QUOTA_OF_SUBVOLUME 242u /* BTRFS_QGROUP_INFO_KEY: struct btrfs_qgroup_info_item */
#define QUOTAS_ARE_TRUE 1u      /* on, in the full mode, complete and consistent */

/* A name that is cut to fit would create or destroy another snapshot. */
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
    return zero_or_errno(ioctl(directory, BTRFS_IOC_SUBVOL_CREATE_V2, &request));
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
    return zero_or_errno(ioctl(directory, BTRFS_IOC_SNAP_CREATE_V2, &request));
}

int fsrvp_btrfs_destroy(int directory, const char *name)
{
    struct btrfs_ioctl_vol_args request = {0};
    int error = take_name(request.name, sizeof request.name, name);

    if (error < 0) {
        return error;
    }
    return zero_or_errno(ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &request));
}

int fsrvp_btrfs_get_read_only(int subvolume, int *read_only)
{
    uint64_t flags = 0;
    int error = zero_or_errno(ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags));

    *read_only = (flags & BTRFS_SUBVOL_RDONLY) != 0;
    return error;
}

int fsrvp_btrfs_set_read_only(int subvolume, int read_only)
{
    uint64_t flags = 0;
    int error = zero_or_errno(ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags));

    if (error < 0) {
        return error;
    }
    flags &= ~(uint64_t)BTRFS_SUBVOL_RDONLY;
    flags |= read_only ? BTRFS_SUBVOL_RDONLY : 0;
    return zero_or_errno(ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags));
}

int fsrvp_btrfs_info(int file, fsrvp_subvolume *info)
{
    struct btrfs_ioctl_get_subvol_info_args answer = {0};
    int error = zero_or_errno(ioctl(file, BTRFS_IOC_GET_SUBVOL_INFO, &answer));

    if (error < 0) {
        return error;
    }
    memset(info, 0, sizeof *info);
    info->id = answer.treeid;
    info->parent_id = answer.parent_id;
    info->directory_inode = answer.dirid;
    info->generation = answer.generation;
    info->created_in = answer.otransid;
    info->changed_in = answer.ctransid;
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
    error = zero_or_errno(ioctl(file, BTRFS_IOC_GET_SUBVOL_ROOTREF, &answer));
    /* EOVERFLOW: the answer is full, and min_treeid is where to continue. */
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

int fsrvp_btrfs_child_path(int directory, uint64_t id, uint64_t directory_inode, char *path,
                           size_t size)
{
    struct btrfs_ioctl_ino_lookup_user_args answer = {0};
    size_t path_length;
    size_t name_length;
    int error;

    answer.treeid = id;
    answer.dirid = directory_inode;
    error = zero_or_errno(ioctl(directory, BTRFS_IOC_INO_LOOKUP_USER, &answer));
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

/* Finds the first item of a tree in a range of keys (objectid, type, offset), which has at
 * least `head` bytes and lies behind its header in the answer. */
static int search_item(int file, struct btrfs_ioctl_search_key key, size_t head,
                       struct btrfs_ioctl_search_args *answer,
                       struct btrfs_ioctl_search_header *found)
{
    int error;

    key.max_transid = UINT64_MAX;
    key.nr_items = 1;
    answer->key = key;
    error = zero_or_errno(ioctl(file, BTRFS_IOC_TREE_SEARCH, answer));
    if (error < 0) {
        return error;
    }
    if (answer->key.nr_items == 0) {
        return -ENOENT;
    }
    memcpy(found, answer->buf, sizeof *found);
    if (found->len < head || found->len > sizeof answer->buf - sizeof *found) {
        return -EUCLEAN;
    }
    return 0;
}

/* Copies the name that follows `head` bytes in an item, of which the last two are its length. */
static int search_name(int file, struct btrfs_ioctl_search_key key, size_t head, uint64_t *offset,
                       char *name)
{
    struct btrfs_ioctl_search_args answer = {0};
    struct btrfs_ioctl_search_header found;
    const char *item = answer.buf + sizeof found;
    uint16_t length;
    int error = search_item(file, key, head, &answer, &found);

    if (error < 0) {
        return error;
    }
    memcpy(&length, item + head - sizeof length, sizeof length);
    length = le16toh(length);
    if (length > FSRVP_NAME_MAX || length > found.len - head) {
        return -EUCLEAN;
    }
    memcpy(name, item + head, length);
    name[length] = '\0';
    *offset = found.offset;
    return 0;
}

/* Copies the number that is the `place`th of an item of the tree of quotas. */
static int search_quota(int file, uint32_t type, uint64_t offset, size_t place, uint64_t *number)
{
    struct btrfs_ioctl_search_args answer = {0};
    struct btrfs_ioctl_search_header found;
    struct btrfs_ioctl_search_key key = {0};
    int error;

    key.tree_id = TREE_OF_QUOTAS;
    key.min_type = key.max_type = type;
    key.min_offset = key.max_offset = offset;
    error = search_item(file, key, (place + 1) * sizeof *number, &answer, &found);
    if (error < 0) {
        return error;
    }
    memcpy(number, answer.buf + sizeof found + place * sizeof *number, sizeof *number);
    *number = le64toh(*number);
    return 0;
}

int fsrvp_btrfs_exclusive(int file, uint64_t subvolume, uint64_t *bytes)
{
    uint64_t flags;
    int error = search_quota(file, STATE_OF_QUOTAS, 0, 2, &flags);

    if (error < 0) {
        return error;
    }
    if (flags != QUOTAS_ARE_TRUE) {
        return -ENODATA;
    }
    return search_quota(file, QUOTA_OF_SUBVOLUME, subvolume, 3, bytes);
}

int fsrvp_btrfs_child_name(int file, uint64_t parent_id, uint64_t id, char *name)
{
    struct btrfs_ioctl_search_key key = {0};
    uint64_t child;

    key.tree_id = TREE_OF_SUBVOLUMES;
    key.min_objectid = key.max_objectid = parent_id;
    key.min_type = key.max_type = CHILD_OF_SUBVOLUME;
    key.min_offset = key.max_offset = id;
    return search_name(file, key, CHILD_HEAD, &child, name);
}

int fsrvp_btrfs_directory_name(int file, uint64_t inode, uint64_t *parent, char *name)
{
    struct btrfs_ioctl_search_key key = {0};

    key.min_objectid = key.max_objectid = inode;
    key.min_type = key.max_type = NAME_OF_INODE;
    key.max_offset = UINT64_MAX;
    return search_name(file, key, NAME_HEAD, parent, name);
}

int fsrvp_btrfs_uuid(int file, uint8_t *uuid)
{
    struct btrfs_ioctl_fs_info_args answer = {0};
    int error = zero_or_errno(ioctl(file, BTRFS_IOC_FS_INFO, &answer));

    if (error < 0) {
        return error;
    }
    memcpy(uuid, answer.fsid, 16);
    return 0;
}
