/* Cursors over bytes that the caller owns.
 *
 * The first error latches: from then on reads yield zero, writes are dropped and the
 * offset stays where it happened, so that a message is checked once, at its end. These
 * few functions contain all the pointer arithmetic of the codec.
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
} reader;

typedef struct {
    uint8_t *data;
    size_t size;
    size_t offset;
    uint32_t flags;
    int error;
} writer;

reader reader_from(const uint8_t *data, size_t size, uint32_t flags);
writer writer_to(uint8_t *data, size_t size, uint32_t flags);

void reader_fail(reader *in, int error);
void writer_fail(writer *out, int error);

/* What an encoder returns: the number of bytes written, or the error. */
int writer_result(const writer *out);

/* The next `size` bytes, NULL when there are fewer. */
const uint8_t *reader_bytes(reader *in, size_t size);
uint8_t *writer_bytes(writer *out, size_t size);

/* Skips padding up to a multiple of `boundary`, a power of two. Writers fill it with zeros,
 * readers ignore it. */
void reader_align(reader *in, size_t boundary);
void writer_align(writer *out, size_t boundary);

/* Unaligned numbers in the byte order of the flags. */
uint8_t reader_u8(reader *in);
uint16_t reader_u16(reader *in);
uint32_t reader_u32(reader *in);
uint64_t reader_u64(reader *in);
void writer_u8(writer *out, uint8_t value);
void writer_u16(writer *out, uint16_t value);
void writer_u32(writer *out, uint32_t value);
void writer_u64(writer *out, uint64_t value);

/* One number at an address that the caller has checked; inline for the loops over text. */
static inline uint16_t load_u16(const uint8_t *from, bool big_endian)
{
    uint32_t first = from[0];
    uint32_t second = from[1];

    return (uint16_t)(big_endian ? first << 8 | second : second << 8 | first);
}

static inline uint32_t load_u32(const uint8_t *from, bool big_endian)
{
    uint32_t first = load_u16(from, big_endian);
    uint32_t second = load_u16(from + 2, big_endian);

    return big_endian ? first << 16 | second : second << 16 | first;
}

static inline void store_u16(uint8_t *to, uint16_t value, bool big_endian)
{
    to[big_endian ? 0 : 1] = (uint8_t)(value >> 8);
    to[big_endian ? 1 : 0] = (uint8_t)(value & 0xff);
}

static inline void store_u32(uint8_t *to, uint32_t value, bool big_endian)
{
    store_u16(to + (big_endian ? 0 : 2), (uint16_t)(value >> 16), big_endian);
    store_u16(to + (big_endian ? 2 : 0), (uint16_t)(value & 0xffff), big_endian);
}

#endif
