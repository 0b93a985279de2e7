/* fuzz_pairs.c - any bytes are either refused with a sentence or a data set that opens again with
 * the vocabulary and format learned from it, as the same ids, and whose answers survive the way to
 * the model's order and back. The first byte chooses the options. */
#include "frame.h"

#include <string.h>

#include "data/pairs.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

static bool same(ur_ids a, ur_ids b)
{
    return a.length == b.length &&
           (a.length == 0 || memcmp(a.ids, b.ids, a.length * sizeof *a.ids) == 0);
}

static void check_orders(const ur_pair_format *f, ur_ids answer)
{
    size_t steps = ur_pair_steps(f, answer.length);
    int32_t *in = malloc((steps + 1) * sizeof *in), *out = malloc((steps + 1) * sizeof *out),
            *back = malloc((steps + 1) * sizeof *back);
    FUZZ_CHECK(in && out && back);
    ur_pair_target(f, answer, in, out);
    size_t n = ur_pair_answer(f, in[0], out, steps, back);
    FUZZ_CHECK(same((ur_ids){back, n}, answer));
    free(in);
    free(out);
    free(back);
}

static void check_pair(const ur_pairs *p, const ur_pairs *again, const ur_pair_format *f,
                       const ur_vocabulary *v, size_t i)
{
    ur_ids question = ur_pairs_question(p, i), answer = ur_pairs_answer(p, i);
    FUZZ_CHECK(same(question, ur_pairs_question(again, i)));
    FUZZ_CHECK(same(answer, ur_pairs_answer(again, i)));
    check_orders(f, answer);
    size_t bytes = ur_vocabulary_decode(v, question.ids, question.length, NULL, 0), length;
    char *text = malloc(bytes + 1);
    int32_t *ids = malloc((bytes + f->question_width + 1) * sizeof *ids);
    FUZZ_CHECK(text && ids);
    ur_vocabulary_decode(v, question.ids, question.length, text, bytes + 1);
    ur_err err = {UR_OK, ""};
    if (fuzz_well(ur_pair_encode(f, v, text, bytes, ids, &length, NULL, &err), &err))
        FUZZ_CHECK(same((ur_ids){ids, length}, question));
    free(text);
    free(ids);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_pairs *p, *again;
    ur_vocabulary *v;
    ur_pair_format f;
    ur_err err = {UR_OK, ""};
    if (size == 0)
        return;
    const char *text = (const char *)data + 1;
    const ur_pair_format wanted = {.strip = *data & 1, .lower = *data & 16};
    ur_status status =
        ur_pairs_learn_bytes(a, "input", text, size - 1, NULL, NULL, &wanted, &p, &v, &f, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(!p && !v);
        return;
    }
    f.reverse_input = *data & 2;
    f.answer_order = (ur_answer_order)(*data / 4 % 3);
    FUZZ_CHECK(ur_pair_format_check(&f, v, &err) == UR_OK);
    status = ur_pairs_open_bytes(a, "input", text, size - 1, NULL, &f, v, &again, &err);
    if (fuzz_well(status, &err)) {
        FUZZ_CHECK(ur_pairs_count(again) == ur_pairs_count(p));
        for (size_t i = 0; i < ur_pairs_count(p); i++)
            check_pair(p, again, &f, v, i);
        ur_pairs_free(again);
    }
    ur_pairs_free(p);
    ur_vocabulary_free(v);
}
