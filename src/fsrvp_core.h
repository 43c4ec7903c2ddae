/* The C core of fsrvpd: the manual of every function that Python may call.
 *
 * build_core.py hands everything between the two marks below to cffi as it stands, so it
 * is plain C declarations only. fsrvpd/core is the only caller. Names with the prefix
 * fsrvp_ are declared here and nowhere else; names without it are internal.
 *
 * Two rules hold for every function:
 *
 *   - Memory belongs to the caller. No function allocates, and none keeps a pointer after
 *     it returns, except that a mount table points into the text it was made from.
 *   - Codec functions are pure: bytes in, values out, no I/O and no globals, so that any
 *     number of threads may call them. The sections "btrfs" and "files" make
 *     system calls, and so do the functions of the other headers.
 */
#ifndef FSRVP_CORE_H
#define FSRVP_CORE_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin (read by build_core.py) */

/* The version of fsrvpd that the core was built for, as fsrvpd.__version__ spells it. */
const char *fsrvp_core_version(void);

/* ---- codec -------------------------------------------------------------------------
 *
 * Codec functions return a size or 0 on success, and one of these on failure.
 */
enum fsrvp_error {
    FSRVP_OK = 0,
    FSRVP_TRUNCATED = -1,       /* the bytes end inside a field */
    FSRVP_NO_ROOM = -2,         /* the caller's buffer is too small */
    FSRVP_NO_SUCH_METHOD = -3,  /* opnum above 12 */
    FSRVP_STRING_OFFSET = -4,   /* the offset of a varying string is not 0 */
    FSRVP_STRING_COUNT = -5,    /* its count is 0 or above its maximum count */
    FSRVP_STRING_TOO_LONG = -6, /* more than FSRVP_STRING_MAX units */
    FSRVP_NOT_TERMINATED = -7,  /* its last unit is not NUL */
    FSRVP_EMBEDDED_NUL = -8,    /* a unit before the last one is NUL */
    FSRVP_BAD_UTF16 = -9,       /* half a surrogate pair */
    FSRVP_BAD_UTF8 = -10,       /* the caller's text is not UTF-8, or has a NUL inside */
    FSRVP_BAD_GUID = -11,       /* the caller's GUIDs do not have 16 bytes each */
    FSRVP_PDU_VERSION = -12,    /* not version 5.0 of the protocol */
    FSRVP_PDU_FORMAT = -13,     /* a data representation other than ASCII, IEEE integers */
    FSRVP_PDU_LENGTH = -14,     /* shorter than its type needs, or longer than is accepted */
    FSRVP_PDU_VERIFIER = -15,   /* the verifier does not fit inside */
    FSRVP_PDU_TOO_MANY = -16,   /* more contexts or syntaxes than are accepted */
    FSRVP_MOUNT_FORMAT = -17,   /* a line that the kernel would not write */
};

/* A clause that completes "malformed: ". Never NULL. */
const char *fsrvp_error_text(int error);

/* Flags: the byte order of a message and its transfer syntax. */
#define FSRVP_BIG_ENDIAN 1
#define FSRVP_NDR64 2

/* ---- stubs -------------------------------------------------------------------------
 *
 * The parameters of the thirteen methods, in NDR 2.0 or NDR64 and either byte order, for
 * both ends of the wire. The caller's texts are UTF-8: `size` bytes, without a NUL. GUIDs
 * are 16 bytes in little-endian form; two of them follow each other in the order of the
 * method's parameters.
 *
 * Bytes after the last parameter are ignored: a verification trailer may follow (MS-RPCE
 * 2.2.2.13), and Samba 4.17 ignores anything else. `end` is where the parameters end or,
 * after an error, where it was found.
 */

/* UTF-16 units of a string without its NUL. A UNC that Windows can send has fewer. */
#define FSRVP_STRING_MAX 1024

/* The most UTF-8 bytes that they can become. */
#define FSRVP_STRING_SIZE 3072

/* A buffer of this size has room for any stub that the functions below write. */
#define FSRVP_STUB_SIZE 4608

typedef struct {
    uint8_t guids[32];
    uint32_t number; /* Context, TimeOutInMilliseconds or Level */
    uint32_t end;
    char name[FSRVP_STRING_SIZE];
} fsrvp_request;

