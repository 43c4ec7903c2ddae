/* Cursors over bytes that somebody else owns.
 *
 * The first error latches: from then on reads yield zero, writes are dropped and the
 * offset stands where it happened, so that a message is checked once, at its end. These
 * few functions hold all the pointer arithmetic of the codec.
 */
#ifndef FSRVP_CURSOR_H
#define FSRVP_CURSOR_H

#include "fsrvp_core.h"

#include <stdbool.h>

typedef struct {
    const uint8_t *data;
    size_t size;
    size_t offset;
    uint32_t flags; /* FSRVP_BIG_ENDIAN, FSRVP_NDR64 */
    int error;      /* FSRVP_OK or the first error */
} fsrvp_reader;

typedef struct {
    uint8_t *data;
    size_t size;
    size_t offset;
    uint32_t flags;
    int error;
} fsrvp_writer;

fsrvp_reader fsrvp_read_from(const uint8_t *data, size_t size, uint32_t flags);
fsrvp_writer fsrvp_write_to(uint8_t *data, size_t size, uint32_t flags);

void fsrvp_read_fail(fsrvp_reader *in, int error);
void fsrvp_write_fail(fsrvp_writer *out, int error);

/* What a writer's caller answers: the number of bytes written, or the error. */
int fsrvp_written(const fsrvp_writer *out);

/* The next `size` bytes, NULL when there are fewer. */
const uint8_t *fsrvp_read_bytes(fsrvp_reader *in, size_t size);
uint8_t *fsrvp_write_bytes(fsrvp_writer *out, size_t size);

/* Steps over padding up to a multiple of `boundary`, a power of two; writers fill it with
 * zeros, readers do not look at it. */
void fsrvp_read_align(fsrvp_reader *in, size_t boundary);
void fsrvp_write_align(fsrvp_writer *out, size_t boundary);

/* Unaligned numbers in the byte order of the flags. */
uint8_t fsrvp_read_u8(fsrvp_reader *in);
uint16_t fsrvp_read_u16(fsrvp_reader *in);
uint32_t fsrvp_read_u32(fsrvp_reader *in);
uint64_t fsrvp_read_u64(fsrvp_reader *in);
void fsrvp_write_u8(fsrvp_writer *out, uint8_t value);
void fsrvp_write_u16(fsrvp_writer *out, uint16_t value);
void fsrvp_write_u32(fsrvp_writer *out, uint32_t value);
void fsrvp_write_u64(fsrvp_writer *out, uint64_t value);

/* One number at a place that the caller knows to hold it; inline for the loops over text. */
static inline uint16_t fsrvp_load_u16(const uint8_t *from, bool big_endian)
{
    uint32_t first = from[0];
    uint32_t second = from[1];

    return (uint16_t)(big_endian ? first << 8 | second : second << 8 | first);
}

static inline uint32_t fsrvp_load_u32(const uint8_t *from, bool big_endian)
{
    uint32_t first = fsrvp_load_u16(from, big_endian);
    uint32_t second = fsrvp_load_u16(from + 2, big_endian);

    return big_endian ? first << 16 | second : second << 16 | first;
}

static inline void fsrvp_store_u16(uint8_t *to, uint16_t value, bool big_endian)
{
    to[big_endian ? 0 : 1] = (uint8_t)(value >> 8);
    to[big_endian ? 1 : 0] = (uint8_t)(value & 0xff);
}

static inline void fsrvp_store_u32(uint8_t *to, uint32_t value, bool big_endian)
{
    fsrvp_store_u16(to + (big_endian ? 0 : 2), (uint16_t)(value >> 16), big_endian);
    fsrvp_store_u16(to + (big_endian ? 2 : 0), (uint16_t)(value & 0xffff), big_endian);
}

#endif
