/* UTF-16 on the wire, UTF-8 towards Python. */
#ifndef FSRVP_UTF_H
#define FSRVP_UTF_H

#include "fsrvp_cursor.h"

/* Reads `units` UTF-16 code units and writes them as UTF-8 without terminating them. Needs
 * room for three bytes a unit. Returns the bytes written; errors latch in the reader. */
size_t fsrvp_utf16_to_utf8(fsrvp_reader *in, size_t units, char *utf8);

/* How many UTF-16 code units a UTF-8 text becomes, or FSRVP_BAD_UTF8. */
int fsrvp_utf16_units(const char *utf8, size_t size);

/* Writes a text of which fsrvp_utf16_units has said that it becomes so many units. */
void fsrvp_utf8_to_utf16(fsrvp_writer *out, const char *utf8, size_t size, size_t units);

#endif
