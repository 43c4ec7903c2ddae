/* The types of NDR 2.0 and NDR64 that MS-FSRVP uses; the cursor's flags say which of the
 * two it is. They differ in that pointers and counts take, and are aligned to, 4 or 8 bytes.
 *
 * Spec: C706 14.3 (NDR 2.0), MS-RPCE 2.2.5 (NDR64).
 */
#ifndef FSRVP_NDR_H
#define FSRVP_NDR_H

#include "fsrvp_cursor.h"

#define FSRVP_GUID_SIZE 16

/* A text in a caller's buffer. */
typedef struct {
    const char *utf8; /* NULL: the NULL pointer */
    size_t size;
} fsrvp_text;

uint32_t fsrvp_ndr_read_u32(fsrvp_reader *in);
uint64_t fsrvp_ndr_read_u64(fsrvp_reader *in);
/* A GUID always stands in its little-endian form on our side. */
void fsrvp_ndr_read_guid(fsrvp_reader *in, uint8_t *guid);
/* Whether a pointer is followed by what it points to. */
bool fsrvp_ndr_read_pointer(fsrvp_reader *in);
/* A conformant varying string: 1 to FSRVP_STRING_MAX + 1 units, the last one NUL, none
 * before. Returns the size of the UTF-8; `utf8` has room for FSRVP_STRING_SIZE bytes. */
size_t fsrvp_ndr_read_string(fsrvp_reader *in, char *utf8);
/* Padding between the tag of a union and its arm, to what the widest arm asks for. */
void fsrvp_ndr_read_union_gap(fsrvp_reader *in);

void fsrvp_ndr_write_u32(fsrvp_writer *out, uint32_t value);
void fsrvp_ndr_write_u64(fsrvp_writer *out, uint64_t value);
void fsrvp_ndr_write_guid(fsrvp_writer *out, const uint8_t *guid);
/* `referent` numbers the pointers of a message from 0; NULL when not `present`. */
void fsrvp_ndr_write_pointer(fsrvp_writer *out, bool present, uint32_t referent);
void fsrvp_ndr_write_string(fsrvp_writer *out, fsrvp_text text);
void fsrvp_ndr_write_union_gap(fsrvp_writer *out);

#endif
