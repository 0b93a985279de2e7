/* fuzz_vocabulary.c - any bytes are either refused with a sentence or a vocabulary whose file, once
 * written, holds the same tokens and is written the same way again. */
#include "frame.h"

#include <string.h>

#include "base/alloc.h"
#include "text/vocabulary.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

static void check_tokens(const ur_vocabulary *v)
{
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++) {
        size_t bytes, count;
        const char *token = ur_vocabulary_token(v, id, &bytes);
        FUZZ_CHECK(bytes > 0 && token[bytes] == 0 && ur_utf8_count(token, bytes, &count));
        FUZZ_CHECK(ur_vocabulary_is_reserved(v, id) || ur_vocabulary_find(v, token, bytes) == id);
    }
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_vocabulary *v, *w;
    ur_err err = {UR_OK, ""};
    ur_status status = ur_vocabulary_parse(a, "input", (const char *)data, size, &v, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(!v);
        return;
    }
    check_tokens(v);
    char *text, *again;
    size_t bytes, more;
    if (fuzz_well(ur_vocabulary_print(v, &text, &bytes, &err), &err)) {
        if (fuzz_well(ur_vocabulary_parse(a, "printed", text, bytes, &w, &err), &err)) {
            FUZZ_CHECK(ur_vocabulary_size(w) == ur_vocabulary_size(v));
            if (fuzz_well(ur_vocabulary_print(w, &again, &more, &err), &err)) {
                FUZZ_CHECK(more == bytes && memcmp(text, again, bytes) == 0);
                ur_free(a, again);
            }
            ur_vocabulary_free(w);
        }
        ur_free(a, text);
    }
    ur_vocabulary_free(v);
}
