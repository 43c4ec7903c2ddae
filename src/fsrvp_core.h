/* The C core of fsrvpd: the one manual of what Python may call.
 *
 * Everything between the two marks below is handed to cffi as it stands, so it uses
 * plain C declarations only. fsrvpd/core is the only caller.
 *
 * Two rules hold for every function:
 *
 *   - Memory belongs to the caller. Nothing here allocates, and nothing keeps a pointer
 *     after it returned, except a mount table, which points into the text it was made of.
 *   - Codec functions are pure: bytes in, values out, no I/O, no globals. The functions of
 *     the sections "storage" and "clones" are the deliberate exception.
 */
#ifndef FSRVP_CORE_H
#define FSRVP_CORE_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin (read by build_core.py) */

/* ---- codec -------------------------------------------------------------------------
 *
 * Codec functions return a size (or 0) when they succeed and one of these when not.
 */
enum fsrvp_error {
    FSRVP_OK = 0,
    FSRVP_TRUNCATED = -1,      /* the bytes end inside a field */
    FSRVP_NO_ROOM = -2,        /* the caller's buffer is too small */
    FSRVP_NO_SUCH_METHOD = -3, /* opnum above 12 */
    FSRVP_STRING_OFFSET = -4,  /* the offset of a varying string is not 0 */
    FSRVP_STRING_COUNT = -5,   /* its count is 0 or above its maximum count */
    FSRVP_STRING_TOO_LONG = -6, /* more than FSRVP_STRING_MAX units */
    FSRVP_NOT_TERMINATED = -7, /* its last unit is not NUL */
    FSRVP_EMBEDDED_NUL = -8,   /* a unit before the last one is NUL */
    FSRVP_BAD_UTF16 = -9,      /* half a surrogate pair */
    FSRVP_BAD_UTF8 = -10,      /* the caller's text is no UTF-8, or has a NUL inside */
    FSRVP_BAD_GUID = -11,      /* the caller's GUIDs do not have 16 bytes each */
    FSRVP_PDU_VERSION = -12,   /* not version 5.0 of the protocol */
    FSRVP_PDU_FORMAT = -13,    /* a data representation other than ASCII, IEEE integers */
    FSRVP_PDU_LENGTH = -14,    /* shorter than its type needs, or longer than is accepted */
    FSRVP_PDU_VERIFIER = -15,  /* the verifier does not fit inside */
    FSRVP_PDU_TOO_MANY = -16,  /* more contexts or syntaxes than are accepted */
    FSRVP_MOUNT_FORMAT = -17,  /* a line that the kernel would not write */
};

/* A clause that completes "malformed: ". Never NULL. */
const char *fsrvp_error_text(int error);

/* Flags: the byte order of a message and its transfer syntax. */
#define FSRVP_BIG_ENDIAN 1
#define FSRVP_NDR64 2

/* ---- stubs -------------------------------------------------------------------------
 *
 * The parameters of the thirteen methods, in NDR 2.0 or NDR64 and either byte order, for
 * both ends of the wire. Texts are UTF-8 on this side, of `size` bytes without a NUL.
 * GUIDs are 16 bytes in little-endian form; where two are passed they are one after the
 * other, in the order of the method's parameters.
 *
 * Bytes after the last parameter are not looked at: a verification trailer may follow
 * (MS-RPCE 2.2.2.13), and Samba 4.17 ignores whatever else does. `end` is where the
 * parameters end or, after an error, where it was found.
 */

/* UTF-16 units of a string without its NUL. A UNC that Windows can send has fewer. */
#define FSRVP_STRING_MAX 1024

/* UTF-8 bytes that they can become. */
#define FSRVP_STRING_SIZE 3072

/* A buffer of this size holds any stub that the functions below can write. */
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

/* What a method does not carry is passed as NULL and 0. Returns the size of the stub.
 * Errors: NO_SUCH_METHOD, STRING_TOO_LONG, BAD_UTF8, BAD_GUID, NO_ROOM. */
