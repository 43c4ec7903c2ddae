/* See fsrvp_utf16.h. Both directions refuse what the other encoding cannot express: lone
 * surrogates, overlong forms, NUL inside a text. */
#include "fsrvp_utf16.h"

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

/* The code point that begins at `units`, or a negative error. */
static int32_t get_utf16(const uint8_t *units, size_t left, bool big_endian)
{
    uint32_t code = load_u16(units, big_endian);
    uint32_t low;

    if (code == 0) {
        return FSRVP_EMBEDDED_NUL;
    }
    if (IS_LOW_SURROGATE(code) || (IS_HIGH_SURROGATE(code) && left < 2)) {
        return FSRVP_BAD_UTF16;
    }
    if (!IS_HIGH_SURROGATE(code)) {
        return (int32_t)code;
    }
    low = load_u16(units + 2, big_endian);
    if (!IS_LOW_SURROGATE(low)) {
        return FSRVP_BAD_UTF16;
    }
    return (int32_t)(0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff));
}

size_t utf16_to_utf8(reader *in, size_t units, char *utf8)
{
    bool big_endian = (in->flags & FSRVP_BIG_ENDIAN) != 0;
    const uint8_t *text = reader_bytes(in, 2 * units);
    size_t written = 0;

    for (size_t i = 0; text != NULL && i < units;) {
        int32_t code = get_utf16(text + 2 * i, units - i, big_endian);

        if (code < 0) {
            reader_fail(in, code);
            return 0;
        }
        written += put_utf8(utf8 + written, (uint32_t)code);
        i += code < 0x10000 ? 1 : 2;
    }
    return written;
}

/* As get_utf8, for a code point of more than one byte. */
static size_t get_long_utf8(const char *text, size_t left, uint32_t *code)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)text[0];
    size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

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

/* Reads the code point at the start of `text`. Returns its number of bytes, 0 when it is not
 * valid. `left` is at least 1. */
static inline size_t get_utf8(const char *text, size_t left, uint32_t *code)
{
    *code = (uint8_t)text[0];
    if (*code < 0x80) {
        return *code == 0 ? 0 : 1;
    }
    return get_long_utf8(text, left, code);
}

int utf16_units(const char *utf8, size_t size)
{
    size_t units = 0;

    for (size_t offset = 0; offset < size;) {
        uint32_t code = 0;
        size_t taken = get_utf8(utf8 + offset, size - offset, &code);

        if (taken == 0) {
            return FSRVP_BAD_UTF8;
        }
        units += code < 0x10000 ? 1 : 2;
        if (units > FSRVP_STRING_MAX) {
            return FSRVP_STRING_TOO_LONG;
        }
        offset += taken;
    }
    return (int)units;
}

void utf16_from_utf8(writer *out, const char *utf8, size_t size, size_t units)
{
    bool big_endian = (out->flags & FSRVP_BIG_ENDIAN) != 0;
    uint8_t *to = writer_bytes(out, 2 * units);

    for (size_t offset = 0; to != NULL && offset < size;) {
        uint32_t code = 0;

        offset += get_utf8(utf8 + offset, size - offset, &code);
        if (code < 0x10000) {
            store_u16(to, (uint16_t)code, big_endian);
            to += 2;
        } else {
            store_u16(to, (uint16_t)(0xd800 | (code - 0x10000) >> 10), big_endian);
            store_u16(to + 2, (uint16_t)(0xdc00 | ((code - 0x10000) & 0x3ff)), big_endian);
            to += 4;
        }
    }
}
