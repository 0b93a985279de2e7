/* fuzz_safetensors.c - any bytes are either refused with a sentence or a file whose every tensor can
 * be read. */
#include <stdlib.h>
#include <string.h>

#include "unroll/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ur_st *st = NULL;
    ur_err err = {0};
    ur_status status = ur_st_open_bytes(NULL, "input", data, size, &st, &err);
    if (status != UR_OK) {
        if (status != UR_BAD_FILE || err.text[0] == '\0' || st != NULL)
            abort();
        return 0;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < ur_st_count(st); i++) {
        const ur_st_info *t = ur_st_at(st, i);
        bytes += t->bytes;
        if (t->offset > size || ur_st_find(st, t->name) != t)
            abort();
        if (t->dtype == UR_ST_OTHER)
            continue;
        void *out = malloc(t->count * 8 + 1); /* 8: the largest element read */
        if (out == NULL)
            abort();
        if (ur_st_read_floats(st, i, out, &err) != UR_OK &&
            ur_st_read_i64(st, i, out, &err) != UR_OK && ur_st_read_u64(st, i, out, &err) != UR_OK)
            abort();
        free(out);
    }
    if (bytes > size)
        abort();
    ur_st_close(st);
    return 0;
}
