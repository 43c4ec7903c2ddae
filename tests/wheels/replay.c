/* Runs a fuzzer's harness without the fuzzer: standard input holds records, each after its
 * length (4 bytes, little-endian). Prints the number of records. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t record[1 << 16];

int main(void)
{
    uint8_t head[4];
    unsigned count = 0;

    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
        if (head[3] != 0 || size > sizeof record || fread(record, 1, size, stdin) != size) {
            return 2;
        }
        LLVMFuzzerTestOneInput(record, size);
        count++;
    }
    printf("%u\n", count);
    return 0;
}
