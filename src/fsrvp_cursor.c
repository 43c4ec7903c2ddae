/* See fsrvp_cursor.h. */
#include "fsrvp_cursor.h"

#include <string.h>

reader reader_from(const uint8_t *data, size_t size, uint32_t flags)
{
    reader in = {data, size, 0, flags, FSRVP_OK};

    return in;
}

writer writer_to(uint8_t *data, size_t size, uint32_t flags)
{
    writer out = {data, size, 0, flags, FSRVP_OK};

    return out;
}

void reader_fail(reader *in, int error)
{
    if (in->error == FSRVP_OK) {
        in->error = error;
    }
}

void writer_fail(writer *out, int error)
{
    if (out->error == FSRVP_OK) {
        out->error = error;
    }
}

int writer_result(const writer *out)
{
    return out->error == FSRVP_OK ? (int)out->offset : out->error;
}

const uint8_t *reader_bytes(reader *in, size_t size)
{
    const uint8_t *here = in->data + in->offset;

    if (in->error == FSRVP_OK && size > in->size - in->offset) {
        in->error = FSRVP_TRUNCATED;
    }
    if (in->error != FSRVP_OK) {
        return NULL;
    }
    in->offset += size;
    return here;
}

uint8_t *writer_bytes(writer *out, size_t size)
{
    uint8_t *here = out->data + out->offset;

    if (out->error == FSRVP_OK && size > out->size - out->offset) {
        out->error = FSRVP_NO_ROOM;
    }
    if (out->error != FSRVP_OK) {
        return NULL;
    }
    out->offset += size;
    return here;
}

void reader_align(reader *in, size_t boundary)
{
    (void)reader_bytes(in, (boundary - in->offset % boundary) % boundary);
}

void writer_align(writer *out, size_t boundary)
{
    size_t padding = (boundary - out->offset % boundary) % boundary;
    uint8_t *here = writer_bytes(out, padding);

    if (here != NULL) {
        memset(here, 0, padding);
    }
}

static bool big_endian(uint32_t flags)
{
    return (flags & FSRVP_BIG_ENDIAN) != 0;
}

uint8_t reader_u8(reader *in)
{
    const uint8_t *here = reader_bytes(in, 1);

    return here == NULL ? 0 : *here;
}

uint16_t reader_u16(reader *in)
{
    const uint8_t *here = reader_bytes(in, 2);

    return here == NULL ? 0 : load_u16(here, big_endian(in->flags));
}

uint32_t reader_u32(reader *in)
{
    const uint8_t *here = reader_bytes(in, 4);

    return here == NULL ? 0 : load_u32(here, big_endian(in->flags));
}

uint64_t reader_u64(reader *in)
{
    const uint8_t *here = reader_bytes(in, 8);
    uint64_t first;
    uint64_t second;

    if (here == NULL) {
        return 0;
    }
    first = load_u32(here, big_endian(in->flags));
    second = load_u32(here + 4, big_endian(in->flags));
    return big_endian(in->flags) ? first << 32 | second : second << 32 | first;
}

void writer_u8(writer *out, uint8_t value)
{
    uint8_t *here = writer_bytes(out, 1);

    if (here != NULL) {
        *here = value;
    }
}

void writer_u16(writer *out, uint16_t value)
{
    uint8_t *here = writer_bytes(out, 2);

    if (here != NULL) {
        store_u16(here, value, big_endian(out->flags));
    }
}

void writer_u32(writer *out, uint32_t value)
{
    uint8_t *here = writer_bytes(out, 4);

    if (here != NULL) {
        store_u32(here, value, big_endian(out->flags));
    }
}

void writer_u64(writer *out, uint64_t value)
{
    uint8_t *here = writer_bytes(out, 8);
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t low = (uint32_t)(value & 0xffffffff);

    if (here != NULL) {
        store_u32(here, big_endian(out->flags) ? high : low, big_endian(out->flags));
        store_u32(here + 4, big_endian(out->flags) ? low : high, big_endian(out->flags));
    }
}