int fsrvp_encode_request(uint32_t opnum, const uint8_t *guids, size_t guids_size,
                         const char *name, size_t name_size, uint32_t number,
                         uint32_t flags, uint8_t *stub, size_t size);

/* Responses by what they carry, the result last as on the wire; all return the size of the
 * stub. Errors: STRING_TOO_LONG, BAD_UTF8, BAD_GUID, NO_ROOM. */

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
                               size_t share_size, uint64_t created, uint32_t result,
                               uint32_t flags, uint8_t *stub, size_t size);

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
 * Connection-oriented DCE/RPC, the server's side: PDUs of a client are parsed, PDUs for a
 * client are written, always in little-endian order (C706 12.6, MS-RPCE 2.2.2).
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

/* Longest PDU that is accepted, except those that may carry a Kerberos ticket (bind,
 * alter_context, auth3), and that is written: what Windows and Samba accept. */
#define FSRVP_FRAGMENT_MAX 5840

/* Presentation contexts in one bind, and transfer syntaxes in one of them. */
#define FSRVP_OFFERS_MAX 32
#define FSRVP_SYNTAXES_MAX 16

typedef struct {
    uint32_t type;
    uint32_t flags;
    uint32_t big_endian; /* 1 or 0 */
    uint32_t fragment_size; /* of the whole PDU; 0 while the header is incomplete */
    uint32_t call_id;
    uint32_t context_id; /* request */
    uint32_t opnum;      /* request */
    uint32_t alloc_hint; /* request */
    uint32_t max_transmit; /* bind, alter_context */
    uint32_t max_receive;  /* bind, alter_context */
    uint32_t group;        /* bind, alter_context */
    uint32_t body;       /* where the stub, or the list of contexts, begins */
    uint32_t body_size;  /* without padding and verifier */
    uint32_t auth_type;  /* the verifier, when token_size is not 0 */
    uint32_t auth_level;
    uint32_t auth_padding;
    uint32_t auth_context_id;
    uint32_t token; /* where the token begins; the verifier begins 8 bytes before */
    uint32_t token_size;
} fsrvp_pdu;

/* Parses the PDU at the start of `data`, whatever may follow it. Returns 0.
 * Errors: TRUNCATED, more bytes are needed, `fragment_size` of them when that is not 0.
 * PDU_VERSION, PDU_FORMAT, PDU_LENGTH, PDU_VERIFIER: no more bytes will help; type, flags
 * and call_id are set nevertheless. The first three are found as soon as the header is. */
int fsrvp_pdu_parse(const uint8_t *data, size_t size, fsrvp_pdu *pdu);

/* 1 where the bytes are a request in one fragment without a verifier, and nothing else; `pdu`
 * is then filled as by fsrvp_pdu_parse. 0 for whatever else they are. */
int fsrvp_pdu_is_whole_request(const uint8_t *data, size_t size, fsrvp_pdu *pdu);

/* A presentation context that a client offers. A syntax is the 16 bytes of its UUID and the
 * 4 of its version, both in little-endian form. */
typedef struct {
    uint32_t context_id;
    uint32_t count;
    uint8_t abstract_syntax[20];
    uint8_t transfer_syntaxes[FSRVP_SYNTAXES_MAX][20];
} fsrvp_offer;

/* Reads the list of a bind or alter_context, that `pdu` was parsed from, into `offers` with
 * room for FSRVP_OFFERS_MAX. Returns how many. Errors: TRUNCATED, PDU_TOO_MANY. */
int fsrvp_pdu_offers(const uint8_t *data, size_t size, const fsrvp_pdu *pdu,
                     fsrvp_offer *offers);

/* The answer to one offer; `syntax` is zero unless it was accepted. */
typedef struct {
    uint16_t result;
    uint16_t reason;
    uint8_t syntax[20];
} fsrvp_result;

/* Each writes one whole PDU and returns its size. Error: NO_ROOM. */

