/* See fsrvp_ndr.h. */
#include "fsrvp_ndr.h"

#include "fsrvp_utf16.h"

#include <string.h>

/* Referents only have to differ; these are the values that Windows and Samba send. */
#define FIRST_REFERENT 0x00020000u

static size_t pointer_size(uint32_t flags)
{
    return flags & FSRVP_NDR64 ? 8 : 4;
}

/* GUIDs are structures of a 32-bit, two 16-bit and eight 8-bit numbers, so that the byte
 * order changes their first half. */
static void copy_guid(uint8_t *to, const uint8_t *from, uint32_t flags)
{
    static const uint8_t swapped[8] = {3, 2, 1, 0, 5, 4, 7, 6};

    memcpy(to, from, GUID_SIZE);
    for (size_t i = 0; flags & FSRVP_BIG_ENDIAN && i < sizeof swapped; i++) {
        to[i] = from[swapped[i]];
    }
}

uint32_t ndr_read_u32(reader *in)
{
    reader_align(in, 4);
    return reader_u32(in);
}

uint64_t ndr_read_u64(reader *in)
{
    reader_align(in, 8);
    return reader_u64(in);
}

void ndr_read_guid(reader *in, uint8_t *guid)
{
    const uint8_t *here;

    reader_align(in, 4);
    here = reader_bytes(in, GUID_SIZE);
    if (here != NULL) {
        copy_guid(guid, here, in->flags);
    }
}

/* A pointer or a count, which NDR64 makes wider. */
static uint64_t read_wide(reader *in)
{
    return in->flags & FSRVP_NDR64 ? ndr_read_u64(in) : ndr_read_u32(in);
}

bool ndr_read_pointer(reader *in)
{
    return read_wide(in) != 0;
}

/* The number of units that follow, including the NUL. */
static size_t read_string_head(reader *in)
{
    uint64_t maximum = read_wide(in);
    uint64_t offset = read_wide(in);
    uint64_t actual = read_wide(in);

    if (offset != 0) {
        reader_fail(in, FSRVP_STRING_OFFSET);
    } else if (actual > maximum || actual == 0) {
        reader_fail(in, FSRVP_STRING_COUNT);
    } else if (actual > in->size / 2) {
        reader_fail(in, FSRVP_TRUNCATED);
    }
    return in->error == FSRVP_OK ? (size_t)actual : 0;
}

size_t ndr_read_string(reader *in, char *utf8)
{
    size_t units = read_string_head(in);
    bool fits = units <= FSRVP_STRING_MAX + 1;
    size_t size = 0;

    if (units == 0) {
        return 0;
    }
    if (fits) {
        size = utf16_to_utf8(in, units - 1, utf8);
    } else {
        (void)reader_bytes(in, 2 * (units - 1));
    }
    if (reader_u16(in) != 0) {
        reader_fail(in, FSRVP_NOT_TERMINATED);
    }
    if (!fits) {
        reader_fail(in, FSRVP_STRING_TOO_LONG); /* it is all there, only longer than any name */
    }
    return size;
}

void ndr_read_union_gap(reader *in)
{
    reader_align(in, pointer_size(in->flags));
}

void ndr_write_u32(writer *out, uint32_t value)
{
    writer_align(out, 4);
    writer_u32(out, value);
}

void ndr_write_u64(writer *out, uint64_t value)
{
    writer_align(out, 8);
    writer_u64(out, value);
}

void ndr_write_guid(writer *out, const uint8_t *guid)
{
    uint8_t *here;

    writer_align(out, 4);
    here = writer_bytes(out, GUID_SIZE);
    if (here != NULL) {
        copy_guid(here, guid, out->flags);
    }
}

static void write_wide(writer *out, uint32_t value)
{
    if (out->flags & FSRVP_NDR64) {
        ndr_write_u64(out, value);
    } else {
        ndr_write_u32(out, value);
    }
}

void ndr_write_pointer(writer *out, bool present, uint32_t referent)
{
    write_wide(out, present ? FIRST_REFERENT + 4 * referent : 0);
}

void ndr_write_string(writer *out, ndr_text text)
{
    int units = utf16_units(text.utf8, text.size);

    if (units < 0) {
        writer_fail(out, units);
        return;
    }
    write_wide(out, (uint32_t)units + 1);
    write_wide(out, 0);
    write_wide(out, (uint32_t)units + 1);
    utf16_from_utf8(out, text.utf8, text.size, (size_t)units);
    writer_u16(out, 0);
}

void ndr_write_union_gap(writer *out)
{
    writer_align(out, pointer_size(out->flags));
}