/* Returns the size of `name`, 0 for methods without one. Errors: TRUNCATED,
 * NO_SUCH_METHOD, and those of strings up to BAD_UTF16. */
int fsrvp_decode_request(uint32_t opnum, const uint8_t *stub, size_t size, uint32_t flags,
                         fsrvp_request *request);

/* A parameter that the method does not have is passed as NULL and 0. Returns the size of the stub.
 * Errors: NO_SUCH_METHOD, STRING_TOO_LONG, BAD_UTF8, BAD_GUID, NO_ROOM. */
int fsrvp_encode_request(uint32_t opnum, const uint8_t *guids, size_t guids_size, const char *name,
                         size_t name_size, uint32_t number, uint32_t flags, uint8_t *stub,
                         size_t size);

/* Responses, by what they carry; the result comes last, as on the wire. Each returns the
 * size of the stub. Errors: STRING_TOO_LONG, BAD_UTF8, BAD_GUID, NO_ROOM. */

/* Opnums 1, 4, 5, 6, 7, 11, 12. */
int fsrvp_encode_status(uint32_t result, uint32_t flags, uint8_t *stub, size_t size);

/* Opnum 0: MinVersion, MaxVersion. Opnum 9: ShadowCopyPresent, ShadowCopyCompatibility. */
int fsrvp_encode_numbers(uint32_t first, uint32_t second, uint32_t result, uint32_t flags,
                         uint8_t *stub, size_t size);

/* Opnums 2 and 3. */
int fsrvp_encode_guid(const uint8_t *guid, size_t guid_size, uint32_t result, uint32_t flags,
                      uint8_t *stub, size_t size);

/* Opnum 8. `owner` may be NULL. */
int fsrvp_encode_path_supported(uint32_t supported, const char *owner, size_t owner_size,
                                uint32_t result, uint32_t flags, uint8_t *stub, size_t size);

/* Opnum 10. `guids` are ShadowCopySetId and ShadowCopyId; with guids_size 0 the mapping is
 * the NULL pointer. Each text may be NULL. At a level other than 1 there is no mapping. */
int fsrvp_encode_share_mapping(uint32_t level, const uint8_t *guids, size_t guids_size,
                               const char *unc, size_t unc_size, const char *share,
                               size_t share_size, uint64_t created, uint32_t result, uint32_t flags,
                               uint8_t *stub, size_t size);

typedef struct {
    uint32_t present; /* 0: the NULL pointer */
    uint32_t size;
    char utf8[FSRVP_STRING_SIZE];
} fsrvp_string;

typedef struct {
    uint32_t result;
    uint32_t numbers[2]; /* in the order of the parameters; opnum 10: [0] is the level */
    uint32_t mapped;     /* opnum 10: 0 when there is no share mapping */
    uint64_t created;
    uint8_t guids[32];
    fsrvp_string strings[2]; /* opnum 8: the owner; opnum 10: UNC, shadow copy share */
    uint32_t end;
} fsrvp_response;

/* Returns 0. Errors as fsrvp_decode_request. */
int fsrvp_decode_response(uint32_t opnum, const uint8_t *stub, size_t size, uint32_t flags,
                          fsrvp_response *response);

/* ---- PDUs --------------------------------------------------------------------------
 *
 * The server's side of connection-oriented DCE/RPC: parses the PDUs of clients, in either
 * byte order, and writes PDUs for them, in little-endian order (C706 12.6, MS-RPCE 2.2.2).
 */

#define FSRVP_REQUEST 0
#define FSRVP_RESPONSE 2
#define FSRVP_FAULT 3
#define FSRVP_BIND 11
#define FSRVP_BIND_ACK 12
#define FSRVP_BIND_NAK 13
#define FSRVP_ALTER_CONTEXT 14
#define FSRVP_ALTER_CONTEXT_RESPONSE 15
#define FSRVP_AUTH3 16
#define FSRVP_SHUTDOWN 17
#define FSRVP_CO_CANCEL 18
#define FSRVP_ORPHANED 19

#define FSRVP_FIRST_FRAGMENT 1
#define FSRVP_LAST_FRAGMENT 2
#define FSRVP_SUPPORT_HEADER_SIGNING 4
#define FSRVP_CONCURRENT_MULTIPLEXING 16
#define FSRVP_DID_NOT_EXECUTE 32
#define FSRVP_OBJECT_UUID 128

