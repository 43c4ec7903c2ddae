/* Converts between UTF-16, on the wire, and UTF-8, for Python. */
#ifndef FSRVP_UTF16_H
#define FSRVP_UTF16_H

#include "fsrvp_cursor.h"

/* Reads `units` UTF-16 code units and writes them as UTF-8 without a NUL. Needs room
 * for three bytes a unit. Returns the number of bytes written; errors latch in the reader. */
size_t utf16_to_utf8(reader *in, size_t units, char *utf8);

/* The number of UTF-16 code units that a UTF-8 text becomes, or FSRVP_BAD_UTF8 or
 * FSRVP_STRING_TOO_LONG. */
int utf16_units(const char *utf8, size_t size);

/* Writes a text as `units` UTF-16 code units: the number from utf16_units. */
void utf16_from_utf8(writer *out, const char *utf8, size_t size, size_t units);

#endif
