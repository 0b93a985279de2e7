/* pairs.c - a data set of pairs: where it comes from and how it is looked at. */
#include "data/pairs.h"
#include "data/builtin.h"
#include "data/pair_lines.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

/* A source's bytes, and the characters its generator can use (NULL for a file). */
static ur_status read_source(const ur_allocator *a, const ur_pair_source *source, char **bytes,
                             size_t *size, const char **characters, ur_err *err)
{
    const ur_generator *g;
    *characters = NULL;
    if (!source->data)
        return ur_fail(err, UR_INVALID, "no data: neither a file nor builtin:dates");
    ur_status status = ur_find_generator(source->data, &g, err);
    if (status != UR_OK)
        return status;
    if (!g)
        return ur_read_file(a, source->data, UR_TEXT_FILE_LIMIT, bytes, size, err);
    *characters = g->characters;
    return ur_pairs_generate(a, source, bytes, size, err);
}

ur_status ur_pairs_learn(const ur_allocator *a, const ur_pair_source *source, bool strip,
                         ur_pairs **out, ur_vocabulary **vocabulary, ur_pair_format *format,
                         ur_err *err)
{
    char *bytes;
    size_t size;
    const char *characters;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = read_source(a, source, &bytes, &size, &characters, err);
    if (status != UR_OK)
        return status;
    status = ur_pairs_learn_bytes(a, source->data, bytes, size, characters, strip, out, vocabulary,
                                  format, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_pairs_open(const ur_allocator *a, const ur_pair_source *source,
                        const ur_pair_format *format, const ur_vocabulary *vocabulary,
                        ur_pairs **out, ur_err *err)
{
    char *bytes;
    size_t size;
    const char *characters;
    *out = NULL;
    ur_status status = ur_pair_format_check(format, vocabulary, err);
    if (status == UR_OK)
        status = read_source(a, source, &bytes, &size, &characters, err);
    if (status != UR_OK)
        return status;
    status = ur_pairs_open_bytes(a, source->data, bytes, size, format, vocabulary, out, err);
    ur_free(a, bytes);
    return status;
}

void ur_pairs_free(ur_pairs *pairs)
{
    if (!pairs)
        return;
    ur_free(pairs->a, pairs->offset);
    ur_free(pairs->a, pairs->ids);
    ur_free(pairs->a, pairs);
}

size_t ur_pairs_count(const ur_pairs *pairs)
{
    return pairs->count;
}

static ur_ids part(const ur_pairs *pairs, size_t index)
{
    size_t begin = pairs->offset[index];
    return (ur_ids){pairs->ids + begin, pairs->offset[index + 1] - begin};
}

ur_ids ur_pairs_question(const ur_pairs *pairs, size_t index)
{
    return part(pairs, 2 * index);
}

ur_ids ur_pairs_answer(const ur_pairs *pairs, size_t index)
{
    return part(pairs, 2 * index + 1);
}