/* The longest PDU that is accepted or written: the limit of Windows and Samba. A bind,
 * alter_context or auth3 may be longer, since it may carry a Kerberos ticket. */
#define FSRVP_FRAGMENT_MAX 5840

/* The most presentation contexts in one bind, and transfer syntaxes in one of them. */
#define FSRVP_OFFERS_MAX 32
#define FSRVP_SYNTAXES_MAX 16

typedef struct {
    uint32_t type;
    uint32_t flags;
    uint32_t big_endian;    /* 1 or 0 */
    uint32_t fragment_size; /* of the whole PDU; 0 while the header is incomplete */
    uint32_t call_id;
    uint32_t context_id;   /* request */
    uint32_t opnum;        /* request */
    uint32_t alloc_hint;   /* request */
    uint32_t max_transmit; /* bind, alter_context */
    uint32_t max_receive;  /* bind, alter_context */
    uint32_t group;        /* bind, alter_context */
    uint32_t body;         /* where the stub, or the list of contexts, begins */
    uint32_t body_size;    /* without padding and verifier */
    uint32_t auth_type;    /* the verifier, when token_size is not 0 */
    uint32_t auth_level;
    uint32_t auth_padding;
    uint32_t auth_context_id;
    uint32_t token; /* where the token begins; the verifier begins 8 bytes before */
    uint32_t token_size;
} fsrvp_pdu;

/* Parses the PDU at the start of `data`; more bytes may follow it. Returns 0.
 * Errors: TRUNCATED: more bytes are needed, `fragment_size` in all unless that is 0.
 * PDU_VERSION, PDU_FORMAT, PDU_LENGTH, PDU_VERIFIER: more bytes do not help; type, flags
 * and call_id are set. The header alone is enough to find the first three. */
int fsrvp_pdu_parse(const uint8_t *data, size_t size, fsrvp_pdu *pdu);

/* A presentation context that a client offers. A syntax is the 16 bytes of its UUID and the
 * 4 of its version, both in little-endian form. */
typedef struct {
    uint32_t context_id;
    uint32_t count;
    uint8_t abstract_syntax[20];
    uint8_t transfer_syntaxes[FSRVP_SYNTAXES_MAX][20];
} fsrvp_offer;

/* Reads the list of a bind or alter_context, from which `pdu` was parsed, into `offers`, with
 * room for FSRVP_OFFERS_MAX. Returns their number. Errors: TRUNCATED, PDU_TOO_MANY. */
int fsrvp_pdu_offers(const uint8_t *data, size_t size, const fsrvp_pdu *pdu, fsrvp_offer *offers);

/* The answer to one offer; `syntax` is zero unless it was accepted. */
typedef struct {
    uint16_t result;
    uint16_t reason;
    uint8_t syntax[20];
} fsrvp_result;

/* Each writes one whole PDU and returns its size. Error: NO_ROOM. */

/* bind_ack and, with another type and no address, alter_context_response. The size of the
 * address counts its NUL. */
int fsrvp_write_bind_ack(uint32_t type, uint32_t flags, uint32_t call_id, uint32_t max_fragment,
                         uint32_t group, const char *address, size_t address_size,
                         const fsrvp_result *results, size_t count, uint8_t *pdu, size_t size);

int fsrvp_write_bind_nak(uint32_t call_id, uint32_t reason, uint8_t *pdu, size_t size);

int fsrvp_write_fault(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t status,
                      uint8_t *pdu, size_t size);

/* One fragment of a response; `alloc_hint` is what remains of the stub from here on. */
int fsrvp_write_response(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t alloc_hint,
                         const uint8_t *stub, size_t stub_size, uint8_t *pdu, size_t size);

/* ---- mounts ------------------------------------------------------------------------
 *
 * /proc/self/mountinfo as a sorted table for longest-prefix lookup (proc(5)). It holds the
 * mounts that a path can reach: a mount that a later one covers, at its mount point or at
 * a directory above, is left out, and so is everything mounted inside it.
 *
 * Paths are absolute, without "." and ".." components; slashes at the end do not matter.
 */

