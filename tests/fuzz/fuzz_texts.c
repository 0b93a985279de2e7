/* fuzz_texts.c - bytes as a text that a trained model is asked, or as a prompt that it writes on: refused with a
 * sentence, or answered with UTF-8, and with the same answer beside another text. The first byte names the
 * model, the second and third choose how it searches. */
#include "runs.h"

#include <math.h>
#include <string.h>

#include "unroll/decode.h"

static ur_run *opened[32];
static ur_context *context;

static void start(const ur_allocator *a)
{
    ur_err err = {0};
    fuzz_make_runs(a);
    context = fuzz_context(a);
    FUZZ_CHECK(fuzz_run_count() <= sizeof opened / sizeof *opened);
    for (size_t i = 0; i < fuzz_run_count(); i++) {
        char folder[64];
        fuzz_run_folder(fuzz_run_at(i), folder);
        FUZZ_CHECK(fuzz_well(ur_run_open(context, folder, &opened[i], &err), &err));
    }
}

const fuzz_setup fuzz_frame = {
    .memory = 32 << 20, .per_byte = 16384, .folder = true, .keeps = true, .start = start};

enum { MAY = FUZZ_MAY(UR_INVALID) | FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_UNSUPPORTED) };

static void check_utf8(const char *text)
{
    size_t count;
    FUZZ_CHECK(!text || ur_utf8_count(text, strlen(text), &count));
}

static void check_answer(const ur_prediction *p)
{
    check_utf8(p->text);
    for (size_t i = 0; i < p->count; i++) {
        check_utf8(p->tokens ? p->tokens[i] : NULL);
        check_utf8(p->labels ? p->labels[i] : NULL);
        FUZZ_CHECK(!p->probability || (p->probability[i] >= 0.0f && p->probability[i] <= 1.0001f));
    }
    for (size_t i = 0; i < p->n_alternatives; i++)
        check_utf8(p->alternatives[i].text);
}

static bool same_answer(const ur_prediction *a, const ur_prediction *b)
{
    if (a->count != b->count || !a->text != !b->text || (a->text && strcmp(a->text, b->text) != 0))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->probability && a->probability[i] != b->probability[i])
            return false;
    return isnan(a->log_probability) ? isnan(b->log_probability)
                                     : a->log_probability == b->log_probability;
}

static void ask(ur_run *run, const char *text, const char *beside, const ur_search_options *how)
{
    const char *const texts[] = {text, beside};
    ur_prediction one, both[2];
    ur_err err = {0};
    size_t bad = SIZE_MAX;
    ur_status status = ur_run_predict(run, 1, texts, how, &one, &bad, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, MAY);
        FUZZ_CHECK(status != UR_BAD_FILE || bad == 0);
        return;
    }
    check_answer(&one);
    status = ur_run_predict(run, 2, texts, how, both, &bad, &err);
    FUZZ_CHECK(fuzz_well(status, &err) && same_answer(&one, &both[0]));
    ur_prediction_free(context, &one);
    ur_prediction_free(context, &both[0]);
    ur_prediction_free(context, &both[1]);
}

static void go_on(ur_run *run, const char *prompt, const ur_search_options *how)
{
    ur_writer *writer;
    ur_token_written token;
    ur_err err = {0};
    const ur_status status = ur_writer_new(run, prompt, how, &writer, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, MAY);
        return;
    }
    size_t unknown;
    check_utf8(ur_writer_prompt(writer));
    ur_writer_unknown(writer, &unknown);
    for (int i = 0; i < 4 && fuzz_well(ur_writer_next(writer, &token, &err), &err); i++)
        check_utf8(token.piece);
    ur_writer_free(writer);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const size_t which = fuzz_byte(&input) % fuzz_run_count();
    const uint8_t search = fuzz_byte(&input), draw = fuzz_byte(&input);
    (void)a;
    const fuzz_bytes first = fuzz_part(&input);
    char *text = fuzz_text(first), *begin = fuzz_text(input);
    const ur_search_options how = {.temperature = (float)(draw & 3) / 2.0f,
                                   .top_k = draw >> 2 & 3,
                                   .top_p = draw >> 4 & 1 ? 0.9f : 0.0f,
                                   .beam = search & 3,
                                   .n_best = search >> 2 & 1,
                                   .length_penalty = (float)(search >> 3 & 1),
                                   .least = search >> 4 & 3,
                                   .most = 8,
                                   .begin = search & 64 ? begin : NULL,
                                   .maps = search & 128};
    ask(opened[which], text, fuzz_run_at(which)->text, &how);
    go_on(opened[which], text, &how);
    free(text);
    free(begin);
}
