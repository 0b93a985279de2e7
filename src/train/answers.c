/* answers.c - questions as text in, answers as text out, many at a time.
 *
 * Questions are encoded first, so that a bad one is told before anything is computed; shards of
 * them go to the threads. Each answer is one block of memory that the run keeps until the next
 * call. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "train/run.h"
#include "train/shards.h"

typedef struct answering {
    ur_run *run;
    size_t count;
    ur_ids *questions;   /* (count) encoded, each in memory of its own */
    void **blocks;       /* (count) what the answers point into */
    ur_text_answer *out; /* (count) */
    ur_tape **tapes;     /* (threads) */
    ur_err *error;       /* (threads) */
} answering;

/* ---- one answer --------------------------------------------------------------------------- */

static size_t text_length(const ur_vocabulary *v, const int32_t *ids, size_t *count)
{
    while (*count) { /* spaces that fill up a fixed width are no part of the answer */
        size_t bytes = 0;
        const char *token = ur_vocabulary_token(v, ids[*count - 1], &bytes);
        if (bytes != 1 || *token != ' ')
            break;
        --*count;
    }
    return ur_vocabulary_decode(v, ids, *count, NULL, 0);
}

/* Copies an answer from the tape into one block: pointers first, floats, then characters. */
static bool keep(answering *a, size_t i, const ur_answer *answer)
{
    const ur_vocabulary *v = a->run->vocabulary;
    const ur_ids q = a->questions[i];
    const size_t n = answer->count;
    size_t shown = n;
    const size_t bytes = text_length(v, answer->ids, &shown);
    const size_t floats = n + (answer->attention ? n * q.length : 0);
    char *block = ur_alloc(a->run->a,
                           (q.length + n) * sizeof(char *) + floats * sizeof(float) + bytes + 1, 1);
    a->blocks[i] = block;
    if (!block)
        return false;
    const char **question_symbols = (const char **)(void *)block;
    const char **answer_symbols = question_symbols + q.length;
    float *probability = (float *)(void *)(answer_symbols + n);
    float *attention = probability + n;
    char *text = (char *)(probability + floats);
    for (size_t j = 0; j < q.length; j++)
        question_symbols[j] = ur_vocabulary_token(v, q.ids[j], NULL);
    for (size_t j = 0; j < n; j++)
        answer_symbols[j] = ur_vocabulary_token(v, answer->ids[j], NULL);
    memcpy(probability, answer->probability, n * sizeof *probability);
    if (answer->attention)
        memcpy(attention, answer->attention, n * q.length * sizeof *attention);
    ur_vocabulary_decode(v, answer->ids, shown, text, bytes + 1);
    a->out[i] = (ur_text_answer){.text = text,
                                 .log_probability = answer->log_probability,
                                 .complete = answer->complete,
                                 .question_length = q.length,
                                 .answer_length = n,
                                 .question_symbols = question_symbols,
                                 .answer_symbols = answer_symbols,
                                 .probability = probability,
                                 .attention = answer->attention ? attention : NULL};
    return true;
}

static void answer_shard(void *arg, size_t s, int worker)
{
    answering *a = arg;
    const size_t begin = s * UR_SHARD_ROWS, left = a->count - begin;
    const size_t count = left < UR_SHARD_ROWS ? left : UR_SHARD_ROWS;
    ur_tape *tape = a->tapes[worker];
    ur_tape_start(tape, UR_INFER, a->run->model->params, NULL, 0, 0);
    const ur_answer *answers =
        ur_seq2seq_answer(tape, a->run->model, count, a->questions + begin, NULL, NULL);
    if (!answers)
        ur_fail(&a->error[worker], ur_tape_status(tape), "%s", ur_error(tape));
    for (size_t i = 0; answers && i < count; i++)
        if (!keep(a, begin + i, &answers[i]))
            ur_no_memory(&a->error[worker], answers[i].count);
}

/* ---- all of them -------------------------------------------------------------------------- */