#define FSRVP_NO_MOUNT 0xffffffff
#define FSRVP_MOUNTS_SIZE_MAX 0x40000000

/* Bytes of the text that the table was made of. */
typedef struct {
    uint32_t offset;
    uint32_t size;
} fsrvp_span;

typedef struct {
    uint32_t mount_id;
    uint32_t parent_id;
    uint32_t major;
    uint32_t minor;
    fsrvp_span root;
    fsrvp_span mount_point;
    fsrvp_span options;
    fsrvp_span fs_type;
    fsrvp_span source;
    fsrvp_span super_options;
    const char *path;   /* the mount point, in the text */
    uint32_t line;      /* where it stood in the text */
    uint32_t enclosing; /* index of the mount around it, or FSRVP_NO_MOUNT */
} fsrvp_mount;

/* How many entries a text needs at most; each of its lines ends with a newline. */
uint32_t fsrvp_mounts_count(const char *text, size_t size);

/* Fills `mounts` and sets *count. The text is changed: escapes are decoded in place. It must
 * stay where it is for as long as the table is used. Returns 0.
 * Error: MOUNT_FORMAT, in the line with the number *count, from 0. */
int fsrvp_mounts_parse(char *text, size_t size, fsrvp_mount *mounts, uint32_t capacity,
                       uint32_t *count);

/* The index of the mount on which a path lies, or FSRVP_NO_MOUNT. */
uint32_t fsrvp_mounts_find(const fsrvp_mount *mounts, uint32_t count, const char *path,
                           size_t size);

/* The number of mounts strictly below a path. The first has the index *first; the others
 * follow it. */
uint32_t fsrvp_mounts_below(const fsrvp_mount *mounts, uint32_t count, const char *path,
                            size_t size, uint32_t *first);

/* ---- btrfs -------------------------------------------------------------------------
 *
 * Subvolumes. Each function of this section and of the next makes one system call (two to
 * change a flag) on descriptors that the caller holds. It returns 0, or what is documented, on
 * success and -errno on failure; the errno values are the kernel's, listed below only
 * where they have a particular meaning. It may block.
 */

/* Longest name of a subvolume or of a file to clone, without its NUL. */
#define FSRVP_NAME_MAX 255

/* The most children that one call of fsrvp_btrfs_children reports. */
#define FSRVP_CHILDREN_MAX 255

/* The bit of `flags` in fsrvp_subvolume that matters here. */
#define FSRVP_SUBVOLUME_READ_ONLY 1

/* Room for the path of a child below a directory, its NUL counted. */
#define FSRVP_CHILD_PATH_SIZE 4352

/* A subvolume as BTRFS_IOC_GET_SUBVOL_INFO reports it. parent_uuid is zero unless it is a
 * snapshot, received_uuid is zero unless it was received; the name of the top level is "". */
