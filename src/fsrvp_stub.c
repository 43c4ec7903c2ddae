/* The parameters of the thirteen methods: see "stubs" in fsrvp_core.h.
 *
 * Spec: MS-FSRVP appendix A. [ref] pointers at top level leave no trace on the wire; the
 * two strings of a share mapping and OwnerMachineName are unique pointers, and what they
 * point to follows the structure that holds them.
 */
#include "fsrvp_ndr.h"

#include <string.h>

#define FSRVP_METHODS 13

/* What a request carries, in this order. */
typedef struct {
    uint8_t guids;
    uint8_t name;
    uint8_t number;
} request_shape;

static const request_shape requests[FSRVP_METHODS] = {
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
    fsrvp_reader in = fsrvp_read_from(stub, size, flags);
    size_t name_size = 0;
    request_shape shape;

    if (opnum >= FSRVP_METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    shape = requests[opnum];
    memset(request->guids, 0, sizeof request->guids);
    for (size_t i = 0; i < shape.guids; i++) {
        fsrvp_ndr_read_guid(&in, request->guids + i * FSRVP_GUID_SIZE);
    }
    if (shape.name) {
        name_size = fsrvp_ndr_read_string(&in, request->name);
    }
    request->number = shape.number ? fsrvp_ndr_read_u32(&in) : 0;
    request->end = (uint32_t)in.offset;
    return in.error == FSRVP_OK ? (int)name_size : in.error;
}

int fsrvp_encode_request(uint32_t opnum, const uint8_t *guids, size_t guids_size,
                         const char *name, size_t name_size, uint32_t number,
                         uint32_t flags, uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);
    fsrvp_text text = {name, name_size};
    request_shape shape;

    if (opnum >= FSRVP_METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    shape = requests[opnum];
    if (guids_size != (size_t)shape.guids * FSRVP_GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    for (size_t i = 0; i < shape.guids; i++) {
        fsrvp_ndr_write_guid(&out, guids + i * FSRVP_GUID_SIZE);
    }
    if (shape.name) {
        fsrvp_ndr_write_string(&out, text);
    }
    if (shape.number) {
        fsrvp_ndr_write_u32(&out, number);
    }
    return fsrvp_written(&out);
}

int fsrvp_encode_status(uint32_t result, uint32_t flags, uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);

    fsrvp_ndr_write_u32(&out, result);
    return fsrvp_written(&out);
}

int fsrvp_encode_numbers(uint32_t first, uint32_t second, uint32_t result, uint32_t flags,
                         uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);

    fsrvp_ndr_write_u32(&out, first);
    fsrvp_ndr_write_u32(&out, second);
    fsrvp_ndr_write_u32(&out, result);
    return fsrvp_written(&out);
}

int fsrvp_encode_guid(const uint8_t *guid, size_t guid_size, uint32_t result, uint32_t flags,
                      uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);

    if (guid_size != FSRVP_GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    fsrvp_ndr_write_guid(&out, guid);
    fsrvp_ndr_write_u32(&out, result);
    return fsrvp_written(&out);
}

int fsrvp_encode_path_supported(uint32_t supported, const char *owner, size_t owner_size,
                                uint32_t result, uint32_t flags, uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);
    fsrvp_text text = {owner, owner_size};

    fsrvp_ndr_write_u32(&out, supported);
    fsrvp_ndr_write_pointer(&out, owner != NULL, 0);
    if (owner != NULL) {
        fsrvp_ndr_write_string(&out, text);
    }
    fsrvp_ndr_write_u32(&out, result);
    return fsrvp_written(&out);
}

