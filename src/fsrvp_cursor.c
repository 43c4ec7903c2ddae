/* See fsrvp_cursor.h. */
#include "fsrvp_cursor.h"

#include <string.h>

fsrvp_reader fsrvp_read_from(const uint8_t *data, size_t size, uint32_t flags)
{
    fsrvp_reader in = {data, size, 0, flags, FSRVP_OK};

    return in;
}

fsrvp_writer fsrvp_write_to(uint8_t *data, size_t size, uint32_t flags)
{
    fsrvp_writer out = {data, size, 0, flags, FSRVP_OK};

    return out;
}

void fsrvp_read_fail(fsrvp_reader *in, int error)
{
    if (in->error == FSRVP_OK) {
        in->error = error;
    }
}

void fsrvp_write_fail(fsrvp_writer *out, int error)
{
    if (out->error == FSRVP_OK) {
        out->error = error;
    }
}

int fsrvp_written(const fsrvp_writer *out)
{
    return out->error == FSRVP_OK ? (int)out->offset : out->error;
}

const uint8_t *fsrvp_read_bytes(fsrvp_reader *in, size_t size)
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

uint8_t *fsrvp_write_bytes(fsrvp_writer *out, size_t size)
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

void fsrvp_read_align(fsrvp_reader *in, size_t boundary)
{
    (void)fsrvp_read_bytes(in, (boundary - in->offset % boundary) % boundary);
}

void fsrvp_write_align(fsrvp_writer *out, size_t boundary)
{
    size_t padding = (boundary - out->offset % boundary) % boundary;
    uint8_t *here = fsrvp_write_bytes(out, padding);

    if (here != NULL) {
        memset(here, 0, padding);
    }
}

static bool big_endian(uint32_t flags)
{
    return (flags & FSRVP_BIG_ENDIAN) != 0;
}

uint8_t fsrvp_read_u8(fsrvp_reader *in)
{
    const uint8_t *here = fsrvp_read_bytes(in, 1);

    return here == NULL ? 0 : *here;
}

uint16_t fsrvp_read_u16(fsrvp_reader *in)
{
    const uint8_t *here = fsrvp_read_bytes(in, 2);

    return here == NULL ? 0 : fsrvp_load_u16(here, big_endian(in->flags));
}

uint32_t fsrvp_read_u32(fsrvp_reader *in)
{
    const uint8_t *here = fsrvp_read_bytes(in, 4);

    return here == NULL ? 0 : fsrvp_load_u32(here, big_endian(in->flags));
}

uint64_t fsrvp_read_u64(fsrvp_reader *in)
{
    const uint8_t *here = fsrvp_read_bytes(in, 8);
    uint64_t first;
    uint64_t second;

    if (here == NULL) {
        return 0;
    }
    first = fsrvp_load_u32(here, big_endian(in->flags));
    second = fsrvp_load_u32(here + 4, big_endian(in->flags));
    return big_endian(in->flags) ? first << 32 | second : second << 32 | first;
}

void fsrvp_write_u8(fsrvp_writer *out, uint8_t value)
{
    uint8_t *here = fsrvp_write_bytes(out, 1);

    if (here != NULL) {
        *here = value;
    }
}

void fsrvp_write_u16(fsrvp_writer *out, uint16_t value)
{
    uint8_t *here = fsrvp_write_bytes(out, 2);

    if (here != NULL) {
        fsrvp_store_u16(here, value, big_endian(out->flags));
    }
}

void fsrvp_write_u32(fsrvp_writer *out, uint32_t value)
{
    uint8_t *here = fsrvp_write_bytes(out, 4);

    if (here != NULL) {
        fsrvp_store_u32(here, value, big_endian(out->flags));
    }
}

void fsrvp_write_u64(fsrvp_writer *out, uint64_t value)
{
    uint8_t *here = fsrvp_write_bytes(out, 8);
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t low = (uint32_t)(value & 0xffffffff);

    if (here != NULL) {
        fsrvp_store_u32(here, big_endian(out->flags) ? high : low, big_endian(out->flags));
        fsrvp_store_u32(here + 4, big_endian(out->flags) ? low : high, big_endian(out->flags));
    }
}
