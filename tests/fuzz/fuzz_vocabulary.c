/* fuzz_vocabulary.c - any bytes are either refused with a sentence or a vocabulary whose file, once
 * written, holds the same tokens and is written the same way again. */
#include <stdlib.h>
#include <string.h>

#include "text/vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tokens(const ur_vocabulary *v)
{
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++) {
        size_t bytes, count;
        const char *token = ur_vocabulary_token(v, id, &bytes);
        if (bytes == 0 || token[bytes] != 0 || !ur_utf8_count(token, bytes, &count))
            abort();
        if (!ur_vocabulary_is_reserved(v, id) && ur_vocabulary_find(v, token, bytes) != id)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ur_vocabulary *v, *w;
    ur_err err = {UR_OK, ""};
    ur_status status = ur_vocabulary_parse(NULL, "input", (const char *)data, size, &v, &err);
    if (status != UR_OK) {
        if (status != UR_BAD_FILE || err.text[0] == 0 || v)
            abort();
        return 0;
    }
    check_tokens(v);
    char *text, *again;
    size_t bytes, more;
    if (ur_vocabulary_print(v, &text, &bytes, &err) != UR_OK ||
        ur_vocabulary_parse(NULL, "printed", text, bytes, &w, &err) != UR_OK ||
        ur_vocabulary_size(w) != ur_vocabulary_size(v) ||
        ur_vocabulary_print(w, &again, &more, &err) != UR_OK || more != bytes ||
        memcmp(text, again, bytes) != 0)
        abort();
    free(text);
    free(again);
    ur_vocabulary_free(v);
    ur_vocabulary_free(w);
    return 0;
}
