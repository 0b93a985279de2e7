/* labelled.c - texts with labels: files, and looking at what was read. */
#include "data/labelled.h"
#include "text/lines.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

ur_status ur_labelled_learn(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                            const ur_text_options *options, const ur_vocabulary_options *choice,
                            ur_labelled **out, ur_vocabulary **tokens, ur_vocabulary **labels,
                            ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    *tokens = *labels = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_learn_bytes(a, path, bytes, size, kind, options, choice, out, tokens,
                                     labels, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_labelled_open(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                           const ur_text_options *options, const ur_vocabulary *tokens,
                           const ur_vocabulary *labels, ur_labelled **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_open_bytes(a, path, bytes, size, kind, options, tokens, labels, out, err);
    ur_free(a, bytes);
    return status;
}

void ur_labelled_free(ur_labelled *d)
{
    if (!d)
        return;
    ur_free(d->a, d->offset);
    ur_free(d->a, d->tokens);
    ur_free(d->a, d->labels);
    ur_free(d->a, d);
}

size_t ur_labelled_count(const ur_labelled *d)
{
    return d->count;
}

size_t ur_labelled_all_tokens(const ur_labelled *d)
{
    return d->all;
}

size_t ur_labelled_unknown(const ur_labelled *d)
{
    return d->unknown;
}

ur_ids ur_labelled_tokens(const ur_labelled *d, size_t index)
{
    size_t begin = d->offset[index];
    return (ur_ids){d->tokens + begin, d->offset[index + 1] - begin};
}

ur_ids ur_labelled_labels(const ur_labelled *d, size_t index)
{
    if (d->kind == UR_CLASSIFIED)
        return (ur_ids){d->labels + index, 1};
    size_t begin = d->offset[index];
    return (ur_ids){d->labels + begin, d->offset[index + 1] - begin};
}

uint64_t ur_labelled_fingerprint(const ur_labelled *d)
{
    uint64_t hash = ur_ids_fingerprint((ur_ids){d->tokens, d->all});
    for (size_t i = 0; i < d->count; i++) {
        uint64_t labels = ur_ids_fingerprint(ur_labelled_labels(d, i));
        hash = ur_fingerprint_spread(hash, labels ^ (uint64_t)ur_labelled_tokens(d, i).length);
    }
    return hash;
}