/* bind_ack and, with another type and no address, alter_context_response. The size of the
 * address counts its NUL. */
int fsrvp_write_bind_ack(uint32_t type, uint32_t flags, uint32_t call_id,
                         uint32_t max_fragment, uint32_t group, const char *address,
                         size_t address_size, const fsrvp_result *results, size_t count,
                         uint8_t *pdu, size_t size);

int fsrvp_write_bind_nak(uint32_t call_id, uint32_t reason, uint8_t *pdu, size_t size);

int fsrvp_write_fault(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t status,
                      uint8_t *pdu, size_t size);

/* One fragment of a response; `alloc_hint` is what remains of the stub from here on. */
int fsrvp_write_response(uint32_t flags, uint32_t call_id, uint32_t context_id,
                         uint32_t alloc_hint, const uint8_t *stub, size_t stub_size,
                         uint8_t *pdu, size_t size);

/* ---- mounts ------------------------------------------------------------------------
 *
 * /proc/self/mountinfo as a sorted table for longest-prefix lookup (proc(5)). Only mounts
 * that a path can reach are kept: one that a later mount covers, at its mount point or at
 * a directory above, is left out, with what is mounted inside it.
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
    uint32_t enclosing; /* place of the mount around it, or FSRVP_NO_MOUNT */
} fsrvp_mount;

/* How many entries to provide for a text, every line of which ends with a newline. */
uint32_t fsrvp_mounts_count(const char *text, size_t size);

/* Fills `mounts` and says how many there are. The text is changed: escapes are decoded in
 * place; it must stay where it is for as long as the table is used. Returns 0.
 * Error: MOUNT_FORMAT, in the line with the number *count. */
int fsrvp_mounts_parse(char *text, size_t size, fsrvp_mount *mounts, uint32_t capacity,
                       uint32_t *count);

/* The place of the mount on which a path lies, or FSRVP_NO_MOUNT. */
uint32_t fsrvp_mounts_find(const fsrvp_mount *mounts, uint32_t count, const char *path,
                           size_t size);

/* How many mounts lie strictly below a path; they follow each other from *first on. */
uint32_t fsrvp_mounts_below(const fsrvp_mount *mounts, uint32_t count, const char *path,
                            size_t size, uint32_t *first);

/* ---- storage -----------------------------------------------------------------------
 *
 * One system call each, on descriptors that the caller holds. They return 0 (or a
 * descriptor) when it worked and -errno when it did not; the errno values are the
 * kernel's, named below only where they say something particular. They may block.
 */

/* Longest name of a subvolume, its NUL not counted. */
#define FSRVP_NAME_MAX 255

/* Most children that one call of fsrvp_btrfs_children reports. */
#define FSRVP_CHILDREN_MAX 255

/* The bit of `flags` in fsrvp_subvolume that matters here. */
#define FSRVP_SUBVOLUME_READ_ONLY 1

/* Room for the path of a child below a directory, its NUL counted. */
#define FSRVP_CHILD_PATH_SIZE 4352

/* A subvolume as BTRFS_IOC_GET_SUBVOL_INFO tells it. parent_uuid is zero unless it is a
 * snapshot, received_uuid zero unless it was received; the name of the top level is "". */
