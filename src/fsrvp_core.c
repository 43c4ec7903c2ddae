/* Marshals the thirteen methods of MS-FSRVP: see "stubs" in fsrvp_core.h. The end of the file
 * checks the sizes that the header promises, and has the texts of errors and the version.
 *
 * Spec: MS-FSRVP appendix A. [ref] pointers at top level are not on the wire; the two
 * strings of a share mapping and OwnerMachineName are unique pointers, and what they point
 * to follows the structure that holds them.
 */
#include "fsrvp_ndr.h"

#include <string.h>

#define METHODS 13

/* What a request carries, in this order. */
typedef struct {
    uint8_t guids;
    uint8_t name;
    uint8_t number;
} request_shape;

static const request_shape requests[METHODS] = {
    {0, 0, 0}, /* GetSupportedVersion */
    {0, 0, 1}, /* SetContext */
    {1, 0, 0}, /* StartShadowCopySet */
    {2, 1, 0}, /* AddToShadowCopySet */
    {1, 0, 1}, /* CommitShadowCopySet */
    {1, 0, 1}, /* ExposeShadowCopySet */
    {1, 0, 0}, /* RecoveryCompleteShadowCopySet */
    {1, 0, 0}, /* AbortShadowCopySet */
    {0, 1, 0}, /* IsPathSupported */
    {0, 1, 0}, /* IsPathShadowCopied */
    {2, 1, 1}, /* GetShareMapping */
    {2, 1, 0}, /* DeleteShareMapping */
    {1, 0, 1}, /* PrepareShadowCopySet */
};

