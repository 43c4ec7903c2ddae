/* See fsrvp_utf.h. Neither side accepts what has no meaning in the other: lone surrogates,
 * overlong forms, NUL inside a text. */
#include "fsrvp_utf.h"

#define IS_HIGH_SURROGATE(unit) (((unit) & 0xfc00u) == 0xd800u)
#define IS_LOW_SURROGATE(unit) (((unit) & 0xfc00u) == 0xdc00u)

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

size_t fsrvp_utf16_to_utf8(fsrvp_reader *in, size_t units, char *utf8)
{
    size_t written = 0;

    while (units > 0 && in->error == FSRVP_OK) {
        uint32_t code = fsrvp_read_u16(in);

        units--;
        if (IS_HIGH_SURROGATE(code) && units > 0) {
            uint32_t low = fsrvp_read_u16(in);

            units--;
            if (!IS_LOW_SURROGATE(low)) {
                fsrvp_read_fail(in, FSRVP_BAD_UTF16);
            }
            code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        } else if (IS_HIGH_SURROGATE(code) || IS_LOW_SURROGATE(code)) {
            fsrvp_read_fail(in, FSRVP_BAD_UTF16);
        } else if (code == 0) {
            fsrvp_read_fail(in, FSRVP_EMBEDDED_NUL);
        }
        written += in->error == FSRVP_OK ? put_utf8(utf8 + written, code) : 0;
    }
    return written;
}

/* The code point at the start of `text` and the bytes that it takes; 0 bytes when it is not
 * valid. `left` is at least 1. */
static size_t get_utf8(const char *text, size_t left, uint32_t *code)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)text[0];
    size_t more;

    if (lead < 0x80) {
        *code = lead;
        return lead == 0 ? 0 : 1;
    }
    more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc0 || lead >= 0xf8 || more >= left) {
        return 0;
    }
    *code = lead & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (*code < least[more] || *code > 0x10ffff || (*code & 0xfffff800u) == 0xd800) {
        return 0;
    }
    return more + 1;
}

int fsrvp_utf16_units(const char *utf8, size_t size)
{
    int units = 0;

    for (size_t offset = 0; offset < size;) {
        uint32_t code = 0;
        size_t taken = get_utf8(utf8 + offset, size - offset, &code);

        if (taken == 0) {
            return FSRVP_BAD_UTF8;
        }
        if (units > FSRVP_STRING_MAX) {
            return FSRVP_STRING_TOO_LONG;
        }
        units += code < 0x10000 ? 1 : 2;
        offset += taken;
    }
    return units > FSRVP_STRING_MAX ? FSRVP_STRING_TOO_LONG : units;
}

void fsrvp_utf8_to_utf16(fsrvp_writer *out, const char *utf8, size_t size)
{
    for (size_t offset = 0; offset < size && out->error == FSRVP_OK;) {
        uint32_t code = 0;
        size_t taken = get_utf8(utf8 + offset, size - offset, &code);

        if (taken == 0) {
            fsrvp_write_fail(out, FSRVP_BAD_UTF8);
            return;
        }
        if (code < 0x10000) {
            fsrvp_write_u16(out, (uint16_t)code);
        } else {
            fsrvp_write_u16(out, (uint16_t)(0xd800 | (code - 0x10000) >> 10));
            fsrvp_write_u16(out, (uint16_t)(0xdc00 | ((code - 0x10000) & 0x3ff)));
        }
        offset += taken;
    }
}
