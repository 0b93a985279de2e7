/* fuzz_safetensors.c - any bytes are either refused with a sentence or a file whose every tensor can
 * be read. */
#include "frame.h"

#include <string.h>

#include "unroll/io.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_st *st = NULL;
    ur_err err = {0};
    ur_status status = ur_st_open_bytes(a, "input", data, size, &st, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(st == NULL);
        return;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < ur_st_count(st); i++) {
        const ur_st_info *t = ur_st_at(st, i);
        bytes += t->bytes;
        FUZZ_CHECK(t->offset <= size && ur_st_find(st, t->name) == t);
        if (t->dtype == UR_ST_OTHER)
            continue;
        void *out = malloc(t->count * 8 + 1); /* 8: the largest element read */
        FUZZ_CHECK(out != NULL);
        if (ur_st_read_floats(st, i, out, &err) != UR_OK &&
            ur_st_read_i64(st, i, out, &err) != UR_OK)
            fuzz_well(ur_st_read_u64(st, i, out, &err), &err);
        free(out);
    }
    FUZZ_CHECK(bytes <= size);
    for (size_t i = 0; i < ur_st_metadata_count(st); i++) {
        const char *key, *value;
        ur_st_metadata_at(st, i, &key, &value);
        FUZZ_CHECK(ur_st_metadata(st, key) == value);
    }
    ur_st_close(st);
}