static ur_status encode_all(answering *a, const char *const *questions, size_t *bad, ur_err *err)
{
    const ur_pair_format *format = &ur_seq2seq_config_of(a->run->model)->format;
    for (size_t i = 0; i < a->count; i++) {
        const size_t bytes = strlen(questions[i]);
        const size_t room = bytes > format->question_width ? bytes : format->question_width;
        int32_t *ids = ur_alloc(a->run->a, room, sizeof *ids);
        a->questions[i].ids = ids;
        if (!ids)
            return ur_no_memory(err, room * sizeof *ids);
        const ur_status status = ur_pair_encode(format, a->run->vocabulary, questions[i], bytes,
                                                ids, &a->questions[i].length, err);
        if (status != UR_OK) {
            if (bad)
                *bad = i;
            return status;
        }
    }
    return UR_OK;
}

static ur_status compute(answering *a, ur_err *err)
{
    ur_context *context = a->run->context;
    const size_t shards = (a->count + UR_SHARD_ROWS - 1) / UR_SHARD_ROWS;
    const int threads = ur_context_threads(context);
    const bool team = shards < (size_t)threads;
    for (int i = 0; i < threads; i++) {
        const ur_status status = ur_tape_new(context, &a->tapes[i], err);
        if (status != UR_OK)
            return status;
        ur_tape_use_team(a->tapes[i], team);
    }
    const ur_fpmode mode = ur_fpmode_enter();
    if (team)
        for (size_t s = 0; s < shards; s++)
            answer_shard(a, s, 0);
    else
        ur_pool_for(context->pool, shards, answer_shard, a);
    ur_fpmode_leave(mode);
    for (int i = 0; i < threads; i++)
        if (a->error[i].status != UR_OK)
            return ur_fail(err, a->error[i].status, "%s", a->error[i].text);
    return UR_OK;
}

void ur_run_forget_answers(ur_run *run)
{
    for (size_t i = 0; i < run->answer_count; i++)
        ur_free(run->a, run->answers[i]);
    ur_free(run->a, run->answers);
    run->answers = NULL;
    run->answer_count = 0;
}

ur_status ur_run_answer(ur_run *run, size_t count, const char *const *questions,
                        ur_text_answer *out, size_t *bad, ur_err *err)
{
    const size_t threads = (size_t)ur_context_threads(run->context);
    ur_run_forget_answers(run);
    if (strcmp(ur_run_kind(run), "seq2seq") != 0)
        return ur_fail(err, UR_UNSUPPORTED, "this model is a %s, which answers no questions",
                       ur_run_kind(run));
    answering a = {.run = run, .count = count, .out = out};
    a.questions = ur_alloc_zero(run->a, count, sizeof *a.questions);
    a.blocks = ur_alloc_zero(run->a, count, sizeof *a.blocks);
    a.tapes = ur_alloc_zero(run->a, threads, sizeof(ur_tape *));
    a.error = ur_alloc_zero(run->a, threads, sizeof *a.error);
    ur_status status = UR_OK;
    if (!a.questions || !a.blocks || !a.tapes || !a.error)
        status = ur_no_memory(err, count * sizeof *a.questions);
    if (status == UR_OK)
        status = encode_all(&a, questions, bad, err);
    if (status == UR_OK)
        status = compute(&a, err);
    for (size_t i = 0; a.tapes && i < threads; i++)
        ur_tape_free(a.tapes[i]);
    for (size_t i = 0; a.questions && i < count; i++) {
        void *ids;
        memcpy(&ids, &a.questions[i].ids, sizeof ids);
        ur_free(run->a, ids);
    }
    ur_free(run->a, a.questions);
    ur_free(run->a, a.tapes);
    ur_free(run->a, a.error);
    run->answers = a.blocks;
    run->answer_count = a.blocks ? count : 0;
    if (status != UR_OK)
        ur_run_forget_answers(run);
    return status;
}