typedef struct {
    uint64_t id;
    uint64_t parent_id;
    uint64_t directory_inode;
    uint64_t generation;
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

/* A snapshot of the subvolume whose root `source` is, made as directory/name.
 * -EINVAL: `source` is no subvolume's root. -EXDEV: on another file system.
 * -EPERM: a swap file is active inside. Else as fsrvp_btrfs_create. */
int fsrvp_btrfs_snapshot(int source, int directory, const char *name, int read_only);

/* -ENOTEMPTY: there are subvolumes inside. -EINVAL: the name is no subvolume.
 * -EPERM: it is the default subvolume, or is being sent. */
int fsrvp_btrfs_destroy(int directory, const char *name);

/* `subvolume` must be a subvolume's root: -EINVAL. */
int fsrvp_btrfs_get_read_only(int subvolume, int *read_only);
int fsrvp_btrfs_set_read_only(int subvolume, int read_only);

/* The subvolume in which any file or directory lies. */
int fsrvp_btrfs_info(int file, fsrvp_subvolume *info);

/* The subvolumes directly below the subvolume of `file` with ids from *first on, with the
 * inodes of the directories that hold them. Returns how many; *first is then where to go
 * on, 0 when that was all. */
int fsrvp_btrfs_children(int file, uint64_t *first, uint64_t *ids, uint64_t *directories);

/* Whether there are any: 1 or 0. */
int fsrvp_btrfs_has_children(int file);

/* Where the child with this id, in a directory with this inode, lies below `directory`.
 * -EACCES: not below it. -ENOENT: gone. -ENAMETOOLONG: does not fit `size`. */
int fsrvp_btrfs_child_path(int directory, uint64_t id, uint64_t directory_inode,
                           char *path, size_t size);

/* The 16 bytes of the file system's UUID. */
int fsrvp_btrfs_uuid(int file, uint8_t *uuid);

/* Makes `destination` share all extents of `source`. -EOPNOTSUPP: the file system cannot.
 * -EXDEV: on another file system. -EINVAL: one of them is not a regular file. */
int fsrvp_clone_file(int destination, int source);

/* Writes back everything of the file system of `file`. -EIO, -ENOSPC: something was lost. */
int fsrvp_sync_file_system(int file);

/* The magic number by which statfs names the kind of file system. */
int fsrvp_file_system_magic(int file, uint64_t *magic);

/* The 16 bytes by which a mounted file system can be told from any other, now and after
 * a reboot. The first asks the kernel (-ENOTTY before Linux 6.9, or when the file system
 * has none), the second XFS itself (-ENOTTY: not XFS). */
int fsrvp_file_system_uuid(int file, uint8_t *uuid);
int fsrvp_xfs_uuid(int file, uint8_t *uuid);

/* openat2 with RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS and, unless `symlinks`,
 * RESOLVE_NO_SYMLINKS. Returns a descriptor with O_CLOEXEC. -EXDEV: the path leaves
 * `directory`. -ELOOP: a symbolic link. -ENOSYS: Linux before 5.6. */
int fsrvp_open_beneath(int directory, const char *path, int flags, unsigned int mode,
                       int symlinks);

/* ---- clones ------------------------------------------------------------------------
 *
 * Files cloned by name from one open directory into another, on one file system: content,
 * owner, group, mode, extended attributes with all ACLs, times of access and modification.
 * A name is one that a directory holds, FSRVP_NAME_MAX bytes at most. No symbolic link is
 * followed, and a copy that fails is taken away again.
 */

/* What is copied with plain calls. `mode` has the kind of file too. */
typedef struct {
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t accessed_nanoseconds;
    uint32_t modified_nanoseconds;
    int64_t accessed_seconds;
    int64_t modified_seconds;
} fsrvp_attributes;

/* No regular file has the name, or not any more: nothing was done. */
#define FSRVP_CLONE_OTHER 1

/* Gives target/name the attributes, and those extended ones that source/name has; with ""
 * for a name the two descriptors themselves. A negative errno when it did not work. */
int fsrvp_copy_attributes(int source, int target, const char *name,
                          const fsrvp_attributes *attributes);

/* Makes target/name a clone of source/name. 0, FSRVP_CLONE_OTHER or a negative errno.
 * -EAGAIN: somebody holds a lease, and has been asked to give it back. */
int fsrvp_clone_regular(int source, int target, const char *name);

/* The same for `count` names, one after the other with a NUL behind each, where they are
 * regular files with one link. others[i] tells those of which there is no clone yet,
 * whatever the reason. Returns how many were cloned. */
int fsrvp_clone_plain_files(int source, int target, const char *names, int count,
                            int8_t *others);

/* cdef: end */

#endif
