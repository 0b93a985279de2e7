/* next_words.c - texts in, the words that may come next out: what a run's next-word model predicts. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "models/text_lstm.h"
#include "train/run.h"
#include "train/shards.h"

/* ---- from text to words ------------------------------------------------------------------- */

/* The last `context` words of a text; *unknown: how many of those are <unk>. */
static ur_status last_words(ur_run *run, const char *text, int32_t *words, size_t *unknown,
                            ur_err *err)
{
    const ur_text_lstm_config *c = ur_text_lstm_config_of(run->model);
    const size_t bytes = strlen(text);
    size_t count;
    int32_t *ids = ur_alloc(run->a, bytes + 1, sizeof *ids);
    if (!ids)
        return ur_no_memory(err, bytes * sizeof *ids);
    ur_status status =
        ur_text_encode(&c->text.options, run->vocabulary, text, bytes, ids, &count, NULL, err);
    const char *unit = c->text.options.tokenizer == UR_CHARACTERS ? "character" : "word";
    if (status == UR_OK && count < c->context)
        status = ur_fail(err, UR_BAD_FILE,
                         "the text has %zu %s%s, but the model predicts from the %zu before", count,
                         unit, count == 1 ? "" : "s", c->context);
    if (status == UR_OK)
        memcpy(words, ids + count - c->context, c->context * sizeof *words);
    const int32_t unk = ur_vocabulary_find_reserved(run->vocabulary, "unk");
    *unknown = 0;
    for (size_t i = 0; status == UR_OK && i < c->context; i++)
        *unknown += words[i] == unk;
    ur_free(run->a, ids);
    return status;
}

/* ---- from logits to words ----------------------------------------------------------------- */

/* The `most` largest of `n` logits in falling order, the first of equals first. They are turned to
 * probabilities before; what was taken is marked. */
static void pick(ur_tape *t, const ur_vocabulary *v, float *logits, size_t n, size_t most,
                 ur_next_word *out)
{
    t->cpu.kernels->softmax(n, logits, logits);
    for (size_t k = 0; k < most; k++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (logits[i] > logits[best])
                best = i;
        out[k] = (ur_next_word){.word = ur_vocabulary_token(v, (int32_t)best, NULL),
                                .id = (int32_t)best,
                                .probability = logits[best]};
        logits[best] = -1.0f;
    }
}

static ur_status predict(ur_run *run, ur_tape *t, size_t count, const int32_t *words, size_t most,
                         ur_next_word *out, ur_err *err)
{
    const ur_text_lstm_config *c = ur_text_lstm_config_of(run->model);
    const ur_fpmode mode = ur_fpmode_enter();
    ur_tape_start(t, UR_INFER, run->model->params, NULL, 0, 0);
    for (size_t at = 0; at < count && ur_tape_ok(t); at += UR_SHARD_ROWS) {
        const size_t rows = count - at < UR_SHARD_ROWS ? count - at : UR_SHARD_ROWS;
        ur_tape_start(t, UR_INFER, run->model->params, NULL, 0, 0);
        ur_tensor *logits = ur_text_lstm_logits(t, run->model, rows, words + at * c->context);
        for (size_t i = 0; logits && i < rows; i++)
            pick(t, run->vocabulary, ur_floats(logits) + i * c->vocabulary, c->vocabulary, most,
                 out + (at + i) * most);
    }
    ur_fpmode_leave(mode);
    return ur_tape_ok(t) ? UR_OK : ur_fail(err, ur_tape_status(t), "%s", ur_error(t));
}

/* Encodes all, then predicts: nothing is predicted when one cannot be encoded. */
static ur_status encode_and_predict(ur_run *run, ur_tape *t, size_t count, const char *const *texts,
                                    size_t most, int32_t *words, ur_next_word *out, size_t *unknown,
                                    size_t *bad, ur_err *err)
{
    const size_t context = ur_text_lstm_config_of(run->model)->context;
    for (size_t i = 0; i < count; i++) {
        size_t unused;
        const ur_status status =
            last_words(run, texts[i], words + i * context, unknown ? &unknown[i] : &unused, err);
        if (status != UR_OK) {
            if (bad)
                *bad = i;
            return status;
        }
    }
    return predict(run, t, count, words, most, out, err);
}

ur_status ur_run_next_words(ur_run *run, size_t count, const char *const *texts, size_t most,
                            ur_next_word *out, size_t *unknown, size_t *bad, ur_err *err)
{
    if (run->model->class_of != &ur_text_lstm_class)
        return ur_fail(err, UR_UNSUPPORTED, "a %s does not predict the next word",
                       run->model->class_of->kind);
    const ur_text_lstm_config *c = ur_text_lstm_config_of(run->model);
    if (most < 1 || most > c->vocabulary)
        return ur_fail(err, UR_INVALID, "%zu words of a vocabulary of %zu were asked for", most,
                       c->vocabulary);
    if (count > SIZE_MAX / sizeof(int32_t) / c->context)
        return ur_no_memory(err, SIZE_MAX);
    ur_tape *t = NULL;
    int32_t *words = ur_alloc(run->a, count * c->context, sizeof *words);
    ur_status status = words ? ur_tape_new(run->context, &t, err)
                             : ur_no_memory(err, count * c->context * sizeof *words);
    if (status == UR_OK)
        status = encode_and_predict(run, t, count, texts, most, words, out, unknown, bad, err);
    ur_tape_free(t);
    ur_free(run->a, words);
    return status;
}