int fsrvp_decode_request(uint32_t opnum, const uint8_t *stub, size_t size, uint32_t flags,
                         fsrvp_request *request)
{
    reader in = reader_from(stub, size, flags);
    size_t name_size = 0;
    request_shape shape;

    request->end = 0;
    if (opnum >= METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    shape = requests[opnum];
    memset(request->guids, 0, sizeof request->guids);
    for (size_t i = 0; i < shape.guids; i++) {
        ndr_read_guid(&in, request->guids + i * GUID_SIZE);
    }
    if (shape.name) {
        name_size = ndr_read_string(&in, request->name);
    }
    request->number = shape.number ? ndr_read_u32(&in) : 0;
    request->end = (uint32_t)in.offset;
    return in.error == FSRVP_OK ? (int)name_size : in.error;
}

int fsrvp_encode_request(uint32_t opnum, const uint8_t *guids, size_t guids_size, const char *name,
                         size_t name_size, uint32_t number, uint32_t flags, uint8_t *stub,
                         size_t size)
{
    writer out = writer_to(stub, size, flags);
    ndr_text text = {name, name_size};
    request_shape shape;

    if (opnum >= METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    shape = requests[opnum];
    if (guids_size != (size_t)shape.guids * GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    for (size_t i = 0; i < shape.guids; i++) {
        ndr_write_guid(&out, guids + i * GUID_SIZE);
    }
    if (shape.name) {
        ndr_write_string(&out, text);
    }
    if (shape.number) {
        ndr_write_u32(&out, number);
    }
    return writer_result(&out);
}

int fsrvp_encode_status(uint32_t result, uint32_t flags, uint8_t *stub, size_t size)
{
    writer out = writer_to(stub, size, flags);

    ndr_write_u32(&out, result);
    return writer_result(&out);
}

int fsrvp_encode_numbers(uint32_t first, uint32_t second, uint32_t result, uint32_t flags,
                         uint8_t *stub, size_t size)
{
    writer out = writer_to(stub, size, flags);

    ndr_write_u32(&out, first);
    ndr_write_u32(&out, second);
    ndr_write_u32(&out, result);
    return writer_result(&out);
}

int fsrvp_encode_guid(const uint8_t *guid, size_t guid_size, uint32_t result, uint32_t flags,
                      uint8_t *stub, size_t size)
{
    writer out = writer_to(stub, size, flags);

    if (guid_size != GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    ndr_write_guid(&out, guid);
    ndr_write_u32(&out, result);
    return writer_result(&out);
}

int fsrvp_encode_path_supported(uint32_t supported, const char *owner, size_t owner_size,
                                uint32_t result, uint32_t flags, uint8_t *stub, size_t size)
{
    writer out = writer_to(stub, size, flags);
    ndr_text text = {owner, owner_size};

    ndr_write_u32(&out, supported);
    ndr_write_pointer(&out, owner != NULL, 0);
    if (owner != NULL) {
        ndr_write_string(&out, text);
    }
    ndr_write_u32(&out, result);
    return writer_result(&out);
}

static void write_mapping(writer *out, const uint8_t *guids, ndr_text unc, ndr_text share,
                          uint64_t created)
{
    /* A structure is aligned as its widest member: here the time stamp. */
    writer_align(out, 8);
    ndr_write_guid(out, guids);
    ndr_write_guid(out, guids + GUID_SIZE);
    ndr_write_pointer(out, unc.utf8 != NULL, 1);
    ndr_write_pointer(out, share.utf8 != NULL, 2);
    ndr_write_u64(out, created);
    if (unc.utf8 != NULL) {
        ndr_write_string(out, unc);
    }
    if (share.utf8 != NULL) {
        ndr_write_string(out, share);
    }
}

int fsrvp_encode_share_mapping(uint32_t level, const uint8_t *guids, size_t guids_size,
                               const char *unc, size_t unc_size, const char *share,
                               size_t share_size, uint64_t created, uint32_t result, uint32_t flags,
                               uint8_t *stub, size_t size)
{
    writer out = writer_to(stub, size, flags);
    ndr_text unc_text = {unc, unc_size};
    ndr_text share_text = {share, share_size};

    if (guids_size != 0 && guids_size != 2 * GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    ndr_write_u32(&out, level);
    ndr_write_union_gap(&out);
    if (level == 1) {
        ndr_write_pointer(&out, guids_size != 0, 0);
    }
    if (level == 1 && guids_size != 0) {
        write_mapping(&out, guids, unc_text, share_text, created);
    }
    ndr_write_u32(&out, result);
    return writer_result(&out);
}

static void read_string_if(reader *in, bool present, fsrvp_string *text)
{
    text->present = present;
    text->size = present ? (uint32_t)ndr_read_string(in, text->utf8) : 0;
}

static void read_mapping(reader *in, fsrvp_response *response)
{
    bool unc;
    bool share;

    reader_align(in, 8);
    ndr_read_guid(in, response->guids);
    ndr_read_guid(in, response->guids + GUID_SIZE);
    unc = ndr_read_pointer(in);
    share = ndr_read_pointer(in);
    response->created = ndr_read_u64(in);
    read_string_if(in, unc, &response->strings[0]);
    read_string_if(in, share, &response->strings[1]);
}

static void read_share_mapping(reader *in, fsrvp_response *response)
{
    response->numbers[0] = ndr_read_u32(in);
    ndr_read_union_gap(in);
    response->mapped = response->numbers[0] == 1 && ndr_read_pointer(in);
    if (response->mapped) {
        read_mapping(in, response);
    }
}

/* The out parameters, without the result that ends every response. */
static void read_parameters(reader *in, uint32_t opnum, fsrvp_response *response)
{
    switch (opnum) {
    case 0: /* GetSupportedVersion */
    case 9: /* IsPathShadowCopied */
        response->numbers[0] = ndr_read_u32(in);
        response->numbers[1] = ndr_read_u32(in);
        break;
    case 2: /* StartShadowCopySet */
    case 3: /* AddToShadowCopySet */
        ndr_read_guid(in, response->guids);
        break;
    case 8: /* IsPathSupported */
        response->numbers[0] = ndr_read_u32(in);
        read_string_if(in, ndr_read_pointer(in), &response->strings[0]);
        break;
    case 10: /* GetShareMapping */
        read_share_mapping(in, response);
        break;
    default:
        break;
    }
}

int fsrvp_decode_response(uint32_t opnum, const uint8_t *stub, size_t size, uint32_t flags,
                          fsrvp_response *response)
{
    reader in = reader_from(stub, size, flags);

    response->end = 0;
    if (opnum >= METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    memset(response, 0, sizeof *response);
    read_parameters(&in, opnum, response);
    response->result = ndr_read_u32(&in);
    response->end = (uint32_t)in.offset;
    return in.error;
}

/* The longest UTF-8 form of a UTF-16 unit has three bytes: a surrogate pair has four. */
_Static_assert(FSRVP_STRING_SIZE == 3 * FSRVP_STRING_MAX, "room for any string as UTF-8");

/* The longest stub is the response of GetShareMapping in NDR64: a level, the gap before the
 * union's arm, the arm's pointer, the structure, its two strings, the result. */
#define LONGEST_STRING (3 * 8 + 2 * (FSRVP_STRING_MAX + 1))
#define LONGEST_MAPPING (2 * GUID_SIZE + 2 * 8 + 8 + 2 * (LONGEST_STRING + 8))
_Static_assert(FSRVP_STUB_SIZE >= 4 + 4 + 8 + LONGEST_MAPPING + 4, "room for any stub");
_Static_assert(FSRVP_STUB_SIZE + 24 <= FSRVP_FRAGMENT_MAX, "room for any stub in one fragment");

/* fsrvpd/core reads these structures with the struct module, by the same offsets. */
_Static_assert(sizeof(fsrvp_pdu) == 19 * 4, "as the tuple Pdu of core/pdu.py");
_Static_assert(offsetof(fsrvp_pdu, token_size) == 18 * 4, "as the tuple Pdu of core/pdu.py");
_Static_assert(offsetof(fsrvp_request, guids) == 0, "as core/ndr.py reads it");
_Static_assert(offsetof(fsrvp_request, number) == 32, "as core/ndr.py reads it");

/* build_core.py defines it; the fuzzers, for example, are built without one. */
#ifndef FSRVP_VERSION
#define FSRVP_VERSION "of no version"
#endif

const char *fsrvp_core_version(void)
{
    return FSRVP_VERSION;
}

const char *fsrvp_error_text(int error)
{
    switch (error) {
    case FSRVP_OK:
        return "no error";
    case FSRVP_TRUNCATED:
        return "it ends inside a field";
    case FSRVP_NO_ROOM:
        return "it does not fit its buffer";
    case FSRVP_NO_SUCH_METHOD:
        return "there is no method with this opnum";
    case FSRVP_STRING_OFFSET:
        return "a string does not begin at its first character";
    case FSRVP_STRING_COUNT:
        return "a string is empty or longer than its maximum";
    case FSRVP_STRING_TOO_LONG:
        return "a string is longer than 1024 UTF-16 units";
    case FSRVP_NOT_TERMINATED:
        return "a string does not end with NUL";
    case FSRVP_EMBEDDED_NUL:
        return "a string has a NUL inside";
    case FSRVP_BAD_UTF16:
        return "a string has half a surrogate pair";
    case FSRVP_BAD_UTF8:
        return "a text cannot be written as UTF-16";
    case FSRVP_BAD_GUID:
        return "a GUID does not have 16 bytes";
    case FSRVP_PDU_VERSION:
        return "it is not version 5.0 of the protocol";
    case FSRVP_PDU_FORMAT:
        return "its data representation is not supported";
    case FSRVP_PDU_LENGTH:
        return "its length is out of range";
    case FSRVP_PDU_VERIFIER:
        return "its verifier does not fit into the PDU";
    case FSRVP_PDU_TOO_MANY:
        return "it offers more contexts than are accepted";
    case FSRVP_MOUNT_FORMAT:
        return "it is not a line of mountinfo";
    default:
        return "unknown error";
    }
}
