/* The types of NDR 2.0 and NDR64 that MS-FSRVP uses; the cursor's flags say which of the
 * two it is. They differ in pointers and counts, whose size and alignment is 4 or 8 bytes.
 *
 * Spec: C706 14.3 (NDR 2.0), MS-RPCE 2.2.5 (NDR64).
 */
#ifndef FSRVP_NDR_H
#define FSRVP_NDR_H

#include "fsrvp_cursor.h"

#define GUID_SIZE 16

/* A text in the caller's buffer. */
typedef struct {
    const char *utf8; /* NULL: the NULL pointer */
    size_t size;
} ndr_text;

uint32_t ndr_read_u32(reader *in);
uint64_t ndr_read_u64(reader *in);
/* The caller's GUIDs always have the little-endian form. */
void ndr_read_guid(reader *in, uint8_t *guid);
/* Whether a pointer is followed by what it points to. */
bool ndr_read_pointer(reader *in);
/* A conformant varying string: 1 to FSRVP_STRING_MAX + 1 units, the last one NUL, none
 * before. Returns the size of the UTF-8; `utf8` has room for FSRVP_STRING_SIZE bytes. A string
 * with more units is passed over before it is an error. */
size_t ndr_read_string(reader *in, char *utf8);
/* Padding between the tag of a union and its arm, aligned for the widest arm. */
void ndr_read_union_gap(reader *in);

void ndr_write_u32(writer *out, uint32_t value);
void ndr_write_u64(writer *out, uint64_t value);
void ndr_write_guid(writer *out, const uint8_t *guid);
/* `referent` numbers the pointers of a message from 0; NULL when not `present`. */
void ndr_write_pointer(writer *out, bool present, uint32_t referent);
void ndr_write_string(writer *out, ndr_text text);
void ndr_write_union_gap(writer *out);

#endif
