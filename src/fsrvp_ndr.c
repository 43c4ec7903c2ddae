/* See fsrvp_ndr.h. */
#include "fsrvp_ndr.h"

#include "fsrvp_utf.h"

#include <string.h>

/* Referents only have to differ; these are the values that Windows and Samba send. */
#define FIRST_REFERENT 0x00020000u

static size_t pointer_size(uint32_t flags)
{
    return flags & FSRVP_NDR64 ? 8 : 4;
}

/* GUIDs are structures of a 32-bit, two 16-bit and eight 8-bit numbers, so that their first
 * half depends on the byte order. */
static void copy_guid(uint8_t *to, const uint8_t *from, uint32_t flags)
{
    static const uint8_t swapped[8] = {3, 2, 1, 0, 5, 4, 7, 6};

    memcpy(to, from, FSRVP_GUID_SIZE);
    for (size_t i = 0; flags & FSRVP_BIG_ENDIAN && i < sizeof swapped; i++) {
        to[i] = from[swapped[i]];
    }
}

uint32_t fsrvp_ndr_read_u32(fsrvp_reader *in)
{
    fsrvp_read_align(in, 4);
    return fsrvp_read_u32(in);
}

uint64_t fsrvp_ndr_read_u64(fsrvp_reader *in)
{
    fsrvp_read_align(in, 8);
    return fsrvp_read_u64(in);
}

void fsrvp_ndr_read_guid(fsrvp_reader *in, uint8_t *guid)
{
    const uint8_t *here;

    fsrvp_read_align(in, 4);
    here = fsrvp_read_bytes(in, FSRVP_GUID_SIZE);
    if (here != NULL) {
        copy_guid(guid, here, in->flags);
    }
}

/* A pointer or a count: what NDR64 made wider. */
static uint64_t read_wide(fsrvp_reader *in)
{
    return in->flags & FSRVP_NDR64 ? fsrvp_ndr_read_u64(in) : fsrvp_ndr_read_u32(in);
}

bool fsrvp_ndr_read_pointer(fsrvp_reader *in)
{
    return read_wide(in) != 0;
}

/* The number of units that follow, the NUL counted. */
static size_t read_string_head(fsrvp_reader *in)
{
    uint64_t maximum = read_wide(in);
    uint64_t offset = read_wide(in);
    uint64_t actual = read_wide(in);

    if (offset != 0) {
        fsrvp_read_fail(in, FSRVP_STRING_OFFSET);
    } else if (actual > maximum || actual == 0) {
        fsrvp_read_fail(in, FSRVP_STRING_COUNT);
    } else if (actual > FSRVP_STRING_MAX + 1) {
        fsrvp_read_fail(in, FSRVP_STRING_TOO_LONG);
    }
    return in->error == FSRVP_OK ? (size_t)actual : 0;
}

size_t fsrvp_ndr_read_string(fsrvp_reader *in, char *utf8)
{
    size_t units = read_string_head(in);
    size_t size;

    if (units == 0) {
        return 0;
    }
    size = fsrvp_utf16_to_utf8(in, units - 1, utf8);
    if (fsrvp_read_u16(in) != 0) {
        fsrvp_read_fail(in, FSRVP_NOT_TERMINATED);
    }
    return size;
}

void fsrvp_ndr_read_union_gap(fsrvp_reader *in)
{
    fsrvp_read_align(in, pointer_size(in->flags));
}

void fsrvp_ndr_write_u32(fsrvp_writer *out, uint32_t value)
{
    fsrvp_write_align(out, 4);
    fsrvp_write_u32(out, value);
}

void fsrvp_ndr_write_u64(fsrvp_writer *out, uint64_t value)
{
    fsrvp_write_align(out, 8);
    fsrvp_write_u64(out, value);
}

void fsrvp_ndr_write_guid(fsrvp_writer *out, const uint8_t *guid)
{
    uint8_t *here;

    fsrvp_write_align(out, 4);
    here = fsrvp_write_bytes(out, FSRVP_GUID_SIZE);
    if (here != NULL) {
        copy_guid(here, guid, out->flags);
    }
}

static void write_wide(fsrvp_writer *out, uint32_t value)
{
    if (out->flags & FSRVP_NDR64) {
        fsrvp_ndr_write_u64(out, value);
    } else {
        fsrvp_ndr_write_u32(out, value);
    }
}

void fsrvp_ndr_write_pointer(fsrvp_writer *out, bool present, uint32_t referent)
{
    write_wide(out, present ? FIRST_REFERENT + 4 * referent : 0);
}

void fsrvp_ndr_write_string(fsrvp_writer *out, fsrvp_text text)
{
    int units = fsrvp_utf16_units(text.utf8, text.size);

    if (units < 0) {
        fsrvp_write_fail(out, units);
        return;
    }
    write_wide(out, (uint32_t)units + 1);
    write_wide(out, 0);
    write_wide(out, (uint32_t)units + 1);
    fsrvp_utf8_to_utf16(out, text.utf8, text.size, (size_t)units);
    fsrvp_write_u16(out, 0);
}

void fsrvp_ndr_write_union_gap(fsrvp_writer *out)
{
    fsrvp_write_align(out, pointer_size(out->flags));
}
