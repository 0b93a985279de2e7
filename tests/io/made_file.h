/* made_file.h - safetensors files made by hand, for the tests. */
#ifndef UR_TESTS_IO_MADE_FILE_H
#define UR_TESTS_IO_MADE_FILE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A file in memory: `data` zero bytes after the header. */
typedef struct made {
    unsigned char bytes[2048];
    size_t size;
} made;

static inline made make(const char *header, size_t data)
{
    made m = {.size = 8 + strlen(header) + data};
    size_t length = strlen(header);
    assert(m.size <= sizeof m.bytes);
    for (int i = 0; i < 8; i++)
        m.bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(m.bytes + 8, header, length);
    return m;
}

#endif
