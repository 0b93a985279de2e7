/* logits.c - what a run computes for the first pairs of a file, for tools/golden/check_model.py.
 *
 *     golden_logits RUN DATA OUT.safetensors [COUNT]
 *
 * Writes questions (B, L) as the encoder reads them, answers_in (B, T), logits (B, T, V) of the
 * teacher-forced decoder, question_lengths and answer_lengths (B); all padded with zeros. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unroll.h"

static int fail(const char *text)
{
    fprintf(stderr, "golden_logits: %s\n", text);
    return 1;
}

/* Padded copies of what the model reads. */
typedef struct batch {
    size_t count, width, steps, classes;
    size_t *which;
    int64_t *questions, *answers_in, *question_lengths, *answer_lengths;
    float *logits;
} batch;

static void measure(batch *b, const ur_pair_format *format, const ur_pairs *pairs)
{
    for (size_t i = 0; i < b->count; i++) {
        const size_t width = ur_pairs_question(pairs, i).length;
        const size_t steps = ur_pair_steps(format, ur_pairs_answer(pairs, i).length);
        b->width = width > b->width ? width : b->width;
        b->steps = steps > b->steps ? steps : b->steps;
    }
}

static void fill(batch *b, const ur_pair_format *format, const ur_pairs *pairs, const ur_seq *y)
{
    int32_t *ids = calloc(b->width + 2 * b->steps + 3, sizeof *ids);
    for (size_t i = 0; ids && i < b->count; i++) {
        const ur_ids question = ur_pairs_question(pairs, i), answer = ur_pairs_answer(pairs, i);
        const size_t steps = ur_pair_steps(format, answer.length);
        int32_t *in = ids + b->width, *out = in + b->steps;
        ur_pair_input(format, question, ids);
        ur_pair_target(format, answer, in, out);
        b->which[i] = i;
        b->question_lengths[i] = (int64_t)question.length;
        b->answer_lengths[i] = (int64_t)steps;
        for (size_t t = 0; t < question.length; t++)
            b->questions[i * b->width + t] = ids[t];
        for (size_t t = 0; t < steps; t++)
            b->answers_in[i * b->steps + t] = in[t];
        for (size_t t = 0; y && t < steps; t++)
            memcpy(b->logits + (i * b->steps + t) * b->classes,
                   ur_floats(y->values) + ur_row(y->layout, i, t) * b->classes,
                   b->classes * sizeof *b->logits);
    }
    free(ids);
}

static ur_status save(const batch *b, const char *path, ur_err *err)
{
    const size_t count[] = {b->count}, q[] = {b->count, b->width}, a[] = {b->count, b->steps};
    const size_t y[] = {b->count, b->steps, b->classes};
    const ur_st_tensor tensors[] = {{"questions", UR_ST_I64, 2, q, b->questions},
                                    {"answers_in", UR_ST_I64, 2, a, b->answers_in},
                                    {"question_lengths", UR_ST_I64, 1, count, b->question_lengths},
                                    {"answer_lengths", UR_ST_I64, 1, count, b->answer_lengths},
                                    {"logits", UR_ST_F32, 3, y, b->logits}};
    return ur_st_write(NULL, path, tensors, 5, NULL, 0, err);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return fail("usage: golden_logits RUN DATA OUT.safetensors [COUNT]"), 2;
    ur_err err;
    ur_context *context;
    ur_run *run;
    ur_pairs *pairs;
    ur_tape *tape;
    if (ur_context_new(NULL, &context, &err) != UR_OK ||
        ur_run_open(context, argv[1], &run, &err) != UR_OK)
        return fail(err.text);
    const ur_seq2seq_config *config = ur_seq2seq_config_of(ur_run_model(run));
    const ur_pair_source source = {.data = argv[2]};
    if (ur_pairs_open(NULL, &source, &config->format, ur_run_vocabulary(run), &pairs, &err) ||
        ur_tape_new(context, &tape, &err))
        return fail(err.text);
    const size_t wanted = argc > 4 ? (size_t)atoi(argv[4]) : 64, have = ur_pairs_count(pairs);
    batch b = {.count = wanted < have ? wanted : have, .classes = config->vocabulary};
    measure(&b, &config->format, pairs);
    b.which = calloc(b.count, sizeof *b.which);
    b.questions = calloc(b.count * b.width, sizeof *b.questions);
    b.answers_in = calloc(b.count * b.steps, sizeof *b.answers_in);
    b.question_lengths = calloc(b.count, sizeof *b.question_lengths);
    b.answer_lengths = calloc(b.count, sizeof *b.answer_lengths);
    b.logits = calloc(b.count * b.steps * b.classes, sizeof *b.logits);
    fill(&b, &config->format, pairs, NULL);
    ur_tape_start(tape, UR_INFER, ur_run_model(run)->params, NULL, 0, 0);
    const ur_seq2seq_logits y =
        ur_seq2seq_forward(tape, ur_run_model(run), pairs, b.count, b.which);
    if (!y.logits)
        return fail(ur_error(tape));
    fill(&b, &config->format, pairs, y.logits);
    if (save(&b, argv[3], &err) != UR_OK)
        return fail(err.text);
    free(b.which);
    free(b.questions);
    free(b.answers_in);
    free(b.question_lengths);
    free(b.answer_lengths);
    free(b.logits);
    ur_tape_free(tape);
    ur_pairs_free(pairs);
    ur_run_free(run);
    ur_context_free(context);
    return 0;
}