static void write_mapping(fsrvp_writer *out, const uint8_t *guids, fsrvp_text unc,
                          fsrvp_text share, uint64_t created)
{
    /* The structure is aligned as its widest member, the time stamp. */
    fsrvp_write_align(out, 8);
    fsrvp_ndr_write_guid(out, guids);
    fsrvp_ndr_write_guid(out, guids + FSRVP_GUID_SIZE);
    fsrvp_ndr_write_pointer(out, unc.utf8 != NULL, 1);
    fsrvp_ndr_write_pointer(out, share.utf8 != NULL, 2);
    fsrvp_ndr_write_u64(out, created);
    if (unc.utf8 != NULL) {
        fsrvp_ndr_write_string(out, unc);
    }
    if (share.utf8 != NULL) {
        fsrvp_ndr_write_string(out, share);
    }
}

int fsrvp_encode_share_mapping(uint32_t level, const uint8_t *guids, size_t guids_size,
                               const char *unc, size_t unc_size, const char *share,
                               size_t share_size, uint64_t created, uint32_t result,
                               uint32_t flags, uint8_t *stub, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(stub, size, flags);
    fsrvp_text unc_text = {unc, unc_size};
    fsrvp_text share_text = {share, share_size};

    if (guids_size != 0 && guids_size != 2 * FSRVP_GUID_SIZE) {
        return FSRVP_BAD_GUID;
    }
    fsrvp_ndr_write_u32(&out, level);
    fsrvp_ndr_write_union_gap(&out);
    if (level == 1) {
        fsrvp_ndr_write_pointer(&out, guids_size != 0, 0);
    }
    if (level == 1 && guids_size != 0) {
        write_mapping(&out, guids, unc_text, share_text, created);
    }
    fsrvp_ndr_write_u32(&out, result);
    return fsrvp_written(&out);
}

static void read_string_if(fsrvp_reader *in, bool present, fsrvp_string *text)
{
    text->present = present;
    text->size = present ? (uint32_t)fsrvp_ndr_read_string(in, text->utf8) : 0;
}

static void read_mapping(fsrvp_reader *in, fsrvp_response *response)
{
    bool unc;
    bool share;

    fsrvp_read_align(in, 8);
    fsrvp_ndr_read_guid(in, response->guids);
    fsrvp_ndr_read_guid(in, response->guids + FSRVP_GUID_SIZE);
    unc = fsrvp_ndr_read_pointer(in);
    share = fsrvp_ndr_read_pointer(in);
    response->created = fsrvp_ndr_read_u64(in);
    read_string_if(in, unc, &response->strings[0]);
    read_string_if(in, share, &response->strings[1]);
}

static void read_share_mapping(fsrvp_reader *in, fsrvp_response *response)
{
    response->numbers[0] = fsrvp_ndr_read_u32(in);
    fsrvp_ndr_read_union_gap(in);
    response->mapped = response->numbers[0] == 1 && fsrvp_ndr_read_pointer(in);
    if (response->mapped) {
        read_mapping(in, response);
    }
}

/* The out parameters, without the result that ends every response. */
static void read_parameters(fsrvp_reader *in, uint32_t opnum, fsrvp_response *response)
{
    switch (opnum) {
    case 0: /* GetSupportedVersion */
    case 9: /* IsPathShadowCopied */
        response->numbers[0] = fsrvp_ndr_read_u32(in);
        response->numbers[1] = fsrvp_ndr_read_u32(in);
        break;
    case 2: /* StartShadowCopySet */
    case 3: /* AddToShadowCopySet */
        fsrvp_ndr_read_guid(in, response->guids);
        break;
    case 8: /* IsPathSupported */
        response->numbers[0] = fsrvp_ndr_read_u32(in);
        read_string_if(in, fsrvp_ndr_read_pointer(in), &response->strings[0]);
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
    fsrvp_reader in = fsrvp_read_from(stub, size, flags);

    if (opnum >= FSRVP_METHODS) {
        return FSRVP_NO_SUCH_METHOD;
    }
    memset(response, 0, sizeof *response);
    read_parameters(&in, opnum, response);
    response->result = fsrvp_ndr_read_u32(&in);
    response->end = (uint32_t)in.offset;
    return in.error;
}