typedef struct {
    uint64_t id;
    uint64_t parent_id;
    uint64_t directory_inode;
    uint64_t generation;
    uint64_t created_in; /* numbers of transactions */
    uint64_t changed_in;
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

/* Makes directory/name a snapshot of the subvolume whose root `source` is.
 * -EINVAL: `source` is not the root of a subvolume. -EXDEV: it is on another file system.
 * -EPERM: a swap file is active inside. Other errors as fsrvp_btrfs_create. */
int fsrvp_btrfs_snapshot(int source, int directory, const char *name, int read_only);

/* -ENOTEMPTY: it holds other subvolumes. -EINVAL: the name is not a subvolume.
 * -EPERM: it is the default subvolume, or it is being sent. */
int fsrvp_btrfs_destroy(int directory, const char *name);

/* -EINVAL: `subvolume` is not the root of a subvolume. */
int fsrvp_btrfs_get_read_only(int subvolume, int *read_only);
int fsrvp_btrfs_set_read_only(int subvolume, int read_only);

/* The subvolume in which any file or directory lies. */
int fsrvp_btrfs_info(int file, fsrvp_subvolume *info);

/* The subvolumes directly below the subvolume of `file`, with ids from *first on, and the
 * inodes of the directories that hold them. Returns their number and sets *first to where
 * the next call continues, 0 after the last. */
int fsrvp_btrfs_children(int file, uint64_t *first, uint64_t *ids, uint64_t *directories);

/* The path below `directory` of the child with this id, in a directory with this inode.
 * -EACCES: it is not below. -ENOENT: it is gone. -ENAMETOOLONG: it does not fit `size`. */
int fsrvp_btrfs_child_path(int directory, uint64_t id, uint64_t directory_inode, char *path,
                           size_t size);

/* The 16 bytes of the file system's UUID. */
int fsrvp_btrfs_uuid(int file, uint8_t *uuid);

/* The bytes that a subvolume shares with no other, as quotas count them at each commit. -ENOENT:
 * there are no quotas, or none of it. -ENODATA: they are incomplete, or count something else. */
int fsrvp_btrfs_exclusive(int file, uint64_t subvolume, uint64_t *bytes);

/* ---- files -------------------------------------------------------------------------
 *
 * System calls that Python does not offer. Results and errors as in "btrfs".
 */

/* FICLONE: makes `destination`, which is empty, share all extents of `source`. If btrfs does not
 * check the source's content (chattr +C), it will not check the copy's. -EOPNOTSUPP: the file
 * system has no reflinks. -EXDEV: they are on two file systems. -EINVAL: one is not a regular
 * file, or of a kind that cannot share. -ETXTBSY: the source is an active swap file. */
int fsrvp_clone_file(int destination, int source);

/* syncfs: writes back everything on the file system of `file`. -EIO, -ENOSPC: data was lost. */
int fsrvp_sync_file_system(int file);

/* The magic number of the kind of file system, from fstatfs. */
int fsrvp_file_system_magic(int file, uint64_t *magic);

/* The 16 bytes that identify a mounted file system, now and after a reboot. The first
 * function asks the kernel (-ENOTTY: Linux before 6.9, or the file system has none), the
 * second asks XFS itself (-ENOTTY: it is not XFS). */
int fsrvp_file_system_uuid(int file, uint8_t *uuid);
int fsrvp_xfs_uuid(int file, uint8_t *uuid);

/* openat2 with RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS and, unless `symlinks`,
 * RESOLVE_NO_SYMLINKS. Returns a descriptor with O_CLOEXEC. -EXDEV: the path leaves
 * `directory`. -ELOOP: a symbolic link. -ENOSYS: Linux before 5.6. */
int fsrvp_open_beneath(int directory, const char *path, int flags, unsigned int mode, int symlinks);

/* inotify_init1. Returns a descriptor with O_CLOEXEC and O_NONBLOCK. -EMFILE: the user has
 * as many instances as fs.inotify.max_user_instances allows. */
int fsrvp_inotify_open(void);

/* Watches the names in a directory: created, deleted and renamed ones, and the deletion or
 * renaming of the directory itself. Returns the number of the watch, the same one for the
 * same directory. -ENOTDIR, -ENOSPC: fs.inotify.max_user_watches is reached. */
int fsrvp_inotify_add(int inotify, const char *directory);
/* mount(2) with MS_BIND, MS_REMOUNT, MS_MOVE and the like. -EBUSY: open for writing. */
int fsrvp_mount_at(const char *source, const char *target, unsigned int flags);
/* umount2 with MNT_DETACH | UMOUNT_NOFOLLOW. -EINVAL: nothing is mounted there. */
int fsrvp_detach(const char *mount_point);
/* The same without MNT_DETACH. -EBUSY: somebody has a file or a directory open there. */
int fsrvp_unmount(const char *mount_point);

/* listmount: the ids of the mounts that a path can lead to, those after `after`, in ascending
 * order; no id is ever given again. Returns their number. -ENOSYS: Linux before 6.8. */
int fsrvp_mounts_list(uint64_t after, uint64_t *ids, uint32_t capacity);

/* statmount: where a mount is, as `path` of FSRVP_MOUNT_POINT_MAX bytes without a NUL; returns their
 * number. The second function stores all that the kernel tells of it, in a form that is the same as
 * long as nothing of it changes. -ENOENT: it is gone. -EOVERFLOW: there is more. */
#define FSRVP_MOUNT_POINT_MAX 4096
int fsrvp_mount_point(uint64_t id, char *path);
int fsrvp_mount_facts(uint64_t id, uint8_t *facts, uint32_t capacity);

/* cdef: end */

#endif
