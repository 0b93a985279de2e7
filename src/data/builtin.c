/* builtin.c - the built-in generators by name, and the rule that keeps their splits apart. */
#include "data/builtin.h"
#include "text/lines.h"
#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "base/streams.h"

#include <string.h>

#define PREFIX "builtin:"

bool ur_is_builtin(const char *data)
{
    return data && strncmp(data, PREFIX, strlen(PREFIX)) == 0;
}

ur_status ur_find_generator(const char *data, const ur_generator **out, ur_err *err)
{
    static const ur_generator *const all[] = {&ur_generate_dates, &ur_generate_additions};
    *out = NULL;
    if (!ur_is_builtin(data))
        return UR_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(data + strlen(PREFIX), all[i]->name) == 0)
            *out = all[i];
    if (*out)
        return UR_OK;
    return ur_fail(err, UR_INVALID,
                   "there is no \"%.100s\"; there are builtin:dates and builtin:additions", data);
}

ur_split ur_split_of(uint64_t question)
{
    return ur_philox(UR_KEY_SPLIT, question, 0).word[0] % 10 == 0 ? UR_SPLIT_VALID : UR_SPLIT_TRAIN;
}

void ur_put_padded(char *out, const char *text, size_t width)
{
    size_t n = strlen(text);
    memset(out, ' ', width);
    memcpy(out, text, n < width ? n : width);
}

ur_status ur_pairs_generate(const ur_allocator *a, const ur_pair_source *source, char **text,
                            size_t *bytes, ur_err *err)
{
    const ur_generator *g;
    *text = NULL;
    *bytes = 0;
    ur_status status = ur_find_generator(source->data, &g, err);
    if (status != UR_OK)
        return status;
    if (!g)
        return ur_fail(err, UR_INVALID, "\"%.100s\" is not a built-in generator", source->data);
    if ((unsigned)source->split > UR_SPLIT_VALID)
        return ur_fail(err, UR_INVALID, "builtin:%s has no split %d", g->name, (int)source->split);
    bool valid = source->split == UR_SPLIT_VALID;
    size_t line = g->question_width + g->answer_width + 2;
    size_t most =
        g->most[valid] < UR_TEXT_FILE_LIMIT / line ? g->most[valid] : UR_TEXT_FILE_LIMIT / line;
    size_t count = source->size ? source->size : valid ? 5000 : 45000;
    if (count > most)
        return ur_fail(err, UR_INVALID, "builtin:%s has at most %zu pairs to %s, not %zu", g->name,
                       most, valid ? "validate" : "train", count);
    char *lines = ur_alloc(a, count * line + 1, 1);
    if (!lines)
        return ur_no_memory(err, count * line + 1);
    status = g->write(a, source, count, lines, err);
    if (status != UR_OK) {
        ur_free(a, lines);
        return status;
    }
    lines[count * line] = 0;
    *text = lines;
    *bytes = count * line;
    return UR_OK;
}
