/* libFuzzer: stubs. The first byte selects method, transfer syntax and byte order. A decoded
 * stub must be equal after it is encoded and decoded again. */
#include "fsrvp_core.h"

#include <stdlib.h>
#include <string.h>

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_request(uint32_t opnum, const uint8_t *data, size_t size, uint32_t flags)
{
    static const size_t guids_size[] = {0, 0, 16, 32, 16, 16, 16, 16, 0, 0, 32, 32, 16};
    static fsrvp_request first, second;
    uint8_t stub[FSRVP_STUB_SIZE];
    int name_size = fsrvp_decode_request(opnum, data, size, flags, &first);
    int stub_size;

    if (name_size < 0) {
        require(name_size == FSRVP_NO_SUCH_METHOD || first.end <= size);
        return;
    }
    stub_size = fsrvp_encode_request(opnum, first.guids, guids_size[opnum], first.name,
                                     (size_t)name_size, first.number, flags, stub, sizeof stub);
    require(stub_size >= 0);
    require(fsrvp_decode_request(opnum, stub, (size_t)stub_size, flags, &second) == name_size);
    require(memcmp(first.guids, second.guids, sizeof first.guids) == 0);
    require(memcmp(first.name, second.name, (size_t)name_size) == 0);
    require(first.number == second.number);
}

static const char *text(const fsrvp_string *string)
{
    return string->present ? string->utf8 : NULL;
}

static void check_share_mapping(const fsrvp_response *first, uint32_t flags)
{
    static fsrvp_response second;
    uint8_t stub[FSRVP_STUB_SIZE];
    const fsrvp_string *strings = first->strings;
    int size = fsrvp_encode_share_mapping(
        first->numbers[0], first->guids, first->mapped ? sizeof first->guids : 0, text(&strings[0]),
        strings[0].size, text(&strings[1]), strings[1].size, first->created, first->result, flags,
        stub, sizeof stub);

    require(size >= 0);
    require(fsrvp_decode_response(10, stub, (size_t)size, flags, &second) == FSRVP_OK);
    second.end = first->end;
    require(memcmp(first, &second, sizeof second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fsrvp_response response;
    uint32_t opnum;
    uint32_t flags;

    if (size == 0) {
        return 0;
    }
    opnum = data[0] & 15;
    flags = data[0] >> 4 & (FSRVP_BIG_ENDIAN | FSRVP_NDR64);
    check_request(opnum, data + 1, size - 1, flags);
    if (fsrvp_decode_response(opnum, data + 1, size - 1, flags, &response) == FSRVP_OK &&
        opnum == 10) {
        check_share_mapping(&response, flags);
    }
    return 0;
}
